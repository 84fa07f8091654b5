"""The key runway: when each pair and link runs dry, and what losing a pass would cost."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from api.schemas.base import (
    Answer,
    AskedInstant,
    Column,
    Instant,
    Request,
    Table,
    attribute,
    digits,
    plural,
)
from scheduler.domain import instant_key

PASSES_MAX = 100
DAYS_MIN = 0.01
DAYS_MAX = 60.0


class RunwayRequest(Request):
    """From when, how far, and without which sessions."""

    days: Annotated[float, Field(ge=DAYS_MIN, le=DAYS_MAX)] = 7.0
    at: AskedInstant | None = None
    """The present; the clock's, if not given."""
    without: Annotated[
        list[Annotated[str, Field(max_length=200)]], Field(max_length=PASSES_MAX)
    ] = []  # noqa: RUF012 - pydantic copies it
    """Sessions taken away: SATELLITE/STATION/INSTANT, or a station's name for all of its own."""


class RunwayRow(Answer):
    """One pair's or link's stock into the future; quantiles are 10, 50 and 90 %."""

    pool: str = attribute("pool_id")
    demands: list[str]
    stock_bits: int
    draw_bps: Annotated[float, digits(6)]
    """Bits a second that its demands draw, or that merges take of a link."""
    dry_at: list[Instant | None]
    """When it runs dry, the bad case first; null beyond the horizon."""
    short_bits: list[Annotated[float, digits(1)]]
    """Asked for within the horizon and not there."""
    times: list[Instant]
    bits: list[list[Annotated[float, digits(1)]]]
    """Stock at each of `times`, a row for each quantile."""
    next_pass: str | None
    """The next booked session that helps it."""
    next_deposit_at: Instant | None
    """When the next key for it can be used."""

    columns: ClassVar = (
        Column("pool", "pool"),
        Column("stock bits", "stock_bits", ","),
        Column("draws bits/day", lambda row: row.draw_bps * 86_400.0, ",.0f", rank=3),
        Column("dry 10 %", lambda row: row.shown(0)),
        Column("dry 50 %", lambda row: row.shown(1)),
        Column("dry 90 %", lambda row: row.shown(2), rank=1),
        Column("short bits 50 %", lambda row: row.short_bits[1], ",.0f", rank=2),
        Column("next pass", lambda row: row.next_pass, rank=4),
    )

    def shown(self, quantile: int) -> str:
        """Return when it runs dry in one quantile, in words."""
        when = self.dry_at[quantile]
        return "lasts" if when is None else f"{when:%m-%d %H:%M}"


class RunwayPassRow(Answer):
    """A booked session that the runway counts on, or that was taken away."""

    pass_id: str = attribute("pass_id", "pass")
    satellite: str
    station: str
    acquires_at: Instant
    usable_at: Instant
    pool: str = attribute("pool_id")
    bits: list[Annotated[float, digits(1)]]
    """Quantiles of its key, weather included."""
    counted: bool
    """False if the question takes it away."""


class RunwayChange(Answer):
    """What a pair loses without the sessions taken away."""

    pool: str = attribute("pool_id")
    earlier_s: Annotated[float, digits(1)]
    """Mean over the draws; one that is never dry counts as dry at the horizon."""
    short_bits: Annotated[float, digits(1)]
    why: str


class KeyRunway(Answer):
    """The key runway of every pair and link, flows held at the shares of the plan."""

    at: Instant
    end: Instant
    draws: int
    pairs: list[RunwayRow]
    links: list[RunwayRow]
    passes: list[RunwayPassRow]
    changes: list[RunwayChange]
    notes: list[str]

    def tables(self) -> list[Table | str]:
        """Return pairs and links as tables, and what is lost in words."""
        until = instant_key(self.end)
        title = f"Key runway of {plural(len(self.pairs), 'pair')} to {until}, {self.draws} draws"
        found: list[Table | str] = [Table(title, RunwayRow.columns, self.pairs)]
        used = [row for row in self.links if row.draw_bps > 0.0]
        found.append(Table(f"{plural(len(used), 'link')} in use", RunwayRow.columns, used))
        found += [change.why for change in self.changes]
        found += self.notes
        return found
