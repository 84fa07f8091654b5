"""A planner's inputs: options, rules, and what already stands."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from orbits import as_utc
from scheduler.domain import (
    TERMINAL_STATES,
    Booking,
    BookingState,
    Candidate,
    Demand,
    LinkSupply,
    Outage,
    PathSet,
)
from scheduler.errors import FactError, PlanError
from scheduler.network import QuietHours, Scenario, Sharing


class Objective(StrEnum):
    """What a plan is best at."""

    DEMAND = "demand"  #: end-to-end key demanded, the worst-served demand first
    MAX_MIN = "max-min"  #: the station with the least key for its weight
    TOTAL = "total"  #: expected bits of all sessions together


class Solver(StrEnum):
    """How a plan was found."""

    AUTO = "auto"
    GREEDY = "greedy"
    LP = "lp"
    MILP = "milp"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFlow:
    """End-to-end key that a plan expects to merge for a demand by one of its ways."""

    demand_id: str
    path_set: PathSet
    merged_at: datetime
    bits: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDecision:
    """The candidates to book, why each other is left out, and how good the whole can be.

    Locked bookings stay booked and are not repeated in `chosen`, but count in `value`. Decisions
    compare equal whatever time they took.
    """

    objective: Objective
    solver: Solver  #: the one that found the plan, after any fallback
    seed: int
    chosen: tuple[Candidate, ...]  #: in order of AOS
    booked_because: Mapping[str, str]  #: candidate_id: one sentence
    left_out: Mapping[str, str]  #: candidate_id: one sentence, with the numbers
    dropped: Mapping[str, str]  #: booking_id: why a standing booking is given up
    value: float  #: of the objective, locked bookings and the bonus of standing ones included
    bound: float  #: no plan of this problem can have a higher value
    measures: tuple[float, ...]
    """`value`, then what breaks its ties: weighed bits served, the value of all bookings."""
    expected_bits: float  #: of `chosen`, weather included
    station_bits: Mapping[str, float]  #: expected, locked bookings included
    served_bits: Mapping[str, float] = field(default_factory=dict)  #: demand_id: end to end
    flows: tuple[PlannedFlow, ...] = ()  #: what `served_bits` adds up
    served_share: Mapping[str, float] = field(default_factory=dict)  #: demand_id: 0 to 1
    link_prices: Mapping[str, float] = field(default_factory=dict)
    """pool_id: gain in weighed demand served for one more bit on this link, by the LP's duals."""
    fallback: str = ""  #: why the solver asked for did not find this plan; empty if it did
    notes: tuple[str, ...] = ()
    wall_s: float = field(default=0.0, compare=False)

    @property
    def gap(self) -> float:
        """Part of the bound that may still be missing, 0 to 1."""
        if self.bound <= 0.0 or math.isclose(self.bound, self.value, rel_tol=1e-12):
            return 0.0
        return max(0.0, (self.bound - self.value) / self.bound)


