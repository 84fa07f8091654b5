"""A seeded synthetic constellation over seeded stations: candidates without any orbit library.

Circular orbits over a turning sphere, passes above 20 degrees, a smooth yield in range and
duration. Not physics to quote: a workload whose overlaps have the shape of the real thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from scheduler.domain import Candidate

START = datetime(2016, 12, 19, tzinfo=UTC)
EARTH_RADIUS_KM = 6371.0
MU_KM3_S2 = 398600.4418
SIDEREAL_DAY_S = 86164.1
STEP_S = 20.0
MASK_DEG = 20.0


@dataclass(frozen=True)
class Constellation:
    """What to make; the same numbers give the same candidates."""

    satellites: int = 100
    stations: int = 50
    nights: int = 7
    night_only: bool = True
    seed: int = 1
    clusters: int = 8


def candidates(of: Constellation) -> tuple[Candidate, ...]:
    rng = np.random.default_rng(of.seed)
    times_s = np.arange(0.0, of.nights * 86400.0, STEP_S)
    latitudes, longitudes = _places(of, rng)
    ground = np.stack(
        [
            np.cos(latitudes) * np.cos(longitudes),
            np.cos(latitudes) * np.sin(longitudes),
            np.sin(latitudes),
        ]
    )
    dark = (
        _darkness(ground, times_s) if of.night_only else np.ones((times_s.size, of.stations), bool)
    )
    found: list[Candidate] = []
    for satellite in range(of.satellites):
        altitude_km = rng.uniform(480.0, 620.0)
        unit = _orbit(rng, altitude_km, times_s)
        cosine = unit @ ground
        radius_km = EARTH_RADIUS_KM + altitude_km
        slant_km = np.sqrt(
            EARTH_RADIUS_KM**2 + radius_km**2 - 2.0 * EARTH_RADIUS_KM * radius_km * cosine
        )
        sine = (radius_km * cosine - EARTH_RADIUS_KM) / slant_km
        up = (sine > np.sin(np.radians(MASK_DEG))) & dark
        clear = rng.uniform(0.3, 0.9, size=of.stations)
        for station in range(of.stations):
            found += _passes(
                satellite, station, up[:, station], sine[:, station], slant_km[:, station],
                times_s, float(clear[station]), rng,
            )  # fmt: skip
    return tuple(found)


def _places(of: Constellation, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Stations around a few centres between 20 and 55 degrees, north and south."""
    centres = np.stack(
        [
            rng.uniform(20.0, 55.0, of.clusters) * rng.choice([-1.0, 1.0, 1.0], of.clusters),
            rng.uniform(-180.0, 180.0, of.clusters),
        ]
    )
    home = rng.integers(0, of.clusters, of.stations)
    spread = rng.normal(0.0, 6.0, size=(2, of.stations))
    return np.radians(centres[0, home] + spread[0]), np.radians(centres[1, home] + spread[1])


def _orbit(rng: np.random.Generator, altitude_km: float, times_s: np.ndarray) -> np.ndarray:
    radius_km = EARTH_RADIUS_KM + altitude_km
    rate = np.sqrt(MU_KM3_S2 / radius_km**3)
    inclination = np.radians(rng.choice([97.5, 53.0, 97.4]))
    node = rng.uniform(0.0, 2 * np.pi) - 2 * np.pi * times_s / SIDEREAL_DAY_S
    along = rng.uniform(0.0, 2 * np.pi) + rate * times_s
    return np.stack(
        [
            np.cos(node) * np.cos(along) - np.sin(node) * np.sin(along) * np.cos(inclination),
            np.sin(node) * np.cos(along) + np.cos(node) * np.sin(along) * np.cos(inclination),
            np.sin(along) * np.sin(inclination),
        ],
        axis=1,
    )


def _darkness(ground: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Sun more than 6 degrees below the horizon, at the solstice."""
    declination = np.radians(-23.4)
    hour = np.pi - 2 * np.pi * times_s / 86400.0
    sun = np.stack(
        [
            np.cos(declination) * np.cos(hour),
            np.cos(declination) * np.sin(hour),
            np.full_like(hour, np.sin(declination)),
        ],
        axis=1,
    )
    return sun @ ground < np.sin(np.radians(-6.0))


def _passes(
    satellite: int, station: int, up: np.ndarray, sine: np.ndarray, slant_km: np.ndarray,
    times_s: np.ndarray, clear: float, rng: np.random.Generator,
) -> list[Candidate]:  # fmt: skip
    edges = np.flatnonzero(np.diff(up.astype(np.int8), prepend=0, append=0))
    found = []
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        jitter_s = rng.uniform(0.0, STEP_S, size=2)
        start = START + timedelta(seconds=round(times_s[first] - jitter_s[0], 3))
        length_s = (last - first) * STEP_S + jitter_s[1]
        if length_s < 60.0:
            continue
        least_km = float(slant_km[first:last].min())
        sifted = float((2.0e7 / slant_km[first:last] ** 2).sum() * STEP_S * 200.0)
        secret = max(0.0, 0.25 * sifted - 20_000.0)
        name = f"sat{satellite:03d}/gs{station:02d}/{start:%Y-%m-%dT%H:%M:%S.%f}Z"
        found.append(
            Candidate(
                candidate_id=name,
                pass_id=name,
                satellite_id=f"sat{satellite:03d}",
                station_id=f"gs{station:02d}",
                acquires_at=start,
                loses_at=start + timedelta(seconds=round(length_s, 3)),
                max_elevation_deg=float(np.degrees(np.arcsin(min(1.0, sine[first:last].max())))),
                range_km_min=least_km,
                elements_epoch=START,
                sifted_bits=sifted,
                secret_bits=secret,
                qber=0.012,
                secret_bits_spread=0.1 * secret,
                clear_probability=clear,
            )
        )
    return found
