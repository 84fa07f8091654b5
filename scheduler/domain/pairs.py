"""Two stations and one satellite: seen at once, or visited one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PairKind(StrEnum):
    """How two stations share a satellite."""

    SIMULTANEOUS = "simultaneous"  #: both see it at once, as an entangled source needs
    SEQUENTIAL = "sequential"  #: first one link, then the other: a trusted relay


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSide:
    """What one of the stations has of it."""

    station: str
    begins_at: datetime  #: of the window both see, or of this station's dark link
    ends_at: datetime
    max_elevation_deg: float  #: highest within that span
    dark: bool  #: the Sun is below the limit throughout
    sunlit_fraction: float  #: share of the span in which the satellite is in sunlight, 0 to 1
    clear_probability: float
    elements_epoch: datetime
    secret_bits: int | None = None  #: median under a clear sky; None where no key is foretold


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """One window of a pair."""

    kind: PairKind
    satellite: str
    norad_id: int
    first: PairSide
    second: PairSide
    gap_s: float | None = None  #: from the first link's end to the second's begin
    joint_elevation_deg: float | None = None  #: greatest that the lower of both stands at once
    shared_bits: int | None = None  #: of a dual downlink in the window's dark part, median

    @property
    def clear_probability(self) -> float:
        """That both skies are clear, taken as independent of each other."""
        return self.first.clear_probability * self.second.clear_probability

    @property
    def secret_bits(self) -> int | None:
        """End to end under clear skies: of a dual downlink, else what the poorer link gives."""
        if self.shared_bits is not None:
            return self.shared_bits
        if self.first.secret_bits is None or self.second.secret_bits is None:
            return None
        return min(self.first.secret_bits, self.second.secret_bits)

    @property
    def expected_bits(self) -> float | None:
        """The same times the chance that both skies are clear."""
        bits = self.secret_bits
        return None if bits is None else bits * self.clear_probability


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAnswer:
    """The windows of one pair, and what else to know."""

    rows: tuple[PairRow, ...]
    kind: PairKind
    gap_s_max: float | None
    rule: str  #: how the element sets were picked
    notes: tuple[str, ...] = ()
