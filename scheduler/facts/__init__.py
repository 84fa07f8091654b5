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
from scheduler.facts.validation import PresetNotes, RateModel, UsedElements, Validation

__all__ = [
    "KEY_GRAIN_BITS",
    "TERMINAL_STATES",
    "Announcement",
    "Booking",
    "BookingEvent",
    "BookingState",
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
    "Pool",
    "PoolKind",
    "PresetNotes",
    "Provenance",
    "RateModel",
    "ReplaySummary",
    "SessionResult",
    "SettledPass",
    "StationTally",
    "UnplannedSpan",
    "UsedElements",
    "Validation",
    "VerifyReport",
    "instant_key",
]
