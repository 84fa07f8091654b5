"""What settled sessions measured, for links to learn from."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, insert, select

from orbits import as_utc
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.reader import Reader
from scheduler.ledger.schema import SettledSession
from scheduler.ledger.transaction import Transaction

Link = tuple[str, str]
"""(satellite id, station id)."""

_MEASURED = (
    select(
        SettledSession.satellite_id,
        SettledSession.station_id,
        SettledSession.sifted_bits,
        SettledSession.expected_bits,
    )
    .where(SettledSession.sifted_bits > 0, SettledSession.expected_bits > 0.0)
    .where(SettledSession.settled_at <= bindparam("at_"))
    .order_by(SettledSession.command_id)
)


def add_session(
    tx: Transaction,
    handle: CommandHandle,
    *,
    booking_id: UUID,
    link: Link,
    expected_bits: float,
    sifted_bits: int,
) -> None:
    """Write down what a session measured, and what its preset expected; a command settles one."""
    satellite_id, station_id = link
    row = sealed(
        SettledSession.__tablename__,
        {
            "command_id": handle.command_id,
            "booking_id": str(booking_id),
            "satellite_id": satellite_id,
            "station_id": station_id,
            "settled_at": handle.at,
            "expected_bits": float(expected_bits),
            "sifted_bits": sifted_bits,
            "block_ref": None,
            "counts": "{}",
        },
    )
    tx.flush()
    tx.raw.execute(insert(SettledSession), [row])
    handle.wrote(SettledSession.__tablename__, row["sha256"])


def measured_ratios(reader: Reader, *, at: datetime) -> dict[Link, list[float]]:
    """Measured over expected sifted bits of every session settled by an instant, by link.

    One without a bit is no measure of its link's loss: a cloud, or an outage.
    """
    found: defaultdict[Link, list[float]] = defaultdict(list)
    for row in reader.connection.execute(_MEASURED, {"at_": as_utc(at)}):
        found[row.satellite_id, row.station_id].append(row.sifted_bits / row.expected_bits)
    return dict(found)