UNDER_WAY = frozenset({BookingState.PREPARING, BookingState.RUNNING})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRules:
    """What every plan must respect, whatever its objective.

    Between two sessions of one satellite, or of one mount, `setup_s` plus the slew must pass.
    A satellite's slew depends on the pair of stations, a mount's on the mount, or on the way from
    the azimuth and elevation of one LOS to those of the next AOS, where both are known.
    """

    setup_s: float = 30.0  #: after any session, before the next of that satellite or mount
    slew_s: float = 60.0  #: pointing anew, where nothing below says otherwise
    satellite_slew_s: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Slew of any satellite from one station to another; a pair holds in either order."""
    station_slew_s: Mapping[str, float] = field(default_factory=dict)
    slew_rate_deg_s: Mapping[str, float] = field(default_factory=dict)
    """Station: degrees a second of the slower axis; used where azimuth and elevation are known."""
    mounts: Mapping[str, str] = field(default_factory=dict)
    """Station: its mount; receivers that share one count as a single resource."""
    quiet_hours: Mapping[str, Sequence[QuietHours]] = field(default_factory=dict)
    """Station: hours of every UTC day in which it has no session."""
    sharing: Sharing = field(default_factory=Sharing)
    """Whose stations and satellites are, and what each operator may have of the others'."""
    min_secret_bits: float = 1.0  #: expected of the pass, weather included
    min_duration_s: float = 0.0
    min_elevation_deg: float = 0.0  #: highest elevation of the pass
    min_clear_probability: float = 0.0
    max_sessions_per_day: int | None = None  #: of one satellite in one UTC day, by AOS
    max_sessions_per_orbit: int | None = None  #: of one satellite, AOS within any `orbit_s`
    orbit_s: float = 5700.0  #: length of the window that counts as one orbit
    risk_aversion: float = 0.0  #: standard deviations taken off the expected bits
    freeze_s: float = 900.0  #: bookings that start this soon are not moved any more
    stability_bonus: float = 0.5
    """What every standing booking gains, in parts of what one is worth on average."""

    def __post_init__(self) -> None:
        for name in (
            "setup_s", "slew_s", "min_secret_bits", "min_duration_s", "min_elevation_deg",
            "risk_aversion", "freeze_s", "stability_bonus",
        ):  # fmt: skip
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0.0):
                raise FactError(f"{name} {value}; allowed: 0 and up")
        if not (math.isfinite(self.orbit_s) and self.orbit_s > 0.0):
            raise FactError(f"orbit_s {self.orbit_s}; allowed: above 0")
        if not 0.0 <= self.min_clear_probability <= 1.0:
            raise FactError(f"min_clear_probability {self.min_clear_probability}, not 0..1")
        for name in ("max_sessions_per_day", "max_sessions_per_orbit"):
            limit = getattr(self, name)
            if limit is not None and limit < 0:
                raise FactError(f"{name} {limit}; allowed: 0 and up, or None for no limit")
        for name in ("satellite_slew_s", "station_slew_s"):
            for key, value in getattr(self, name).items():
                if not (math.isfinite(value) and value >= 0.0):
                    raise FactError(f"{name} of {key}: {value}; allowed: 0 and up")
        for station, rate in self.slew_rate_deg_s.items():
            if not (math.isfinite(rate) and rate > 0.0):
                raise FactError(f"slew_rate_deg_s of {station}: {rate}; allowed: above 0")

    @property
    def longest_gap_s(self) -> float:
        """No pair of sessions needs more seconds between them than this."""
        slews = [self.slew_s, *self.satellite_slew_s.values(), *self.station_slew_s.values()]
        slews += [180.0 / rate for rate in self.slew_rate_deg_s.values()]
        return self.setup_s + max(slews)

    def mount_of(self, station_id: str) -> str:
        """The mount that a station's receiver sits on; its own, unless the rules name another."""
        return self.mounts.get(station_id, station_id)

    def mounts_of(self, candidate: Candidate) -> tuple[str, ...]:
        """Every mount that a session takes."""
        return tuple(dict.fromkeys(map(self.mount_of, candidate.station_ids)))

    def satellite_gap_s(self, before: Candidate, after: Candidate) -> float:
        """Seconds a satellite needs between the LOS of one session and the AOS of the next."""
        pair = (before.station_id, after.station_id)
        slew_s = self.satellite_slew_s.get(pair)
        if slew_s is None:
            slew_s = self.satellite_slew_s.get(pair[::-1], self.slew_s)
        return self.setup_s + slew_s

    def mount_gap_s(self, before: Candidate, after: Candidate) -> float:
        """Seconds a mount needs between the LOS of one session and the AOS of the next."""
        stations = *before.station_ids, *after.station_ids
        fixed_s = max(self.station_slew_s.get(station, self.slew_s) for station in stations)
        rates = [self.slew_rate_deg_s[one] for one in stations if one in self.slew_rate_deg_s]
        if not rates:
            return self.setup_s + fixed_s
        angle_deg = slew_angle_deg(before, after)
        return self.setup_s + (fixed_s if angle_deg is None else angle_deg / min(rates))


