"""What a replay came to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scheduler.domain.keys import WaitingKey
from scheduler.domain.passes import UnplannedSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class StationTally:
    """What one station saw, booked and gained in a replay."""

    station: str
    passes: int
    dark: int
    booked: int
    settled: int
    sifted_bits: int
    secret_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTally:
    """End-to-end key that merging gave one pair of nodes."""

    node_a: str
    node_b: str
    merges: int
    merged_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledPass:
    """One session of a replay, for the curve of key per pass over time."""

    satellite: str
    station: str
    acquires_at: datetime
    max_elevation_deg: float
    expected_secret_bits: float
    sifted_bits: int
    secret_bits: int
    qber: float
    below: float | None  #: probability of so few bits by the forecast before it; None without a bit


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How often sessions stayed below a quantile of their forecasts, beside its level."""

    level: float  #: of the quantile, which an honest forecast gives back as the frequency
    sessions: int
    frequency: float
    low: float  #: of the exact binomial interval of 68 %
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyGain:
    """Secret key that a station had by one instant: of a session, or of a closed key block."""

    station: str
    at: datetime
    secret_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancePoint:
    """What one account of a pool held at an instant."""

    at: datetime
    pool: str
    account: str  #: its kind
    bits: int  #: `generated` goes below zero by what was made


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySummary:
    """What a replay did, in whole numbers; totals are sums over stations and pairs."""

    scenario: str
    seed: int
    start: datetime
    end: datetime
    planner: str
    objective: str
    stations: tuple[StationTally, ...]
    pairs: tuple[PairTally, ...]
    refusals: dict[str, str]  #: demand -> why the network cannot serve it, ever
    settled: tuple[SettledPass, ...]
    closed: tuple[KeyGain, ...]  #: key blocks that pooled several sessions
    reliability: tuple[Reliability, ...]  #: of the forecasts' quantiles; empty without a session
    unplanned: tuple[UnplannedSpan, ...]
    balances: dict[str, dict[str, int]]  #: pool id -> account kind -> bits
    asked_bits: dict[str, int]  #: pair -> end-to-end key that its demands asked for in this time
    left_bits: dict[str, int]  #: station -> key left at the end on its links to satellites
    waiting: tuple[WaitingKey, ...]  #: link key that no contact was left to announce
    elements_used: tuple[datetime, ...]  #: epochs of the sets used, in order
    ledger_problems: tuple[str, ...]
    continued: bool  #: some of the work was found done already

    @property
    def gains(self) -> tuple[KeyGain, ...]:
        """The secret key of sessions and key blocks in the order in which it came."""
        sessions = (
            KeyGain(station=one.station, at=one.acquires_at, secret_bits=one.secret_bits)
            for one in self.settled
        )
        return tuple(sorted((*sessions, *self.closed), key=lambda one: one.at))


class ReplayState(StrEnum):
    """How a replay stands that a server runs."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"  #: its process is gone before the end


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRun:
    """A replay that a server runs, or ran."""

    replay_id: str
    scenario: str
    objective: str
    planner: str
    seed: int
    start: datetime
    end: datetime
    asked_at: datetime
    state: ReplayState
    part_done: float  #: 0 to 1
    reason: str  #: why it failed
