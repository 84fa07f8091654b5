"""Looking into the ledger, inside one consistent snapshot."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select, text
from sqlalchemy.orm import aliased

from orbits import as_utc
from scheduler.errors import RequestConflict
from scheduler.facts import Booking, BookingEvent, BookingState
from scheduler.ledger import bookings
from scheduler.ledger.models import (
    OPEN_BLOCK,
    Account,
    Block,
    Command,
    ElementSetRow,
    LedgerEntry,
    PlanRow,
    PoolRow,
    RunFact,
)
from scheduler.ledger.records import (
    BlockRecord,
    CommandRecord,
    ElementRow,
    EntryRecord,
    PlanRecord,
)
from scheduler.ledger.states import AccountKind, KeyState

ROWS_MAX = 10_000
"""Rows that one call of `entries` or `commands` returns at most."""


class Reader:
    """Reads of one snapshot; get one from `Ledger.read()`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _settle(self) -> None:
        """Do nothing: a mere reader holds no write back. A transaction overrides this."""

    def answer(
        self, request_id: str, *, kind: str | None = None, digest: str | None = None
    ) -> dict[str, Any] | None:
        """The answer first given to a request, or None if it is new.

        Raises RequestConflict if `kind` or `digest` is given and differs from the first time.
        """
        self._settle()
        row = self._connection.execute(
            select(Command.kind, Command.digest, Command.answer).where(
                Command.request_id == request_id
            )
        ).one_or_none()
        if row is None:
            return None
        check_same_request(request_id, (row.kind, row.digest), (kind, digest))
        answer: dict[str, Any] = json.loads(row.answer)
        return answer

    def balances(self) -> dict[str, dict[str, int]]:
        """Running balance of every account in bits, by pool and kind of account."""
        self._settle()
        rows = self._connection.execute(
            select(PoolRow.pool_id, Account.kind, Account.balance_bits)
            .join(Account, Account.pool_ref == PoolRow.id)
            .order_by(PoolRow.pool_id, Account.id)
        )
        found: dict[str, dict[str, int]] = {}
        for pool_id, kind, balance in rows:
            found.setdefault(pool_id, {})[kind] = balance
        return found

    def stock(self) -> dict[str, int]:
        """Spendable bits of every pool: the whole bytes of its available blocks."""
        self._settle()
        found = {pool_id: 0 for (pool_id,) in self._connection.execute(select(PoolRow.pool_id))}
        whole_bits = func.sum((Block.length_bits - Block.next_bit) // 8 * 8)
        rows = self._connection.execute(
            select(PoolRow.pool_id, whole_bits)
            .join(Block, Block.pool_ref == PoolRow.id)
            .where(text(OPEN_BLOCK))
            .group_by(PoolRow.pool_id)
        )
        found.update({pool_id: int(bits) for pool_id, bits in rows})
        return found

    def simulated_pools(self) -> frozenset[str]:
        """Pools that ever took key from a simulated source."""
        self._settle()
        rows = self._connection.execute(select(PoolRow.pool_id).where(PoolRow.simulated))
        return frozenset(pool_id for (pool_id,) in rows)

    def blocks(self, pool_id: str | None = None) -> list[BlockRecord]:
        """The blocks of one pool, or of all, oldest first."""
        self._settle()
        query = select(Block, PoolRow.pool_id).join(PoolRow).order_by(Block.id)
        if pool_id is not None:
            query = query.where(PoolRow.pool_id == pool_id)
        return [
            BlockRecord(
                block_id=UUID(row.block_id),
                pool_id=row.pool_id,
                natural_key=row.natural_key,
                length_bits=row.length_bits,
                next_bit=row.next_bit,
                state=KeyState(row.state),
                source=row.source,
                simulated=row.simulated,
                eps_total=row.eps_total,
                epoch=row.epoch,
                received_at=row.received_at,
                provenance=json.loads(row.provenance),
            )
            for row in self._connection.execute(
                query.with_only_columns(*Block.__table__.c, PoolRow.pool_id)
            )
        ]

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
            for row in self._connection.execute(query)
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
            CommandRecord(
                command_id=row.id,
                request_id=row.request_id,
                kind=row.kind,
                digest=row.digest,
                at=row.at,
                answer=json.loads(row.answer),
            )
            for row in self._connection.execute(query.limit(min(limit, ROWS_MAX)))
        ]

    def bookings(
        self,
        *,
        state: BookingState | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Booking]:
        """Bookings by AOS; those of one state, and those whose AOS lies in [since, until)."""
        self._settle()
        return bookings.find(self._connection, state=state, since=since, until=until)

    def booking(self, booking_id: UUID) -> Booking:
        """One booking. Raises UnknownName."""
        self._settle()
        return bookings.one(self._connection, booking_id)

    def booking_events(self, booking_id: UUID) -> list[BookingEvent]:
        """The life of one booking, first event first."""
        self._settle()
        return bookings.events(self._connection, booking_id)

    def element_rows(self) -> list[ElementRow]:
        """Every element set, by satellite and epoch."""
        self._settle()
        order = (ElementSetRow.norad_id, ElementSetRow.epoch, ElementSetRow.sha256)
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
            for row in self._connection.execute(select(*ElementSetRow.__table__.c).order_by(*order))
        ]

    def plans(self) -> list[PlanRecord]:
        """Every run of the planner, by the start of its window."""
        self._settle()
        query = select(*PlanRow.__table__.c).order_by(PlanRow.window_start, PlanRow.plan_id)
        return [
            PlanRecord(
                plan_id=row.plan_id,
                at=row.at,
                window_start=row.window_start,
                window_end=row.window_end,
                solver=row.solver,
                objective=row.objective,
                bound=row.bound,
                gap=row.gap,
                details=json.loads(row.details),
            )
            for row in self._connection.execute(query)
        ]

    def run_facts(self) -> dict[str, Any]:
        """What this database was bound to; empty before `bind_run`."""
        self._settle()
        rows = self._connection.execute(select(RunFact.name, RunFact.value))
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
