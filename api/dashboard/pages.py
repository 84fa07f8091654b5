"""The pages: each asks the services that the commands ask, and shows what they answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Annotated, Any, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.dashboard.render import HEADERS, clock, page, pair_name
from api.dashboard.svg.bands import BandPicture, band_axis, band_picture
from api.dashboard.svg.network import network_picture
from api.dashboard.svg.sky import SkyPath, rings, sky_paths
from api.dashboard.svg.timeline import timeline
from api.errors import known_errors, message_of, outcome_of
from api.inputs import parse_instant
from api.schemas.base import Column, Table
from api.schemas.bookings import Bookings
from api.schemas.keys import Trace
from api.schemas.ledger import Balances
from api.schemas.merges import Merges
from api.schemas.passes import Passes
from api.schemas.plans import DemandServed
from scheduler import services
from scheduler.domain import TERMINAL_STATES, PassRow, RunwayRow
from scheduler.fibre import buffer_bits
from scheduler.network import NO_LIMIT_BITS
from scheduler.paths import find_routes
from scheduler.services.context import Context

front_door = APIRouter(include_in_schema=False)
router = APIRouter(prefix="/ui", include_in_schema=False)

STATIC = {
    "style.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
DAYS = 7
SKY_MAX = 12  # Lines in one circle that can still be told apart.
SKY_STEP_S = 20.0
LINKS_SHOWN = 12
Text = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the form of the passes asked for."""

    satellite: str
    station: str
    start: datetime
    days: int
    dark: bool
    forecast: bool


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Send a file of the pages."""
    if name not in STATIC:
        return Response(status_code=404)
    body = (files("api.dashboard") / "static" / name).read_bytes()
    headers = {**HEADERS, "Cache-Control": "max-age=3600"}
    return Response(body, media_type=STATIC[name], headers=headers)


@front_door.get("/")
@router.get("/")
def front() -> RedirectResponse:
    """Lead to the first page."""
    return RedirectResponse("/ui/today")


@router.get("/today")
def today(request: Request) -> HTMLResponse:
    """Show what comes next, what is wrong, and which pair runs dry first."""
    context = _context(request)
    now = context.clock.now()
    alerts: list[str] = []
    bookings: list[Any] = []
    rows: list[tuple[RunwayRow, BandPicture]] = []
    note = "The scenario has no demands: nobody draws key."
    upcoming = next_row = None
    try:
        found = services.list_bookings(context, start=now, end=now + timedelta(days=DAYS))
        bookings = [one for one in found if one.booking.state not in TERMINAL_STATES]
        rows = _bands(services.key_runway(context, days=DAYS).pairs)
        alerts += [
            f"{one.booking.candidate.satellite_id} over {one.booking.candidate.station_id},"
            f" {one.booking.candidate.acquires_at:%m-%d %H:%M} UTC: {one.out_of_service}"
            for one in bookings
            if one.out_of_service
        ]
        waiting = sum(one.bits for one in services.waiting_key(context))
        if waiting:
            alerts.append(f"{waiting:,} bits wait for a satellite's announcement")
    except known_errors() as error:
        note = message_of(error)
    try:
        if bookings:
            upcoming = bookings[0].booking
        else:
            next_row = services.next_pass(context).row
    except known_errors() as error:
        alerts.append(message_of(error))
    alerts += [
        f"{pair_name(row.pool_id)} is dry"
        if row.dry_at[1] <= row.times[0]
        else f"{pair_name(row.pool_id)} runs dry at {clock(row.dry_at[1])} UTC in the median"
        for row, _ in rows
        if row.dry_at[1]
    ]
    return page(
        request, "today", upcoming=upcoming, next_row=next_row, alerts=alerts, pairs=rows,
        runway_note=note, bookings=_booked(bookings) if bookings else None,
    )  # fmt: skip


@router.get("/runway")
def runway(
    request: Request,
    days: Annotated[float, Query(gt=0.0, le=60.0)] = DAYS,
    without: Annotated[list[str], Query(max_length=100)] = [],  # noqa: B006 - copied by FastAPI
) -> HTMLResponse:
    """Show the key runway; a session clicked away changes every band that lives on it."""
    context = _context(request)
    try:
        answer = services.key_runway(context, days=days, without=without)
    except known_errors() as error:
        return _problem(request, "No key runway", error)
    lost = [row.pass_id for row in answer.passes if not row.counted]
    stations = sorted({row.station for row in answer.passes if row.counted})
    dry = [row for row in answer.links if row.draw_bps > 0.0 and row.dry_at[0]]
    values: dict[str, Any] = {
        "answer": answer,
        "days": days,
        "lost": lost,
        "pairs": _bands(answer.pairs),
        "links": _bands(dry)[:LINKS_SHOWN],
        "toggled": {
            row.pass_id: _address(days, lost, (row.pass_id,), gone=not row.counted)
            for row in answer.passes
        },
        "stations": [
            (
                name,
                _address(days, lost, [r.pass_id for r in answer.passes if r.station == name]),
            )
            for name in stations
        ],
    }
    part = request.headers.get("X-Part") == "body"
    return page(request, "runway_body" if part else "runway", **values)


@router.get("/passes")
def passes(
    request: Request,
    satellite: Text = "",
    station: Text = "",
    start: Annotated[str, Query(alias="from", max_length=40)] = "",
    days: Annotated[int, Query(ge=1, le=30)] = 2,
    dark: bool = False,
    forecast: bool = False,
) -> HTMLResponse:
    """Show the passes of a satellite, and one station's on its sky."""
    context = _context(request)
    values: dict[str, Any] = {
        "found": None,
        "notes": [],
        "sky": [],
        "problem": "",
        "rings": rings(),
    }
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
            asked = Asked(**{**_fields(asked), "start": parse_instant(start)})
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
        values["found"] = found.table(asked.satellite, forecast=forecast)
        values["notes"] = list(answer.notes)
        if station:
            values["sky"] = _sky(context, asked, answer.rows)
    except known_errors() as error:
        values["problem"] = message_of(error)
    return page(request, "passes", asked=asked, **values)


