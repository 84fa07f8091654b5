"""The pages: each asks the services that the commands ask, and shows what they answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.dashboard.render import HEADERS, Text, clock, context_of, page, pair_name, problem_page
from api.dashboard.svg.bands import BandPicture, band_axis, band_picture
from api.dashboard.svg.network import network_picture
from api.dashboard.svg.world import land_svg
from api.errors import known_errors, message_of
from api.schemas.base import Table
from api.schemas.bookings import Bookings
from api.schemas.network import Link
from scheduler import services
from scheduler.domain import TERMINAL_STATES, KeyFlow, RunwayRow

front_door = APIRouter(include_in_schema=False)
router = APIRouter(prefix="/ui", include_in_schema=False)

STATIC = {
    "style.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "land.svg": "image/svg+xml",
}
DAYS = 7
LINKS_SHOWN = 12
BOOKED_MAX = 1000
FLOW = timedelta(days=1)


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Send a file of the pages."""
    if name not in STATIC:
        return Response(status_code=404)
    if name == "land.svg":
        body = land_svg()
    else:
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
    context = context_of(request)
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
    context = context_of(request)
    try:
        answer = services.key_runway(context, days=days, without=without)
    except known_errors() as error:
        return problem_page(request, "No key runway", error)
    lost = [row.pass_id for row in answer.passes if not row.counted]
    views = services.list_bookings(context, start=answer.at, end=answer.end, limit=BOOKED_MAX)
    stations = sorted({row.station for row in answer.passes if row.counted})
    dry = [row for row in answer.links if row.draw_bps > 0.0 and row.dry_at[0]]
    values: dict[str, Any] = {
        "answer": answer,
        "days": days,
        "lost": lost,
        "bookings": {one.booking.candidate.pass_id: one.booking for one in views},
        "outages": [one for one in services.list_outages(context) if one.ends_at > answer.at],
        "gone": sorted({row.station for row in answer.passes if not row.counted}),
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
    return page(request, "runway", **values)


@router.get("/network")
def network(request: Request, demand: Text = "") -> HTMLResponse:
    """Show nodes, links and what they hold, the paths of a pair, and what flowed."""
    context = context_of(request)
    stock = services.pool_stock(context)
    links = [Link.model_validate(one) for one in services.link_stocks(context, stock)]
    most = max((one.stock_bits for one in links), default=0)
    full = {one.pool: most if one.buffer_bits is None else one.buffer_bits for one in links}
    demands = services.demand_stocks(context, stock)
    now = context.clock.now()
    try:
        flow = services.key_flow(context, start=now - FLOW, end=now)
    except known_errors():
        flow = None
    asked = next((one for one in demands if one.demand_id == demand), None)
    return page(
        request,
        "network",
        picture=network_picture(context.scenario, stock, full),
        links=Table(f"{len(links)} links", Link.columns, links),
        demands=demands,
        asked=asked,
        routes=context.routes[asked.demand_id].routes if asked else (),
        spent=sorted(flow.links.items(), key=lambda one: -one[1])[:LINKS_SHOWN] if flow else (),
        gained=_gained(flow) if flow else (),
    )


def _gained(flow: KeyFlow) -> list[tuple[tuple[str, str], int, int]]:
    """Pairs with what they gained over single paths and over several."""
    pairs = sorted({*flow.pairs, *flow.combined})
    return [(one, flow.pairs.get(one, 0), flow.combined.get(one, 0)) for one in pairs]


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


def _booked(bookings: Iterable[Any]) -> Table:
    """Bookings without their ids, which nobody reads on a page."""
    table = Bookings.of(bookings).table()
    return replace(table, columns=[one for one in table.columns if not one.short])
