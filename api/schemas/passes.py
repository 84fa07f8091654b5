"""A satellite above a station, and what key the pass would give."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from api.schemas.base import (
    PAGE_MAX,
    Answer,
    AskedInstant,
    Column,
    Instant,
    Paged,
    Request,
    Table,
    WholeSpan,
    attribute,
    digits,
    plural,
)
from scheduler.domain import BookingState

if TYPE_CHECKING:
    from scheduler.domain import NextPass, PassAnswer

STATIONS_MAX = 64
Name = Annotated[str, Field(max_length=64)]


class PassRequest(WholeSpan, Paged):
    """A question about passes, the same that `skytrunk passes` asks."""

    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = PAGE_MAX
    """Most passes of a page."""

    satellite: Name
    """Its id, name or catalogue number."""
    station: Annotated[list[Name] | None, Field(max_length=STATIONS_MAX)] = None
    """A station's id; may stand several times. All, if none is given."""
    from_: Annotated[AskedInstant, Field(alias="from")]
    """Passes that rise from here on, or are under way. ISO 8601 with a zone, or a date."""
    to: AskedInstant
    """End, not included; the setting `passes_days_max` says how many days there may be."""
    min_elevation_deg: Annotated[float | None, Field(ge=0.0, lt=90.0)] = None
    """Passes are cut where the satellite is lower. The scenario's, if not given."""
    as_known_at: AskedInstant | None = None
    """Use only sets known by then; else each instant is served by the set nearest to it."""
    forecast: bool = False
    """Give the key that each pass would give as well."""
    dark: bool = False
    """Only passes with a part that is dark enough for a link."""


class OnePassRequest(Request):
    """What to say of one pass."""

    forecast: bool = False
    """Give the key that it would give as well."""


class Pass(Answer):
    """One pass; its forecast and its booking are there only if a forecast was asked for."""

    satellite: str
    norad_id: int
    station: str
    rises_at: Instant
    culminates_at: Instant
    sets_at: Instant
    max_elevation_deg: Annotated[float, digits(3)]
    range_km_min: Annotated[float, digits(3)]
    sifted_bits: Annotated[float | None, digits(1)] = None
    """Expected, of the dark part."""
    secret_bits: int | None = None
    """Expected after error correction and privacy amplification, finite size included: the 50 %
    quantile of what is believed of the link."""
    secret_bits_10: int | None = None
    """The 10 % quantile: no more than this with a probability of 10 %."""
    secret_bits_90: int | None = None
    """The 90 % quantile."""
    qber: Annotated[float | None, digits(6)] = None
    """Expected fraction of errors in the sifted key, 0 to 1."""
    max_elevation_azimuth_deg: Annotated[float, digits(3)]
    nearest_at: Instant
    rise_azimuth_deg: Annotated[float, digits(3)]
    set_azimuth_deg: Annotated[float, digits(3)]
    cut_at_start: bool
    """It was up already at `from`."""
    cut_at_end: bool
    """It was still up at `to`."""
    dark: bool
    sun_elevation_deg: Annotated[float, digits(3)]
    """At the station, at culmination."""
    acquires_at: Instant | None
    """AOS: begin of the part that is dark and high enough for a link; null without one."""
    loses_at: Instant | None
    """LOS: its end."""
    elements_epoch: Instant
    """Epoch of the element set that the pass was computed from."""
    time_sigma_s: Annotated[float | None, digits(3)]
    """One sigma of the pass's time at the age of its set, from how well earlier sets foretold
    their successors; null where there is no history to tell."""
    why_not: str | None
    """Why it cannot be used, in a sentence; null if it can. Without `forecast` by mask and Sun
    alone; with it also by outages, other bookings, the sky and the key."""

    pass_: str = attribute("pass_id", "pass")
    """Its id: satellite/station/rise."""
    booking: UUID | None = attribute("booking_id", default=None)
    """Of the session that is booked in it."""
    booking_state: BookingState | None = None

    forecast_names: ClassVar = (
        "sifted_bits", "secret_bits", "secret_bits_10", "secret_bits_90", "qber", "booking",
        "booking_state",
    )  # fmt: skip
    columns: ClassVar = (
        Column("station", "station"),
        Column("date", "rises_at", "%Y-%m-%d"),
        Column("rises", lambda row: _clock(row.rises_at) + (" <" if row.cut_at_start else "")),
        Column("culminates", lambda row: _clock(row.culminates_at), rank=7),
        Column(
            "sets (UTC)", lambda row: _clock(row.sets_at) + (" >" if row.cut_at_end else ""), rank=2
        ),
        Column("± s", "time_sigma_s", ".3f", rank=8),
        Column("elevation°", "max_elevation_deg", ".3f", rank=1),
        Column("range km", "range_km_min", ".3f", rank=5),
        Column("sky", lambda row: "dark" if row.dark else "light", rank=3),
    )
    reason_column: ClassVar = Column(
        "cannot be used", lambda row: row.why_not or "", rank=11, text=True
    )
    forecast_columns: ClassVar = (
        Column("sifted bits", "sifted_bits", ",", rank=4),
        Column("secret bits", "secret_bits", ","),
        Column("10 %", "secret_bits_10", ",", rank=9),
        Column("90 %", "secret_bits_90", ",", rank=10),
        Column("QBER", "qber", ".6f", rank=6),
    )

    @classmethod
    def csv_names(cls, *, forecast: bool) -> tuple[str, ...]:
        """Return the fields that there are, with or without a forecast."""
        return tuple(n for n in cls.names() if forecast or n not in cls.forecast_names)


