"""Outages: stations and satellites out of service, given by one command, lifted by another."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, insert, select, update

from scheduler.domain import Outage, OutageKind
from scheduler.errors import UnknownName, WrongState
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.db.bulk import query
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.schema import OutageRow
from scheduler.ledger.transaction import Transaction


def add(tx: Transaction, handle: CommandHandle, outage: Outage) -> None:
    """Write down the outage that a command gives; a command gives one."""
    tx.flush()
    row = sealed(
        "outage",
        {
            "command_id": handle.command_id,
            "outage_id": outage.outage_id,
            "kind": outage.kind.value,
            "name": outage.name,
            "starts_at": outage.starts_at,
            "ends_at": outage.ends_at,
            "reason": outage.reason,
        },
    )
    tx.raw.execute(insert(OutageRow), [row])
    tx.trail.record("outage", outage.outage_id, row["sha256"])


def lift(tx: Transaction, handle: CommandHandle, outage_id: str) -> Outage:
    """Let a command lift an outage; return it.

    Raises UnknownName for one that is not there, WrongState for one that was lifted before.
    """
    tx.flush()
    asked = select(*OutageRow.__table__.c).where(OutageRow.outage_id == outage_id)
    row = tx.raw.execute(asked).one_or_none()
    if row is None:
        raise UnknownName(f"outage {outage_id!r} is not known; `skytrunk outage list` shows them")
    lifted = tx.raw.execute(
        update(OutageRow)
        .where(OutageRow.command_id == row.command_id, OutageRow.lifted_by.is_(None))
        .values(lifted_by=handle.command_id)
    )
    if lifted.rowcount != 1:
        raise WrongState(f"outage {outage_id!r} was lifted before")
    handle.marked("lifted", (row.command_id, ""), row.sha256)
    return _outage(row)


def standing(
    connection: Connection, *, since: datetime | None = None, until: datetime | None = None
) -> list[Outage]:
    """Outages that were not lifted and meet [since, until), by start."""
    values = {} if since is None else {"since_": since}
    if until is not None:
        values["until_"] = until
    asked = _standing("since_" in values, "until_" in values)
    return [_outage(row) for row in query(connection, asked, values)]


@cache
def _standing(since: bool, until: bool) -> Select[Any]:
    """The question of `standing`, with these limits or without."""
    asked = select(*OutageRow.__table__.c).where(OutageRow.lifted_by.is_(None))
    if since:
        asked = asked.where(OutageRow.ends_at > bindparam("since_"))
    if until:
        asked = asked.where(OutageRow.starts_at < bindparam("until_"))
    return asked.order_by(OutageRow.starts_at, OutageRow.ends_at, OutageRow.kind, OutageRow.name)


def count_alike(connection: Connection, outage: Outage) -> tuple[int, str | None]:
    """How often this station or satellite had this very span, and the one that stands."""
    alike = [
        getattr(OutageRow, name) == getattr(outage, name)
        for name in ("kind", "name", "starts_at", "ends_at")
    ]
    standing_id = func.max(OutageRow.outage_id).filter(OutageRow.lifted_by.is_(None))
    count, known = connection.execute(select(func.count(), standing_id).where(*alike)).one()
    return count, known


def _outage(row: Any) -> Outage:
    return Outage(
        kind=OutageKind(row.kind),
        name=row.name,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        reason=row.reason,
        outage_id=row.outage_id,
    )
