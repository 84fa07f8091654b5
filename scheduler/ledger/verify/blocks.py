"""Auditing one block after another: its entries, its cursor, its bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from scheduler.errors import LedgerError
from scheduler.ledger.db.snapshot import NO_ROWS, Grouped, Row, Snapshot
from scheduler.ledger.log.canonical import marker_digest
from scheduler.ledger.log.rows import checker, named_row
from scheduler.ledger.states import ACCOUNT_OF, AccountKind, KeyState
from scheduler.ledger.vault.keystore import OVERHEAD_BYTES
from scheduler.ledger.vault.pieces import BOTH_ENDS, BlockNames, open_piece
from scheduler.ledger.verify.context import AuditContext, Findings, Outcome, Shard
from scheduler.ledger.verify.log import leaves_in
from scheduler.ledger.verify.ranges import REST, RangeMap, Spans, joined

REST_KIND = {
    KeyState.AVAILABLE: AccountKind.POOL,
    KeyState.RECEIVED: AccountKind.RECEIVED,
    KeyState.QUARANTINED: AccountKind.QUARANTINED,
    KeyState.HELD: AccountKind.HELD,
}
"""Account of the rest of a block that is in use."""

ENDED = frozenset({KeyState.VOIDED, KeyState.COMPROMISED, KeyState.EXPIRED})
"""States of the rest of a block that came to its end and is not destroyed yet."""

NO_POOL = ("", "", "")
ACCOUNT_OF_WORD = {state.value: kind for state, kind in ACCOUNT_OF.items()}
SPANS_SHOWN = 4

OF_BLOCKS = "WHERE block_ref BETWEEN :first AND :last ORDER BY block_ref, id"
BLOCKS = "WHERE id BETWEEN :first AND :last ORDER BY id"
PIECES = """
    SELECT block_ref, side, start_byte, data, data_key_id FROM material
    WHERE block_ref BETWEEN :first AND :last ORDER BY block_ref, side, start_byte
"""
FREED = """
    SELECT block_ref, start_bit, end_bit FROM freed_range
    WHERE block_ref BETWEEN :first AND :last ORDER BY block_ref, start_bit
"""
WAITING = """
    SELECT DISTINCT drawn.block_ref, drawn.id, owner.side, drawn.start_bit, drawn.end_bit
    FROM "key" AS drawn JOIN key_recipient AS owner ON owner.key_ref = drawn.id
    WHERE drawn.closed_by IS NULL AND owner.settled_by IS NULL
        AND drawn.block_ref BETWEEN :first AND :last
    ORDER BY drawn.block_ref, drawn.id
"""


ERASED = """
    SELECT row_sha256 FROM {leaves} AS leaf WHERE kind = 'erased' AND subject = :block_id
