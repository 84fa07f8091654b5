"""Positions: the official SGP4 vectors, and Skyfield's Earth-fixed frame."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from skyfield.api import EarthSatellite, load
from skyfield.framelib import itrs

from orbits import Elements
from orbits.earth import SHIPPED
from orbits.propagate import earth_fixed, earth_fixed_states, earth_turn, why_unusable
from orbits.times import julian_pairs
from tests.orbits.sets import MICIUS_2016_12_18, OFFICIAL, OFFICIAL_VECTORS, SYNTHETIC


def official_vectors() -> dict[int, np.ndarray]:
    """Rows of minutes after epoch, x, y, z in km and their rates in km/s, by satellite."""
    vectors: dict[int, list[list[float]]] = {}
    rows: list[list[float]] = []
    for line in OFFICIAL_VECTORS.splitlines():
        words = line.split()
        if len(words) == 2 and words[1] == "xx":
            rows = vectors.setdefault(int(words[0]), [])
        elif len(words) >= 7:
            rows.append([float(word) for word in words[:7]])
    return {number: np.array(rows) for number, rows in vectors.items() if rows}


VECTORS = official_vectors()


@pytest.mark.parametrize("elements", OFFICIAL[:-1], ids=lambda e: str(e.norad_id))
def test_official_vectors_come_out(elements: Elements) -> None:
    if elements.norad_id not in VECTORS:
        # 33333 and 33334 fail at once, as they should.
        code, _, _ = elements.satrec().sgp4_tsince(0.0)
        assert code != 0
        return
    satellite = elements.satrec()
    for minutes, *published in VECTORS[elements.norad_id]:
        code, position, velocity = satellite.sgp4_tsince(minutes)
        if code:
            # 33333, 33334: the published file ends where the error begins.
            assert minutes > 0.0 or elements.norad_id in (33333, 33334)
            continue
        # 2e-7 km and 1e-9 km/s: what the sgp4 package's own tests allow this file.
        np.testing.assert_allclose(position, published[:3], rtol=0, atol=2e-7)
        np.testing.assert_allclose(velocity, published[3:], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "elements", [MICIUS_2016_12_18, *SYNTHETIC], ids=lambda e: e.name or str(e.norad_id)
)
def test_earth_fixed_positions_agree_with_skyfield(elements: Elements) -> None:
    timescale = load.timescale(builtin=True)
    offset_s = np.linspace(0.0, 5 * 86400.0, 400)
    start = datetime(2016, 12, 19, 1, 2, 3, tzinfo=UTC)
    if elements is not MICIUS_2016_12_18:
        start = elements.epoch
    jd, fraction = julian_pairs(start, offset_s)
    t = timescale.utc(start.year, start.month, start.day, start.hour, start.minute,
                      start.second + offset_s)  # fmt: skip
    theirs, rates = (
        EarthSatellite.from_satrec(elements.satrec(), timescale).at(t).frame_xyz_and_velocity(itrs)
    )

    ours = earth_fixed_states(elements.satrec(), jd, fraction, SHIPPED)
    grid = earth_fixed([elements.satrec()], earth_turn(jd, fraction, SHIPPED))

    # 1 mm: Skyfield keeps positions in astronomical units, 0.03 mm each.
    np.testing.assert_allclose(ours.position_km, theirs.km, rtol=0, atol=1e-6)
    np.testing.assert_allclose(grid.position_km[:, 0], theirs.km, rtol=0, atol=1e-6)
    # Skyfield's frame turns at a rate that differs in the ninth digit.
    np.testing.assert_allclose(ours.velocity_km_s, rates.km_per_s, rtol=0, atol=1e-6)


def test_what_is_not_usable_says_why() -> None:
    # Suborbital: lost within 50 minutes, says the official test file.
    decayed = next(e for e in OFFICIAL if e.norad_id == 28872)
    jd, fraction = decayed.epoch_jd()
    minutes = np.arange(0.0, 61.0)
    instants = np.full(61, jd), fraction + minutes / 1440.0
    states = earth_fixed_states(decayed.satrec(), *instants, SHIPPED)
    grid = earth_fixed([decayed.satrec()], earth_turn(*instants, SHIPPED))

    np.testing.assert_array_equal(states.usable, grid.usable[0])
    first_bad = int(np.argmin(states.usable))
    assert 5 < first_bad < 50
    reasons = [why_unusable(decayed.satrec(), jd, float(instants[1][at])) for at in (first_bad, 60)]
    assert reasons[0].startswith("distance 6")
    assert reasons[1].startswith("SGP4 error 6: mrt is less than 1.0")
