"""Checking what relays announced (I5): unchanged, and of what its command spent, each bit once.

Announcements are read command by command, beside the ranges that the command spent. No bit is
spent twice, which the audit of the blocks sees to, so whatever lies inside a command's own ranges
cannot have been announced under another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from scheduler.ledger.db.snapshot import Grouped, Row, Snapshot
from scheduler.ledger.log.canonical import canonical_parts
from scheduler.ledger.log.rows import checker, named_row
from scheduler.ledger.verify.context import AuditContext, Findings, Outcome, Shard

ANNOUNCEMENTS = "WHERE command_id BETWEEN :first AND :last ORDER BY command_id, id"
# In this order of tables SQLite need not sort.
PARTS = """
    SELECT part.announcement_ref, part.side, part."position", part.block_ref, part.start_bit,
        part.end_bit, part.relay
    FROM announcement AS said CROSS JOIN announcement_part AS part
    WHERE part.announcement_ref = said.id AND said.command_id BETWEEN :first AND :last
    ORDER BY said.command_id, said.id, part.side, part."position"
"""
SPENT = """
    SELECT command_id, block_ref, start_bit, end_bit, source_id FROM ledger_entry
    WHERE command_id BETWEEN :first AND :last AND enters IN ('relay_consumed', 'combined')
    ORDER BY command_id, line
"""
NO_POOL = ("", "", "")


def check_announcements(snapshot: Snapshot, context: AuditContext, shard: Shard) -> Outcome:
    """I5, for the announcements of a range of commands."""
    found = Findings()
    form = context.forms["announcement"]
    is_sound, named = checker(form, ("parts",)), named_row(form)
    parts_of = Grouped(snapshot.rows(PARTS, **shard.span)).of
    spent_by = Grouped(snapshot.rows(SPENT, **shard.span)).of
    command = _Command(context, None, (), found)
    for row in snapshot.rows(form.select(ANNOUNCEMENTS), **shard.span):
        said = named(row)
        if said.command_id != command.number:
            command.finish()
            command = _Command(context, said.command_id, spent_by(said.command_id), found)
        parts = parts_of(said.id)
        if not is_sound((*row, canonical_parts(part[1:6] for part in parts))):
            found.add(f"announcement {said.announcement_id}: its row or its parts were changed")
        command.check(said, parts)
    command.finish()
    return Outcome(found.problems)


class _Command:
    """What one command spent, and what was announced of it."""

    def __init__(
        self, context: AuditContext, number: int | None, spent: Iterable[Row], found: Findings
    ) -> None:
        self.number = number
        self._context = context
        self._found = found
        self._spent: dict[int, list[tuple[int, int, int]]] = {}
        for _, block_ref, start, end, source_id in spent:
            self._spent.setdefault(block_ref, []).append((start, end, source_id))
        #: what each relay announced of each block: first bit, end, name of the announcement
        self._told: dict[tuple[int, str], list[tuple[int, int, str]]] = {}

    def check(self, said: Any, parts: Sequence[Row]) -> None:
        """Check one announcement: two runs of its length, of its own relay."""
        name = said.announcement_id
        try:
            self._check_parts(name, said.relay, said.length_bits, parts)
        except TypeError:  # SQLite keeps a word in a column of numbers
            self._found.add(f"announcement {name}: a part of it is no range of bits")

    def _check_parts(self, name: str, relay: str, length_bits: int, parts: Sequence[Row]) -> None:
        lengths = {0: 0, 1: 0}
        foreign = False
        for _, side, _, block_ref, start, end, told in parts:
            lengths[side] = lengths.get(side, 0) + end - start
            foreign = foreign or told != relay
            self._told.setdefault((block_ref, told), []).append((start, end, name))
            source_id = self._source_of(block_ref, start, end)
            if source_id is None:
                self._found.add(
                    f"announcement {name}: bits from {start} of block row {block_ref} were not"
                    " spent by its command"
                )
            elif told not in self._ends_of(source_id):
                self._found.add(f"announcement {name}: relay {told} is at no end of its chunk")
        for side, length in lengths.items():
            if length != length_bits:
                self._found.add(
                    f"announcement {name}: side {side} has {length} bits of {length_bits}"
                )
        if foreign:
            self._found.add(f"announcement {name}: a part names another relay")

    def _source_of(self, block_ref: int, start: int, end: int) -> int | None:
        """The account that a range was spent from; None if this command did not spend it whole."""
        for first, last, source_id in self._spent.get(block_ref, ()):
            if first <= start and end <= last:
                return source_id
        return None

    def _ends_of(self, account: int) -> tuple[str, str]:
        """The two nodes of an account's pool."""
        pool, _ = self._context.accounts.get(account, (0, None))
        _, node_a, node_b = self._context.pools.get(pool, NO_POOL)
        return node_a, node_b

    def finish(self) -> None:
        """No relay announces a bit twice; ask at the end of the command."""
        for (block_ref, relay), spans in self._told.items():
            reached = 0
            for start, end, name in sorted(spans) if len(spans) > 1 else ():
                if start < reached:
                    self._found.add(
                        f"announcement {name}: relay {relay} announces bits from {start} of"
                        f" block row {block_ref} twice"
                    )
                reached = end
