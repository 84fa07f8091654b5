"""Use cases: a stored plan, and why any pass was or was not booked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from orbits import find_passes
from scheduler.domain import (
    Booking,
    BookingState,
    PlannedDemand,
    PlannedPass,
    PlanView,
    Pool,
    Verdict,
    instant_key,
)
from scheduler.errors import InputError, UnknownName
from scheduler.forecast import ground_station
from scheduler.services.plans.directives import SLACK, Directive, answers_of, parse_pass
from scheduler.services.plans.outlook import known_elements

if TYPE_CHECKING:
    from scheduler.ledger import PlanRecord, Reader
    from scheduler.services.context import Context


PLANS_MAX = 1000


_NEAR = timedelta(hours=2)


def list_plans(context: Context, *, limit: int = PLANS_MAX) -> list[PlanView]:
    """The newest plans, by the start of their window, without their passes."""
    if not 1 <= limit <= PLANS_MAX:
        raise InputError(f"limit {limit}; allowed: 1 to {PLANS_MAX}")
    with context.ledger.read() as reader:
        return [_told(record, ()) for record in reader.plans()[-limit:]]


def get_plan(context: Context, plan_id: str | None = None) -> PlanView:
    """One plan with its passes; without a name, the one made last. Raises UnknownName."""
    with context.ledger.read() as reader:
        record = plan_record(reader, plan_id)
        return _told(record, _passes(context, reader, record))


def plan_record(reader: Reader, plan_id: str | None) -> PlanRecord:
    """The plan of that name; without a name the last one made."""
    records = reader.plans()
    if plan_id is not None:
        records = [record for record in records if record.plan_id == plan_id]
    if not records:
        what = "there is no plan yet" if plan_id is None else f"plan {plan_id[:80]!r} is not known"
        raise UnknownName(f"{what}; `skytrunk plan list` shows the known ones")
    return _last_made(reader, records)


def _last_made(reader: Reader, records: Sequence[PlanRecord]) -> PlanRecord:
    """The one that was made last; commands keep that order."""
    turns = {answer["plan"]: turn for turn, answer in enumerate(answers_of(reader, "plan"))}
    return max(records, key=lambda record: turns[record.plan_id])


def _told(record: PlanRecord, passes: Sequence[PlannedPass]) -> PlanView:
    details = record.details
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
        booked=len(details["booked"]),
        kept=len(details["kept"]),
        cancelled=len(details["cancelled"]),
        fallback=details["fallback"],
        notes=tuple(details["notes"]),
        demands=tuple(
            PlannedDemand(
                demand_id=name, served_bits=bits, served_share=details["served_share"][name]
            )
            for name, bits in sorted(details["served_bits"].items())
        ),
        passes=tuple(passes),
        link_prices=tuple(sorted(details["link_prices"].items())),
    )


def _passes(context: Context, reader: Reader, record: PlanRecord) -> list[PlannedPass]:
    """Every pass of the window with what became of it."""
    near = reader.bookings(
        since=record.window_start - timedelta(hours=3), until=record.window_end + _NEAR
    )
    bookings = {str(booking.booking_id): booking for booking in near}
    standing = {booking.candidate.candidate_id: booking for booking in near}
    return [
        _planned(context, record, entry, bookings, standing) for entry in record.details["passes"]
    ]


def _planned(
    context: Context,
    record: PlanRecord,
    entry: Mapping[str, Any],
    bookings: Mapping[str, Booking],
    standing: Mapping[str, Booking],
) -> PlannedPass:
    common = {
        "pass_id": entry["pass"],
        "satellite": entry["satellite"],
        "station": entry["station"],
        "rises_at": datetime.fromisoformat(entry["rises_at"]),
        "sets_at": datetime.fromisoformat(entry["sets_at"]),
        "max_elevation_deg": entry["max_elevation_deg"],
        "sun_elevation_deg": entry["sun_elevation_deg"],
    }
    if not entry["options"]:
        limit = context.scenario.planning.sun_elevation_deg_max
        why = (
            f"daylight: the Sun stands at {entry['sun_elevation_deg']:.1f} deg when the satellite"
            f" is highest, and never below {limit:g} deg during the pass"
        )
        return PlannedPass(**common, verdict=Verdict.DAYLIGHT, why=why)
    option = _chosen(entry["options"])
    name = option["candidate"]
    booking = bookings.get(record.details["booked"].get(name, ""))
    verdict = Verdict.BOOKED if option["booked"] else Verdict.LEFT_OUT
    if booking is None and name in standing and "locked" in option["why"]:
        booking, verdict = standing[name], Verdict.BOOKED
    return PlannedPass(
        **common,
        verdict=verdict,
        why=option["why"] + _price(context, record, entry),
        candidate_id=name,
        acquires_at=datetime.fromisoformat(option["acquires_at"]),
        loses_at=datetime.fromisoformat(option["loses_at"]),
        secret_bits=option["secret_bits"],
        clear_probability=option["clear_probability"],
        booking_id=booking.booking_id if booking else None,
        booking_state=booking.state if booking else None,
    )


def _chosen(options: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The booked option of a pass, or else the one that would have given most."""
    booked = [option for option in options if option["booked"]]
    return (
        booked[0]
        if booked
        else max(options, key=lambda o: o["secret_bits"] * o["clear_probability"])
    )


