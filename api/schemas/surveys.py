"""What years of passes hold for places that are only an idea."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

from pydantic import BeforeValidator

from api.schemas.base import Answer, Column, Instant, Table, digits, plural

if TYPE_CHECKING:
    from scheduler.domain import SurveyAnswer

Quantiles = Annotated[
    list[float], BeforeValidator(lambda values: [round(float(value), 1) for value in values])
]
Monthly = Annotated[
    list[float | None],
    BeforeValidator(lambda values: [None if v is None else round(float(v), 1) for v in values]),
]


class Season(Answer):
    """The weeks whose middle lies in a season, over all years."""

    season: str
    weeks: int
    passes: Quantiles
    """Usable passes a week: no more than this in 10, 50 and 90 % of the weeks."""
    secret_bits: Quantiles
    """Secret bits a week under a clear sky, likewise."""
    expected_bits: Annotated[float, digits(1)]
    """Secret bits a week on average, weather included."""


class Surveyed(Answer):
    """One place."""

    station: str
    lat_deg: float
    lon_deg: float
    height_m: float
    passes: int
    """Above the scenario's least elevation."""
    dark: int
    """Of these, those with a part that is dark enough."""
    usable: int
    """Of these, those that would give key under a clear sky."""
    dry_s: Annotated[float, digits(3)]
    """The longest time without a usable pass."""
    dry_from: Instant
    dry_to: Instant
    seasons: list[Season]
    monthly_bits: Monthly
    """January to December: secret bits a day under a clear sky; null outside the span."""
    monthly_expected_bits: Monthly
    """The same, weather included."""

    columns: ClassVar = (
        Column("place", "station"),
        Column("passes", "passes", ",", rank=4),
        Column("dark", "dark", ",", rank=3),
        Column("usable", "usable", ","),
        Column("longest dry spell", lambda row: f"{row.dry_s / 86_400.0:.1f} d"),
        Column("from", "dry_from", "%Y-%m-%d", rank=1),
        Column("to", "dry_to", "%Y-%m-%d", rank=2),
    )


class _Line(NamedTuple):
    """A season of a place, as a row of a table."""

    station: str
    season: Season


class Survey(Answer):
    """A satellite over some places, and by which rule it was looked at."""

    satellite: str
    norad_id: int
    start: Instant
    end: Instant
    mean_orbit_days: Annotated[float, digits(3)]
    """How much of it is served by a mean orbit: the nearest element set, without drag."""
    notes: list[str]
    rows: list[Surveyed]

    season_columns: ClassVar = (
        Column("place", "station"),
        Column("season", "season.season"),
        Column("weeks", "season.weeks", ",", rank=5),
        Column("passes a week, 10 %", lambda line: line.season.passes[0], ".1f", rank=3),
        Column("50 %", lambda line: line.season.passes[1], ".1f"),
        Column("90 %", lambda line: line.season.passes[2], ".1f", rank=4),
        Column("bits a week, 10 %", lambda line: line.season.secret_bits[0], ",.0f", rank=1),
        Column("50 %", lambda line: line.season.secret_bits[1], ",.0f"),
        Column("90 %", lambda line: line.season.secret_bits[2], ",.0f", rank=2),
        Column("with weather", "season.expected_bits", ",.0f"),
    )

    @classmethod
    def of(cls, answer: SurveyAnswer) -> Survey:
        """Return the answer to one question."""
        return cls.model_validate(answer)

    def tables(self) -> Iterator[Table]:
        """Yield the places, and the seasons of each."""
        span = f"{self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}"
        title = f"{self.satellite} over {plural(len(self.rows), 'place')}, {span}"
        yield Table(title, Surveyed.columns, self.rows)
        lines = [_Line(row.station, season) for row in self.rows for season in row.seasons]
        yield Table("by season", self.season_columns, lines, "\n".join(self.notes))
