"""The one gate through which datetimes enter."""

from datetime import UTC, datetime


def as_utc(when: datetime) -> datetime:
    """Return `when` in UTC. Raises ValueError if it has no zone."""
    if when.tzinfo is None or when.utcoffset() is None:
        raise ValueError(f"{when.isoformat()} has no time zone; write it with Z or an offset")
    return when.astimezone(UTC)
