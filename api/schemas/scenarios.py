"""A scenario that was read, and every number of its downlinks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from api.schemas.base import Answer, Column, Table, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.network import Scenario
    from scheduler.services.scenarios import LinkNumbers


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
        counts = ", ".join(
            plural(getattr(self, f"{noun}s"), noun)
            for noun in ("satellite", "station", "node", "link", "demand")
        )
        shown: list[Table | str] = [f"{self.name}: {self.title}", counts, *self.notes]
        for one in self.downlinks:
            rows = [number for number in one.numbers if number.standing in ("stated", "assumed")]
            title = (
                f"{one.satellite} over {one.station}: {plural(len(rows), 'number')} stated or"
                f" assumed, of {len(one.numbers)}"
            )
            shown.append(Table(title, LinkNumber.columns, rows))
        return shown