def slew_angle_deg(before: Candidate, after: Candidate) -> float | None:
    """The larger of the turns in azimuth (the short way) and in elevation; None if not known."""
    ends = (before.loses_azimuth_deg, before.loses_elevation_deg)
    starts = (after.acquires_azimuth_deg, after.acquires_elevation_deg)
    if ends[0] is None or ends[1] is None or starts[0] is None or starts[1] is None:
        return None
    turn_deg = abs(starts[0] - ends[0]) % 360.0
    return max(min(turn_deg, 360.0 - turn_deg), abs(starts[1] - ends[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanProblem:
    """Everything that a plan depends on; the same problem gives the same plan.

    Standing bookings are locked if they say so, are under way, or start within `rules.freeze_s`
    of `now`; those still to come otherwise may be moved, at the price of `stability_bonus`.
    Pins and vetoes name a candidate or a whole pass.
    """

    candidates: tuple[Candidate, ...]
    rules: PlanRules = field(default_factory=PlanRules)
    bookings: tuple[Booking, ...] = ()
    outages: tuple[Outage, ...] = ()
    pins: frozenset[str] = frozenset()
    vetoes: frozenset[str] = frozenset()
    now: datetime | None = None
    station_weights: Mapping[str, float] = field(default_factory=dict)
    """Max-min: a station's fair share is in proportion to this; 1 where not named."""
    value_weights: Mapping[str, float] = field(default_factory=dict)
    """Total: factor on the expected bits of a satellite or a station; 1 where not named."""
    demands: tuple[Demand, ...] = ()
    path_sets: tuple[PathSet, ...] = ()
    scenario: Scenario | None = None
    """The network in which ways beyond `path_sets` are looked for; None if those are all."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """Demand: why it has no path set."""
    supplies: tuple[LinkSupply, ...] = ()
    station_nodes: Mapping[str, str] = field(default_factory=dict)
    """Station: the node that keeps its key; the station's own name where not named."""
    pair_pools: Mapping[str, str] = field(default_factory=dict)
    """Two stations `a+b`: the pool that a dual downlink over both fills."""
    pair_stock: Mapping[str, int] = field(default_factory=dict)
    """Demand: bits its pair holds now, for the low- and high-water marks."""
    starts_at: datetime | None = None  #: of the first bucket; else `now`, else the first UTC day
    ends_at: datetime | None = None  #: of the last bucket, or soon before; else the last LOS
    bucket_s: float = 86_400.0  #: key is merged at the end of each

    def __post_init__(self) -> None:
        for name in ("candidates", "bookings", "outages", "demands", "path_sets", "supplies"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("now", "starts_at", "ends_at"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, as_utc(getattr(self, name)))
        if not (math.isfinite(self.bucket_s) and self.bucket_s > 0.0):
            raise FactError(f"bucket_s {self.bucket_s}; allowed: above 0")
        _once("demand", [demand.demand_id for demand in self.demands])
        _once("supply of", [supply.pool_id for supply in self.supplies])
        _once("candidate", [candidate.candidate_id for candidate in self.candidates])
        for name in ("station_weights", "value_weights"):
            for key, weight in getattr(self, name).items():
                if not (math.isfinite(weight) and weight > 0.0):
                    raise FactError(f"{name} of {key}: {weight}; allowed: above 0")
        self._check_pins()

    def _check_pins(self) -> None:
        known = {c.candidate_id for c in self.candidates} | {c.pass_id for c in self.candidates}
        unknown = sorted(self.pins - known)
        if unknown:
            raise PlanError(f"pinned {unknown[0]} is none of the {len(self.candidates)} candidates")
        both = sorted(self.pins & self.vetoes)
        if both:
            raise PlanError(f"{both[0]} is both pinned and vetoed")

    def is_locked(self, booking: Booking) -> bool:
        """True for a live booking that no plan may move."""
        if booking.state in TERMINAL_STATES:
            return False
        if booking.locked or booking.state in UNDER_WAY:
            return True
        if self.now is None:
            return False
        return booking.candidate.acquires_at < self.now + timedelta(seconds=self.rules.freeze_s)

    def locked(self) -> tuple[Booking, ...]:
        """The live bookings that stay as they are, in order of AOS."""
        return _in_order(b for b in self.bookings if self.is_locked(b))

    def movable(self) -> tuple[Booking, ...]:
        """The live bookings that may be dropped for better ones, in order of AOS."""
        return _in_order(
            b for b in self.bookings if b.state not in TERMINAL_STATES and not self.is_locked(b)
        )


def _once(what: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise FactError(f"{what} {name} is listed twice")
        seen.add(name)


def _in_order(bookings: Iterable[Booking]) -> tuple[Booking, ...]:
    def when(booking: Booking) -> tuple[datetime, str]:
        return booking.candidate.acquires_at, booking.candidate.candidate_id

    return tuple(sorted(bookings, key=when))
