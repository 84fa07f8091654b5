"""What SGP4 is not asked about is approximate enough, and changes no pass."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta

import numpy as np
import pytest

from orbits import Elements, find_passes
from orbits.earth import SHIPPED
from orbits.passes import screen
from orbits.passes.grid import PAD, step_s
from orbits.passes.usable import may_jump
from orbits.propagate import earth_turn
from orbits.times import julian_pairs
from tests.benchmarks.passes import constellation, random_orbits
from tests.orbits.sets import MICIUS_2016_12_18, OFFICIAL, SYNTHETIC, TEN_PLACES

SETS = [MICIUS_2016_12_18, *SYNTHETIC, *OFFICIAL[:-3], *constellation(20), *random_orbits(80)]
NEAR = [one for one in SETS if not may_jump(one)]


@pytest.mark.parametrize("elements", NEAR, ids=lambda one: f"{one.norad_id}-{one.name}")
def test_the_approximation_keeps_to_half_of_what_is_allowed_for(elements: Elements) -> None:
    step = step_s(elements)
    offsets = step * np.arange(-PAD, 86400.0 / step + PAD)
    turn = earth_turn(*julian_pairs(elements.epoch, offsets), SHIPPED)
    satellite = elements.satrec()
    error, exact_km, _ = satellite.sgp4_array(turn.jd, turn.fraction)
    if error.any():
        pytest.skip("it does not last for a day")

    about_km = screen._approximate_km([satellite], turn, screen._exact_nodes(len(offsets)), step)

    assert about_km is not None
    off = np.linalg.norm(about_km[0] - exact_km, axis=1) / np.linalg.norm(exact_km, axis=1)
    assert off.max() < 0.5 * screen._ERROR


@pytest.mark.parametrize("mask_deg", [-10.0, 0.0, 25.0])
def test_passes_are_the_same_bit_for_bit(mask_deg: float, monkeypatch: pytest.MonkeyPatch) -> None:
    start = MICIUS_2016_12_18.epoch
    end = start + timedelta(days=9)
    sets = [one for one in NEAR if abs(one.epoch - start) < timedelta(days=900)]
    calls = []
    monkeypatch.setattr(
        "orbits.passes.batch.pays", lambda *size: calls.append(size) or screen.pays(*size)
    )

    for place in TEN_PLACES:
        screened = find_passes(sets, place, start, end, mask_deg=mask_deg)
        with monkeypatch.context() as patch:
            patch.setattr(screen, "_STATIONS_MAX", 0)
            whole = find_passes(sets, place, start, end, mask_deg=mask_deg)

        assert calls
        assert screened.unusable == whole.unusable
        for column in fields(whole.block):
            np.testing.assert_array_equal(
                getattr(screened.block, column.name), getattr(whole.block, column.name)
            )
