"""What replays came to: one by itself, and several side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from api.schemas.base import (
    Answer,
    Column,
    Instant,
    Listing,
    Table,
    WholeSpan,
    attribute,
    digits,
)
from api.schemas.ledger import Balances, Waiting, WaitingBlock
from scheduler.domain import ReplayState

if TYPE_CHECKING:
    from scheduler.domain import ReplaySummary


class StationTally(Answer):
    """What one station saw, booked and gained."""

    station: str
    passes: int
    dark: int
    booked: int
    settled: int
    sifted_bits: int
    secret_bits: int


class PairTally(Answer):
    """End-to-end key that merging gave one pair of nodes."""

    node_a: str
    node_b: str
    merges: int
    merged_bits: int


SATURATED = (
    "No pair gets more than it asks for a day: key booked beyond that is left on the links for"
    " worse nights. Where every pair comes near what it asked for, what is left tells the plans"
    " apart, and pairs differ by which night's key was announced in time."
)
STATION_SUMS = StationTally.names()[1:]
PAIR_SUMS = PairTally.names()[2:]


class Session(Answer):
    """One session of a replay."""

    satellite: str
    station: str
    acquires_at: Instant
    max_elevation_deg: Annotated[float, digits(3)]
    expected_secret_bits: Annotated[float, digits(1)]
    sifted_bits: int
    secret_bits: int
    qber: Annotated[float | None, digits(6)]
    below: Annotated[float | None, digits(6)]
    """How probable so few sifted bits were by the forecast before it; null without a bit."""


class Reliability(Answer):
    """How often sessions stayed below a quantile of their forecasts."""

    level: float
    """Of the quantile: an honest forecast gives it back as the frequency."""
    sessions: int
    frequency: Annotated[float, digits(6)]
    low: Annotated[float, digits(6)]
    """Low end of the exact binomial interval of 68 %."""
    high: Annotated[float, digits(6)]

    columns: ClassVar = (
        Column("forecast quantile", "level", ".1f"),
        Column("sessions below", "frequency", ".3f"),
        Column("68 % from", "low", ".3f"),
        Column("to", "high", ".3f"),
    )


class Unplanned(Answer):
    """A time for which nothing was planned."""

    from_: Instant = attribute("start", "from")
    to: Instant = attribute("end")
    newest_epoch: Instant | None
    reason: str


class Replay(Answer):
    """A replay's summary: totals, then the same by station and by pair."""

    scenario: str
    seed: int
    from_: Instant = attribute("start", "from")
    to: Instant = attribute("end")
    planner: str
    objective: str
    continued: bool
    passes: int
    dark: int
    booked: int
    settled: int
    sifted_bits: int
    secret_bits: int
    merges: int
    merged_bits: int
    stations: dict[str, StationTally]
    pairs: dict[str, PairTally]
    refusals: dict[str, str]
    sessions: list[Session]
    reliability: list[Reliability]
    unplanned: list[Unplanned]
    elements_used: list[Instant]
    balances: Balances
    waiting: list[WaitingBlock]
    waiting_bits: int
    ledger_problems: list[str]

    @classmethod
    def of(cls, summary: ReplaySummary) -> Self:
        """Return a summary with its sums."""
        same = ("scenario", "seed", "start", "end", "planner", "objective", "continued",
                "refusals", "unplanned", "elements_used", "ledger_problems")  # fmt: skip
        tallies = [(name, summary.stations) for name in STATION_SUMS]
        pair_tallies = [(name, summary.pairs) for name in PAIR_SUMS]
        return cls.model_validate(
            {name: getattr(summary, name) for name in same}
            | {name: sum(getattr(t, name) for t in those) for name, those in tallies}
            | {name: sum(getattr(t, name) for t in those) for name, those in pair_tallies}
            | {
                "stations": {tally.station: tally for tally in summary.stations},
                "pairs": {f"{tally.node_a}--{tally.node_b}": tally for tally in summary.pairs},
                "sessions": summary.settled,
                "reliability": summary.reliability,
                "balances": Balances.of(summary.balances),
                "waiting": summary.waiting,
                "waiting_bits": Waiting.of(summary.waiting).waiting_bits,
            },
            from_attributes=True,
        )

    def station_rows(self) -> list[tuple[str, Answer]]:
        """Return the tally of every station by its name, that of all last."""
        return [*self.stations.items(), ("all", self)]

    def pair_rows(self) -> list[tuple[str, Answer]]:
        """Return the tally of every pair by its name, that of all last."""
        return [*self.pairs.items(), ("all", self)]

    def tables(self) -> Iterator[Table | str]:
        """Yield what stations and pairs gained, what was refused, and the ledger's balances."""
        title = (
            f"Replay of {self.scenario}, {self.from_:%Y-%m-%d} to {self.to:%Y-%m-%d},"
            f" seed {self.seed}, planner {self.planner} ({self.objective})"
        )
        unplanned = f"nothing planned in {len(self.unplanned)} spans without a young element set"
        yield Table(
            title, tally_columns("station", STATION_SUMS), self.station_rows(),
            unplanned if self.unplanned else "",
        )  # fmt: skip
        yield Table("End-to-end key", tally_columns("pair", PAIR_SUMS), self.pair_rows())
        yield from (f"{demand} is refused: {why}\n" for demand, why in self.refusals.items())
        yield self.balances.table()
        state = "BROKEN" if self.ledger_problems else "sound"
        yield f"ledger {state}" + (", continued from an earlier run" if self.continued else "")


