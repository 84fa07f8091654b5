"""A scenario that was read, and every number of its downlinks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import BeforeValidator

from api.schemas.base import Answer, Column, Listing, Table, attribute, digits, plural
from api.schemas.network import Satellite, Station

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.network import Scenario
    from scheduler.services.scenarios import LinkNumbers


def _size(given: object) -> object:
    return len(given) if isinstance(given, tuple) else given


Count = Annotated[int, BeforeValidator(_size)]
"""How many parts a scenario has of a kind."""


class ShippedScenario(Answer):
    """What there is in one scenario, in numbers."""

    scenario: str = attribute("name")
    title: str
    satellites: Count
    stations: Count
    nodes: Count
    links: Count
    """Of satellites and of fibre, parallel ones each."""
    fibre_km: Annotated[float, digits(3)]
    """Of long-distance fibre, parallel links once."""
    users: int = attribute("user_count")
    demands: Count

    columns: ClassVar = (
        Column("scenario", "scenario"),
        Column("title", "title", rank=2, text=True),
        Column("satellites", "satellites", "d", rank=1),
        Column("stations", "stations", "d", rank=1),
        Column("nodes", "nodes", "d"),
        Column("links", "links", "d"),
        Column("km", "fibre_km", ",.0f"),
        Column("users", "users", "d", rank=1),
    )


class ShippedScenarios(Listing):
    """The scenarios that ship with Skytrunk."""

    scenarios: list[ShippedScenario]

    noun: ClassVar = "scenario"


class TrustDomain(Answer):
    """The relays of one owner."""

    domain: str
    nodes: int
    users: int

    columns: ClassVar = (
        Column("domain", "domain"),
        Column("nodes", "nodes", "d"),
        Column("of them users", "users", "d"),
    )


class OpticalSwitch(Answer):
    """An optical switch, and how many links it turns to."""

    switch: str
    links: int
    at_once: int
    behind: str

    columns: ClassVar = (
        Column("switch", "switch"),
        Column("links", "links", "d"),
        Column("at once", "at_once", "d"),
        Column("behind", "behind", rank=1),
    )


class ShownScenario(ShippedScenario):
    """A scenario with its notes and what takes part in it."""

    notes: list[str]
    space: list[Satellite]
    ground: list[Station]
    domains: list[TrustDomain]
    switches: list[OpticalSwitch]

    @classmethod
    def of(cls, scenario: Scenario) -> ShownScenario:
        """Return what there is in a scenario."""
        counted = ShippedScenario.model_validate(scenario)
        return cls.model_validate(
            {
                **{name: getattr(counted, name) for name in ShippedScenario.model_fields},
                "notes": list(scenario.notes),
                "space": list(scenario.satellites),
                "ground": list(scenario.stations),
                "domains": _domains(scenario),
                "switches": _switches(scenario),
            }
        )

    def tables(self) -> list[Table | str]:
        """Return what people read."""
        shown: list[Table | str] = [
            f"{self.scenario}: {self.title}",
            f"{counts_of(self)}; {self.fibre_km:,.0f} km of fibre, {plural(self.users, 'user')}",
            *self.notes,
        ]
        for rows, noun, columns in (
            (self.space, "satellite", Satellite.columns),
            (self.ground, "ground station", Station.columns),
            (self.domains, "trust domain", TrustDomain.columns),
            (self.switches, "optical switch", OpticalSwitch.columns),
        ):
            if rows:
                shown.append(Table(plural(len(rows), noun), columns, rows))
        return shown


def _domains(scenario: Scenario) -> list[TrustDomain]:
    every, users = Counter[str](), Counter[str]()
    for node in scenario.nodes:
        every[node.domain] += 1
        users[node.domain] += not node.relays
    return [
        TrustDomain(domain=name, nodes=every[name], users=users[name])
        for name in sorted(every)
        if name
    ]


def _switches(scenario: Scenario) -> list[OpticalSwitch]:
    links = Counter(link.switch for link in scenario.links)
    return [
        OpticalSwitch(
            switch=one.switch_id,
            links=links[one.switch_id],
            at_once=one.at_once,
            behind=one.behind,
        )
        for one in scenario.switches
    ]


def counts_of(answer: object) -> str:
    """Return in words how many of each noun a scenario has."""
    nouns = ("satellite", "station", "node", "link", "demand")
    return ", ".join(plural(getattr(answer, f"{noun}s"), noun) for noun in nouns)


class LinkNumber(Answer):
    """One number of a downlink, and where it is from."""

    name: str
    value: float
    unit: str
    standing: str
    """published, derived, fitted, stated by the scenario, or assumed."""
    source: str

    columns: ClassVar = (
        Column("number", "name"),
        Column("value", "value", ".6g"),
        Column("unit", "unit", rank=1),
        Column("standing", "standing"),
        Column("source", "source", rank=2, text=True),
    )


class Downlink(Answer):
    """One satellite over one station."""

    satellite: str
    station: str
    numbers: list[LinkNumber]


class CheckedScenario(Answer):
    """A scenario without a mistake."""

    name: str
    title: str
    notes: list[str]
    satellites: int
    stations: int
    nodes: int
    links: int
    demands: int
    downlinks: list[Downlink]

    @classmethod
    def of(cls, scenario: Scenario, numbers: Sequence[LinkNumbers]) -> CheckedScenario:
        """Return what there is in a scenario."""
        downlinks = [
            Downlink(
                satellite=one.satellite,
                station=one.station,
                numbers=[
                    LinkNumber(
                        name=number.name,
                        value=number.value,
                        unit=number.unit,
                        standing=number.standing.value,
                        source=number.source,
                    )
                    for number in one.numbers
                ],
            )
            for one in numbers
        ]
        return cls(
            name=scenario.name,
            title=scenario.title,
            notes=list(scenario.notes),
            satellites=len(scenario.satellites),
            stations=len(scenario.stations),
            nodes=len(scenario.nodes),
            links=len(scenario.links),
            demands=len(scenario.demands),
            downlinks=downlinks,
        )

    def tables(self) -> list[Table | str]:
        """Return what people read: what there is, and what of it is not published."""
        shown: list[Table | str] = [f"{self.name}: {self.title}", counts_of(self), *self.notes]
        for one in self.downlinks:
            rows = [number for number in one.numbers if number.standing in ("stated", "assumed")]
            title = (
                f"{one.satellite} over {one.station}: {plural(len(rows), 'number')} stated or"
                f" assumed, of {len(one.numbers)}"
            )
            shown.append(Table(title, LinkNumber.columns, rows))
        return shown
