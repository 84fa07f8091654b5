"""`skytrunk plan`: which passes are booked, why, and what people decide about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from api.cli.options import (
    ConfigOption,
    DatabaseOption,
    FromOption,
    JsonOption,
    ToOption,
    context_of,
    keep_common,
)
from api.cli.output import emit, note, show, table_of
from api.inputs import parse_instant, parse_span
from scheduler import services
from scheduler.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from api.shape import Document
    from scheduler.domain import BookingView, PlanView
    from scheduler.services.context import Context

app = typer.Typer(help="Make, show and explain plans; lock or cancel bookings.",
                  callback=keep_common)  # fmt: skip

BookingArgument = Annotated[str, typer.Argument(metavar="BOOKING", help="A booking's id.")]
_PASS = "SATELLITE/STATION/INSTANT, any instant of the pass"


@app.command("make")
def make(
    ctx: typer.Context,
    start: FromOption,
    end: ToOption,
    scenario: Annotated[str | None, typer.Option(metavar="NAME", help="Scenario.")] = None,
    objective: Annotated[
        str | None, typer.Option(help="demand, max-min or total (demand).")
    ] = None,
    planner: Annotated[str | None, typer.Option(help="auto, lp, milp or greedy (lp).")] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="T", help="The plan's present (now, or the window's start)."),
    ] = None,
    pin: Annotated[list[str] | None, typer.Option(metavar="PASS", help=f"Book: {_PASS}.")] = None,
    veto: Annotated[list[str] | None, typer.Option(metavar="PASS", help="Never book.")] = None,
    allow: Annotated[
        list[str] | None, typer.Option(metavar="PASS", help="Take a pin or veto back.")
    ] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Plan a window and book what is chosen; what stands is kept as far as it is good."""
    first, last = parse_span(start, end)
    present = None if at is None else parse_instant(at, "at")
    more = {"scenario": scenario, "objective": objective, "planner": planner}
    with context_of(ctx, database, config, **more) as context:
        answer = services.plan_by_hand(
            context,
            start=first,
            end=last,
            at=present,
            pins=pin or (),
            vetoes=veto or (),
            allow=allow or (),
        )
        told = services.get_plan(context, answer["plan"])
    for part in answer["unplanned"]:
        note(f"nothing planned from {part['start']} to {part['end']}: {part['reason']}")
    _print(told, as_json=as_json)