def tally_columns(title: str, sums: Sequence[str]) -> list[Column]:
    """Return the columns of rows of (name, tally); the last figure matters most."""
    return [
        Column(title, lambda row: row[0]),
        *(
            Column(name.replace("_", " "), partial(_figure, name), ",", rank=len(sums) - number)
            for number, name in enumerate(sums, start=1)
        ),
    ]


def _figure(name: str, row: tuple[str, Any]) -> int:
    figures = row[1]
    return int(figures[name] if isinstance(figures, dict) else getattr(figures, name))


class Comparison(Answer):
    """The figures of replays of the same time, by objective."""

    scenario: str
    seed: int
    planner: str
    from_: Instant = attribute("from_", "from")
    to: Instant
    objectives: list[str]
    pairs: dict[str, dict[str, int]]
    stations: dict[str, dict[str, int]]
    sessions: dict[str, dict[str, int]]
    asked: dict[str, int]
    """What each pair asked for in this time, in bits."""
    left: dict[str, dict[str, int]]
    """Key left at the end on each station's links to satellites, in bits."""

    sections: ClassVar = (
        ("pairs", "pair", "End-to-end key received, bits"),
        ("stations", "station", "Secret key settled, bits"),
        ("sessions", "station", "Sessions settled"),
        ("left", "station", "Key left on the links to satellites, bits"),
    )

    @classmethod
    def of(cls, found: Sequence[ReplaySummary]) -> Self:
        """Return the replays side by side."""
        return cls.beside({one.objective: one for one in found})

    @classmethod
    def beside(cls, found: Mapping[str, ReplaySummary]) -> Self:
        """Return replays side by side, each under a name: objectives, or ids."""
        done = {name: Replay.of(one) for name, one in found.items()}
        first = next(iter(done.values()))
        asked = next(iter(found.values())).asked_bits
        pairs = sorted({*asked, *(pair for one in done.values() for pair in one.pairs)})
        same = ("scenario", "seed", "planner", "from_", "to")
        return cls.model_validate(
            {name: getattr(first, name) for name in same}
            | {
                "objectives": list(done),
                "asked": asked,
                "left": {
                    station: {n: one.left_bits[station] for n, one in found.items()}
                    for station in first.stations
                },
                "pairs": {
                    pair: {
                        name: one.pairs[pair].merged_bits if pair in one.pairs else 0
                        for name, one in done.items()
                    }
                    for pair in pairs
                },
            }
            | {
                section: {
                    station: {n: getattr(one.stations[station], field) for n, one in done.items()}
                    for station in first.stations
                }
                for section, field in (("stations", "secret_bits"), ("sessions", "settled"))
            }
        )

    def rows(self, section: str) -> list[tuple[str, dict[str, int]]]:
        """Return the rows of one section, their sum last; pairs with what they asked for."""
        rows: dict[str, dict[str, int]] = getattr(self, section)
        if section == "pairs":
            rows = {pair: row | {"asked": self.asked.get(pair, 0)} for pair, row in rows.items()}
        sums = {n: sum(row[n] for row in rows.values()) for n in self._figures(section)}
        return [*rows.items(), ("all", sums)]

    def columns(self, section: str, title: str) -> list[Column]:
        """Return a column for the name of a row, one an objective, one for what pairs asked."""
        return [
            Column(title, lambda row: row[0]),
            *(Column(name, partial(_figure, name), ",") for name in self._figures(section)),
        ]

    def _figures(self, section: str) -> list[str]:
        return [*self.objectives, *(["asked"] if section == "pairs" else [])]

    def tables(self) -> Iterator[Table]:
        """Yield a table a section."""
        for section, first, title in self.sections:
            caption = SATURATED if section == "left" else ""
            yield Table(title, self.columns(section, first), self.rows(section), caption)


class ReplayRequest(WholeSpan):
    """A replay to start: the scenario's history through the services of every day."""

    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 1
    """Of every simulated count and key byte; the same seed gives the same ledger."""
    objective: Literal["demand", "max-min", "total"] | None = None
    """What its plans are best at. The setting's, if not given."""
    planner: Literal["auto", "lp", "milp", "greedy"] | None = None


class Run(Answer):
    """A replay that the server runs, or ran."""

    replay: str = attribute("replay_id")
    scenario: str
    objective: str
    planner: str
    seed: int
    from_: Instant = attribute("start", "from")
    to: Instant = attribute("end")
    asked_at: Instant
    state: ReplayState
    part_done: Annotated[float, digits(4)]
    """0 to 1."""
    reason: str
    """Why it failed."""

    columns: ClassVar = (
        Column("replay", "replay"),
        Column("from", "from_", "%Y-%m-%d"),
        Column("to", "to", "%Y-%m-%d"),
        Column("objective", "objective"),
        Column("seed", "seed", "d"),
        Column("state", "state"),
        Column("done %", lambda row: 100.0 * row.part_done, ".0f"),
        Column("reason", "reason", text=True),
    )


class Runs(Listing):
    """Replays in the order of their beginning."""

    replays: list[Run]

    noun: ClassVar = "replay"


class RunResult(Run):
    """A replay, and what it came to."""

    result: Replay | None
    """Null before it is done."""
