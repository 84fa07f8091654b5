"""Use case: look one window ahead and book what the planner chooses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from orbits import NoElementsError
from scheduler.facts import Booking, BookingState, Candidate, instant_key
from scheduler.forecast import PassForecast, forecast_window
from scheduler.plan import PlanProblem, PlanRules, make_plan

if TYPE_CHECKING:
    from orbits import Elements
    from scheduler.network import Satellite
    from scheduler.services.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The element set that planning may use, or why it may use none."""

    elements: Elements | None
    usable_until: datetime | None
    reason: str


def known_elements(context: Context, satellite: Satellite, *, at: datetime) -> Known:
    """The newest set that had arrived by `at`, unless it is older than the limit."""
    lag = timedelta(seconds=context.scenario.planning.element_lag_s)
    limit = context.max_element_age
    try:
        elements = context.archive.known_at(at, norad_id=satellite.norad_id, lag=lag)
    except NoElementsError as error:
        return Known(elements=None, usable_until=None, reason=str(error))
    until = elements.epoch + limit
    if until <= at:
        reason = (
            f"the newest element set of {satellite.satellite_id} known at {instant_key(at)} is of "
            f"{instant_key(elements.epoch)}, older than {limit / timedelta(days=1):g} days"
        )
        return Known(elements=None, usable_until=until, reason=reason)
    return Known(elements=elements, usable_until=until, reason="")


def plan_window(
    context: Context, *, start: datetime, end: datetime, not_before: datetime | None = None
) -> dict[str, Any]:
    """Book passes of [start, end) with what is known at `start`; a repeat gives the first answer.

    Passes whose link would begin before `not_before` (a live clock's present) are not offered.

    One transaction. The answer names the bookings, counts passes and dark passes by station, and
    lists the spans for which nothing was planned since the elements were too old.
    """
    request_id = f"plan/{instant_key(start)}/{instant_key(end)}"
    with context.ledger.read() as reader:
        answered = reader.answer(request_id)
    if answered is not None:
        return answered
    forecasts, unplanned, epochs = _look_ahead(context, start, end)
    bookable = [item.candidate for item in forecasts if item.candidate is not None]
    if not_before is not None:
        bookable = [item for item in bookable if item.acquires_at >= not_before]
    planning = context.scenario.planning
    decision = make_plan(
        PlanProblem(
            candidates=tuple(bookable),
            rules=PlanRules(
                setup_s=planning.setup_s,
                slew_s=planning.slew_s,
                min_secret_bits=planning.min_secret_bits,
            ),
        ),
        solver=context.settings.planner,
        objective="total",
    )
    answer: dict[str, Any] = {
        "bookings": [],
        "passes": _count(context, forecasts, dark_only=False),
        "dark": _count(context, forecasts, dark_only=True),
        "booked": {station.station_id: 0 for station in context.scenario.stations},
        "unplanned": unplanned,
        "epochs": epochs,
        "solver": decision.solver.value,
    }
    with context.ledger.begin() as tx:
        command = tx.command(request_id, kind="plan", at=start)
        for candidate in sorted(decision.chosen, key=lambda item: item.acquires_at):
            booking = _booking(context, candidate, at=start, plan_id=request_id)
            tx.add_booking(booking)
            answer["bookings"].append(str(booking.booking_id))
            answer["booked"][candidate.station_id] += 1
        tx.add_plan(
            plan_id=request_id,
            at=start,
            window_start=start,
            window_end=end,
            solver=decision.solver.value,
            objective=decision.value,
            bound=decision.bound,
            gap=decision.gap,
            details={
                "objective": decision.objective.value,
                "left_out": dict(decision.left_out),
                "notes": [*decision.notes, *([decision.fallback] if decision.fallback else [])],
            },
        )
        command.finish(answer)
    return answer


def _look_ahead(
    context: Context, start: datetime, end: datetime
) -> tuple[list[PassForecast], list[dict[str, Any]], list[str]]:
    """Forecast every pass that rises in [start, end), with the one set known at `start`."""
    forecasts: list[PassForecast] = []
    unplanned: list[dict[str, Any]] = []
    epochs: list[str] = []
    for satellite in context.scenario.satellites:
        known = known_elements(context, satellite, at=start)
        until = min(end, known.usable_until) if known.usable_until and known.elements else start
        if until < end:
            unplanned.append(
                {
                    "satellite": satellite.satellite_id,
                    "start": instant_key(until),
                    "end": instant_key(end),
                    "newest_epoch": _newest_epoch(known, context),
                    "reason": known.reason
                    or f"the element set of {satellite.satellite_id} ages out",
                }
            )
        if known.elements is None:
            continue
        epochs.append(instant_key(known.elements.epoch))
        forecasts += forecast_window(
            known.elements,
            satellite=satellite,
            stations=context.scenario.stations,
            start=start,
            end=until,
            planning=context.scenario.planning,
            step_s=context.settings.track_step_s,
            bound=context.settings.bound,
        )
    return forecasts, unplanned, epochs


def _newest_epoch(known: Known, context: Context) -> str | None:
    if known.usable_until is None:
        return None
    limit = context.max_element_age
    return instant_key(known.usable_until - limit)


def _count(context: Context, forecasts: list[PassForecast], *, dark_only: bool) -> dict[str, int]:
    counted = {station.station_id: 0 for station in context.scenario.stations}
    for item in forecasts:
        counted[item.row.station] += int(item.row.dark or not dark_only)
    return counted


def _booking(context: Context, candidate: Candidate, *, at: datetime, plan_id: str) -> Booking:
    return Booking(
        booking_id=context.entropy.uuid("booking", candidate.candidate_id),
        candidate=candidate,
        state=BookingState.BOOKED,
        reason="chosen by the plan",
        booked_at=at,
        changed_at=at,
        plan_id=plan_id,
    )
