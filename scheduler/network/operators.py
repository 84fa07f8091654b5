"""Several operators on one network: whose stations and satellites are, quiet hours, shares."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler.errors import ScenarioError
from scheduler.network.ends import Satellite, Station, check_name
from scheduler.network.keys import check_limits
from scheduler.network.schema_sharing import OPERATORS, SHARES
from scheduler.network.table import Table

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Who flies satellites and owns stations, and the API tokens that are theirs, by name."""

    operator_id: str
    name: str
    satellites: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name("operator", self.operator_id)
        check_limits(OPERATORS, f"operator {self.operator_id}: ", self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How much of somebody else's station an operator may book."""

    station: str
    operator: str
    sessions_per_day: int

    def __post_init__(self) -> None:
        check_limits(SHARES, f"share of {self.operator} in {self.station}: ", self)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours of every UTC day in which a station has no session; they may go over midnight."""

    begins: timedelta  #: after midnight
    ends: timedelta

    @classmethod
    def parse(cls, text: str) -> QuietHours:
        """Read `22:00-05:30`, UTC. Raises ScenarioError for anything else."""
        found = _HOURS.fullmatch(text)
        if found is None or text[:5] == text[6:]:
            raise ScenarioError(f"quiet_hours {text!r}; allowed: HH:MM-HH:MM, UTC, two instants")
        one, two, three, four = map(int, found.groups())
        return cls(timedelta(hours=one, minutes=two), timedelta(hours=three, minutes=four))

    def meets(self, start: datetime, end: datetime) -> bool:
        """Whether any of [start, end) lies in them."""
        return self.outside(start, end) != [(start, end)]

    def outside(self, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """Return the parts of [start, end) that lie outside of them, in their order."""
        length = (self.ends - self.begins) % _DAY
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        found, since = [], start
        for days in range(-1, (end - midnight).days + 1):
            begins = midnight + days * _DAY + self.begins
            if start < begins + length and begins < end:
                found.append((since, begins))
                since = begins + length
        return [(one, other) for one, other in (*found, (since, end)) if one < other]

    def __str__(self) -> str:
        """As it is written."""
        return "-".join(
            f"{at // timedelta(hours=1):02}:{at // timedelta(minutes=1) % 60:02}"
            for at in (self.begins, self.ends)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """Who may book what, of a whole network. Without operators everybody may book everything."""

    operators: tuple[Operator, ...] = ()
    shares: tuple[Share, ...] = ()
    owners: tuple[tuple[str, str], ...] = ()  #: station, its owner

    def operator_of(self, satellite_id: str) -> str:
        """Whose satellite it is; "" if nobody said."""
        for one in self.operators:
            if satellite_id in one.satellites:
                return one.operator_id
        return ""

    def sessions_per_day(self, satellite_id: str, station_id: str) -> int | None:
        """How many sessions a day a satellite's operator may have over a station; None: any.

        A station without an owner is everybody's, as every station is the owner's own.
        """
        owner, operator = dict(self.owners).get(station_id, ""), self.operator_of(satellite_id)
        if owner in ("", operator):
            return None
        for one in self.shares:
            if (one.station, one.operator) == (station_id, operator):
                return one.sessions_per_day
        return 0

    def of_token(self, name: str) -> Operator | None:
        """The operator whose API token has that name; None where it is nobody's."""
        return next((one for one in self.operators if name in one.tokens), None)

    def may_book(self, operator: Operator, satellite_id: str) -> bool:
        """Whether an operator decides on a satellite's sessions: on its own, and on nobody's."""
        return self.operator_of(satellite_id) in ("", operator.operator_id)

    def may_see(self, operator: Operator, satellite_id: str, stations: Sequence[str]) -> bool:
        """Whether an operator sees a session: of its satellites, and over its stations."""
        mine = {station for station, owner in self.owners if owner == operator.operator_id}
        return self.may_book(operator, satellite_id) or not mine.isdisjoint(stations)

    def strange(
        self, satellites: Sequence[Satellite], stations: Sequence[Station]
    ) -> Iterator[str]:
        """What names somebody or something that is not there, or the same twice, in words."""
        known = [one.operator_id for one in self.operators]
        flying = [name for one in self.operators for name in one.satellites]
        tokens = [name for one in self.operators for name in one.tokens]
        pairs = [f"{one.operator} in {one.station}" for one in self.shares]
        for what, names in (
            ("operator", known), ("satellite of operators", flying), ("token", tokens),
            ("share of", pairs),
        ):  # fmt: skip
            twice = sorted({name for name in names if names.count(name) > 1})
            yield from (f"{what} {name!r} is there twice" for name in twice)
        wanted = {
            "operator": {*(o for _, o in self.owners), *(one.operator for one in self.shares)},
            "satellite": {*flying},
            "station": {one.station for one in self.shares},
        }
        there = {
            "operator": {*known},
            "satellite": {one.satellite_id for one in satellites},
            "station": {one.station_id for one in stations},
        }
        for what, names_wanted in wanted.items():
            for name in sorted(names_wanted - there[what] - {""}):
                allowed = ", ".join(sorted(there[what])) or "none"
                yield f"operators name {what} {name!r}; known: {allowed}"


def read_sharing(
    operators: Sequence[Table], shares: Sequence[Table], stations: Sequence[Station]
) -> Sharing:
    """Read who shares what; a table's mistake is told with its place."""
    made: list[Operator] = []
    parts: list[Share] = []
    for table in operators:
        with table.checked():
            made.append(
                Operator(
                    operator_id=table["id"],
                    name=table["name"],
                    satellites=tuple(table["satellites"]),
                    tokens=tuple(table["tokens"]),
                )
            )
    for table in shares:
        with table.checked():
            parts.append(Share(**table.values))
    owners = tuple((one.station_id, one.owner) for one in stations if one.owner)
    return Sharing(operators=tuple(made), shares=tuple(parts), owners=owners)