"""


class BlockFacts(NamedTuple):
    """What the audit of some blocks counted."""

    blocks: int
    entries: int
    sums: dict[int, int]  #: of the accounts that its entries name


def check_blocks(snapshot: Snapshot, context: AuditContext, shard: Shard) -> Outcome:
    """Audit a range of blocks and everything that belongs to them."""
    audit = BlockAudit(snapshot, context, shard)
    blocks = 0
    for row in snapshot.rows(context.forms["block"].select(BLOCKS), **shard.span):
        blocks += 1
        audit.check(row)
    facts = BlockFacts(blocks, audit.entries, audit.sums)
    return Outcome(audit.found.problems, facts)


class BlockAudit:
    """Streams of everything that belongs to blocks, read side by side with them."""

    def __init__(self, snapshot: Snapshot, context: AuditContext, shard: Shard) -> None:
        entry = context.forms["ledger_entry"]
        self._context = context
        self._named_block = named_row(context.forms["block"])
        self._named_entry = named_row(entry)
        self._block_is_sound = checker(context.forms["block"])
        self._entry_is_sound = checker(entry)
        query = entry.select(OF_BLOCKS).replace("SELECT", "SELECT block_ref,", 1)
        entries = snapshot.rows(query, **shard.span)
        self._entries = Grouped(entries)
        self._pieces, self._freed, self._waiting = (
            Grouped(snapshot.rows(query, **shard.span)) for query in (PIECES, FREED, WAITING)
        )
        self._snapshot = snapshot
        self._erased = ERASED.format(leaves=leaves_in(snapshot))
        self.found = Findings()
        self.entries = 0
        self.sums: defaultdict[int, int] = defaultdict(int)

    def check(self, row: Row) -> None:
        """Check one block, the next by number; each problem is named."""
        block = self._named_block(row)
        number = block.id
        entries = [self._named_entry(entry[1:]) for entry in self._entries.of(number)]
        self.entries += len(entries)
        # Most blocks have nothing of these two.
        freed = self._freed.of(number) if self._freed.key <= number else NO_ROWS
        waiting = self._waiting.of(number) if self._waiting.key <= number else NO_ROWS
        pieces = self._pieces.of(number)
        try:
            held = self._held(block, pieces) if self._context.has_bytes else None
            plain = len(entries) == 1 and not freed and not waiting and self._block_is_sound(row)
            if plain and self._is_untouched(block, entries[0], held):
                return
            if not self._block_is_sound(row):
                self._note(block, f"({block.natural_key}) its row was changed")
            ranges = self._replay(block, entries)
            if ranges is None:
                self._note(block, f"({block.natural_key}) has no sound deposit")
                return
            stored = ranges.stored_bytes()
            in_use = bool(stored or waiting)
            self._check_rest(block, ranges.covered(), freed, entries, in_use=in_use)
            if held is not None:
                self._check_places(block, stored, waiting, held)
        except TypeError:  # SQLite keeps a word in a column of numbers
            self._note(block, "or a row of it holds what is no number in place of a number")

    def _is_untouched(self, block: Any, line: Any, held: dict[Any, Spans] | None) -> bool:
        """True if a block is sound and nothing was taken of it, as most are; it adds up as well.

        What is not is looked at again, and named, by the checks of any block.
        """
        kind, accounts = REST_KIND.get(block.state), self._context.accounts
        whole = [(0, -(-block.length_bits // 8))]
        if (
            (block.next_bit, line.start_bit, line.end_bit) != (0, 0, block.length_bits)
            or line.resolves_id is not None
            or ACCOUNT_OF_WORD.get(line.enters) is not kind
            or accounts.get(line.source_id) != (block.pool_ref, AccountKind.GENERATED)
            or accounts.get(line.target_id) != (block.pool_ref, kind)
            or (held is not None and held != {0: whole, 1: whole})
            or not self._entry_is_sound(line)
        ):
            return False
        self.sums[line.source_id] -= line.amount_bits
        self.sums[line.target_id] += line.amount_bits
        return True

    def _note(self, block: Any, problem: str) -> None:
        self.found.add(f"block {block.block_id}: {problem}")

    def _replay(self, block: Any, entries: Sequence[Any]) -> RangeMap | None:
        """Apply a block's entries in order; None if not even the deposit is sound (I1, I2)."""
        accounts, sums, note = self._context.accounts, self.sums, self.found.add
        ranges: RangeMap | None = None
        for line in entries:
            name = f"ledger_entry {line.id}"
            if not self._entry_is_sound(line):
                note(f"{name}: its row was changed")
            source, target = accounts.get(line.source_id), accounts.get(line.target_id)
            if source is None or target is None:
                note(f"{name}: names an account that is not there")
                continue
            sums[line.source_id] -= line.amount_bits
            sums[line.target_id] += line.amount_bits
            if source[0] != block.pool_ref or target[0] != block.pool_ref:
                note(f"{name}: block {block.block_id} is of another pool")
            if target[1] is not ACCOUNT_OF_WORD.get(line.enters):
                note(f"{name}: enters {line.enters} in account {target[1].value}")
            start, end = line.start_bit, line.end_bit
            if ranges is None:
                if (source[1], start, end) != (AccountKind.GENERATED, 0, block.length_bits):
                    note(f"{name}: is no deposit of block {block.block_id}")
                    continue
                ranges = RangeMap(block.length_bits, target[1])
            elif wrong := ranges.move(start, end, source[1], target[1], line.id, line.resolves_id):
                note(f"{name}: block {block.block_id}: {wrong}")
        return ranges

    def _check_rest(
        self,
        block: Any,
        spans: dict[AccountKind, Spans],
        freed: Sequence[Row],
        entries: Sequence[Any],
        *,
        in_use: bool,
    ) -> None:
        """Cursor, freed ranges and state against the ranges."""
        behind = [(block.next_bit, block.length_bits)] * (block.next_bit < block.length_bits)
        back = [(start, end) for _, start, end in freed]
        rest = joined([*back, *behind]) if back else behind
        if block.state in REST_KIND:
            kind = REST_KIND[block.state]
            expected = spans.get(kind, [])
            if rest != expected or REST & spans.keys() - {kind}:
                self._note(
                    block,
                    f"is {block.state} with cursor {block.next_bit} and freed ranges {back};"
                    f" by its entries, {expected} is left",
                )
            elif not rest and not in_use:
                self._note(block, f"is {block.state}, by its entries it is destroyed")
        elif back or REST & spans.keys():
            self._note(block, f"is {block.state}, by its entries some of it is still in use")
        elif block.state not in ENDED and block.state != KeyState.DESTROYED:
            self._note(block, f"is {block.state}, which no block can be")
        else:
            self._check_end(block, _ending(entries))

    def _check_end(self, block: Any, ending: Sequence[Any]) -> None:
        """State and cursor of a block that is used no more; the cursor stays where it was then."""
        if block.state in ENDED and (not ending or ending[0].enters != block.state):
            self._note(block, f"is {block.state}, its entries do not say so")
        length = block.length_bits
        due = next((line.start_bit for line in ending if line.end_bit == length), length)
        if block.next_bit != due:
            self._note(block, f"is {block.state} with cursor {block.next_bit}, it ended at {due}")
        if ending and block.state == KeyState.DESTROYED:
            # What was spent is gone by its entries; where a rest was erased, the log says so.
            leaves = [
                digest for (digest,) in self._snapshot.rows(self._erased, block_id=block.block_id)
            ]
            if leaves != [marker_digest(block.block_id)]:
                self._note(block, "is destroyed, not as the audit log has it")

    def _check_places(
        self, block: Any, stored: Spans, waiting: Sequence[Row], held: dict[Any, Spans]
    ) -> None:
        """The bytes that are left, at each end, are in the store and open, and no others are."""
        left = [] if block.state == KeyState.DESTROYED else stored
        due: dict[Any, Spans] = {side: left for side in BOTH_ENDS if left}
        for _, _, side, start, end in waiting:
            due[side] = [*due.get(side, ()), (start // 8, end // 8)]
        due = {side: joined(spans) if len(spans) > 1 else spans for side, spans in due.items()}
        for side in due.keys() | held.keys() if held != due else ():
            there, wanted = held.get(side, []), due.get(side, [])
            if there != wanted:
                self._note(
                    block,
                    f"bytes in the store at end {side} are {_shown(there)};"
                    f" {_shown(wanted)} are due",
                )

    def _held(self, block: Any, pieces: Sequence[Row]) -> dict[Any, Spans]:
        """The ranges of bytes whose pieces are in the store and open, at each end."""
        held: dict[Any, Spans] = {}
        ciphers = self._context.ciphers
        pool_id = self._context.pools.get(block.pool_ref, NO_POOL)[0]
        names = BlockNames(block.id, block.block_id, block.pool_ref, pool_id, block.epoch)
        for _, side, begins, data, number in pieces:  # in the order of their places
            try:
                if ciphers is None:  # without the key by its length
                    ends = begins + len(data) - OVERHEAD_BYTES
                else:
                    ends = begins + len(open_piece(ciphers[number], data, names, side, begins))
            except LedgerError as error:
                self.found.add(str(error))
                continue
            spans = held.setdefault(side, [])
            if spans and spans[-1][1] == begins:
                spans[-1] = (spans[-1][0], ends)
            else:
                spans.append((begins, ends))
        return held


def _ending(entries: Iterable[Any]) -> list[Any]:
    """The entries with which the rest of a block came to its end, once in its life.

    Whatever is given back later follows it there, but from behind an entry that resolves.
    """
    ending: list[Any] = []
    for line in entries:
        if line.enters in ENDED and line.resolves_id is None:
            if ending and (line.command_id, line.enters) != (
                ending[0].command_id,
                ending[0].enters,
            ):
                break
            ending.append(line)
        elif ending:
            break
    return ending


def _shown(spans: Spans) -> str:
    """The first few ranges of bytes, in words."""
    words = ", ".join(f"{start} to {end}" for start, end in spans[:SPANS_SHOWN]) or "none"
    return f"{words}, ..." if len(spans) > SPANS_SHOWN else words
