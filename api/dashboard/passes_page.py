"""The page of passes: a table, the sky of a station, and one pass in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from api.dashboard.render import Text, context_of, page
from api.dashboard.svg.curve import CurvePicture, curve_picture
from api.dashboard.svg.sky import SkyPath, rings, sky_paths
from api.dashboard.svg.world import WorldPicture, world_picture
from api.errors import known_errors, message_of
from api.inputs import parse_instant
from api.schemas.passes import Pass, Passes
from scheduler import services
from scheduler.domain import PassRow
from scheduler.services.context import Context

router = APIRouter(prefix="/ui", include_in_schema=False)

IN_FULL = {4, 6, 7, 8}
"""Ranks of the columns that go first: sifted bits, QBER, culmination, spread of the times."""
SKY_MAX = 12  # Lines in one circle that can still be told apart.
SKY_STEP_S = 20.0
CURVE_STEPS = 120
HALF_ORBIT = timedelta(minutes=48)
ORBIT_STEP_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the form of the passes asked for."""

    satellite: str
    station: str
    start: datetime
    days: int
    dark: bool
    forecast: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One pass in full."""

    row: Pass
    world: WorldPicture
    curve: CurvePicture


@router.get("/passes")
def passes(
    request: Request,
    satellite: Text = "",
    station: Text = "",
    start: Annotated[str, Query(alias="from", max_length=40)] = "",
    days: Annotated[int, Query(ge=1, le=30)] = 2,
    dark: bool = False,
    forecast: bool = False,
    chosen: Annotated[str, Query(alias="pass", max_length=200)] = "",
) -> HTMLResponse:
    """Show the passes of a satellite, one station's on its sky, and one of them in full."""
    context = context_of(request)
    values: dict[str, Any] = {"found": None, "notes": [], "sky": [], "problem": "", "shown": None}
    asked = Asked(
        satellite=satellite or context.scenario.satellites[0].satellite_id,
        station=station,
        start=context.clock.now().replace(hour=0, minute=0, second=0, microsecond=0),
        days=days,
        dark=dark,
        forecast=forecast,
    )
    try:
        if start:
            asked = replace(asked, start=parse_instant(start, "from"))
        answer = services.upcoming_passes(
            context,
            satellite=asked.satellite,
            stations=[station] if station else None,
            start=asked.start,
            end=asked.start + timedelta(days=days),
            forecast=forecast,
            dark_only=dark,
        )
        found = Passes.of(answer, forecast=forecast)
        table = found.table(asked.satellite, forecast=forecast)
        # What a forecast leaves no room for stands where one pass is shown in full.
        kept = [one for one in table.columns if not forecast or one.rank not in IN_FULL]
        values["found"] = replace(table, columns=kept)
        values["notes"] = list(answer.notes)
        if station:
            values["sky"] = _sky(context, asked, answer.rows)
        row = next((one for one in answer.rows if one.pass_id == chosen), None)
        if row is not None:
            values["shown"] = _in_full(context, row, Passes.of(answer, forecast=forecast))
    except known_errors() as error:
        values["problem"] = message_of(error)
    return page(
        request,
        "passes",
        asked=asked,
        rings=rings(),
        link=_linker(asked),
        query=_query(asked),
        **values,
    )


def _query(asked: Asked) -> str:
    """The same question to the API."""
    end = asked.start + timedelta(days=asked.days)
    given = {"satellite": asked.satellite, "from": f"{asked.start:%Y-%m-%d}",
             "to": f"{end:%Y-%m-%d}", "station": asked.station,
             "dark": "true" if asked.dark else "",
             "forecast": "true" if asked.forecast else ""}  # fmt: skip
    return urlencode({name: value for name, value in given.items() if value})


def _linker(asked: Asked) -> Any:
    """What makes the address at which a row is shown in full."""
    known = {one.name: getattr(asked, one.name) for one in fields(asked)}
    known["from"] = f"{known.pop('start'):%Y-%m-%d}"
    given = {name: str(value).lower() if isinstance(value, bool) else value
             for name, value in known.items() if value}  # fmt: skip
    return lambda row: f"/ui/passes?{urlencode({**given, 'pass': row.pass_})}#chosen"


def _sky(context: Context, asked: Asked, rows: Sequence[PassRow]) -> list[SkyPath]:
    return sky_paths(
        (
            _pass_label(row),
            services.track_of(
                context, asked.satellite, asked.station, row.rises_at, row.sets_at, SKY_STEP_S
            ),
        )
        for row in rows[:SKY_MAX]
    )


def _pass_label(row: PassRow) -> str:
    when = f"{row.rises_at:%m-%d %H:%M} to {row.sets_at:%H:%M} UTC"
    return f"{when}, {row.max_elevation_deg:.1f} degrees"


def _in_full(context: Context, row: PassRow, found: Passes) -> Shown:
    """One pass: over its time, and on the Earth."""
    step_s = (row.sets_at - row.rises_at).total_seconds() / CURVE_STEPS
    seen = services.track_of(
        context, row.satellite, row.station, row.rises_at, row.sets_at, max(step_s, 1.0)
    ).points
    middle = row.culminates_at
    orbit = services.track_of(
        context, row.satellite, None, middle - HALF_ORBIT, middle + HALF_ORBIT, ORBIT_STEP_S
    ).points
    top = min(seen, key=lambda point: abs(point.at - middle))
    (station,) = context.stations([row.station])
    link = (row.acquires_at, row.loses_at) if row.acquires_at and row.loses_at else None
    return Shown(
        row=next(one for one in found.passes if one.pass_ == row.pass_id),
        world=world_picture(
            [(point.lon_deg, point.lat_deg) for point in orbit],
            [(point.lon_deg, point.lat_deg) for point in seen],
            below=(top.lon_deg, top.lat_deg),
            altitude_km=top.altitude_km,
            sun=services.subsolar(context, middle),
            station=(station.lon_deg, station.lat_deg),
        ),
        curve=curve_picture(
            [(point.at, point.elevation_deg or 0.0) for point in seen],
            services.key_curve(context, row),
            link=link,
        ),
    )