@app.command("list")
def list_plans(
    ctx: typer.Context,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """List the plans, by the start of their window."""
    from api.export import to_json
    from api.shape_plans import plans_document

    with context_of(ctx, database, config) as context:
        context.existing_ledger()
        document = plans_document(services.list_plans(context))
    if as_json:
        emit(to_json(document))
        return
    columns = ["plan", "made at", "objective", "solver", "gap %|", "booked|", "kept|", "cancelled|"]
    rows = [
        [told["plan"], told["at"], told["objective"], told["solver"], _percent(told["gap"]),
         *(str(told[name]) for name in ("booked", "kept", "cancelled"))]
        for told in document["plans"]
    ]  # fmt: skip
    show(table_of(f"{len(rows)} plans", columns, rows))


@app.command("show")
def show_plan(
    ctx: typer.Context,
    plan: Annotated[str | None, typer.Argument(help="A plan's name (the last one made).")] = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print its passes as CSV.")] = False,
    as_ical: Annotated[
        bool, typer.Option("--ical", help="Print its bookings as iCalendar.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw its timeline as PNG.")
    ] = None,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Show a plan: every pass of its window, and why it was or was not booked."""
    from api.export import to_csv
    from api.shape_plans import PLANNED_FIELDS, plan_document

    if as_json + as_csv + as_ical > 1:
        raise InputError("--json, --csv, --ical together; allowed: one of them")
    with context_of(ctx, database, config) as context:
        context.existing_ledger()
        told = services.get_plan(context, plan)
        if picture is not None:
            from api.timeline import draw_plan

            draw_plan(picture, told, context)
            note(f"timeline drawn to {picture}")
        if as_ical:
            emit(_calendar(context, services.list_bookings(context, plan_id=told.plan_id)))
        elif as_csv:
            emit(to_csv(plan_document(told)["passes"], PLANNED_FIELDS))
        else:
            _print(told, as_json=as_json)


def _calendar(context: Context, bookings: list[BookingView]) -> str:
    from api.calendar import to_calendar

    return to_calendar(
        bookings,
        satellites={item.satellite_id: item for item in context.scenario.satellites},
        stations={item.station_id: item for item in context.scenario.stations},
    )


@app.command("explain")
def explain(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="PASS", help=f"{_PASS}; or a booking's id.")],
    plan: Annotated[
        str | None, typer.Option(metavar="PLAN", help="(the last one made for that time)")
    ] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Say in one sentence why a pass was or was not booked."""
    from api.export import to_json

    with context_of(ctx, database, config) as context:
        context.existing_ledger()
        sentence = services.explain_pass(context, name, plan_id=plan)
    emit(to_json({"pass": name, "why": sentence}) if as_json else sentence + "\n")


@app.command("bookings")
def bookings(
    ctx: typer.Context,
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """List bookings with their ids, states and reasons."""
    with context_of(ctx, database, config) as context:
        context.existing_ledger()
        _print_bookings(services.list_bookings(context, state=state), as_json=as_json)


@app.command("lock")
def lock(
    ctx: typer.Context,
    booking: BookingArgument,
    unlock: Annotated[bool, typer.Option("--unlock", help="Let plans move it again.")] = False,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Lock a booking, so that no plan moves it."""
    with context_of(ctx, database, config) as context:
        told = services.lock_booking(
            context, booking_id_of(booking), locked=not unlock, reason=reason
        )
    _print_bookings([told], as_json=as_json)


@app.command("cancel")
def cancel(
    ctx: typer.Context,
    booking: BookingArgument,
    reason: Annotated[str, typer.Option(help="Why.")],
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Cancel a booking that has not begun; later plans leave its pass alone."""
    with context_of(ctx, database, config) as context:
        told = services.cancel_booking(context, booking_id_of(booking), reason=reason)
    _print_bookings([told], as_json=as_json)


def booking_id_of(text: str) -> UUID:
    """Read a booking's id. Raises InputError."""
    try:
        return UUID(text)
    except ValueError:
        raise InputError(f"booking {text[:80]!r} is no id; allowed: a UUID") from None


def _print(told: PlanView, *, as_json: bool) -> None:
    from api.export import to_json
    from api.shape_plans import plan_document

    document = plan_document(told)
    if as_json:
        emit(to_json(document))
    else:
        show(*_tables(document))


def _tables(document: Document) -> list[RenderableType]:
    columns = ["station", "date", "AOS", "LOS (UTC)", "elevation°|", "expected bits|", "verdict",
               "why"]  # fmt: skip
    dark = [row for row in document["passes"] if row["acquires_at"]]
    rows = [
        [row["station"], row["acquires_at"][:10], row["acquires_at"][11:19],
         row["loses_at"][11:19], f"{row['max_elevation_deg']:.1f}", f"{row['expected_bits']:,.0f}",
         _verdict(row), row["why"]]
        for row in dark
    ]  # fmt: skip
    light = len(document["passes"]) - len(dark)
    title = (
        f"Plan {document['plan']}: {document['booked']} sessions"
        f" ({document['kept']} kept, {document['cancelled']} cancelled),"
        f" {document['expected_bits']:,.0f} bits expected, objective {document['objective']},"
        f" solver {document['solver']}, gap {_percent(document['gap'])} %"
    )
    tables: list[RenderableType] = [
        table_of(title, columns, rows, caption=f"and {light} passes in daylight")
    ]
    if document["demands"]:
        served = [
            [one["demand"], f"{one['served_bits']:,.0f}", f"{100.0 * one['served_share']:.1f}"]
            for one in document["demands"]
        ]
        tables.append(table_of("Demand served", ["demand", "bits|", "share %|"], served))
    notes = [*document["notes"], *([document["fallback"]] if document["fallback"] else [])]
    return [*tables, *(f"note: {text}" for text in notes)]


def _verdict(row: Document) -> str:
    state = row["booking_state"]
    return str(row["verdict"] if state in {None, "booked"} else state)


def _percent(gap: float | None) -> str:
    return "-" if gap is None else f"{100.0 * gap:.3g}"


def _print_bookings(found: list[BookingView], *, as_json: bool) -> None:
    from api.export import to_json
    from api.shape_plans import booking_fields

    rows = [booking_fields(told) for told in found]
    if as_json:
        emit(to_json({"bookings": rows}))
        return
    columns = ["booking!", "station", "AOS", "LOS (UTC)", "state", "locked", "expected bits|",
               "reason"]  # fmt: skip
    cells = [
        [row["booking"], row["station"], row["acquires_at"], row["loses_at"][11:23], row["state"],
         "locked" if row["locked"] else "", f"{row['expected_bits']:,.0f}", row["reason"]]
        for row in rows
    ]  # fmt: skip
    show(table_of(f"{len(rows)} {'booking' if len(rows) == 1 else 'bookings'}", columns, cells))
