"""Which periods are closed, and what their files hold of the log."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from scheduler.ledger.reader import Reader
from scheduler.ledger.records import Segment, record_of
from scheduler.ledger.schema import Command, SegmentRow

_SEGMENTS = (
    select(*SegmentRow.__table__.c, Command.at.label("closed_at"))
    .join(Command, Command.id == SegmentRow.command_id)
    .order_by(SegmentRow.id)
)
_CLOSED_UNTIL = select(func.max(SegmentRow.cutoff))


def get_segments(reader: Reader) -> list[Segment]:
    """The closed periods, the oldest first."""
    rows = reader.connection.execute(_SEGMENTS)
    return [record_of(Segment, row, number=row.id) for row in rows]


def closed_until(reader: Reader) -> datetime | None:
    """The instant before which what was finished may have left; None before any closing.

    What is not here of before may be in a file: a deposit for that time comes too late.
    """
    return reader.raw.execute(_CLOSED_UNTIL).scalar()
