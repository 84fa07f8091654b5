"""Element sets and places that many tests of `orbits` share."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import sgp4

from orbits import Elements, GroundStation, read_elements

# The 33 sets of the official SGP4 verification, every orbit class and error case.
# Source: Vallado et al., AIAA 2006-6753, as shipped with the sgp4 package. The last three
# real ones (33333 to 33335) were edited to provoke errors and have wrong checksums.
OFFICIAL_TEXT = (Path(sgp4.__file__).parent / "SGP4-VER.TLE").read_text()
OFFICIAL = read_elements(OFFICIAL_TEXT, checksums=False)
OFFICIAL_VECTORS = (Path(sgp4.__file__).parent / "tcppver.out").read_text()

MICIUS_TEXT = (files("tle") / "micius-2016-2025.tle").read_text()
MICIUS = read_elements(MICIUS_TEXT)
# The set from which the pass of 2016-12-19 over Xinglong is computed.
MICIUS_2016_12_18 = next(e for e in MICIUS if f"{e.epoch:%Y-%m-%d}" == "2016-12-18")

XINGLONG = GroundStation(
    station_id="xinglong", name="Xinglong", lat_deg=40.3958667, lon_deg=117.5774583, height_m=890
)
NANSHAN = GroundStation(
    station_id="nanshan", name="Nanshan", lat_deg=43.4754611, lon_deg=87.1766861, height_m=2028
)


def _place(station_id: str, lat_deg: float, lon_deg: float, height_m: float) -> GroundStation:
    return GroundStation(station_id=station_id, lat_deg=lat_deg, lon_deg=lon_deg, height_m=height_m)


# Poles, equator, date line, and some in between.
TEN_PLACES = (
    _place("north-pole", 90.0, 0.0, 0.0),
    _place("south-pole", -90.0, 0.0, 2800.0),
    _place("equator", 0.0, 0.0, 0.0),
    _place("equator-high", 0.01, 75.0, 2500.0),
    _place("date-line", 10.0, 180.0, 0.0),
    _place("date-line-west", -35.0, -179.99, 300.0),
    XINGLONG,
    _place("graz", 47.0671, 15.4933, 539.0),
    _place("svalbard", 78.2, 15.4, 400.0),
    _place("hawaii", 19.8, -155.5, 4200.0),
)

EPOCH = datetime(2024, 3, 1, tzinfo=UTC)


def orbit(
    norad_id: int,
    name: str,
    *,
    rev_per_day: float,
    eccentricity: float = 0.001,
    inclination_deg: float = 0.05,
    raan_deg: float = 10.0,
    perigee_deg: float = 270.0,
    anomaly_deg: float = 0.0,
    epoch: datetime = EPOCH,
) -> Elements:
    """Return a synthetic set."""
    return Elements(
        norad_id=norad_id,
        name=name,
        epoch=epoch,
        mean_motion_rev_per_day=rev_per_day,
        eccentricity=eccentricity,
        inclination_deg=inclination_deg,
        raan_deg=raan_deg,
        argument_of_perigee_deg=perigee_deg,
        mean_anomaly_deg=anomaly_deg,
        bstar=1e-5,
    )


SYNTHETIC = (
    orbit(90001, "GEO", rev_per_day=1.0027379, eccentricity=0.0002),
    orbit(90002, "GEO, 6 deg", rev_per_day=1.0027379, inclination_deg=6.0),
    orbit(90003, "geosynchronous, 30 deg", rev_per_day=1.00273, inclination_deg=30.0),
    orbit(90004, "Molniya", rev_per_day=2.0057, eccentricity=0.72, inclination_deg=63.4),
    orbit(90005, "Tundra", rev_per_day=1.0027, eccentricity=0.27, inclination_deg=63.4),
    orbit(
        90006,
        "e 0.8",
        rev_per_day=1.0,
        eccentricity=0.8,
        inclination_deg=70.0,
        perigee_deg=200.0,
    ),
    orbit(
        90007,
        "transfer orbit",
        rev_per_day=2.26,
        eccentricity=0.73,
        inclination_deg=7.0,
        perigee_deg=178.0,
    ),
    orbit(90008, "MEO", rev_per_day=2.0057, eccentricity=0.005, inclination_deg=55.0),
    orbit(90009, "LEO, equatorial", rev_per_day=15.0),
    orbit(90010, "LEO, polar", rev_per_day=14.5, inclination_deg=90.0),
    orbit(90011, "LEO, retrograde", rev_per_day=15.2, inclination_deg=140.0),
)
