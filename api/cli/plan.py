"""`skytrunk plan`: which passes are booked, why, and what people decide about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.ids import id_like
from api.cli.options import (
    CsvOption,
    Line,
    ObjectiveOption,
    PlannerOption,
    answering,
    commands,
    picture_file,
)
from api.cli.output import emit, note
from api.cli.place import SinceOption, UntilOption, window_of
from api.inputs import parse_instant_or_none
from scheduler import services
from scheduler.errors import InputError

if TYPE_CHECKING:
    from uuid import UUID

    from api.client import Client
    from api.schemas.bookings import Booking
    from api.schemas.plans import Plan
    from scheduler.services.context import Context

app = commands("Make, show and explain plans; lock or cancel bookings.")

BookingArgument = Annotated[
    str, typer.Argument(metavar="BOOKING", help="A booking's id, or its beginning.")
]
_PASS = "SATELLITE/STATION/INSTANT, any instant of the pass"


@app.command("make")
@answering
def make(
    line: Line,
    start: SinceOption = None,
    end: UntilOption = None,
    objective: ObjectiveOption = None,
    planner: PlannerOption = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="T", help="The plan's present (now, or the window's start)."),
    ] = None,
    pin: Annotated[list[str] | None, typer.Option(metavar="PASS", help=f"Book: {_PASS}.")] = None,
    veto: Annotated[list[str] | None, typer.Option(metavar="PASS", help="Never book.")] = None,
    allow: Annotated[
        list[str] | None, typer.Option(metavar="PASS", help="Take a pin or veto back.")
    ] = None,
) -> None:
    """Plan a window and book what is chosen; what stands is kept as far as it is good."""
    from api.schemas.plans import Plan

    first, last = window_of(start, end)
    present = parse_instant_or_none(at, "at")
    more = {"objective": objective, "planner": planner}
    wishes: dict[str, Any] = {"pins": pin or [], "vetoes": veto or [], "allow": allow or []}

    def here(context: Context) -> Plan:
        answer = services.plan_by_hand(context, start=first, end=last, at=present, **wishes)
        for part in answer["unplanned"]:
            note(f"nothing planned from {part['start']} to {part['end']}: {part['reason']}")
        return Plan.model_validate(services.get_plan(context, answer["plan"]))

    settings = {} if line.server else more
    made = line.ask(
        here,
        lambda server: server.make_plan(start=first, end=last, at=present, **wishes, **more),
        **settings,
    )
    line.answer(made, made.tables())


@app.command("list")
@answering
def list_plans(line: Line) -> None:
    """List the plans, by the start of their window."""
    from api.schemas.plans import Plans

    found = line.ask(
        lambda here: Plans.of(services.list_plans(here)), lambda server: server.plans()
    )
    line.answer(found, found.table())


@app.command("show")
@answering
def show_plan(
    line: Line,
    plan: Annotated[str | None, typer.Argument(help="A plan's name (the last one made).")] = None,
    as_csv: CsvOption = False,
    as_ical: Annotated[
        bool, typer.Option("--ical", help="Print its bookings as iCalendar.")
    ] = False,
    picture: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", callback=picture_file, help="Draw its timeline as PNG or SVG."
        ),
    ] = None,
) -> None:
    """Show a plan: every pass of its window, and why it was or was not booked."""
    from api.export.csv import to_csv
    from api.schemas.plans import Plan, PlannedPass

    if line.as_json + as_csv + as_ical > 1:
        raise InputError("--json, --csv, --ical together; allowed: one of them")
    with line.context() as context:
        view = services.get_plan(context, plan)
        if picture is not None:
            from api.report.timeline import draw_plan

            draw_plan(picture, view, context)
            note(f"timeline drawn to {picture}")
        if as_ical:
            from api.export.calendar import booking_entries, to_calendar

            bookings = services.list_bookings(context, plan_id=view.plan_id)
            emit(to_calendar(booking_entries(bookings, context.scenario), context.scenario))
            return
    shown = Plan.model_validate(view)
    if as_csv:
        emit(to_csv(shown.passes, PlannedPass.names()))
    else:
        line.answer(shown, shown.tables())


@app.command("explain")
@answering
def explain(
    line: Line,
    name: Annotated[str, typer.Argument(metavar="PASS", help=f"{_PASS}; or a booking's id.")],
    plan: Annotated[
        str | None, typer.Option(metavar="PLAN", help="(the last one made for that time)")
    ] = None,
) -> None:
    """Say in one sentence why a pass was or was not booked."""
    from api.schemas.plans import Explanation

    with line.context() as context:
        sentence = services.explain_pass(context, name, plan_id=plan)
    line.answer(Explanation(pass_=name, why=sentence), sentence)


@app.command("bookings")
@answering
def bookings(
    line: Line,
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
) -> None:
    """List bookings with their ids, states and reasons."""
    from api.schemas.bookings import Bookings

    found = line.ask(
        lambda here: Bookings.of(services.list_bookings(here, state=state)),
        lambda server: server.bookings(state=state),
    )
    line.answer(found, found.table())


@app.command("lock")
@answering
def lock(
    line: Line,
    booking: BookingArgument,
    unlock: Annotated[bool, typer.Option("--unlock", help="Let plans move it again.")] = False,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Lock a booking, so that no plan moves it."""
    from api.schemas.bookings import Booking

    _print(
        line,
        line.ask(
            lambda here: Booking.model_validate(
                services.lock_booking(
                    here, _booking_id(here, booking), locked=not unlock, reason=reason
                )
            ),
            lambda server: server.lock(
                _booking_there(server, booking), locked=not unlock, reason=reason
            ),
        ),
    )


@app.command("cancel")
@answering
def cancel(
    line: Line,
    booking: BookingArgument,
    reason: Annotated[str, typer.Option(help="Why.")],
) -> None:
    """Cancel a booking that has not begun; later plans leave its pass alone."""
    from api.schemas.bookings import Booking

    _print(
        line,
        line.ask(
            lambda here: Booking.model_validate(
                services.cancel_booking(here, _booking_id(here, booking), reason=reason)
            ),
            lambda server: server.cancel(_booking_there(server, booking), reason=reason),
        ),
    )


def _booking_id(context: Context, text: str) -> UUID:
    return id_like(
        text,
        "booking",
        lambda: (view.booking.booking_id for view in services.list_bookings(context)),
    )


def _booking_there(server: Client, text: str) -> UUID:
    return id_like(text, "booking", lambda: (one.booking for one in server.bookings().bookings))


def _print(line: Line, booking: Booking) -> None:
    from api.schemas.bookings import Bookings

    shown = Bookings.of([booking])
    line.answer(shown, shown.table())
