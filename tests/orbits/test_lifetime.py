"""What has fallen stays down, whichever window or instant is asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from orbits import Elements, find_passes, subpoint, track
from orbits.lifetime import life_of
from tests.orbits.sets import MICIUS_2016_12_18, OFFICIAL, SYNTHETIC, TEN_PLACES

DAY = timedelta(days=1)
# A synthetic set of a spent stage just before its end, of values that such sets have.
FALLING = Elements(
    norad_id=90055,
    epoch=datetime(2025, 2, 27, 2, 58, 39, 849600, tzinfo=UTC),
    mean_motion_rev_per_day=15.92146194,
    eccentricity=0.0014449,
    inclination_deg=98.5849,
    raan_deg=110.9278,
    argument_of_perigee_deg=269.2407,
    mean_anomaly_deg=90.7207,
    bstar=0.044853,
)


@pytest.mark.parametrize(
    ("begins", "days"), [(0.5, 8.0), (5.0, 1.0), (6.0, 2.0), (-3.0, 20.0), (13.0, 30.0)]
)
def test_a_window_after_the_fall_has_no_passes_and_says_why(begins: float, days: float) -> None:
    start = FALLING.epoch.replace(microsecond=0) + begins * DAY
    table = find_passes(FALLING, TEN_PLACES, start, start + days * DAY)
    assert len(table) == 0 or table.set_offset_s.max() < 3.0 * 86400.0 - begins * 86400.0
    assert np.all(table.range_km_min < 5000.0)
    gap = table.unusable[-1]
    assert gap.end == start + days * DAY
    if begins > 1.0:
        assert len(table) == 0
        assert gap.start == start
        assert gap.reason.startswith("down since 2025-02-2")


def test_an_instant_after_the_fall_has_no_position() -> None:
    instants = [FALLING.epoch + k * DAY for k in (0.0, 0.1, 5.0, 6.0, 7.0)]
    seen = track(FALLING, TEN_PLACES[0], instants)
    assert len(seen) == 2
    assert [when for when, _ in seen.unusable] == instants[2:]
    assert all("km from the Earth's centre" in why or "error" in why for _, why in seen.unusable)
    latitude, _ = subpoint(FALLING, instants)
    assert np.isfinite(latitude).tolist() == [True, True, False, False, False]


def falling_sets(count: int, seed: int) -> list[Elements]:
    """Sets of low orbits with the drag of their last days."""
    draw = np.random.default_rng(seed)
    return [
        replace(
            SYNTHETIC[9],
            norad_id=number,
            epoch=datetime(2025, 2, 27, tzinfo=UTC),
            mean_motion_rev_per_day=float(draw.uniform(14.5, 16.4)),
            eccentricity=float(draw.uniform(0.0, 0.003)),
            inclination_deg=float(draw.uniform(30.0, 100.0)),
            mean_anomaly_deg=float(draw.uniform(0.0, 360.0)),
            bstar=float(10.0 ** draw.uniform(-3.5, 0.5) * draw.choice([-1.0, 1.0], p=[0.1, 0.9])),
        )
        for number in range(1, count + 1)
    ]


def test_random_falling_sets_never_come_back() -> None:
    """Of 240 such sets ten gave passes again when each window was judged by itself."""
    sets = falling_sets(240, seed=1)
    start = sets[0].epoch
    long = find_passes(sets, TEN_PLACES[6], start, start + 30 * DAY)
    downs = {gap.norad_id: gap.start for gap in long.unusable}
    assert len(downs) > 60
    for first in (3, 15):
        window = start + first * DAY, start + (first + 1) * DAY
        table = find_passes(sets, TEN_PLACES[6], *window)
        for one in table:
            assert one.norad_id not in downs or one.sets_at <= downs[one.norad_id] + 0.001 * DAY
        here = {gap.norad_id: gap for gap in table.unusable}
        for norad_id, down in downs.items():
            if down < window[0]:
                assert (here[norad_id].start, here[norad_id].end) == window


def test_a_look_at_the_mean_elements_never_misses_a_fall() -> None:
    sets = [*falling_sets(100, seed=2), *OFFICIAL, *SYNTHETIC, MICIUS_2016_12_18]
    quick = 0
    for elements in sets:
        for days in (3.0, 40.0):
            satellite = elements.satrec()
            walked = life_of(elements, satellite, 0.0, days * 86400.0, sure=True)
            looked = life_of(elements, satellite, 0.0, days * 86400.0)
            assert looked == walked, (elements, days)
            quick += walked.fails_after_s is None
    assert quick > 100
