"""Use cases: a stored plan, and why any pass was or was not booked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from orbits import Verdicts, find_passes
from scheduler.domain import (
    Booking,
    BookingState,
    PassName,
    PlannedDemand,
    PlannedPass,
    PlanOption,
    PlanPass,
    PlanView,
    Verdict,
    instant_key,
    station_ids,
)
from scheduler.errors import InputError, UnknownName
from scheduler.ledger.books import plans
from scheduler.ledger.books.bookings import get_bookings
from scheduler.ledger.books.verdicts import get_verdicts
from scheduler.network import SessionKind, pool_of, stations_of
from scheduler.network.ground import ground_station
from scheduler.services.plans.directives import parse_pass
from scheduler.services.plans.outlook import known_elements
from scheduler.services.viewing import shown_booking

if TYPE_CHECKING:
    from scheduler.ledger import PlanRecord, Reader
    from scheduler.services.context import Context


PLANS_MAX = 1001  # a page, and whether there is another


_NEAR = timedelta(hours=2)


def list_plans(
    context: Context, *, limit: int = PLANS_MAX, before: str | None = None
) -> list[PlanView]:
    """The newest plans, by the start of their window, without their passes.

    Those before a plan in that order, where it is named.
    """
    if not 1 <= limit <= PLANS_MAX:
        raise InputError(f"limit {limit}; allowed: 1 to {PLANS_MAX}")
    with context.view.read() as reader:
        given = Verdicts(get_verdicts(reader))
        found = plans.newest(reader.connection, limit, before=before)
        return [_view(context, record, (), given) for record in found]


def get_plan(context: Context, plan_id: str | None = None) -> PlanView:
    """One plan with its passes; without a name, the one made last. Raises UnknownName."""
    with context.view.read() as reader:
        record = plan_record(reader, plan_id)
        passes = plans.passes_of(reader.connection, record)
        planned = _planned_passes(context, reader, record, passes)
        return _view(context, record, planned, Verdicts(get_verdicts(reader)))


def plan_names(context: Context) -> list[str]:
    """The names of all plans, by the start of their window."""
    with context.view.read() as reader:
        return plans.names(reader.connection)


def plan_record(reader: Reader, plan_id: str | None) -> PlanRecord:
    """The plan of that name; without a name the last one made. Raises UnknownName."""
    if plan_id is None:
        found = plans.last_made(reader.connection)
    else:
        found = plans.by_name(reader.connection, plan_id)
    if found is None:
        what = "there is no plan yet" if plan_id is None else f"plan {plan_id[:80]!r} is not known"
        raise UnknownName(f"{what}; `skytrunk plan list` shows the known ones")
    return found


def _view(
    context: Context, record: PlanRecord, passes: Sequence[PlannedPass], given: Verdicts
) -> PlanView:
    details, viewer = record.details, context.viewer
    demands = {one.demand_id for one in context.scenario.demands}
    return PlanView(
        plan_id=record.plan_id,
        at=record.at,
        start=record.window_start,
        end=record.window_end,
        objective=details["objective"],
        asked_solver=details["asked_solver"],
        solver=record.solver,
        seed=details["seed"],
        value=record.objective,
        bound=record.bound,
        gap=record.gap,
        expected_bits=details["expected_bits"],
        booked=details["booked"],
        kept=details["kept"],
        cancelled=len(details["cancelled"]),
        fallback=details["fallback"],
        notes=tuple(map(viewer.shown, details["notes"])),
        withdrawn=tuple(map(viewer.shown, _withdrawn(details["elements"], given))),
        demands=tuple(
            PlannedDemand(
                demand_id=name, served_bits=bits, served_share=details["served_share"][name]
            )
            for name, bits in sorted(details["served_bits"].items())
            if viewer.sees_all or name in demands
        ),
        passes=tuple(passes),
        link_prices=tuple(
            one for one in sorted(details["link_prices"].items()) if viewer.sees_pool(one[0])
        ),
    )


def _withdrawn(used: Mapping[str, Mapping[str, str]], given: Verdicts) -> Iterator[str]:
    """Yield a sentence for each element set of a plan that serves no more."""
    for name, item in used.items():
        last = given.last_on(item["sha256"])
        if last is not None and not last.standing.is_serving:
            since = "from the first" if last.since is None else f"since {instant_key(last.since)}"
            why = f": {last.reason}" if last.reason else ""
            yield (
                f"made with the element set of {item['epoch']} of {name}, which is"
                f" {last.standing} {since}{why}"
            )


def _planned_passes(
    context: Context, reader: Reader, record: PlanRecord, passes: Iterable[PlanPass]
) -> list[PlannedPass]:
    """What became of passes of a plan."""
    near = get_bookings(
        reader, since=record.window_start - timedelta(hours=3), until=record.window_end + _NEAR
    )
    bookings = {booking.booking_id: booking for booking in near}
    return [
        _planned(context, record, one, bookings)
        for one in passes
        if context.viewer.sees(one.satellite_id, station_ids(one.station_id))
    ]


def _planned(
    context: Context, record: PlanRecord, one: PlanPass, bookings: Mapping[UUID, Booking]
) -> PlannedPass:
    common: dict[str, Any] = {
        "pass_id": one.pass_id,
        "satellite": one.satellite_id,
        "station": one.station_id,
        "rises_at": one.rises_at,
        "sets_at": one.sets_at,
        "max_elevation_deg": one.max_elevation_deg,
        "sun_elevation_deg": one.sun_elevation_deg,
    }
    if not one.options:
        kind = context.satellite(one.satellite_id).session_over(one.station_id)
        limit = context.scenario.planning.sun_elevation_deg_max
        why = (
            f"daylight: the Sun stands at {one.sun_elevation_deg:.1f} deg when the satellite"
            f" is highest, and never below {limit:g} deg during the pass"
        )
        if kind is SessionKind.UPLINK:
            why = f"no part has the satellite in eclipse and the Sun below {limit:g} deg"
        return PlannedPass(**common, verdict=Verdict.DAYLIGHT, why=why)
    option = _shown(one.options)
    booking = None if option.booking_id is None else bookings.get(option.booking_id)
    return PlannedPass(
        **common,
        verdict=Verdict.LEFT_OUT if option.booking_id is None else Verdict.BOOKED,
        why=context.viewer.shown(option.why) + _price(context, record, one),
        candidate_id=option.candidate_id,
        acquires_at=option.acquires_at,
        loses_at=option.loses_at,
        secret_bits=option.secret_bits,
        clear_probability=option.clear_probability,
        booking_id=booking.booking_id if booking else None,
        booking_state=booking.state if booking else None,
    )


def _shown(options: Sequence[PlanOption]) -> PlanOption:
    """The booked option of a pass, or else the one that would have given most."""
    booked = [option for option in options if option.booking_id is not None]
    return booked[0] if booked else max(options, key=lambda o: o.secret_bits * o.clear_probability)


def _price(context: Context, record: PlanRecord, one: PlanPass) -> str:
    """What a bit of its link is worth to the demands, where that is known."""
    link = pool_of(context.scenario, one.satellite_id, one.station_id).pool_id
    price = record.details["link_prices"].get(link)
    if not price:
        return ""
    return f"; one more bit on {link} is worth {price:.3g} of demand served"


def explain_pass(context: Context, name: str, *, plan_id: str | None = None) -> str:
    """Why a pass was or was not booked, in one sentence with the numbers.

    `name` is satellite/station/instant, any instant of the pass with its zone, or a booking's
    id. Without a plan's name the last plan made for that time answers. Raises UnknownName if
    there is no such pass or plan.
    """
    with context.view.read() as reader:
        subject, planned_by = _subject(context, reader, name)
        record = _record_for(reader, subject, plan_id or planned_by)
        passes = plans.passes_of(
            reader.connection,
            record,
            satellite_id=subject.satellite_id,
            station_id=subject.station_id,
        )
        meant = [one for one in passes if subject.within(one.rises_at, one.sets_at)]
        planned = _planned_passes(context, reader, record, meant[:1])
    if planned:
        return f"{name}: {_sentence(planned[0])}."
    return f"{name}: {_why_no_candidate(context, record, subject, passes)}."


def _subject(context: Context, reader: Reader, name: str) -> tuple[PassName, str]:
    """The pass that a name means, and the plan that booked it if the name is a booking's id."""
    try:
        booking = shown_booking(context, reader, UUID(name))
    except ValueError:
        return parse_pass(context, name), ""
    return PassName.of(booking.candidate), booking.plan_id


