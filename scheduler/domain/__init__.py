"""The value types that the layers of the scheduler hand to each other; all frozen."""

from scheduler.domain.audits import VerifyReport
from scheduler.domain.bookings import (
    TERMINAL_STATES,
    Booking,
    BookingEvent,
    BookingState,
    BookingView,
    Candidate,
    SessionResult,
)
from scheduler.domain.demands import Demand, LinkSupply, PathSet
from scheduler.domain.elements import ElementsAdded, ElementsAnswer, ElementsCheck
from scheduler.domain.instants import instant_key
from scheduler.domain.keys import (
    Announcement,
    Chunk,
    KeyTrace,
    NewBlock,
    Pool,
    PoolKind,
    SourceBlock,
    TracedHop,
    TracedPath,
    WaitingKey,
    WhoKnows,
)
from scheduler.domain.merges import (
    KEY_GRAIN_BITS,
    CombinedStep,
    DemandDecision,
    KeyFlow,
    MergeDecision,
    MergeStep,
    PlannedMerge,
    Provenance,
)
from scheduler.domain.outages import Outage, OutageKind
from scheduler.domain.passes import (
    NextPass,
    PassAnswer,
    PassRow,
    TrackAnswer,
    TrackPoint,
    UnplannedSpan,
)
from scheduler.domain.plans import PlannedDemand, PlannedPass, PlanView, Span, Verdict
from scheduler.domain.replays import PairTally, ReplaySummary, SettledPass, StationTally
from scheduler.domain.validation import PresetNotes, RateModel, UsedElements, Validation

__all__ = [
    "KEY_GRAIN_BITS",
    "TERMINAL_STATES",
    "Announcement",
    "Booking",
    "BookingEvent",
    "BookingState",
    "BookingView",
    "Candidate",
    "Chunk",
    "CombinedStep",
    "Demand",
    "DemandDecision",
    "ElementsAdded",
    "ElementsAnswer",
    "ElementsCheck",
    "KeyFlow",
    "KeyTrace",
    "LinkSupply",
    "MergeDecision",
    "MergeStep",
    "NewBlock",
    "NextPass",
    "Outage",
    "OutageKind",
    "PairTally",
    "PassAnswer",
    "PassRow",
    "PathSet",
    "PlanView",
    "PlannedDemand",
    "PlannedMerge",
    "PlannedPass",
    "Pool",
    "PoolKind",
    "PresetNotes",
    "Provenance",
    "RateModel",
    "ReplaySummary",
    "SessionResult",
    "SettledPass",
    "SourceBlock",
    "Span",
    "StationTally",
    "TracedHop",
    "TracedPath",
    "TrackAnswer",
    "TrackPoint",
    "UnplannedSpan",
    "UsedElements",
    "Validation",
    "Verdict",
    "VerifyReport",
    "WaitingKey",
    "WhoKnows",
    "instant_key",
]