@router.get("/plan")
def plan(request: Request, plan: Text = "") -> HTMLResponse:
    """Show a plan on the stations' time, with a reason for every pass."""
    context = _context(request)
    try:
        plans = services.list_plans(context, limit=50)
        found = services.get_plan(context, plan or (plans[-1].plan_id if plans else None))
        outages = services.list_outages(context)
        nights = {
            one.station_id: services.nights(context, one.station_id, found.start, found.end)
            for one in context.scenario.stations
        }
    except known_errors() as error:
        return page(request, "plan", plan=None, problem=message_of(error))
    return page(
        request,
        "plan",
        plan=found,
        plans=plans,
        notes=[text for text in (*found.withdrawn, *found.notes, found.fallback) if text],
        picture=timeline(
            start=found.start,
            end=found.end,
            now=context.clock.now(),
            stations={one.station_id: one.name for one in context.scenario.stations},
            passes=found.passes,
            nights=nights,
            outages=[o for o in outages if o.starts_at < found.end and found.start < o.ends_at],
        ),
        demands=Table("Demand served", DemandServed.columns, _served(found.demands)),
    )


@router.get("/network")
def network(request: Request, demand: Text = "") -> HTMLResponse:
    """Show nodes, links and what they hold, and the paths of a pair."""
    context = _context(request)
    try:
        balances = services.pool_balances(context)
    except known_errors():
        balances = {}
    stock = {pool: accounts.get("pool", 0) for pool, accounts in balances.items()}
    schedule = context.scenario.schedule
    most = max((bits for name, bits in stock.items() if name.startswith("link:")), default=0)
    full = {
        link.pool.pool_id: min(limit, most) if limit >= NO_LIMIT_BITS else limit
        for link in context.scenario.links
        for limit in [buffer_bits(link, schedule)]
    }
    asked = [one for one in context.scenario.demands if one.demand_id == demand]
    routes = find_routes(context.scenario, asked[0]) if asked else None
    return page(
        request,
        "network",
        picture=network_picture(context.scenario, stock, full),
        links=_links(context, stock),
        asked=demand if asked else "",
        paths=[path for route in routes.routes for path in route.paths] if routes else [],
        refusal=routes.refusal if routes else "",
    )


@router.get("/ledger")
def ledger(request: Request, key: Annotated[str, Query(max_length=64)] = "") -> HTMLResponse:
    """Show balances, the newest checkpoint, past merges, and where a key comes from."""
    context = _context(request)
    trace = problem = ""
    try:
        balances = Balances.of(services.pool_balances(context)).table()
        merges = Merges.of(services.merge_history(context, limit=20)).table()
    except known_errors() as error:
        return page(request, "ledger", problem=message_of(error))
    try:
        checkpoint = json.loads(services.last_checkpoint(context))
    except known_errors():
        checkpoint = None
    if key:
        try:
            trace = "\n".join(Trace.of(services.trace_key(context, key)).lines())
        except known_errors() as error:
            problem = message_of(error)
    return page(
        request, "ledger", problem="", balances=balances, merges=merges, checkpoint=checkpoint,
        asked=key, trace=trace, trace_problem=problem,
    )  # fmt: skip


def _context(request: Request) -> Context:
    return cast(Context, request.app.state.context)


def _problem(request: Request, title: str, error: Exception) -> HTMLResponse:
    """A page that says what is wrong; the status is the same as the API's."""
    status = outcome_of(error).status
    return page(request, "problem", status=status, title=title, detail=message_of(error))


def _fields(asked: Asked) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in Asked.__slots__}


def _bands(rows: Iterable[RunwayRow]) -> list[tuple[RunwayRow, BandPicture]]:
    """Each with its picture, the one that runs dry first before the others."""

    def urgency(row: RunwayRow) -> tuple[bool, datetime, bool, datetime, str]:
        end = row.times[-1]
        first, middle, _ = row.dry_at
        return (middle is None, middle or end, first is None, first or end, row.pool_id)

    return [
        (row, band_picture(row, band_axis(row.times[0], row.times[-1])))
        for row in sorted(rows, key=urgency)
    ]


def _address(days: float, lost: Sequence[str], passes: Iterable[str], *, gone: bool = False) -> str:
    """The question with some passes taken away too, or given back."""
    wanted = [one for one in lost if one not in passes] if gone else [*lost, *passes]
    return urlencode({"days": f"{days:g}", "without": list(dict.fromkeys(wanted))}, doseq=True)


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


def _booked(bookings: Iterable[Any]) -> Table:
    """Bookings without their ids, which nobody reads on a page."""
    table = Bookings.of(bookings).table()
    return replace(table, columns=[one for one in table.columns if not one.short])


def _served(demands: Iterable[Any]) -> list[DemandServed]:
    return [DemandServed.model_validate(one) for one in demands]


def _links(context: Context, stock: dict[str, int]) -> Table:
    return Table(
        f"{len(context.scenario.links)} links",
        (
            Column("from", "pool.node_a"),
            Column("to", "pool.node_b"),
            Column("kind", "kind"),
            Column("km", "length_km", ",.0f"),
            Column("in stock, bits", lambda link: stock.get(link.pool.pool_id, 0), ","),
        ),
        context.scenario.links,
    )
