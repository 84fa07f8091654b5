"""What every write shares: numbering, entries, running balances, and going out in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, Select, bindparam, func, insert, select, text, update

from orbits import as_utc
from scheduler.errors import LedgerError, RequestConflict, WrongState
from scheduler.ledger.commands import CommandHandle, Pending
from scheduler.ledger.db.bulk import execute_many
from scheduler.ledger.db.wal import WalCheckpointer
from scheduler.ledger.keys.pools import PoolBook
from scheduler.ledger.log.tables import row_digest
from scheduler.ledger.log.trail import AuditTrail
from scheduler.ledger.schema import (
    AnnouncementPart,
    AnnouncementRow,
    Block,
    Command,
    KeyRecipient,
    KeyRow,
    LedgerEntry,
    Material,
    ReservationPart,
    ReservationRow,
)
from scheduler.ledger.states import ACCOUNT_OF, BYTE_BITS, AccountKind, KeyState
from scheduler.ledger.vault.datakeys import DataKeys
from scheduler.ledger.vault.material import Vault
from scheduler.ledger.view import Reader, check_same_request

_BALANCE = text("UPDATE account SET balance_bits = balance_bits + :change_ WHERE id = :account_")
_ODD = text("UPDATE account SET odd_bits = odd_bits + :change_ WHERE id = :account_")
_ANSWERED = ("answer", "rows_sha256", "sha256")
_FINISH = (
    update(Command)
    .where(Command.id == bindparam("command_"))
    .values({name: bindparam(f"{name}_") for name in _ANSWERED})
)


# A statement costs more to build than to run, so each is built once.
@cache
def _last_number(table: Any) -> Select[int]:
    return select(func.max(table.id))


@cache
def _into(table: Any) -> Insert:
    return insert(table)


Accounts = dict[AccountKind, int]
Span = tuple[int, int, int]
"""(block row, start bit, end bit)."""


@dataclass(slots=True)
class Books:
    """What a transaction works with besides its connection."""

    pools: PoolBook
    keys: DataKeys
    wal: WalCheckpointer | None = None
    erased: bool = False  #: key was destroyed, or what opens it

    def publish(self) -> None:
        """Share what was learnt, and leave nothing of what was erased; after the commit only."""
        self.pools.publish()
        self.keys.publish()
        if self.erased and self.wal is not None:
            self.wal.empty()


def _move(figures: dict[int, int], source: int, target: int, amount: int) -> None:
    figures[source] = figures.get(source, 0) - amount
    figures[target] = figures.get(target, 0) + amount


class Writer(Reader):
    """The machinery under a transaction; rows are held back to go out in few round trips."""

    def __init__(self, connection: Connection, books: Books) -> None:
        super().__init__(connection)
        self.books = books
        self.pools = books.pools
        self.keys = books.keys
        self.vault = Vault(connection, books.keys)
        self.trail = AuditTrail()
        self.pending = Pending()
        self._handles: dict[str, CommandHandle] = {}
        self._numbers: dict[str, int] = {}
        self._deposited: set[str] = set()  #: ids and natural keys seen in this transaction
        self._unknown: set[str] = set()  #: ids and natural keys looked up, and not there

    def command(
        self, request_id: str, *, kind: str, at: datetime, digest: str = ""
    ) -> CommandHandle:
        """Begin a request that nobody has made before.

        Raises RequestConflict if the id was used for another request, LedgerError if this
        very request was answered already (ask `answer` first).
        """
        known = self._handles.get(request_id)
        if known is not None:
            check_same_request(request_id, (known.kind, known.digest), (kind, digest))
        # Straight to the table: what is held back stands in `_handles`, and stays held back.
        if known is not None or self._known_answer(request_id, kind, digest) is not None:
            raise RequestConflict(
                f"request {request_id!r} was answered already; ask for its answer"
            )
        handle = CommandHandle(self.number(Command), request_id, kind, digest, as_utc(at))
        self._handles[request_id] = handle
        self.pending.commands.append(handle)
        return handle

    def number(self, table: Any) -> int:
        """The next row number of a table: without gaps, for there is one writer at a time."""
        name = table.__tablename__
        if name not in self._numbers:
            self._numbers[name] = self.connection.execute(_last_number(table)).scalar() or 0
        self._numbers[name] += 1
        return self._numbers[name]

    def post(
        self,
        handle: CommandHandle,
        accounts: Accounts,
        source: AccountKind,
        enters: KeyState,
        span: Span,
        resolves_id: int | None = None,
    ) -> int:
        """Add one entry and move the two running balances; return the entry's number."""
        handle.lines += 1
        block_ref, start_bit, end_bit = span
        source_id, target_id = accounts[source], accounts[ACCOUNT_OF[enters]]
        amount = end_bit - start_bit
        number = self.number(LedgerEntry)
        row: dict[str, Any] = {
            "id": number,
            "command_id": handle.command_id,
            "line": handle.lines,
            "source_id": source_id,
            "target_id": target_id,
            "amount_bits": amount,
            "block_ref": block_ref,
            "start_bit": start_bit,
            "end_bit": end_bit,
            "enters": enters.value,
            "resolves_id": resolves_id,
        }
        row["sha256"] = row_digest("ledger_entry", row)
        handle.wrote("ledger_entry", row["sha256"])
        self.pending.entries.append(row)
        _move(self.pending.balances, source_id, target_id, amount)
        if odd := amount % BYTE_BITS:
            _move(self.pending.odd, source_id, target_id, odd)
        return number

    def freed(self) -> None:
        """Note that this transaction released a range."""
        self._freed = True

    def expiring(self) -> None:
        """Note that this transaction deposits a block whose time is limited."""
        self._expiring = True

    def guarded(self, statement: Any, rows: list[dict[str, Any]], what: Callable[[], str]) -> None:
        """Run a guarded change and see that it met every row. Raises WrongState if not."""
        changed = execute_many(self.connection, statement, rows)
        if changed.rowcount != len(rows):
            raise WrongState(f"{what()}; {len(rows) - changed.rowcount} of {len(rows)} were not")

    def _settle(self, final: dict[int, dict[str, Any]] | None = None) -> None:
        """Write down everything held back, parents before children.

        A command that goes out before it is finished is written again when it is.
        """
        pending, self.pending = self.pending, Pending()
        self.pools.settle(self.connection)
        pieces = self.vault.cut_all(pending.material)
        self.keys.settle(self.connection)
        rows = [final[handle.command_id] if final else handle.row() for handle in pending.commands]
        for handle in pending.commands:
            handle.written = True
        for table, held in (
            (Command, rows),
            (Block, pending.blocks),
            (Material, pieces),
            (LedgerEntry, pending.entries),
            (AnnouncementRow, pending.announcements),
            (AnnouncementPart, pending.parts),
            (ReservationRow, pending.reservations),
            (ReservationPart, pending.reserved),
            (KeyRow, pending.keys),
            (KeyRecipient, pending.recipients),
        ):
            if held:
                execute_many(self.connection, _into(table), held)
        for statement, figures in ((_BALANCE, pending.balances), (_ODD, pending.odd)):
            moves = [
                {"account_": number, "change_": change}
                for number, change in sorted(figures.items())
                if change
            ]
            if moves:
                execute_many(self.connection, statement, moves)

    def complete(self) -> None:
        """Write the rest before the commit. Raises LedgerError if a command has no answer."""
        late = [handle for handle in self._handles.values() if handle.written]
        for handle in self._handles.values():
            if handle.answer is None:
                raise LedgerError(f"request {handle.request_id!r} was never finished")
        rows = {handle.command_id: handle.row() for handle in self._handles.values()}
        self._settle(rows)
        finished = [
            {"command_": handle.command_id}
            | {f"{name}_": rows[handle.command_id][name] for name in _ANSWERED}
            for handle in late
        ]
        if finished:
            execute_many(self.connection, _FINISH, finished)
        for number, digest in self.pools.made:
            self.trail.record("pool", str(number), digest)
        for handle in self._handles.values():
            digest = rows[handle.command_id]["sha256"]
            self.trail.record("command", str(handle.command_id), digest)
        self.trail.append(self.connection)
