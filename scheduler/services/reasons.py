"""Why a pass cannot be used: one sentence for the first thing that stands against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.domain import Booking, Candidate, PassRow, instant_key
from scheduler.errors import LedgerMissing
from scheduler.ledger.books.element_reads import is_missing
from scheduler.network import SessionKind
from scheduler.services.weather import clear_over, weather_over

if TYPE_CHECKING:
    from orbits import HorizonMask
    from scheduler.forecast import PassForecast
    from scheduler.network import Station
    from scheduler.plan import PlanRules
    from scheduler.plan.exclude import Outages
    from scheduler.services.context import Context

_REACH = timedelta(hours=3)
"""A session this far outside of a span may still keep a mount from a pass inside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassLimits:
    """What a pass is held against."""

    max_age: timedelta  #: of its element set at culmination, either way
    lowest: Mapping[str, HorizonMask]  #: by station: below it no link is planned
    sun_elevation_deg_max: float
    kinds: Mapping[tuple[str, str], SessionKind] = field(default_factory=dict)
    """By satellite and station; a downlink where nothing is said."""
    rules: PlanRules | None = None  #: None where no key was forecast
    bookings: Sequence[Booking] = field(default=())  #: that take up satellite and mount
    outages: Outages = field(default_factory=dict)


def why_not(row: PassRow, candidate: Candidate | None, limits: PassLimits) -> str | None:
    """Why a pass cannot be used, in one sentence; None if nothing stands against it.

    The first of these: element age, mask, Sun, outage, satellite or mount busy, and the plan's
    minima of duration, elevation, clear sky and key. Without a candidate, which there is of a
    dark pass whose key was forecast, only the first three are known.
    """
    away = abs(row.culminates_at - row.elements_epoch)
    if away > limits.max_age:
        return (
            f"its element set of {instant_key(row.elements_epoch)} is {_days(away)} days away,"
            f" the maximum is {_days(limits.max_age)} days"
        )
    horizon = limits.lowest[row.station]
    if row.max_elevation_deg < horizon.elevation_deg_max:
        least_deg = float(horizon.at(row.max_elevation_azimuth_deg))
        if row.max_elevation_deg < least_deg:
            return f"rises to {row.max_elevation_deg:.1f} deg, the minimum is {least_deg:g} deg"
    if limits.kinds.get((row.satellite, row.station)) is SessionKind.DUAL_DOWNLINK:
        return "its key needs a second station at the same time: `skytrunk pairs --simultaneous`"
    if not row.dark and limits.kinds.get((row.satellite, row.station)) is SessionKind.UPLINK:
        return (
            "no part has the satellite in eclipse and the Sun below"
            f" {limits.sun_elevation_deg_max:g} deg"
        )
    if not row.dark:
        return f"no part has the Sun below {limits.sun_elevation_deg_max:g} deg"
    if candidate is None or limits.rules is None:
        return None
    # The planner takes a while to import; a question without a forecast needs none.
    from scheduler.plan import outside_quiet
    from scheduler.plan.exclude import no_share, outage_of, quiet_at, say_outage, too_little

    outage = outage_of(candidate, limits.outages)
    if outage is not None:
        return say_outage(outage)
    if candidate.commissioning:
        little = "a commissioning pass: it gives no key"
    else:
        # What is left of a pass outside of quiet hours can be booked.
        span = candidate.acquires_at, candidate.loses_at
        some = outside_quiet(candidate, span, limits.rules)
        little = (
            (None if some else quiet_at(candidate, limits.rules))
            or no_share(candidate, limits.rules)
            or too_little(candidate, limits.rules)
            or ""
        )
    return _busy(candidate, limits.bookings, limits.rules) or little or None


def _days(span: timedelta) -> str:
    return f"{span / timedelta(days=1):.3g}"


