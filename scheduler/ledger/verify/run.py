"""Recomputing everything the ledger claims, and naming the row that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from sqlalchemy import Connection

from scheduler.domain import VerifyReport
from scheduler.ledger.counter import Count
from scheduler.ledger.db.snapshot import Snapshot, snapshot_of
from scheduler.ledger.log.carried import Base
from scheduler.ledger.log.macs import LogMac
from scheduler.ledger.log.tables import FORMS
from scheduler.ledger.vault.keyring import Keyring
from scheduler.ledger.verify import seals
from scheduler.ledger.verify.context import PROBLEMS_MAX, AuditContext, Findings, Outcome, Shard
from scheduler.ledger.verify.log import check_head, check_macs, join_log, waiting
from scheduler.ledger.verify.schema import check_schema
from scheduler.ledger.verify.segments import check_kept_nodes
from scheduler.ledger.verify.shards import CHECKS, check_shard, shards_of, tops_of
from scheduler.ledger.verify.signed import check_checkpoints, check_count

PROGRESS_EVERY = 1_000

Progress = Callable[[int], None]
Take = Callable[[int, Outcome], None]


class Runner(Protocol):
    """What sees to it that every shard is checked, in any order."""

    def __call__(
        self, snapshot: Snapshot, context: AuditContext, shards: list[Shard], take: Take
    ) -> None:
        """Check every shard and hand over each outcome with the shard's place in the list."""


def alone(snapshot: Snapshot, context: AuditContext, shards: list[Shard], take: Take) -> None:
    """Check one shard after another."""
    for place, shard in enumerate(shards):
        take(place, check_shard(snapshot, context, shard))


def verify(
    connection: Connection,
    ring: Keyring | None,
    progress: Progress | None = None,
    run: Runner = alone,
    last: Count | None = None,
) -> VerifyReport:
    """Check one snapshot of a ledger. The report's problems name table and row.

    Everything streams by block or by command, so memory does not grow with the ledger. Without
    the data keys, `ring`, all is checked but that the sealed bytes open. Whoever runs the shards,
    the report is the same. `last` is what the counter said before the snapshot was taken.
    """
    snapshot = snapshot_of(connection)
    context = seals.read_context(snapshot, FORMS, ring)
    found = Findings()
    tally = audit(snapshot, context, found, progress, run)
    check_schema(connection, found)
    check_checkpoints(snapshot, found)
    check_kept_nodes(snapshot, context.base, found)
    check_head(snapshot, found)
    if ring is not None and context.ciphers is not None:
        seals.check_wrapping(snapshot, ring.kek, context.ciphers, found)
        mac = LogMac(ring.log_key(), ring.kek.kek_id)
        check_macs(snapshot, mac, tally.size, tally.root, found)
    if last is not None:
        check_count(snapshot, last, tally.size, found)
    return VerifyReport(
        commands=tally.commands,
        entries=tally.entries,
        blocks=tally.blocks,
        pools=len({pool for pool, _ in context.accounts.values()}),
        problems=tuple(found.problems),
        figures={
            "audit_size": tally.size,
            "audit_root": tally.root,
            "audit_waiting": waiting(snapshot),
            "sealed_bytes_opened": context.ciphers is not None,
        },
    )


def count_rows(snapshot: Snapshot) -> int:
    """About how many rows an audit has to look at."""
    return sum(tops_of(snapshot, FORMS).values())


def audit(
    snapshot: Snapshot,
    context: AuditContext,
    found: Findings,
    progress: Progress | None = None,
    run: Runner = alone,
) -> Tally:
    """Check all that neither key nor signature is needed for: of a ledger, or of its export."""
    shards = shards_of(snapshot, context.forms, context.base)
    tally = Tally(shards, context.base, progress)
    run(snapshot, context, shards, tally.take)
    for check in CHECKS:
        found.extend(tally.problems_of(check, found))
        if check == "blocks":
            seals.check_balances(snapshot, context, tally.sums, found)
    seals.check_epochs(snapshot, found)
    seals.check_data_keys(snapshot, found)
    return tally


class Tally:
    """What the shards of an audit found and counted; they come in as they are done.

    Holds no more than a report can list of each check, and what shards must tell each other.
    """

    def __init__(self, shards: list[Shard], base: Base, progress: Progress | None) -> None:
        self._base = base
        self._shards = shards
        self._progress = progress
        self._problems: dict[str, dict[int, list[str]]] = {check: {} for check in CHECKS}
        self._facts: dict[str, dict[int, Any]] = {check: {} for check in CHECKS}
        self.entries = self.blocks = self.size = 0
        self.root = ""
        self.sums: dict[int, int] = {}

    def take(self, place: int, outcome: Outcome) -> None:
        """Take in the outcome of one shard."""
        check = self._shards[place].check
        if outcome.problems:
            self._problems[check][place] = outcome.problems
            _drop_surplus(self._problems[check])
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

    def problems_of(self, check: str, before: Findings) -> Iterable[str]:
        """What a check found, in the order of the rows, after what was found `before`."""
        if check == "log":
            return self._log()
        problems = (
            problem for _, found in sorted(self._problems[check].items()) for problem in found
        )
        if check == "numbering":
            return [*self._numbering(), *problems]
        if check == "leaves":
            return [*self._leaves(before), *problems]
        return problems

    def _numbering(self) -> Iterator[str]:
        """Every entry belongs to a block."""
        (count,) = self._facts["numbering"].values()
        if count != self.entries:
            yield f"ledger_entry: {count - self.entries} rows belong to no block"

    def _leaves(self, before: Findings) -> Iterator[str]:
        """As many leaves as rows, unless a row is named already that is not as its leaf says."""
        (counts,) = self._facts["leaves"].values()
        for table, (leaves, rows) in counts.items():
            if leaves != rows and not any(
                problem.startswith(f"{table} ") and "the audit log" in problem
                for problem in before.problems
            ):
                yield f"{table}: {leaves} leaves in the audit log, {rows} rows"

    def _log(self) -> list[str]:
        """What is wrong with the tree of the audit log; its size and root are known from here."""
        stretches = sorted(self._facts["log"].items())
        first = stretches[0][0]
        problems = {place - first: found for place, found in self._problems["log"].items()}
        self.size, self.root, found = join_log(
            [self._shards[place] for place, _ in stretches],
            [one for _, one in stretches],
            problems,
            self._base,
        )
        return found

    @property
    def commands(self) -> int:
        """How many commands there are."""
        return sum(self._facts["commands"].values())


def _drop_surplus(problems: dict[int, list[str]]) -> None:
    """Let go of shards that cannot come into a report, because those before them fill it."""
    kept = 0
    for place in sorted(problems):
        if kept >= PROBLEMS_MAX:
            del problems[place]
        else:
            kept += len(problems[place])
