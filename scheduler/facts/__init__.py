"""The value types that the floors of the scheduler hand to each other; all frozen."""

from scheduler.facts.answers import (
    PairTally,
    PassAnswer,
    PassRow,
    ReplaySummary,
    SettledPass,
    StationTally,
    UnplannedSpan,
)
from scheduler.facts.core import (
    KEY_GRAIN_BITS,
    TERMINAL_STATES,
    Announcement,
    Booking,
    BookingEvent,
    BookingState,
    Candidate,
    Chunk,
    Demand,
    MergeStep,
    NewBlock,
    Pool,
    PoolKind,
    SessionResult,
    VerifyReport,
)
from scheduler.facts.instants import instant_key
from scheduler.facts.merging import CombinedStep, Provenance
from scheduler.facts.planning import LinkSupply, Outage, OutageKind, PathSet
from scheduler.facts.plans import BookingTold, PlannedDemand, PlannedPass, PlanTold, Span, Verdict
from scheduler.facts.validation import RateModel, Validation, ValidationRow

__all__ = [
    "KEY_GRAIN_BITS",
    "TERMINAL_STATES",
    "Announcement",
    "Booking",
    "BookingEvent",
    "BookingState",
    "BookingTold",
    "Candidate",
    "Chunk",
    "CombinedStep",
    "Demand",
    "LinkSupply",
    "MergeStep",
    "NewBlock",
    "Outage",
    "OutageKind",
    "PairTally",
    "PassAnswer",
    "PassRow",
    "PathSet",
    "PlanTold",
    "PlannedDemand",
    "PlannedPass",
    "Pool",
    "PoolKind",
    "Provenance",
    "RateModel",
    "ReplaySummary",
    "SessionResult",
    "SettledPass",
    "Span",
    "StationTally",
    "UnplannedSpan",
    "Validation",
    "ValidationRow",
    "Verdict",
    "VerifyReport",
    "instant_key",
]
