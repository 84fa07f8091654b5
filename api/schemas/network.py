"""Who takes part in the scenario."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Self

from pydantic import BeforeValidator

from api.schemas.base import Answer, Column, Instant, Listing, attribute, digits
from api.schemas.outages import Outage
from orbits import HorizonMask


def _corners(horizon: HorizonMask | None) -> list[tuple[float, float]] | None:
    if not isinstance(horizon, HorizonMask):
        return horizon
    return list(zip(horizon.azimuth_deg, horizon.elevation_deg, strict=True))


class Satellite(Answer):
    """A satellite that downlinks key."""

    satellite: str = attribute("satellite_id")
    name: str
    norad_id: int

    columns: ClassVar = (
        Column("satellite", "satellite"),
        Column("name", "name", rank=1),
        Column("NORAD id", "norad_id", "d"),
    )


class Satellites(Listing):
    """The satellites of a scenario."""

    satellites: list[Satellite]

    noun: ClassVar = "satellite"


class Station(Answer):
    """A ground station."""

    station: str = attribute("station_id")
    name: str
    lat_deg: float
    lon_deg: float
    height_m: float
    mask_deg: float
    horizon: Annotated[list[tuple[float, float]] | None, BeforeValidator(_corners)]
    """Corners of what stands around it, azimuth and true elevation in degrees, if known."""
    telescope_m: float | None
    """Diameter of its telescope; null where its receiver says."""
    clear_probability: Annotated[float | None, digits(4)] = None
    """Of a clear sky by the climatology of this month; null where no weather is used."""
    outages: list[Outage] = []  # noqa: RUF012 - pydantic copies it
    """When it is out of service, those that are not over or lifted."""

    @classmethod
    def of(
        cls, place: object, *, clear_probability: float | None, outages: Sequence[object]
    ) -> Self:
        """Return a station with its sky and its outages."""
        found = cls.model_validate(place)
        found.clear_probability = None if clear_probability is None else round(clear_probability, 4)
        found.outages = [Outage.model_validate(one) for one in outages]
        return found

    columns: ClassVar = (
        Column("station", "station"),
        Column("name", "name", rank=1),
        Column("latitude°", "lat_deg", ".7f"),
        Column("longitude°", "lon_deg", ".7f"),
        Column("height m", "height_m", "g", rank=2),
        Column("mask°", "mask_deg", "g", rank=3),
        Column("telescope m", "telescope_m", "g", rank=4),
    )


class Stations(Listing):
    """The ground stations of a scenario."""

    stations: list[Station]

    noun: ClassVar = "ground station"


class Node(Answer):
    """A place that holds key."""

    node: str = attribute("node_id")
    name: str
    kind: str
    lat_deg: float | None
    lon_deg: float | None
    domain: str
    """Whose it is; empty: nobody's."""


class Link(Answer):
    """A quantum link, and the key at its two ends."""

    pool: str
    node_a: str
    node_b: str
    kind: str
    length_km: float | None
    """Of fibre."""
    stock_bits: int
    buffer_bits: int | None
    """Beyond it no key is made; null without limit."""

    columns: ClassVar = (
        Column("from", "node_a"),
        Column("to", "node_b"),
        Column("kind", "kind"),
        Column("km", "length_km", ",.0f"),
        Column("in stock, bits", "stock_bits", ","),
    )


class DemandRow(Answer):
    """End-to-end key that two nodes want, and what they have."""

    demand: str = attribute("demand_id")
    node_a: str
    node_b: str
    bits_per_day: int
    min_disjoint_paths: int
    max_age_s: float | None
    stock_bits: int
    paths: list[list[str]]
    """Over which its key may come."""
    refusal: str
    """Why no path will do; empty if one does."""


class Network(Answer):
    """Nodes, links with their stock, demands with their paths."""

    at: Instant
    nodes: list[Node]
    links: list[Link]
    demands: list[DemandRow]


class Flow(Answer):
    """Key that merges moved in a span, bits by `from--to`."""

    from_: Instant = attribute("start", "from")
    to: Instant = attribute("end")
    links: dict[str, int]
    """Spent on each link."""
    pairs: dict[str, int]
    """Gained end to end over single paths."""
    combined: dict[str, int]
    """Gained end to end over several disjoint paths."""
