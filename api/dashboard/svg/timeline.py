"""A plan as rows of stations on one time axis: nights, outages, passes, the present."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote

from api.dashboard.svg.scale import TimeAxis
from scheduler.domain import (
    TERMINAL_STATES,
    BookingState,
    Outage,
    OutageKind,
    PlannedPass,
    Span,
    Verdict,
)

WIDTH, LEFT, ROW, TOP = 1100.0, 130.0, 30.0, 8.0
LETTER = 7.6  # pixels of a letter of a name, about
BAR_MIN = 3.0  # A pass of minutes in a week is still to be seen, and to be hit.
_OFF = TERMINAL_STATES - {BookingState.SETTLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A stretch of a row: what it is (a class of the style sheet), and what a reader is told."""

    kind: str
    x: float
    width: float
    told: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One station."""

    station: str
    name: str
    y: float
    ground: tuple[Bar, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All rows, and where the present stands; None outside the window."""

    axis: TimeAxis
    rows: tuple[Row, ...]
    now_x: float | None
    height: float
    row: float = ROW
    width: float = WIDTH
    top: float = TOP


def timeline(
    *,
    start: datetime,
    end: datetime,
    now: datetime,
    stations: Mapping[str, str],
    passes: Sequence[PlannedPass],
    nights: Mapping[str, Sequence[Span]],
    outages: Sequence[Outage],
    locked: Set[str] = frozenset(),
    address: str = "/ui/plan?",
) -> Timeline:
    """The picture of a window; `stations` maps ids to names.

    locked : ids of passes whose booking no plan may move
    address : of the page, on which a pass is chosen
    """
    # No name is clipped, however long it is.
    left = max(LEFT, 20.0 + LETTER * max(map(len, stations.values()), default=0))
    axis = TimeAxis(start=start, end=end, left=left, width=WIDTH - left - 10.0)
    rows = tuple(
        Row(
            station=station,
            name=name,
            y=TOP + number * ROW,
            ground=(
                *(_bar(axis, "night", one.start, one.end) for one in nights.get(station, ())),
                *(
                    _bar(
                        axis, "outage", one.starts_at, one.ends_at, f"out of service: {one.reason}"
                    )
                    for one in outages
                    if one.kind is OutageKind.SATELLITE or one.name == station
                ),
            ),
            bars=tuple(
                _pass_bar(axis, one, address, is_locked=one.pass_id in locked)
                for one in passes
                if one.station == station
            ),
        )
        for number, (station, name) in enumerate(stations.items())
    )
    return Timeline(
        axis=axis,
        rows=rows,
        now_x=axis.x(now) if start <= now < end else None,
        height=TOP + ROW * len(rows) + 28.0,
    )


def _bar(
    axis: TimeAxis, kind: str, start: datetime, end: datetime, told: str = "", least: float = 0.0
) -> Bar:
    x = axis.x(start)
    return Bar(kind=kind, x=x, width=round(max(axis.x(end) - x, least), 2), told=told)


def _pass_bar(axis: TimeAxis, one: PlannedPass, address: str, *, is_locked: bool) -> Bar:
    kind = one.verdict.value
    if one.verdict is Verdict.BOOKED and one.booking_state in _OFF:
        kind = "off"
    start, end = one.acquires_at or one.rises_at, one.loses_at or one.sets_at
    expected = "" if one.expected_bits is None else f", {one.expected_bits:,.0f} bits expected"
    told = (
        f"{one.satellite} {start:%m-%d %H:%M:%S} to {end:%H:%M:%S} UTC,"
        f" {one.max_elevation_deg:.1f} degrees{expected}"
        f"{', locked' if is_locked else ''}: {one.why}"
    )
    bar = _bar(axis, kind, start, end, told, BAR_MIN)
    href = f"{address}&pass={quote(one.pass_id, safe='/:')}#chosen"
    return replace(bar, kind=f"{bar.kind} locked" if is_locked else bar.kind, href=href)
