"""When two stations can share a satellite, and what key that would give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from api.schemas.base import (
    Answer,
    AskedInstant,
    Column,
    Instant,
    Paged,
    Table,
    WholeSpan,
    attribute,
    digits,
    plural,
)
from api.schemas.passes import Name

if TYPE_CHECKING:
    from scheduler.domain import PairAnswer


class PairRequest(WholeSpan, Paged):
    """A question about two stations, the same that `skytrunk pairs` asks."""

    satellite: Name
    """Its id, name or catalogue number."""
    a: Name
    """Id of the first station."""
    b: Name
    """Id of the second."""
    gap_h: Annotated[float | None, Field(ge=0.0, le=168.0)] = None
    """How long after the end of A's link B's may begin; 12 if not given."""
    simultaneous: bool = False
    """Windows in which both see the satellite at once, rather than one after the other."""
    as_known_at: AskedInstant | None = None
    """Use only sets known by then; else each instant is served by the set nearest to it."""


class PairWindow(Answer):
    """One window; for simultaneous ones without a gap and without key, which is not foretold."""

    kind: str
    """`sequential` or `simultaneous`."""
    satellite: str
    norad_id: int
    a: str = attribute("first.station")
    a_begins_at: Instant = attribute("first.begins_at")
    """Begin of A's dark link; of a simultaneous window, of what both see."""
    a_ends_at: Instant = attribute("first.ends_at")
    b: str = attribute("second.station")
    b_begins_at: Instant = attribute("second.begins_at")
    b_ends_at: Instant = attribute("second.ends_at")
    gap_s: Annotated[float | None, digits(3)]
    """From the end of A's link to the begin of B's."""
    a_max_elevation_deg: Annotated[float, digits(3)] = attribute("first.max_elevation_deg")
    """Highest at A within its span."""
    b_max_elevation_deg: Annotated[float, digits(3)] = attribute("second.max_elevation_deg")
    joint_elevation_deg: Annotated[float | None, digits(3)]
    """Of a simultaneous window: the greatest that the lower of both elevations reaches."""
    a_dark: bool = attribute("first.dark")
    """The Sun is below the limit at A throughout."""
    b_dark: bool = attribute("second.dark")
    a_sunlit_fraction: Annotated[float, digits(3)] = attribute("first.sunlit_fraction")
    """Share of A's span in which the satellite itself is in sunlight; 0 in the Earth's shadow."""
    b_sunlit_fraction: Annotated[float, digits(3)] = attribute("second.sunlit_fraction")
    a_clear_probability: Annotated[float, digits(3)] = attribute("first.clear_probability")
    b_clear_probability: Annotated[float, digits(3)] = attribute("second.clear_probability")
    clear_probability: Annotated[float, digits(4)]
    """That both are clear, taken as independent."""
    a_secret_bits: int | None = attribute("first.secret_bits")
    """Median under a clear sky, of A's link alone."""
    b_secret_bits: int | None = attribute("second.secret_bits")
    secret_bits: int | None
    """End to end under clear skies: the smaller of both."""
    expected_bits: Annotated[float | None, digits(1)]
    """The same times the chance that both skies are clear."""

    columns: ClassVar = (
        Column("date", "a_begins_at", "%Y-%m-%d"),
        Column("A begins", "a_begins_at", "%H:%M:%S"),
        Column("A ends", "a_ends_at", "%H:%M:%S", rank=6),
        Column("A°", "a_max_elevation_deg", ".1f", rank=2),
        Column("B°", "b_max_elevation_deg", ".1f", rank=2),
        Column("shadow", lambda row: _shadow(row), rank=5),
        Column("clear", "clear_probability", ".2f", rank=4),
    )
    sequential_columns: ClassVar = (
        Column("B begins", lambda row: _after(row)),
        Column("gap", lambda row: _hours(row.gap_s), rank=1),
        Column("A bits", "a_secret_bits", ",", rank=7),
        Column("B bits", "b_secret_bits", ",", rank=8),
        Column("expected bits", "expected_bits", ",.0f"),
    )
    simultaneous_columns: ClassVar = (
        Column("s", lambda row: (row.a_ends_at - row.a_begins_at).total_seconds(), ".0f"),
        Column("both°", "joint_elevation_deg", ".1f", rank=1),
        Column("sky", lambda row: _sky(row), rank=3),
    )


def _shadow(row: PairWindow) -> str:
    """Return where the satellite is over A and over B: in shadow, sunlight or both."""
    return "/".join(
        {0.0: "shadow", 1.0: "sun"}.get(share, "part")
        for share in (row.a_sunlit_fraction, row.b_sunlit_fraction)
    )


def _sky(row: PairWindow) -> str:
    return "/".join("dark" if dark else "light" for dark in (row.a_dark, row.b_dark))


def _after(row: PairWindow) -> str:
    days = (row.b_begins_at.date() - row.a_begins_at.date()).days
    return f"{row.b_begins_at:%H:%M:%S}" + (f" +{days}" if days else "")


def _hours(gap_s: float | None) -> str | None:
    if gap_s is None:
        return None
    minutes = round(gap_s / 60.0)
    return f"{minutes // 60}:{minutes % 60:02} h"


class Pairs(Answer):
    """The windows of two stations by begin, how they were looked for, what else to know."""

    kind: str
    gap_s_max: float | None
    rule: str
    """How the element set of each pass was chosen."""
    notes: list[str]
    pairs: list[PairWindow] = attribute("rows")

    @classmethod
    def of(cls, answer: PairAnswer) -> Pairs:
        """Return the answer to one question."""
        return cls.model_validate(answer)

    def table(self, satellite: str, a: str, b: str) -> Table:
        """Return the windows as a table."""
        at_once = self.gap_s_max is None
        more = PairWindow.simultaneous_columns if at_once else PairWindow.sequential_columns
        how = "seen by A and B at once" if at_once else "A, then B"
        return Table(
            f"{plural(len(self.pairs), 'window')} of {satellite}: {how}; A {a}, B {b}, times UTC",
            PairWindow.columns[:3] + more[:1] + PairWindow.columns[3:] + more[1:],
            self.pairs,
            "\n".join((f"element sets: {self.rule}", *self.notes)),
        )
