"""What the batches of one pass search share, and what one of them returns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from orbits.earth import EarthTime
from orbits.elements import Elements
from orbits.passes.assemble import Block
from orbits.passes.cells import Sites
from orbits.passes.engine import Engine

Pair = tuple[int, int]
"""Index of the satellite, index of the station."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of the window without a leap second inside; seconds from the window's start."""

    start_s: float
    end_s: float
    tai_utc_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What every batch of a search shares."""

    start: datetime
    spans: tuple[Span, ...]
    sites: Sites
    engine: Engine
    earth: EarthTime
    nodes_max: int  #: pairs of station and node that are looked at in one go

    @property
    def end_s(self) -> float:
        """The length of the window in seconds."""
        return self.spans[-1].end_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Satellites of one grid step: their indices in the search, and their element sets."""

    step_s: float
    deep_space: bool
    index: tuple[int, ...]
    elements: tuple[Elements, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A part of the window without usable positions of one satellite; seconds from start."""

    index: int
    start_s: float
    end_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is to say of one batch, satellites by their index in the search."""

    block: Block
    gaps: tuple[Gap, ...]
    always_up: frozenset[Pair]  #: pairs that have no pass for this reason
