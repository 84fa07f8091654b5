"""How exact the pass search is, by class of orbit."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from orbits import (
    Elements,
    Visibility,
    find_passes,
)
from tests.benchmarks.passes import MASK_DEG, SMOKE, random_orbits
from tests.orbits.oracle import dense_passes
from tests.orbits.sets import MICIUS_2016_12_18, OFFICIAL, SYNTHETIC, TEN_PLACES, XINGLONG

pytestmark = pytest.mark.bench


def test_errors_by_orbit_class() -> None:
    classes = {"Micius, 30 d": [MICIUS_2016_12_18]} | {e.name: [e] for e in SYNTHETIC[2:]}
    classes["official sets, low"] = [e for e in OFFICIAL if e.mean_motion_rev_per_day > 6.4]
    classes["official sets, deep space"] = [
        e for e in OFFICIAL[:-1] if e.mean_motion_rev_per_day <= 6.4 and e.norad_id < 33333
    ]
    classes["random orbits"] = random_orbits(60)
    if SMOKE:
        classes = {"LEO, polar": [SYNTHETIC[9]]}
    print("\nerrors against a dense Skyfield scan, ms: median / greatest, and passes compared")
    for name, sets in classes.items():
        errors = np.concatenate([_errors(elements) for elements in sets]) * 1e3
        if len(errors):
            columns = zip(("rise", "culmination", "set"), errors.T, strict=True)
            print(
                f"  {name:28}"
                + "  ".join(f"{n} {np.median(e):.3f} / {e.max():.3f}" for n, e in columns)
                + f"   {len(errors)}"
            )


def _errors(elements: Elements) -> np.ndarray:
    places = [XINGLONG] if elements is MICIUS_2016_12_18 else list(TEN_PLACES)
    start = elements.epoch.replace(microsecond=0) + timedelta(hours=1)
    length = 30.0 if elements is MICIUS_2016_12_18 else 2.0
    end = start + timedelta(days=0.5 if SMOKE else length)
    table = find_passes(elements, places, start, end, mask_deg=MASK_DEG)
    if table.unusable:
        end = min(gap.start for gap in table.unusable) - timedelta(seconds=2)
        if end <= start:
            return np.zeros((0, 3))
        table = find_passes(elements, places, start, end, mask_deg=MASK_DEG)
    rows = []
    for index, place in enumerate(places):
        if table.visibility(0, index) is Visibility.ALWAYS_UP:
            continue  # which is no pass
        truth = dense_passes(elements, place, start, end, mask_deg=MASK_DEG)
        clear_deg = MASK_DEG + 0.1
        mine = np.flatnonzero(
            (table.station_index == index) & (table.max_elevation_deg >= clear_deg)
        )
        clear = [one for one in truth if one.elevation_deg >= clear_deg]
        # As many of ours as of theirs: none missed, none invented.
        for row, one in zip(mine, clear, strict=True):
            rows.append(
                (
                    table.rise_offset_s[row] - one.rise_s,
                    table.culmination_offset_s[row] - one.culmination_s,
                    table.set_offset_s[row] - one.set_s,
                )
            )
    return np.abs(np.array(rows).reshape(-1, 3))