def _busy(candidate: Candidate, bookings: Sequence[Booking], rules: PlanRules) -> str | None:
    """Which other session takes its satellite or its mount, or leaves no time to turn."""
    for booking in bookings:
        other = booking.candidate
        same_satellite = other.satellite_id == candidate.satellite_id
        if other.pass_id == candidate.pass_id or (
            same_satellite and other.station_id == candidate.station_id
        ):
            continue  # the pass itself, by another element set perhaps
        before, after = sorted((candidate, other), key=lambda one: one.acquires_at)
        gaps_s = []
        if same_satellite:
            gaps_s.append(rules.satellite_gap_s(before, after))
        if not set(rules.mounts_of(other)).isdisjoint(rules.mounts_of(candidate)):
            gaps_s.append(rules.mount_gap_s(before, after))
        if gaps_s and after.acquires_at < before.loses_at + timedelta(seconds=max(gaps_s)):
            what = "satellite" if same_satellite else "mount"
            return (
                f"the {what} is booked: {other.satellite_id} over {other.station_id} from"
                f" {instant_key(other.acquires_at)} to {instant_key(other.loses_at)}"
            )
    return None


def limits_of(
    context: Context,
    stations: Sequence[Station],
    *,
    start: datetime,
    end: datetime,
    with_key: bool,
) -> PassLimits:
    """What passes of [start, end) are held against; what stands in the ledger where asked for."""
    planning = context.scenario.planning
    found = PassLimits(
        max_age=context.max_element_age,
        lowest={
            one.station_id: one.horizon_above(max(one.mask_deg, planning.min_elevation_deg))
            for one in stations
        },
        sun_elevation_deg_max=planning.sun_elevation_deg_max,
        kinds={
            (above.satellite_id, one.station_id): above.session_over(one.station_id)
            for above in context.scenario.satellites
            for one in stations
        },
    )
    if not with_key:
        return found
    from scheduler.services.plans.inputs import rules_of

    rules = rules_of(context)
    # No plan books a pass that gives nothing.
    rules = replace(rules, min_secret_bits=max(1.0, rules.min_secret_bits))
    found = replace(found, rules=rules)
    if is_missing(context.settings.database_url):
        return found
    # SQLAlchemy takes a third of a second to import; a question without a ledger needs none.
    from scheduler.ledger.books import outages
    from scheduler.ledger.books.bookings import FREED_STATES, get_bookings
    from scheduler.plan.exclude import by_resource

    since, until = start - _REACH, end + _REACH
    with suppress(LedgerMissing), context.view.read() as reader:
        near = get_bookings(reader, since=since, until=until)
        closed = outages.standing(reader.connection, since=since, until=until)
        return replace(
            found,
            bookings=[one for one in near if one.state not in FREED_STATES],
            outages=by_resource(closed, []),
        )
    return found


def with_reasons(
    context: Context,
    forecasts: Sequence[PassForecast],
    stations: Sequence[Station],
    limits: PassLimits,
    *,
    at: datetime,
) -> tuple[list[PassRow], list[str]]:
    """The rows, each with why it cannot be used, under the sky known at `at`; and notes on it."""
    looks = [
        (name, _middle(one.candidate))
        for one in forecasts
        if one.candidate is not None
        for name in one.candidate.station_ids
    ]
    weather, notes = weather_over(context, stations, looks, at=at) if looks else (None, [])
    rows = []
    for one in forecasts:
        candidate = one.candidate
        if candidate is not None and weather is not None:
            p_clear = clear_over(weather, candidate, at=at)
            candidate = replace(candidate, clear_probability=p_clear)
        mine = _booked(one.row, limits.bookings)
        reason = why_not(one.row, candidate, limits)
        row = one.row
        if reason is not None:
            row = replace(row, why_not=context.viewer.shown(reason))
        if mine is not None:
            row = replace(row, booking_id=mine.booking_id, booking_state=mine.state)
        rows.append(row)
    return rows, notes


def _booked(row: PassRow, bookings: Sequence[Booking]) -> Booking | None:
    """The session booked in a pass, by another element set perhaps."""
    for booking in bookings:
        other = booking.candidate
        if (
            (other.satellite_id, other.station_id) == (row.satellite, row.station)
            and other.acquires_at < row.sets_at
            and row.rises_at < other.loses_at
        ):
            return booking
    return None


def _middle(candidate: Candidate) -> datetime:
    return candidate.acquires_at + (candidate.loses_at - candidate.acquires_at) / 2
