"""What a long span holds for stations that are only an idea."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

LEVELS = (0.1, 0.5, 0.9)
"""Quantiles of a survey: of the weeks, so many have no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeasonRow:
    """The weeks whose middle lies in one season, in every year; or all of them."""

    season: str  #: Dec-Feb, Mar-May, Jun-Aug, Sep-Nov, or all
    weeks: int
    passes: tuple[float, ...]  #: usable passes a week, at LEVELS
    secret_bits: tuple[float, ...]  #: a week under a clear sky, at LEVELS
    expected_bits: float  #: a week on average, weather included


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyRow:
    """One place: how often, how much, and the longest time without."""

    station: str
    lat_deg: float
    lon_deg: float
    height_m: float
    passes: int  #: above the mask
    dark: int  #: of these, with a dark part
    usable: int  #: of these, with enough key under a clear sky
    dry_s: float  #: the longest time between two usable passes, or to an end of the span
    dry_from: datetime
    dry_to: datetime
    seasons: tuple[SeasonRow, ...]
    monthly_bits: tuple[float | None, ...]  #: January to December: a day, under a clear sky
    monthly_expected_bits: tuple[float | None, ...]  #: the same, weather included


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyAnswer:
    """A satellite over some places in [start, end)."""

    satellite: str
    norad_id: int
    start: datetime
    end: datetime
    mean_orbit_days: float  #: how much of it no young element set serves
    rows: tuple[SurveyRow, ...]
    notes: tuple[str, ...] = ()
