"""Checking an exported ledger on another machine: no database, no key, only the lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scheduler.errors import LedgerError
from scheduler.ledger.commands import WRITTEN_TABLES
from scheduler.ledger.log import merkle
from scheduler.ledger.log.canonical import (
    ENTRY_COLUMNS,
    PART_COLUMNS,
    announcement_digest,
    canonical_numbers,
    entry_digest,
    leaf_data,
    pool_digest,
    read_json,
    row_digest,
    rows_digest,
)
from scheduler.ledger.log.checkpoints import check_signature
from scheduler.ledger.log.export import FORMAT
from scheduler.ledger.records import Checkpoint
from scheduler.ledger.states import BYTE_BITS
from scheduler.ledger.verify.context import Findings
from scheduler.ledger.verify.export_copy import Copy
from scheduler.ledger.verify.export_shape import Shapes
from scheduler.ledger.verify.log import KINDS
from scheduler.ledger.verify.seals import compare_epochs

HASHED = frozenset(
    {
        "run_fact",
        "pool",
        "account",
        "command",
        "block",
        "key",
        "key_recipient",
        "booking",
        "booking_event",
        "outage",
        "directive",
        "plan",
        "plan_pass",
        "plan_option",
        "job_run",
        "element_set",
    }
)
"""Tables whose every row carries the hash of its own columns."""

SUBJECTS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "command": lambda row: str(row["id"]),
    "run_fact": lambda row: str(row["name"]),
    "element_set": lambda row: str(row["sha256"]),
    "outage": lambda row: str(row["outage_id"]),
    "directive": lambda row: f"{row['command_id']}/{row['position']}",
    "plan": lambda row: str(row["plan_id"]),
    "job_run": lambda row: f"{row['job_key']}@{row['scheduled_for']}",
    "booking": lambda row: str(row["booking_id"]),
    "booking_event": lambda row: f"{row['booking_id']}/{row['position']}",
}
"""Name under which the audit log knows a row."""

_NOTHING: Mapping[str, list[tuple[Any, str]]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What an exported ledger holds and what is wrong with it."""

    rows: int
    size: int
    root: str
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True when nothing was found wrong."""
        return not self.problems


def verify_lines(
    lines: Iterable[str],
    *,
    checkpoint: Checkpoint | None = None,
    public_key: str | None = None,
) -> ExportReport:
    """Check an export by itself and, if given, against a checkpoint signed by a trusted key.

    By itself it shows every change of a row that left the hashes as they were. Whoever
    rewrote the hashes as well is found against a checkpoint that was kept elsewhere.
    """
    reading = _Reading(checkpoint.size if checkpoint else None)
    for number, line in enumerate(lines, start=1):
        reading.take(number, line)
    if not reading.rows:
        reading.found.add("the export is empty")
    reading.finish()
    found = reading.found
    if checkpoint is not None:
        try:
            check_signature(checkpoint, public_key=public_key)
        except LedgerError as error:
            found.add(str(error))
        if reading.root_then is None:
            found.add(f"checkpoint of size {checkpoint.size}, the export's log has {reading.size}")
        elif reading.root_then != checkpoint.root:
            found.add(
                f"checkpoint of size {checkpoint.size}: signed root {checkpoint.root}, the"
                f" export's log had {reading.root_then}; it was rewritten"
            )
    return ExportReport(
        rows=reading.rows, size=reading.size, root=reading.root, problems=tuple(found.problems)
    )


class _Reading:
    """What has been read of an export so far."""

    def __init__(self, then: int | None) -> None:
        self.found = Findings()
        self._shapes = Shapes(self.found)
        self._copy = Copy()
        self.rows = 0
        self.size = 0
        self.root_then: str | None = None
        self._then = then
        self._frontier: list[bytes] = []
        self._claimed: dict[str, Any] | None = None
        self._balances: dict[int, tuple[int, int]] = {}
        self._sums: defaultdict[int, int] = defaultdict(int)
        self._odd_sums: defaultdict[int, int] = defaultdict(int)
        self._commands: dict[int, str | None] = {}
        self._key_commands: dict[int, int] = {}
        self._written: defaultdict[int, defaultdict[str, list[tuple[Any, str]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self._digests: dict[tuple[str, str], str] = {}
        self._pools: dict[str, str] = {}
        self._epochs: list[tuple[str, int]] = []
        self._epoch_leaves: defaultdict[str, list[str]] = defaultdict(list)
        self._checkpoints = 0
        self._accounts: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        self._announcements: dict[int, dict[str, Any]] = {}
        self._reservations: dict[int, dict[str, Any]] = {}
        self._reserved: defaultdict[int, list[int]] = defaultdict(list)
        self._parts: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)

    @property
    def root(self) -> str:
        """Root of the log as far as it was read, in hex."""
        return merkle.fold(self._frontier).hex()

    def take(self, number: int, line: str) -> None:
        """Read one line."""
        try:
            row = read_json(line)
            table = row.pop("table")
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            self.found.add(f"line {number} is no row of an export")
            return
        if number == 1 and (table, row.get("format")) != ("header", FORMAT):
            self.found.add(f"line 1 does not begin an export of {FORMAT}")
        self.rows += 1
        if self._shapes.take(number, table, row):
            self._copy.take(table, row)
            self._take_row(table, row)

    def _take_row(self, table: str, row: dict[str, Any]) -> None:
        if table in HASHED:
            self._take_hashed(table, row)
        elif table == "ledger_entry":
            columns = [row[name] for name in ENTRY_COLUMNS]
            if row["sha256"] != entry_digest(*columns):
                self.found.add(f"ledger_entry {row['id']}: its row was changed")
            self._sums[row["source_id"]] -= row["amount_bits"]
            self._sums[row["target_id"]] += row["amount_bits"]
            if odd := row["amount_bits"] % BYTE_BITS:
                self._odd_sums[row["source_id"]] -= odd
                self._odd_sums[row["target_id"]] += odd
            self._wrote(row["command_id"], table, row["line"], row["sha256"])
        elif table == "announcement":
            self._announcements[row["id"]] = row
            self._wrote(row["command_id"], table, row["id"], row["sha256"])
        elif table == "announcement_part":
            self._parts[row["announcement_ref"]].append(row)
        elif table == "reservation":
            self._reservations[row["id"]] = row
            self._wrote(row["command_id"], table, row["id"], row["sha256"])
            self._wrote(row["intended_by"], "intended", row["id"], row["sha256"])
        elif table == "reservation_part":
            self._reserved[row["reservation_ref"]].append(row["entry_id"])
        elif table == "audit_leaf":
            self._take_leaf(row)
        elif table == "audit_root":
            self._claimed = row

    def _take_hashed(self, table: str, row: dict[str, Any]) -> None:
        digest = row["row_sha256"] if table == "element_set" else row["sha256"]
        if digest != row_digest(table, row):
            self.found.add(f"{table} {self._name(table, row)}: its row was changed")
        if table in SUBJECTS:
            self._digests[table, SUBJECTS[table](row)] = digest
        if table == "pool":
            self._pools[str(row["id"])] = digest
            self._epochs.append((row["pool_id"], row["epoch"]))
        elif table == "account":
            self._accounts[str(row["pool_ref"])].append((row["id"], digest))
            self._balances[row["id"]] = (row["balance_bits"], row["odd_bits"])
        elif table == "command":
            self._commands[row["id"]] = row["rows_sha256"]
        elif table == "block":
            self._wrote(row["command_id"], table, row["id"], digest)
        elif table == "outage":
            self._wrote(row["lifted_by"], "lifted", row["command_id"], digest)
        elif table == "plan_pass":
            self._wrote(row["command_id"], table, row["position"], digest)
        elif table == "plan_option":
            place = (row["pass_position"], row["position"])
            self._wrote(row["command_id"], table, place, digest)
        elif table == "key":
            self._key_commands[row["id"]] = row["command_id"]
            self._wrote(row["command_id"], table, row["id"], digest)
            self._wrote(row["closed_by"], "closed", row["id"], digest)
        elif table == "key_recipient":
            place = (row["key_ref"], row["recipient"])
            self._wrote(self._key_commands.get(row["key_ref"]), table, place, digest)
            self._wrote(row["delivered_by"], "collected", place, digest)

    @staticmethod
    def _name(table: str, row: dict[str, Any]) -> str:
        return str(SUBJECTS[table](row)) if table in SUBJECTS else str(next(iter(row.values())))

    def _wrote(self, command_id: int | None, table: str, place: Any, digest: str) -> None:
        if command_id is not None:
            self._written[command_id][table].append((place, digest))

    def _take_leaf(self, row: dict[str, Any]) -> None:
        kind, subject = row["kind"], row["subject"]
        if row["seq"] != self.size:
            self.found.add(f"audit_leaf {self.size} is missing")
            return
        data = leaf_data(row["seq"], kind, subject, row["row_sha256"])
        merkle.grow(self._frontier, self.size, merkle.leaf_hash(data))
        self.size += 1
        if self.size == self._then:
            self.root_then = self.root
        if kind not in KINDS:
            self.found.add(f"audit_leaf {row['seq']}: of kind {kind[:40]!r}, which is none")
        elif kind == "epoch":
            self._epoch_leaves[subject].append(row["row_sha256"])
        elif kind == "checkpoint":
            # The export leaves the checkpoints out; they are numbered in the order of the log.
            self._checkpoints += 1
            if subject != str(self._checkpoints):
                self.found.add(f"audit_checkpoint {self._checkpoints} is not in the audit log")
        known = self._take_known(kind, subject)
        if (kind in SUBJECTS or kind == "pool") and known != row["row_sha256"]:
            self.found.add(f"{kind} {subject}: is not as the audit log has it")

    def _take_known(self, kind: str, subject: str) -> str | None:
        """The hash of the row that a leaf stands for; each is taken once."""
        if kind != "pool":
            return self._digests.pop((kind, subject), None)
        pool = self._pools.pop(subject, None)
        accounts = sorted(self._accounts.pop(subject, ()))
        return None if pool is None else pool_digest(pool, [digest for _, digest in accounts])

    def finish(self) -> None:
        """Compare what belongs together once everything was read."""
        self._shapes.finish()
        if self._then == 0:
            self.root_then = merkle.EMPTY_ROOT.hex()
        for kind, subject in self._digests:
            self.found.add(f"{kind} {subject}: is not in the audit log")
        for subject in self._pools:
            self.found.add(f"pool {subject}: is not in the audit log")
        for subject in self._accounts:
            self.found.add(f"account of pool {subject}: its pool is not in the audit log")
        compare_epochs(self._epochs, self._epoch_leaves, self.found)
        claimed = self._claimed or {}
        if (claimed.get("size"), claimed.get("root")) != (self.size, self.root):
            self.found.add(f"audit_root: the leaves give size {self.size} and root {self.root}")
        for account, running in self._balances.items():
            summed = (self._sums.get(account, 0), self._odd_sums.get(account, 0))
            for word, one, other in zip(("balance", "odd bits"), running, summed, strict=True):
                if one != other:
                    self.found.add(f"account {account}: {word} {one}, its entries sum to {other}")
        for number, row in self._announcements.items():
            lines = [[part[name] for name in PART_COLUMNS] for part in self._parts.pop(number, [])]
            if row["sha256"] != announcement_digest(row, lines):
                self.found.add(f"announcement {row['announcement_id']}: it was changed")
        for number, row in self._reservations.items():
            entries = canonical_numbers(sorted(self._reserved.pop(number, ())))
            if row["sha256"] != row_digest("reservation", row, parts=entries):
                self.found.add(f"reservation {row['reservation_id']}: it or its parts were changed")
        for number in self._reserved:
            self.found.add(f"reservation_part: names reservation {number}, which is not there")
        for command_id, rows_sha256 in self._commands.items():
            written: Mapping[str, list[tuple[Any, str]]] = self._written.pop(command_id, _NOTHING)
            digests = [
                digest for table in WRITTEN_TABLES for _, digest in sorted(written.get(table, ()))
            ]
            if rows_sha256 != rows_digest(digests):
                self.found.add(f"command {command_id}: the rows it wrote are not those it has now")
        self._copy.check(self.found)
        for command_id in self._written:
            self.found.add(f"command {command_id} is missing, rows it wrote are there")
