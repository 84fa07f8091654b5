"""Looking into the ledger, inside one consistent snapshot."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, select, text
from sqlalchemy.orm import aliased

from orbits import as_utc
from scheduler.domain import Booking, BookingEvent, BookingState
from scheduler.errors import LedgerBroken, RequestConflict, UnknownName
from scheduler.ledger.books import booking_reads
from scheduler.ledger.keys import delivery_reads as key_reads
from scheduler.ledger.keys import expiry as waiting
from scheduler.ledger.keys import reservation_reads, tracing
from scheduler.ledger.log import trail as audit
from scheduler.ledger.records import (
    BlockRecord,
    Checkpoint,
    CommandRecord,
    ConsistencyProof,
    DrawnKey,
    ElementRow,
    EntryRecord,
    InclusionProof,
    Reservation,
    Trace,
)
from scheduler.ledger.schema import (
    EXPIRING_BLOCK,
    Account,
    Block,
    Command,
    ElementSetRow,
    LedgerEntry,
    PoolRow,
    RunFact,
)
from scheduler.ledger.states import AccountKind, KeyState

ROWS_MAX = 10_000
"""Rows that one call of `entries` or `commands` returns at most."""


_ANSWER = select(Command.kind, Command.digest, Command.answer).where(
    Command.request_id == bindparam("request_")
)
_LAST_COMMAND = select(func.max(Command.id))
_LAST_AT = (
    select(Command.at)
    .where(Command.kind == bindparam("kind_"))
    .order_by(Command.id.desc())
    .limit(1)
)
_OUT_OF_THE_ORDINARY = text(
    "SELECT EXISTS (SELECT 1 FROM freed_range),"
    f" EXISTS (SELECT 1 FROM block WHERE {EXPIRING_BLOCK})"
)
_WHOLE_BITS = (
    select(PoolRow.pool_id, Account.balance_bits - Account.odd_bits)
    .join(Account, Account.pool_ref == PoolRow.id)
    .where(Account.kind == AccountKind.POOL.value)
)


class Reader:
    """Reads of one snapshot; get one from `Ledger.read()`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._freed: bool | None = None  #: whether any range ever came back; None: not yet asked
        self._expiring: bool | None = None  #: whether any available block's time is limited

    def _settle(self) -> None:
        """Do nothing: a mere reader holds no write back. A transaction overrides this."""

    def has_freed(self) -> bool:
        """Whether any released range waits for its next use; mostly none does, asked once."""
        if self._freed is None:
            self._look()
        return bool(self._freed)

    def has_expiring(self) -> bool:
        """Whether the time of any available block is limited; mostly none is, asked once."""
        if self._expiring is None:
            self._look()
        return bool(self._expiring)

    def _look(self) -> None:
        freed, expiring = self.connection.execute(_OUT_OF_THE_ORDINARY).one()
        # What this transaction did itself may not be written down yet.
        self._freed = self._freed or bool(freed)
        self._expiring = self._expiring or bool(expiring)

    def answer(
        self, request_id: str, *, kind: str | None = None, digest: str | None = None
    ) -> dict[str, Any] | None:
        """The answer first given to a request, or None if it is new.

        Raises RequestConflict if `kind` or `digest` is given and differs from the first time.
        """
        self._settle()
        return self._known_answer(request_id, kind, digest)

    def _known_answer(
        self, request_id: str, kind: str | None, digest: str | None
    ) -> dict[str, Any] | None:
        row = self.connection.execute(_ANSWER, {"request_": request_id}).one_or_none()
        if row is None:
            return None
        check_same_request(request_id, (row.kind, row.digest), (kind, digest))
        answer: dict[str, Any] = json.loads(row.answer)
        return answer

    def balances(self) -> dict[str, dict[str, int]]:
        """Running balance of every account in bits, by pool and kind of account."""
        self._settle()
        rows = self.connection.execute(
            select(PoolRow.pool_id, Account.kind, Account.balance_bits)
            .join(Account, Account.pool_ref == PoolRow.id)
            .order_by(PoolRow.pool_id, Account.id)
        )
        found: dict[str, dict[str, int]] = {}
        for pool_id, kind, balance in rows:
            if not isinstance(balance, int):  # SQLite keeps a word in a column of numbers
                raise LedgerBroken(f"account {kind} of pool {pool_id}: balance is no number")
            found.setdefault(pool_id, {})[kind] = balance
        return found

    def stock(self, *, at: datetime | None = None) -> dict[str, int]:
        """Spendable bits of every pool: the whole bytes of its available blocks.

        Read from the running figures of the accounts, so it costs as much as there are pools.

        With `at` key whose time is over by then is left out, though it is in the pool until
        somebody lets it expire.
        """
        self._settle()
        found = {pool_id: int(bits) for pool_id, bits in self.connection.execute(_WHOLE_BITS)}
        if at is not None and self.has_expiring():
            for pool_id, bits in waiting.bits_over(self.connection, as_utc(at)):
                found[pool_id] -= bits
        return found

    def expiring_stock(self, *, at: datetime) -> dict[str, list[tuple[datetime, int]]]:
        """Of `stock`, what ends later on: (when, bits) by pool; those without a limit left out."""
        self._settle()
        return waiting.expiring_stock(self.connection, as_utc(at))

    def young_stock(self, *, received_after: datetime, at: datetime) -> dict[str, int]:
        """As `stock`, of the blocks alone that were received later than that."""
        self._settle()
        return waiting.young_bits(self.connection, as_utc(received_after), as_utc(at))

    def simulated_pools(self) -> frozenset[str]:
        """Pools that ever took key from a simulated source."""
        self._settle()
        rows = self.connection.execute(select(PoolRow.pool_id).where(PoolRow.simulated))
        return frozenset(pool_id for (pool_id,) in rows)

    def blocks(self, pool_id: str | None = None) -> list[BlockRecord]:
        """The blocks of one pool, or of all, oldest first."""
        self._settle()
        query = select(Block, PoolRow.pool_id).join(PoolRow).order_by(Block.id)
        if pool_id is not None:
            query = query.where(PoolRow.pool_id == pool_id)
        columns = (*Block.__table__.c, PoolRow.pool_id)
        rows = self.connection.execute(query.with_only_columns(*columns)).all()
        return tracing.block_records(self.connection, rows)

    def provenances(self, block_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Where blocks came from, by their ids. Raises LedgerBroken for one that is not there."""
        self._settle()
        return tracing.provenances(self.connection, block_ids)

    def waiting(self, node: str | None = None) -> list[BlockRecord]:
        """Blocks received that wait for an announcement, oldest first; those of one node's links.

        Nothing of them can be spent: the satellite that relays them has not spoken yet.
        """
        self._settle()
        return waiting.waiting(self.connection, node)

    def anything_due(self, at: datetime) -> bool:
        """Whether `expire_due` at an instant would end anything."""
        self._settle()
        return waiting.anything_due(self.connection, as_utc(at))

    def entries(
        self, *, pool_id: str | None = None, after: int = 0, limit: int = ROWS_MAX
    ) -> list[EntryRecord]:
        """Ledger entries in the order they were added, those after entry number `after`."""
        self._settle()
        source, target = aliased(Account), aliased(Account)
        query = (
            select(
                *LedgerEntry.__table__.c,
                PoolRow.pool_id,
                Block.block_id,
                source.kind.label("source_kind"),
                target.kind.label("target_kind"),
            )
            .join(source, LedgerEntry.source_id == source.id)
            .join(target, LedgerEntry.target_id == target.id)
            .join(Block, LedgerEntry.block_ref == Block.id)
            .join(PoolRow, Block.pool_ref == PoolRow.id)
            .where(LedgerEntry.id > after)
            .order_by(LedgerEntry.id)
            .limit(min(limit, ROWS_MAX))
        )
        if pool_id is not None:
            query = query.where(PoolRow.pool_id == pool_id)
        return [
            EntryRecord(
                entry_id=row.id,
                command_id=row.command_id,
                line=row.line,
                pool_id=row.pool_id,
                source=AccountKind(row.source_kind),
                target=AccountKind(row.target_kind),
                amount_bits=row.amount_bits,
                block_id=UUID(row.block_id),
                start_bit=row.start_bit,
                end_bit=row.end_bit,
                enters=KeyState(row.enters),
                resolves_id=row.resolves_id,
            )
            for row in self.connection.execute(query)
        ]

    def commands(
        self,
        *,
        kind: str | None = None,
        since: datetime | None = None,
        after: int = 0,
        limit: int = ROWS_MAX,
    ) -> list[CommandRecord]:
        """Commands in the order they were given, those after command number `after`.

        Of one kind, and given at `since` or later, where these are named.
        """
        self._settle()
        query = select(*Command.__table__.c).where(Command.id > after).order_by(Command.id)
        if since is not None:
            query = query.where(Command.at >= as_utc(since))
        if kind is not None:
            query = query.where(Command.kind == kind)
        return [
            tracing.command_record(row)
            for row in self.connection.execute(query.limit(min(limit, ROWS_MAX)))
        ]

    def last_command(self) -> int:
        """Number of the newest command, 0 without any: the same number, the same books."""
        self._settle()
        return self.connection.execute(_LAST_COMMAND).scalar() or 0

    def last_at(self, kind: str) -> datetime | None:
        """Instant of the newest command of a kind; None if there was none."""
        self._settle()
        return self.connection.execute(_LAST_AT, {"kind_": kind}).scalar()

    def reservations(self) -> list[Reservation]:
        """Reservations that nobody resolved yet, oldest first."""
        self._settle()
        return reservation_reads.find(self.connection)

    def reservation(self, reservation_id: UUID) -> Reservation:
        """One reservation in any state. Raises UnknownName if there is none."""
        self._settle()
        found = reservation_reads.find(self.connection, reservation_id)
        if not found:
            raise UnknownName(f"no reservation {reservation_id}")
        return found[0]

    def drawn_keys(self, key_ids: Iterable[UUID]) -> list[DrawnKey]:
        """What is known of drawn keys; unknown ids are left out."""
        self._settle()
        return key_reads.find(self.connection, key_ids)

    def trace(self, name: UUID) -> Trace:
        """Where a block's bits, or a drawn key's, came from. Raises UnknownName."""
        self._settle()
        return tracing.trace(self.connection, name)

    def audit_head(self) -> tuple[int, str]:
        """Leaves in the audit log, and its root in hex."""
        self._settle()
        size = audit.tree_size(self.connection)
        return size, audit.root(self.connection, size).hex()

    def prove_row(self, kind: str, subject: str, *, size: int | None = None) -> InclusionProof:
        """Proof that the last change of a row (command, booking, ...) is in the audit log."""
        self._settle()
        seq = audit.find_leaf(self.connection, kind, subject)
        return audit.inclusion(self.connection, seq, size)

    def prove_leaf(self, seq: int, *, size: int | None = None) -> InclusionProof:
        """Proof that a leaf is in the audit log, as it stands or as it was at a smaller size."""
        self._settle()
        return audit.inclusion(self.connection, seq, size)

    def prove_consistency(self, old_size: int, *, size: int | None = None) -> ConsistencyProof:
        """Proof that the log of `size` leaves continues the one of `old_size`."""
        self._settle()
        return audit.consistency(self.connection, old_size, size)

    def checkpoints(self) -> list[Checkpoint]:
        """Signed checkpoints made so far, oldest first."""
        self._settle()
        return audit.checkpoints(self.connection)

    def bookings(
        self,
        *,
        state: BookingState | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Booking]:
        """Bookings by AOS; those of one state, and those whose AOS lies in [since, until)."""
        self._settle()
        return booking_reads.find(self.connection, state=state, since=since, until=until)

    def booking(self, booking_id: UUID) -> Booking:
        """One booking. Raises UnknownName."""
        self._settle()
        return booking_reads.one(self.connection, booking_id)

    def booking_events(self, booking_id: UUID) -> list[BookingEvent]:
        """The life of one booking, first event first."""
        self._settle()
        return booking_reads.events(self.connection, booking_id)

    def element_count(self) -> int:
        """How many element sets there are."""
        self._settle()
        query = select(func.count()).select_from(ElementSetRow)
        return self.connection.execute(query).scalar_one()

    def element_rows(self, norad_id: int | None = None) -> list[ElementRow]:
        """Every element set, of one satellite or of all, by satellite and epoch."""
        self._settle()
        order = (ElementSetRow.norad_id, ElementSetRow.epoch, ElementSetRow.sha256)
        query = select(*ElementSetRow.__table__.c).order_by(*order)
        if norad_id is not None:
            query = query.where(ElementSetRow.norad_id == norad_id)
        return [
            ElementRow(
                norad_id=row.norad_id,
                name=row.name,
                epoch=row.epoch,
                text=row.text,
                sha256=row.sha256,
                source=row.source,
                arrived_at=row.arrived_at,
            )
            for row in self.connection.execute(query)
        ]

    def run_facts(self) -> dict[str, Any]:
        """What this database was bound to; empty before `bind_run`."""
        self._settle()
        rows = self.connection.execute(select(RunFact.name, RunFact.value))
        return {name: json.loads(value) for name, value in rows}


def check_same_request(
    request_id: str, first: tuple[str, str], now: tuple[str | None, str | None]
) -> None:
    """Raise RequestConflict unless kind and digest, where given, are those of the first time."""
    for word, was, seen in zip(("kind", "digest"), first, now, strict=True):
        if seen is not None and seen != was:
            raise RequestConflict(
                f"request {request_id!r} came first with {word} {was!r}, now with {seen!r}"
            )