def _record_for(reader: Reader, subject: PassName, plan_id: str) -> PlanRecord:
    if plan_id:
        return plan_record(reader, plan_id)
    found = plans.last_made(reader.connection, at=subject.at)
    if found is None:
        raise UnknownName(f"no plan was made for {instant_key(subject.at)}")
    return found


def _sentence(planned: PlannedPass) -> str:
    if planned.verdict is not Verdict.BOOKED:
        return f"not booked: {planned.why}"
    since = ""
    if planned.booking_state not in {None, BookingState.BOOKED}:
        since = f"; the booking is now {planned.booking_state}"
    return f"booked: {planned.why}{since}"


def _why_no_candidate(
    context: Context, record: PlanRecord, subject: PassName, others: Sequence[PlanPass]
) -> str:
    """Why the plan has no such pass: too low, no usable elements, or no pass at all."""
    satellite = context.satellite(subject.satellite_id)
    stations = stations_of(context.scenario, subject.station_id)
    known = known_elements(context, satellite, at=record.at)
    if known.elements is None:
        return f"not booked: {known.reason}"
    if known.usable_until is not None and known.usable_until <= subject.at:
        return (
            f"not booked: the element set of {instant_key(known.elements.epoch)} is too old for it"
        )
    # Of a dual downlink the first station that does not see it is what stands against it.
    station = stations[0]
    table = find_passes(
        [known.elements],
        [ground_station(station)],
        subject.at - _NEAR,
        subject.at + _NEAR,
        mask_deg=0,
        earth=context.earth,
    )
    for found in table:
        if subject.within(found.rises_at, found.sets_at):
            lowest = max(context.scenario.planning.min_elevation_deg, station.mask_deg)
            behind = "" if station.horizon is None else ", or what its horizon leaves"
            return (
                f"not booked: it rises to {found.max_elevation_deg:.1f} deg only, the minimum is"
                f" {lowest:g} deg{behind}"
            )
    near = sorted(others, key=lambda one: abs(one.rises_at - subject.at))[:2]
    listed = ", ".join(instant_key(one.rises_at) for one in near) or "none in this plan"
    raise UnknownName(
        f"{subject.satellite_id} is not above {subject.station_id} at {instant_key(subject.at)};"
        f" the nearest passes of plan {record.plan_id} rise at {listed}"
    )
