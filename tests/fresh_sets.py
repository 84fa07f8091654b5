"""Synthetic element sets of one orbit, as fresh as one likes: its mean elements carried on."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from importlib.resources import files

from sgp4.api import Satrec

from orbits import Elements, format_tle, read_elements

_RECORDED = read_elements(
    files("tle").joinpath("micius-2016-2025.tle").read_text("utf-8"), source="recorded"
)
BASE = next(one for one in _RECORDED if f"{one.epoch:%Y-%m-%d}" == "2016-12-18")


def fresh_set(epoch: datetime, base: Elements = BASE) -> Elements:
    """The orbit of a set at another epoch, without drag, by the secular rates that SGP4 has."""
    satrec = Satrec.twoline2rv(*format_tle(base))
    minutes = (epoch - base.epoch) / timedelta(minutes=1)

    def carried(angle_deg: float, rate_rad_min: float) -> float:
        return (angle_deg + math.degrees(rate_rad_min) * minutes) % 360.0

    return Elements(
        norad_id=base.norad_id,
        name=base.name,
        epoch=epoch,
        mean_motion_rev_per_day=base.mean_motion_rev_per_day,
        eccentricity=base.eccentricity,
        inclination_deg=base.inclination_deg,
        raan_deg=carried(base.raan_deg, satrec.nodedot),
        argument_of_perigee_deg=carried(base.argument_of_perigee_deg, satrec.argpdot),
        mean_anomaly_deg=carried(base.mean_anomaly_deg, satrec.mdot),
        bstar=0.0,
    )
