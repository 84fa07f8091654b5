"""What a planner answers: the sessions to book, and its proof of quality."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from scheduler.domain import Candidate, PathSet


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
