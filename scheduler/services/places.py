"""Satellites and stations that a question names, of the scenario or of the world."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.errors import UnknownName
from scheduler.network import Satellite, Station, published

if TYPE_CHECKING:
    from scheduler.services.context import Context

ASSUMED_PRESET = "micius-2016-fitted"
"""Whose transmitter a satellite without a scenario is taken to carry."""
HERE = "here"
NUMBER_DIGITS_MAX = 9


def any_satellite(context: Context, name: str) -> Satellite:
    """Return a satellite of the scenario, else one with element sets, by number or name.

    One that the scenario does not know is taken to carry the transmitter of ASSUMED_PRESET.
    Raises UnknownName.
    """
    try:
        return context.satellite(name)
    except UnknownName as unknown:
        wanted = name.strip().casefold()
        if wanted.isdecimal() and wanted.isascii() and len(wanted) <= NUMBER_DIGITS_MAX:
            sets = tuple(context.archive_of(int(wanted)))
        else:
            sets = tuple(one for one in context.archive if one.name.casefold() == wanted)
        if not sets:
            raise UnknownName(
                f"{unknown}, and no element set of that name or number was imported"
            ) from None
        return Satellite(
            satellite_id=str(sets[-1].norad_id),
            name=sets[-1].name or str(sets[-1].norad_id),
            norad_id=sets[-1].norad_id,
            transmitter=published(ASSUMED_PRESET),
        )


def is_assumed(context: Context, satellite: Satellite) -> bool:
    """Whether nobody said what this satellite carries."""
    return satellite not in context.scenario.satellites


def place_at(
    lat_deg: float, lon_deg: float, *, height_m: float = 0.0, telescope_m: float | None = None
) -> Station:
    """Return a station of no scenario. Raises ScenarioError for a place that is none."""
    return Station(
        station_id=HERE,
        name=f"{lat_deg:g}, {lon_deg:g}",
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        height_m=height_m,
        mask_deg=0.0,
        node=HERE,
        telescope_m=telescope_m,
    )
