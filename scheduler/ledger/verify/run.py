"""Recomputing everything the ledger claims, and naming the row that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from sqlalchemy import Connection

from scheduler.domain import VerifyReport
from scheduler.ledger.db.snapshot import Snapshot, snapshot_of
from scheduler.ledger.vault.keystore import KeyEncryptionKey
from scheduler.ledger.verify import log as verify_log
from scheduler.ledger.verify import seals as verify_seals
from scheduler.ledger.verify.context import PROBLEMS_MAX, AuditContext, Findings, Outcome, Part
from scheduler.ledger.verify.shards import CHECKS, check_part, parts_of

PROGRESS_EVERY = 1_000

Progress = Callable[[int], None]
Take = Callable[[int, Outcome], None]


class Runner(Protocol):
    """What sees to it that every part is checked, in any order."""

    def __call__(
        self, snapshot: Snapshot, context: AuditContext, parts: list[Part], take: Take
    ) -> None:
        """Check every part and hand over each outcome with the part's place in the list."""


def alone(snapshot: Snapshot, context: AuditContext, parts: list[Part], take: Take) -> None:
    """Check one part after another."""
    for place, part in enumerate(parts):
        take(place, check_part(snapshot, context, part))


def verify(
    connection: Connection,
    kek: KeyEncryptionKey,
    progress: Progress | None = None,
    run: Runner = alone,
) -> VerifyReport:
    """Check one snapshot. The report's problems name table and row.

    Everything streams by block or by command, so memory does not grow with the ledger. Without
    the key-encryption key all is checked but that the sealed bytes open. Whoever runs the parts,
    the report is the same.
    """
    found = Findings()
    context = verify_seals.read_context(connection, kek, found)
    snapshot = snapshot_of(connection)
    parts = parts_of(snapshot)
    tally = Tally(parts, progress)
    run(snapshot, context, parts, tally.take)

    for check in CHECKS:
        if check == "log":
            size, root, problems = tally.log()
            found.extend(problems)
        else:
            found.extend(tally.problems_of(check))
        if check == "blocks":
            verify_seals.check_balances(connection, context, tally.sums, found)
        elif check == "logged":
            verify_seals.check_epochs(connection, found)
    verify_seals.check_data_keys(connection, found)
    verify_seals.check_checkpoints(connection, found)
    if context.ciphers is not None:
        verify_seals.check_wrapping(connection, kek, context.ciphers, found)
    return VerifyReport(
        commands=tally.last_command,
        entries=tally.entries,
        blocks=tally.blocks,
        pools=len({pool for pool, _ in context.accounts.values()}),
        problems=tuple(found.problems),
        figures={
            "audit_size": size,
            "audit_root": root,
            "sealed_bytes_opened": context.ciphers is not None,
        },
    )


class Tally:
    """What the parts of an audit found and counted; they come in as they are done.

    Holds no more than a report can list of each check, and what parts must tell each other.
    """

    def __init__(self, parts: list[Part], progress: Progress | None) -> None:
        self._parts = parts
        self._progress = progress
        self._problems: dict[str, dict[int, list[str]]] = {check: {} for check in CHECKS}
        self._strays: dict[str, dict[str, set[int]]] = {check: {} for check in CHECKS}
        self._facts: dict[str, dict[int, Any]] = {check: {} for check in CHECKS}
        self.entries = self.blocks = 0
        self.sums: dict[int, int] = {}

    def take(self, place: int, outcome: Outcome) -> None:
        """Take in the outcome of one part."""
        check = self._parts[place].check
        if outcome.problems:
            self._problems[check][place] = outcome.problems
            _drop_surplus(self._problems[check])
        for words, numbers in outcome.dangling.items():
            known = self._strays[check].setdefault(words, set())
            self._strays[check][words] = set(sorted(known.union(numbers))[:PROBLEMS_MAX])
        if check == "blocks":
            self._add_blocks(*outcome.facts)
        elif outcome.facts is not None:
            self._facts[check][place] = outcome.facts

    def _add_blocks(self, blocks: int, entries: int, sums: dict[int, int]) -> None:
        before = self.entries
        self.blocks += blocks
        self.entries += entries
        for account, bits in sums.items():
            self.sums[account] = self.sums.get(account, 0) + bits
        if self._progress and before // PROGRESS_EVERY != self.entries // PROGRESS_EVERY:
            self._progress(self.entries)

    def problems_of(self, check: str) -> Iterable[str]:
        """What a check found, in the order of the rows."""
        if check == "numbering":
            yield from self._numbering()
        last = 0
        for place, part in enumerate(self._parts):
            if part.check != check:
                continue
            if check == "commands":
                first, ends = self._facts[check][place]
                if first is not None and first != last + 1:
                    yield f"command {last + 1} is missing"
                last = last if ends is None else ends
            yield from self._problems[check].get(place, ())
        for words, numbers in self._strays[check].items():
            yield from (words.format(number) for number in sorted(numbers))

    def _numbering(self) -> Iterable[str]:
        """Entries are numbered without gaps, and each belongs to a block."""
        ((count, last),) = self._facts["numbering"].values()
        if count != self.entries:
            yield f"ledger_entry: {count - self.entries} rows belong to no block"
        if last != count:
            yield f"ledger_entry: {count} rows, the last is number {last}; rows are missing"

    @property
    def last_command(self) -> int:
        """Number of the last command, which is how many there are."""
        return max((last or 0 for _, last in self._facts["commands"].values()), default=0)

    def log(self) -> tuple[int, str, list[str]]:
        """Size and root of the audit log, and what is wrong with its tree."""
        places = [place for place, part in enumerate(self._parts) if part.check == "log"]
        stretches = [self._facts["log"][place] for place in places]
        problems = {place - places[0]: found for place, found in self._problems["log"].items()}
        return verify_log.join_log([self._parts[place] for place in places], stretches, problems)


def _drop_surplus(problems: dict[int, list[str]]) -> None:
    """Let go of parts that cannot come into a report, because those before them fill it."""
    kept = 0
    for place in sorted(problems):
        if kept >= PROBLEMS_MAX:
            del problems[place]
        else:
            kept += len(problems[place])
