"""What the services answer: rows and summaries that every door shows alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orbits import Elements, Finding
    from scheduler.facts.keys import WaitingKey


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRow:
    """One pass as every door shows it: table, JSON, CSV and HTTP give these very numbers."""

    satellite: str  #: satellite id, e.g. micius
    norad_id: int
    station: str  #: station id, e.g. xinglong
    rises_at: datetime
    culminates_at: datetime
    sets_at: datetime
    max_elevation_deg: float
    max_elevation_azimuth_deg: float
    range_km_min: float
    nearest_at: datetime  #: TCA, instant of the least range
    rise_azimuth_deg: float
    set_azimuth_deg: float
    cut_at_start: bool
    cut_at_end: bool
    sun_elevation_deg: float  #: of the Sun at the station, at culmination
    dark: bool  #: some part above the mask has the Sun below the limit
    elements_epoch: datetime
    time_sigma_s: float | None  #: timing uncertainty from the age of the elements; None: unknown
    acquires_at: datetime | None = None  #: start of the longest dark part; None if none
    loses_at: datetime | None = None
    sifted_bits: float | None = None  #: the four below only when a forecast was asked for
    secret_bits: int | None = None
    qber: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassAnswer:
    """The passes of one question, and by which rule the element sets were picked."""

    rows: tuple[PassRow, ...]
    rule: str  #: "nearest" or "known_at"
    as_known_at: datetime | None
    epochs: tuple[datetime, ...]  #: of every element set used, in order
    notes: tuple[str, ...] = ()  #: what the rows do not tell: decay, no position, always up


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementsAnswer:
    """Element sets, oldest first, and the present against which their age counts."""

    at: datetime
    elements: tuple[Elements, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementsAdded:
    """What a feed gave, and how many sets of that were new."""

    received: tuple[Elements, ...]
    added: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementsCheck:
    """How many element sets were looked at, and which do not agree with their neighbours."""

    checked: int
    findings: tuple[Finding, ...]


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

    station: str
    acquires_at: datetime
    max_elevation_deg: float
    expected_secret_bits: float
    sifted_bits: int
    secret_bits: int
    qber: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UnplannedSpan:
    """A time for which nothing was planned since no element set was young enough."""

    start: datetime
    end: datetime
    newest_epoch: datetime | None
    reason: str


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
    unplanned: tuple[UnplannedSpan, ...]
    balances: dict[str, dict[str, int]]  #: pool id -> account kind -> bits
    waiting: tuple[WaitingKey, ...]  #: link key that no contact was left to announce
    elements_used: tuple[datetime, ...]  #: epochs of the sets used, in order
    ledger_problems: tuple[str, ...]
    continued: bool  #: some of the work was found done already
