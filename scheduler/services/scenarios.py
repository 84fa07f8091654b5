"""Use cases: a scenario to start from, and what one is made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scheduler.errors import InputError, LedgerMissing
from scheduler.hardware import link_preset
from scheduler.ledger.books.element_reads import is_missing
from scheduler.network import Scenario, parse_scenario
from scheduler.services.places import ASSUMED_PRESET, any_satellite
from scheduler.sources.scenarios import scenario_names

if TYPE_CHECKING:
    from qkd import PresetNumber
    from scheduler.network import Satellite
    from scheduler.services.context import Context
    from scheduler.settings import Settings

DEMAND_BITS_PER_DAY = 100_000
"""What each further station asks for with the first: an assumption to start from."""
MASK_DEG = 10.0
NOTE = "Transmitters, telescopes, masks and demands are assumed until they are stated."
_NO_WORD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStation:
    """A station to be written into a new scenario."""

    name: str
    lat_deg: float
    lon_deg: float
    height_m: float = 0.0
    telescope_m: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkNumbers:
    """Every number of one downlink, each with its source."""

    satellite: str
    station: str
    numbers: tuple[PresetNumber, ...]


def new_scenario(
    context: Context,
    name: str,
    *,
    satellites: Sequence[str],
    stations: Sequence[NewStation],
    preset: str = ASSUMED_PRESET,
) -> str:
    """Return the text of a scenario of satellites that have element sets, and some stations.

    Every figure that nobody gave is written as assumed. Raises UnknownName for a satellite,
    InputError without a satellite or a station, ScenarioError for what is no scenario.
    """
    if not satellites or not stations:
        raise InputError(
            f"{len(satellites)} satellites, {len(stations)} stations; allowed: one and more of each"
        )
    chosen = [any_satellite(context, one) for one in satellites]
    text = _written(name, chosen, stations, preset)
    parse_scenario(text)
    return text


LIVE_SCENARIO = "spoqc-2026"
"""What `run` and `serve` take by the present clock where nothing names a scenario."""


def live_settings(settings: Settings) -> Settings:
    """The settings of a live run: of no scenario named, with the ledger's own, else LIVE_SCENARIO.

    The ledger's own is that of the replay that made it, if that scenario ships with Skytrunk.
    """
    if "scenario" in settings.model_fields_set:
        return settings
    bound = LIVE_SCENARIO
    if not is_missing(settings.database_url):
        # SQLAlchemy takes a third of a second to import; a first start needs none.
        from scheduler.ledger.books.runs import get_run_facts
        from scheduler.services.context import Context

        with suppress(LedgerMissing), Context(settings) as context, context.view.read() as reader:
            bound = get_run_facts(reader).get("scenario", LIVE_SCENARIO)
    name = bound if bound in scenario_names() else LIVE_SCENARIO
    return settings.model_copy(update={"scenario": name})


def link_numbers(context: Context) -> list[LinkNumbers]:
    """Return the numbers of every downlink of the scenario: its physics is tried as well.

    Raises qkd.QkdInputError for numbers that make no hardware.
    """
    scenario: Scenario = context.scenario
    return [
        LinkNumbers(
            satellite=satellite.satellite_id,
            station=station.station_id,
            numbers=link_preset(satellite, station, context.settings.bound).numbers,
        )
        for satellite in scenario.satellites
        for station in scenario.stations
    ]


def _slug(name: str) -> str:
    return _NO_WORD.sub("-", name.casefold()).strip("-") or "x"


def _written(
    name: str, satellites: Sequence[Satellite], stations: Sequence[NewStation], preset: str
) -> str:
    """Return the scenario as TOML with comments."""
    import tomlkit  # of new scenarios alone

    above, below = (", ".join(one.name for one in some) for some in (satellites, stations))
    file = tomlkit.document()
    file.add(tomlkit.comment("Made by `skytrunk scenario new`; docs/scenario.md has every key."))
    file.update({"name": _slug(name), "title": f"{above} over {below}", "notes": [NOTE]})
    file["planning"] = {
        "sun_elevation_deg_max": -6.0,
        "min_elevation_deg": MASK_DEG,
        "weather": "climatology",
    }
    ids = [_slug(one.name) for one in stations]
    for key, rows in (
        ("satellites", [_satellite(one, preset) for one in satellites]),
        ("stations", list(map(_station, ids, stations))),
        ("demands", [_demand(ids[0], other) for other in ids[1:]]),
    ):
        tables = tomlkit.aot()
        for row in rows:
            tables.append(tomlkit.item(row))
        if rows:
            file[key] = tables
    for table in file["satellites"]:
        table["preset"].comment("assumed: see [[transmitters]]")
    return tomlkit.dumps(file)


def _satellite(satellite: Satellite, preset: str) -> dict[str, Any]:
    named, number = _slug(satellite.name), satellite.norad_id
    return {
        "id": named if named != "x" else str(number),
        "name": satellite.name,
        "norad_id": number,
        "preset": preset,
        "source": "assumed",
    }


def _station(station_id: str, station: NewStation) -> dict[str, Any]:
    return {
        "id": station_id,
        "name": station.name,
        "lat_deg": station.lat_deg,
        "lon_deg": station.lon_deg,
        "height_m": station.height_m,
        "mask_deg": MASK_DEG,
        "telescope_m": station.telescope_m,
        "source": "assumed",
    }


def _demand(first: str, other: str) -> dict[str, Any]:
    return {"from": first, "to": other, "bits_per_day": DEMAND_BITS_PER_DAY}
