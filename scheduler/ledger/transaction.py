"""One write transaction: numbering, entries, running balances, and going out in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, bindparam, exists, insert, text, update

from orbits import as_utc
from scheduler.errors import LedgerError, RequestConflict, WrongState
from scheduler.ledger.commands import CommandHandle, Pending
from scheduler.ledger.db.bulk import execute_many, one_trip, send_commit
from scheduler.ledger.db.numbers import RowNumbers
from scheduler.ledger.db.wal import WalCheckpointer
from scheduler.ledger.log.macs import LogMac
from scheduler.ledger.log.tables import row_digest
from scheduler.ledger.log.trail import AuditTrail
from scheduler.ledger.pools import PoolBook
from scheduler.ledger.reader import Reader, answer_of, answer_question, check_same_request
from scheduler.ledger.schema import (
    AnnouncementPart,
    AnnouncementRow,
    Block,
    Command,
    DataKey,
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

_BALANCE = text("UPDATE account SET balance_bits = balance_bits + :change_ WHERE id = :account_")
_ODD = text("UPDATE account SET odd_bits = odd_bits + :change_ WHERE id = :account_")
_ANSWERED = ("answer", "rows_sha256", "sha256")
_FINISH = (
    update(Command)
    .where(Command.id == bindparam("command_"))
    .values({name: bindparam(f"{name}_") for name in _ANSWERED})
)


_CLOSE = (
    update(Block)
    .where(
        Block.id == bindparam("block_"),
        Block.next_bit == Block.length_bits,
        Block.state == KeyState.AVAILABLE.value,
        ~exists().where(Material.block_ref == Block.id),
    )
    .values(state=KeyState.DESTROYED.value)
)


# A statement costs more to build than to run, so each is built once.
@cache
def _into(table: Any) -> Insert:
    return insert(table)


Accounts = dict[AccountKind, int]
Span = tuple[int, int, int]
"""(block row, start bit, end bit)."""


def _move(figures: dict[int, int], source: int, target: int, amount: int) -> None:
    figures[source] = figures.get(source, 0) - amount
    figures[target] = figures.get(target, 0) + amount


class Transaction(Reader):
    """One write transaction; get one from `Ledger.begin()`. All of it is kept, or nothing.

    What it does to key and books, the functions of those rooms do with it. Rows are held back
    to go out in few round trips; whoever queries `connection` finds them written down.
    """

    def __init__(
        self,
        connection: Connection,
        pools: PoolBook,
        keys: DataKeys,
        mac: LogMac,
        wal: WalCheckpointer | None = None,
    ) -> None:
        super().__init__(connection)
        self.pools = pools
        self.keys = keys
        self.vault = Vault(connection, keys)
        self.trail = AuditTrail(mac)
        self.pending = Pending()
        self.erased = False  #: key was destroyed, or what opens it
        self.deposited: set[str] = set()  #: ids and natural keys of blocks seen here
        self.unknown: set[str] = set()  #: ids and natural keys looked up, and not there
        self._wal = wal
        self._closing: set[int] = set()  #: blocks that may be empty now
        self._handles: dict[str, CommandHandle] = {}
        self.numbers = RowNumbers(connection)

    @property
    def connection(self) -> Connection:
        """What to query: everything held back is written down first."""
        self.flush()
        self._move_balances()
        return self.raw

    def command(self, request_id: str, *, kind: str, at: datetime, digest: str) -> CommandHandle:
        """Begin a request that nobody has made before; `digest` is that of its whole content.

        Raises RequestConflict if the id was used for another request, LedgerError if this
        very request was answered already (ask `answer` first).
        """
        known = self._handles.get(request_id)
        if known is not None:
            check_same_request(request_id, (known.kind, known.digest), (kind, digest))
        # Straight to the table: what is held back stands in `_handles`, and stays held back.
        # Together with what most commands ask next.
        asked = [answer_question(request_id), *self.flags_question()]
        rows, *flags = self.numbers.expect({"command": 1}, besides=asked)
        self.take_flags(flags)
        there = answer_of(rows, request_id, kind=kind, digest=digest)
        if known is not None or there is not None:
            raise RequestConflict(
                f"request {request_id!r} was answered already; ask for its answer"
            )
        return self._begun(request_id, kind, digest, at)

    def own_commands(
        self, kind: str, requests: Mapping[str, str], *, at: datetime
    ) -> list[CommandHandle]:
        """Begin requests under ids drawn at random here: no answer to them is looked for.

        By id the digest of each one's content. An id that is known after all is refused by the
        database, and with it the transaction (LedgerError).
        """
        self.take_flags(
            self.numbers.expect({"command": len(requests)}, besides=self.flags_question())
        )
        return [self._begun(name, kind, digest, at) for name, digest in requests.items()]

    def _begun(self, request_id: str, kind: str, digest: str, at: datetime) -> CommandHandle:
        handle = CommandHandle(self.number(Command), request_id, kind, digest, as_utc(at))
        self._handles[request_id] = handle
        self.pending.commands.append(handle)
        return handle

    def number(self, table: Any) -> int:
        """The next row number of a table."""
        return self.numbers.next(table.__tablename__)

    def expect(self, **counts: int) -> None:
        """Have the numbers of so many rows at hand, by table, in one round trip.

        To be asked for once their rows are certain: what is not used is lost.
        """
        self.numbers.expect(counts)

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

    def close_empty(self, block_refs: Iterable[int]) -> None:
        """Mark blocks as destroyed whose cursor is at the end and whose bytes are all gone.

        Done when what was taken of them is erased.
        """
        self._closing.update(block_refs)

    def note_freed(self) -> None:
        """Note that this transaction released a range."""
        self._freed = True

    def note_expiring(self) -> None:
        """Note that this transaction deposits a block whose time is limited."""
        self._expiring = True

    def guarded(self, statement: Any, rows: list[dict[str, Any]], what: Callable[[], str]) -> None:
        """Run a guarded change and see that it met every row. Raises WrongState if not."""
        changed = execute_many(self.raw, statement, rows)
        if changed.rowcount != len(rows):
            raise WrongState(f"{what()}; {len(rows) - changed.rowcount} of {len(rows)} were not")

    def flush(self) -> None:
        """Write down the rows held back; balances stay for the end.

        A command that goes out before it is finished is written again when it is.
        """
        rows = self._rows_held_back()
        if any(held for _, held in rows) or self.vault.owes or self._closing:
            with one_trip(self.raw):
                self._write(rows)

    def _rows_held_back(
        self, final: dict[int, dict[str, Any]] | None = None
    ) -> list[tuple[Any, list[dict[str, Any]]]]:
        """The rows held back by table, parents before children; from here on they are not."""
        pending = self.pending
        self.pending = Pending(balances=pending.balances, odd=pending.odd)
        self.pools.flush(self.raw)
        pieces = self.vault.cut_all(pending.material)
        rows = [final[handle.command_id] if final else handle.row() for handle in pending.commands]
        for handle in pending.commands:
            handle.written = True
        return [
            (Command, rows),
            (DataKey, pending.data_keys),
            (Block, pending.blocks),
            (Material, pieces),
            (LedgerEntry, pending.entries),
            (AnnouncementRow, pending.announcements),
            (AnnouncementPart, pending.parts),
            (ReservationRow, pending.reservations),
            (ReservationPart, pending.reserved),
            (KeyRow, pending.keys),
            (KeyRecipient, pending.recipients),
        ]

    def _write(self, rows: list[tuple[Any, list[dict[str, Any]]]]) -> None:
        for table, held in rows:
            if held:
                execute_many(self.raw, _into(table), held)
        self.vault.settle()
        closing, self._closing = self._closing, set()
        if closing:
            execute_many(self.raw, _CLOSE, [{"block_": ref} for ref in sorted(closing)])

    def _move_balances(self) -> None:
        """Bring the running balances up to date; from here on they are locked for all others."""
        pending = self.pending
        for statement, figures in ((_BALANCE, pending.balances), (_ODD, pending.odd)):
            moves = [
                {"account_": number, "change_": change}
                for number, change in sorted(figures.items())
                if change
            ]
            if moves:
                execute_many(self.raw, statement, moves)
        pending.balances, pending.odd = {}, {}

    def complete(self, *, commit: bool = False) -> None:
        """Write the rest before the commit. Raises LedgerError if a command has no answer.

        With `commit` PostgreSQL is sent that together with the rest.
        """
        late = [handle for handle in self._handles.values() if handle.written]
        for handle in self._handles.values():
            if handle.answer is None:
                raise LedgerError(f"request {handle.request_id!r} was never finished")
        rows = {handle.command_id: handle.row() for handle in self._handles.values()}
        held = self._rows_held_back(rows)
        with one_trip(self.raw):
            self._write(held)
            self._write_last(rows, late)
            if commit:
                send_commit(self.raw)

    def _write_last(self, rows: dict[int, dict[str, Any]], late: list[CommandHandle]) -> None:
        """Commands as they ended, then the balances, for which others wait, and the leaves."""
        finished = [
            {"command_": handle.command_id}
            | {f"{name}_": rows[handle.command_id][name] for name in _ANSWERED}
            for handle in late
        ]
        if finished:
            execute_many(self.raw, _FINISH, finished)
        for number, digest in self.pools.made:
            self.trail.record("pool", str(number), digest)
        for handle in self._handles.values():
            digest = rows[handle.command_id]["sha256"]
            self.trail.record("command", str(handle.command_id), digest)
        self._move_balances()
        self.trail.append(self.raw)

    def publish(self) -> None:
        """Share what was learnt, and leave nothing of what was erased; after the commit only."""
        self.pools.publish()
        if self.erased and self._wal is not None:
            self._wal.empty()
        self.keys.publish()