def _price(context: Context, record: PlanRecord, entry: Mapping[str, Any]) -> str:
    """What a bit of its link is worth to the demands, where that is known."""
    (station,) = context.stations([entry["station"]])
    link = Pool.link(entry["satellite"], station.node).pool_id
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
    with context.ledger.read() as reader:
        asked, booking = _asked(context, reader, name)
        record = _record_for(reader, asked, plan_id or (booking.plan_id if booking else None))
        passes = _passes(context, reader, record)
    mine = [
        planned for planned in passes
        if (planned.satellite, planned.station) == (asked.satellite, asked.station)
    ]  # fmt: skip
    for planned in mine:
        if planned.rises_at - SLACK <= asked.at <= planned.sets_at + SLACK:
            return f"{name}: {_sentence(planned)}."
    return f"{name}: {_why_no_candidate(context, record, asked, mine)}."


def _asked(context: Context, reader: Reader, name: str) -> tuple[Directive, Booking | None]:
    """What is asked about, and the booking if its id was given."""
    try:
        booking = reader.booking(UUID(name))
    except ValueError:
        return parse_pass(context, name), None
    candidate = booking.candidate
    middle = candidate.acquires_at + (candidate.loses_at - candidate.acquires_at) / 2
    asked = Directive(
        satellite=candidate.satellite_id, station=candidate.station_id, at=middle, directive="none"
    )
    return asked, booking


def _record_for(reader: Reader, asked: Directive, plan_id: str | None) -> PlanRecord:
    if plan_id:
        return plan_record(reader, plan_id)
    covering = [r for r in reader.plans() if r.window_start <= asked.at < r.window_end + SLACK]
    if not covering:
        raise UnknownName(f"no plan was made for {instant_key(asked.at)}")
    return _last_made(reader, covering)


def _sentence(planned: PlannedPass) -> str:
    if planned.verdict is not Verdict.BOOKED:
        return f"not booked: {planned.why}"
    since = ""
    if planned.booking_state not in {None, BookingState.BOOKED}:
        since = f"; the booking is now {planned.booking_state}"
    return f"booked: {planned.why}{since}"


def _why_no_candidate(
    context: Context, record: PlanRecord, asked: Directive, others: Sequence[PlannedPass]
) -> str:
    """Why the plan has no such pass: too low, no usable elements, or no pass at all."""
    satellite = context.satellite(asked.satellite)
    (station,) = context.stations([asked.station])
    known = known_elements(context, satellite, at=record.at)
    if known.elements is None:
        return f"not booked: {known.reason}"
    if known.usable_until is not None and known.usable_until <= asked.at:
        return (
            f"not booked: the element set of {instant_key(known.elements.epoch)} is too old for it"
        )
    table = find_passes(
        [known.elements], [ground_station(station)], asked.at - _NEAR, asked.at + _NEAR, mask_deg=0
    )
    for found in table:
        if found.rises_at - SLACK <= asked.at <= found.sets_at + SLACK:
            lowest = max(context.scenario.planning.min_elevation_deg, station.mask_deg)
            return (
                f"not booked: it rises to {found.max_elevation_deg:.1f} deg only, the minimum is"
                f" {lowest:g} deg"
            )
    near = sorted(others, key=lambda p: abs(p.rises_at - asked.at))[:2]
    listed = ", ".join(instant_key(planned.rises_at) for planned in near) or "none in this plan"
    raise UnknownName(
        f"{asked.satellite} is not above {asked.station} at {instant_key(asked.at)}; the nearest"
        f" passes of plan {record.plan_id} rise at {listed}"
    )
