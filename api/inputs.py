"""Text from a terminal or a query string -> checked values; both use the same rules."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from orbits import as_utc
from scheduler.errors import InputError

EARLIEST = datetime(1957, 1, 1, tzinfo=UTC)  # the year of the first satellite
LATEST = datetime(2100, 1, 1, tzinfo=UTC)  # SGP4 and the Earth's rotation table end their use

ALLOWED_INSTANT = (
    "a date (2016-12-19, which is 00:00:00Z) or a date with time and zone (2016-12-19T16:50:00Z)"
)
_DATE = r"\d{4}-\d{2}-\d{2}"
_TIME = r"\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?"
_ZONE = r"Z|z|[+-]\d{2}:?\d{2}"
_INSTANT = re.compile(rf"({_DATE})(?:[Tt ]({_TIME})({_ZONE})?)?")


def parse_instant(text: str, name: str = "instant") -> datetime:
    """Return the UTC instant that `text` names; a bare date is its first instant.

    Raises InputError, naming the value and what is allowed, for anything else: a time without a
    zone is not guessed at.
    """
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        raise InputError(f"{name} {text!r} is no instant; allowed: {ALLOWED_INSTANT}")
    date, time, zone = match.groups()
    if time is not None and zone is None:
        raise InputError(f"{name} {text!r} has a time but no zone; allowed: {ALLOWED_INSTANT}")
    # fromisoformat keeps six digits of a second at most; the rest is below a microsecond.
    clipped = re.sub(r"(\.\d{6})\d+", r"\1", f"{date}T{time or '00:00'}{(zone or 'Z').upper()}")
    try:
        when = as_utc(datetime.fromisoformat(clipped))
    except (ValueError, OverflowError) as error:
        raise InputError(f"{name} {text!r}: {error}; allowed: {ALLOWED_INSTANT}") from None
    if not EARLIEST <= when < LATEST:
        raise InputError(
            f"{name} {text!r} is out of range; allowed: {EARLIEST:%Y-%m-%d} to {LATEST:%Y-%m-%d}"
        )
    return when


def check_order(start: datetime, end: datetime) -> None:
    """Raise InputError unless `start` is before `end`."""
    if not start < end:
        raise InputError(
            f"from {start:%Y-%m-%dT%H:%M:%SZ} is not before to {end:%Y-%m-%dT%H:%M:%SZ};"
            " allowed: a start before its end"
        )


def parse_span(start_text: str, end_text: str) -> tuple[datetime, datetime]:
    """Return the half-open span [start, end). Raises InputError if reversed or empty."""
    start, end = parse_instant(start_text, "from"), parse_instant(end_text, "to")
    check_order(start, end)
    return start, end


def parse_elevation(value: float | None, name: str) -> float | None:
    """Return an elevation limit in degrees, 0 up to but not 90; None stands for the station's."""
    if value is not None and not 0.0 <= value < 90.0:  # false for NaN too
        raise InputError(f"{name} {value}; allowed: 0 up to, not including, 90 deg")
    return value


def parse_instant_or_none(text: str | None, name: str) -> datetime | None:
    """Return the instant that `text` names, None if it was not given. Raises InputError."""
    return None if text is None else parse_instant(text, name)
