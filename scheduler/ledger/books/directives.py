"""Directives: what people decided about passes and bookings; the last one about either holds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, func, insert, select

from scheduler.domain import Directive, DirectiveKind, PassName
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.schema import DirectiveRow
from scheduler.ledger.transaction import Transaction


def add(tx: Transaction, handle: CommandHandle, directives: Iterable[Directive]) -> None:
    """Write down all the directives that a command gives, in their order."""
    tx.flush()
    for position, directive in enumerate(directives, start=1):
        row = sealed(
            "directive",
            {
                "command_id": handle.command_id,
                "position": position,
                "kind": directive.kind.value,
                "satellite_id": directive.subject.satellite_id,
                "station_id": directive.subject.station_id,
                "at": directive.subject.at,
                "booking_id": None if directive.booking_id is None else str(directive.booking_id),
                "reason": directive.reason,
            },
        )
        tx.raw.execute(insert(DirectiveRow), [row])
        tx.trail.record("directive", f"{handle.command_id}/{position}", row["sha256"])


def count_of(connection: Connection, booking_id: UUID) -> int:
    """How many directives there are about a booking."""
    query = select(func.count()).where(DirectiveRow.booking_id == str(booking_id))
    return connection.execute(query).scalar_one()


def of_passes(connection: Connection, *, since: datetime, until: datetime) -> list[Directive]:
    """The directives about passes in [since, until), the one that was given last at the end."""
    rows = connection.execute(
        select(*DirectiveRow.__table__.c)
        .where(DirectiveRow.at >= since, DirectiveRow.at < until, DirectiveRow.booking_id.is_(None))
        .order_by(DirectiveRow.command_id, DirectiveRow.position)
    )
    return [
        Directive(
            kind=DirectiveKind(row.kind),
            subject=PassName(satellite_id=row.satellite_id, station_id=row.station_id, at=row.at),
            reason=row.reason,
        )
        for row in rows
    ]