def _clock(when: Instant) -> str:
    return f"{when:%H:%M:%S}.{when.microsecond // 1000:03}"


def _local(when: datetime, zone: tzinfo | None) -> str:
    return f"{when.astimezone(zone):%Y-%m-%d %H:%M:%S %z}"


class Passes(Answer):
    """Passes in order of rise, by which rule the element sets were picked, what else to know."""

    rule: str
    """How the element set of each pass was chosen."""
    as_known_at: Instant | None
    elements_epochs: list[Instant]
    notes: list[str]
    """What else to know, such as that the satellite was coming down."""
    passes: list[Pass]

    @classmethod
    def of(cls, answer: PassAnswer, *, forecast: bool) -> Passes:
        """Return the answer to one question, the forecast's fields only if it was asked for."""
        wanted = set(Pass.csv_names(forecast=forecast))
        sources = {"pass": "pass_id", "booking": "booking_id"}
        names = [sources.get(name, name) for name in Pass.names() if name in wanted]
        return cls(
            rule=answer.rule,
            as_known_at=answer.as_known_at,
            elements_epochs=list(answer.epochs),
            notes=list(answer.notes),
            passes=[
                Pass.model_validate({name: getattr(row, name) for name in names})
                for row in answer.rows
            ],
        )

    def table(
        self, satellite: str, *, forecast: bool, zone: tzinfo | None = None, zone_name: str = ""
    ) -> Table:
        """Return the passes of that satellite as a table, with a zone the rise in its time too."""
        shown = self.document()
        known, epochs = shown["as_known_at"], shown["elements_epochs"]
        local = Column(
            f"rises ({zone_name})", lambda row: f"{row.rises_at.astimezone(zone):%m-%d %H:%M:%S}"
        )
        return Table(
            f"{plural(len(self.passes), 'pass')} of {satellite}",
            Pass.columns
            + ((local,) if zone is not None else ())
            + (Pass.forecast_columns if forecast else ())
            + (Pass.reason_column,),
            self.passes,
            f"element sets: {self.rule}"
            + (f" {known}" if known else "")
            + f"; epochs {', '.join(epochs) if epochs else 'none'}"
            + "".join(f"\n{text}" for text in self.notes),
        )


class Upcoming(Answer):
    """The next pass that would give key, and how long until its link could begin."""

    at: Instant
    """The present that the question was asked in."""
    starts_in_s: float | None
    """Until the link could begin; 0 if it could be under way, null without a pass."""
    days: float
    """How far ahead was looked."""
    notes: list[str]
    row: Pass | None = Field(serialization_alias="pass")

    @classmethod
    def of(cls, answer: NextPass) -> Upcoming:
        """Return the answer with its countdown."""
        row = answer.row
        begins = None if row is None else row.acquires_at or row.rises_at
        wait_s = None if begins is None else max(0.0, (begins - answer.at).total_seconds())
        return cls(
            at=answer.at,
            starts_in_s=None if wait_s is None else round(wait_s, 3),
            days=answer.days,
            notes=list(answer.notes),
            row=None if row is None else Pass.model_validate(row),
        )

    def text(self, zone: tzinfo | None = None) -> str:
        """Return what people read, with a zone in its time too."""
        lines = [*self.notes]
        if self.row is None or self.starts_in_s is None:
            return "\n".join([f"no pass within {self.days:g} days would give key", *lines])
        row = self.row
        begins, ends = row.acquires_at or row.rises_at, row.loses_at or row.sets_at
        when = f"in {_countdown(self.starts_in_s)}" if self.starts_in_s else "under way"
        local = f" ({_local(begins, zone)})" if zone is not None else ""
        window = f"{begins:%Y-%m-%dT%H:%M:%SZ}{local} to {ends:%H:%M:%SZ}"
        where = f"up to {row.max_elevation_deg:.1f} deg, nearest {row.range_km_min:,.0f} km"
        percent = 100.0 * (row.qber or 0.0)
        most = f"{row.secret_bits_10:,} to {row.secret_bits_90:,} in four of five such passes"
        lines = [
            f"{row.satellite} over {row.station} {when}",
            f"  {window}, {where}",
            f"  {row.secret_bits:,} secret bits expected, {most}, QBER {percent:.2f} %",
            *lines,
        ]
        return "\n".join(lines)


def _countdown(seconds: float) -> str:
    """Return a time in days, hours, minutes and seconds, from its largest part on."""
    minutes, left_s = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (left_s, "s")]
    first = next((index for index, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[first:])
