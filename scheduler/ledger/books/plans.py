"""Plans: the figures of a run of the planner, and a row for each of its passes and options."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, func, insert, select
from sqlalchemy.orm import aliased

from scheduler.domain import SLACK, PlanOption, PlanPass
from scheduler.errors import LedgerError
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.db.bulk import execute_many
from scheduler.ledger.log.canonical import canonical_json
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.records import PlanRecord, record_of
from scheduler.ledger.schema import PlanOptionRow, PlanPassRow, PlanRow
from scheduler.ledger.transaction import Transaction

_PLANS: Select[Any] = select(*PlanRow.__table__.c)
_ADD_PASS, _ADD_OPTION = insert(PlanPassRow), insert(PlanOptionRow)
PASS_COLUMNS = (
    "pass_id", "satellite_id", "station_id", "rises_at", "sets_at", "max_elevation_deg",
    "sun_elevation_deg",
)  # fmt: skip
OPTION_COLUMNS = (
    "candidate_id", "acquires_at", "loses_at", "secret_bits", "clear_probability", "booked",
    "booking_id", "why",
)  # fmt: skip


def add(
    tx: Transaction, handle: CommandHandle, record: PlanRecord, passes: Sequence[PlanPass]
) -> None:
    """Write down the plan that a command made. Raises LedgerError if that plan is there already."""
    connection = tx.raw
    if by_name(connection, record.plan_id) is not None:
        raise LedgerError(f"plan {record.plan_id!r} is there already")
    tx.flush()
    values = asdict(record) | {"command_id": handle.command_id}
    row = sealed("plan", values | {"details": canonical_json(record.details)})
    connection.execute(insert(PlanRow), [row])
    tx.trail.record("plan", record.plan_id, row["sha256"])
    pass_rows, option_rows = [], []
    for number, one in enumerate(passes, start=1):
        key: dict[str, Any] = {"command_id": handle.command_id, "position": number}
        pass_rows.append(sealed("plan_pass", key | _values(one, PASS_COLUMNS)))
        handle.wrote("plan_pass", pass_rows[-1]["sha256"])
        for position, option in enumerate(one.options, start=1):
            key = {"command_id": handle.command_id, "pass_position": number, "position": position}
            option_rows.append(sealed("plan_option", key | _values(option, OPTION_COLUMNS)))
            handle.wrote("plan_option", option_rows[-1]["sha256"])
    for statement, rows in ((_ADD_PASS, pass_rows), (_ADD_OPTION, option_rows)):
        if rows:
            execute_many(connection, statement, rows)


def _values(item: PlanPass | PlanOption, names: Sequence[str]) -> dict[str, Any]:
    found = {name: getattr(item, name) for name in names}
    return {name: str(value) if isinstance(value, UUID) else value for name, value in found.items()}


def by_name(connection: Connection, plan_id: str) -> PlanRecord | None:
    """The plan of that name, if there is one."""
    return _one(connection, _PLANS.where(PlanRow.plan_id == plan_id))


def count_passes(connection: Connection, plan_id: str) -> int:
    """How many passes a plan looked at."""
    mine = select(PlanRow.command_id).where(PlanRow.plan_id == plan_id).scalar_subquery()
    query = select(func.count()).select_from(PlanPassRow).where(PlanPassRow.command_id == mine)
    return connection.execute(query).scalar_one()


def last_made(connection: Connection, *, at: datetime | None = None) -> PlanRecord | None:
    """The plan that was made last; of those whose window holds an instant of a pass, if named."""
    query = _PLANS.order_by(PlanRow.command_id.desc()).limit(1)
    if at is not None:
        query = query.where(PlanRow.window_start <= at, PlanRow.window_end > at - SLACK)
    return _one(connection, query)


def newest(connection: Connection, limit: int, *, before: str | None = None) -> list[PlanRecord]:
    """The plans whose windows start last, by that start; before that plan, if named."""
    order = (PlanRow.window_start.desc(), PlanRow.command_id.desc())
    query = _PLANS.order_by(*order).limit(limit)
    if before is not None:
        other = aliased(PlanRow)
        same = (PlanRow.window_start == other.window_start) & (
            PlanRow.command_id < other.command_id
        )
        earlier = (PlanRow.window_start < other.window_start) | same
        query = query.join(other, (other.plan_id == before) & earlier)
    rows = connection.execute(query).all()
    return [_record(row) for row in reversed(rows)]


def names(connection: Connection) -> list[str]:
    """The names of all plans, by the start of their windows."""
    query = select(PlanRow.plan_id).order_by(PlanRow.window_start, PlanRow.command_id)
    return list(connection.execute(query).scalars())


def passes_of(
    connection: Connection,
    record: PlanRecord,
    *,
    satellite_id: str | None = None,
    station_id: str | None = None,
) -> list[PlanPass]:
    """The passes of a plan with their options, in order; those of one pair, where it is named."""
    wanted = [PlanPassRow.command_id == record.command_id]
    if satellite_id is not None:
        wanted.append(PlanPassRow.satellite_id == satellite_id)
    if station_id is not None:
        wanted.append(PlanPassRow.station_id == station_id)
    options: defaultdict[int, list[PlanOption]] = defaultdict(list)
    for row in connection.execute(
        select(*PlanOptionRow.__table__.c)
        .join(
            PlanPassRow,
            (PlanPassRow.command_id == PlanOptionRow.command_id)
            & (PlanPassRow.position == PlanOptionRow.pass_position),
        )
        .where(*wanted)
        .order_by(PlanOptionRow.pass_position, PlanOptionRow.position)
    ):
        options[row.pass_position].append(_option(row))
    return [
        PlanPass(
            **{name: getattr(row, name) for name in PASS_COLUMNS},
            options=tuple(options.get(row.position, ())),
        )
        for row in connection.execute(
            select(*PlanPassRow.__table__.c).where(*wanted).order_by(PlanPassRow.position)
        )
    ]


def bookings_of(connection: Connection, record: PlanRecord) -> set[UUID]:
    """The bookings that a plan made or kept."""
    query = select(PlanOptionRow.booking_id).where(
        PlanOptionRow.command_id == record.command_id, PlanOptionRow.booked
    )
    return {UUID(booking_id) for booking_id in connection.execute(query).scalars()}


def _option(row: Row[Any]) -> PlanOption:
    values = {name: getattr(row, name) for name in OPTION_COLUMNS}
    booking_id = values.pop("booking_id")
    return PlanOption(**values, booking_id=None if booking_id is None else UUID(booking_id))


def _one(connection: Connection, query: Select[Any]) -> PlanRecord | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else _record(row)


def _record(row: Row[Any]) -> PlanRecord:
    return record_of(PlanRecord, row, details=json.loads(row.details))
