"""Options of a place and a time that no scenario holds: where one stands, and from now on."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Annotated

import typer

from api.inputs import check_order, parse_instant
from scheduler.errors import InputError

if TYPE_CHECKING:
    from scheduler.network import Station

LatOption = Annotated[
    float | None, typer.Option("--lat", metavar="DEG", help="Latitude of a place of your own.")
]
LonOption = Annotated[
    float | None, typer.Option("--lon", metavar="DEG", help="Its longitude, east positive.")
]
HeightOption = Annotated[
    float | None,
    typer.Option("--height-m", metavar="M", help="Its height above the ellipsoid (0)."),
]
TelescopeOption = Annotated[
    float | None, typer.Option("--telescope-m", metavar="M", help="Its telescope (1).")
]
SinceOption = Annotated[
    str | None,
    typer.Option("--from", metavar="T", help="Start: a date, or date, time and zone (now)."),
]
UntilOption = Annotated[
    str | None, typer.Option("--to", metavar="T", help="End, not included (seven days later).")
]
ZoneOption = Annotated[
    str | None,
    typer.Option("--tz", metavar="ZONE", help="Show local time too: Europe/Rome, +02:00, local."),
]
WEEK = timedelta(days=7)
_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})")


def place_of(
    lat_deg: float | None,
    lon_deg: float | None,
    height_m: float | None,
    telescope_m: float | None,
    stations: list[str] | None = None,
) -> Station | None:
    """Return the place that the options name; None if they name none.

    Raises InputError for a place in part, or beside stations.
    """
    if lat_deg is None and lon_deg is None and height_m is None and telescope_m is None:
        return None
    if lat_deg is None or lon_deg is None:
        raise InputError("a place in part; allowed: --lat and --lon, and with them --height-m")
    if stations:
        raise InputError("--station beside --lat and --lon; allowed: one of them")
    from scheduler import services

    return services.place_at(
        lat_deg, lon_deg, height_m=0.0 if height_m is None else height_m, telescope_m=telescope_m
    )


def window_of(
    start: str | None, end: str | None, *, length: timedelta = WEEK
) -> tuple[datetime, datetime]:
    """Return the window of the options: from now on, and so long, where they do not say.

    Raises InputError if it is reversed or empty.
    """
    from scheduler.clock import SystemClock

    first = SystemClock().now() if start is None else parse_instant(start, "from")
    last = first + length if end is None else parse_instant(end, "to")
    check_order(first, last)
    return first, last


def zone_of(name: str | None) -> tzinfo | None:
    """Return a zone by its name or offset; None for none. Raises InputError."""
    if name is None:
        return None
    if name == "local":
        return datetime.now(UTC).astimezone().tzinfo
    offset = _OFFSET.fullmatch(name)
    if offset and int(offset[2]) < 24 and int(offset[3]) < 60:
        shift = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(shift if offset[1] == "+" else -shift, name)
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"zone {name!r} is not known here; allowed: a name such as Europe/Rome, an offset"
            " such as +02:00, or local"
        ) from None
