"""The eleven passes of the Micius campaign, from the sets that ship with the project."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from orbits import Archive, find_passes_in_archive, track_offsets
from tests.orbits.sets import MICIUS, NANSHAN, XINGLONG

PUBLISHED = Path(__file__).parents[1] / "reference" / "micius-passes.csv"
ROWS = list(csv.DictReader(PUBLISHED.read_text().splitlines()))
ARCHIVE = Archive(MICIUS)
STATIONS = {"Xinglong": XINGLONG, "Nanshan": NANSHAN}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["culminates_or_closest_utc"])
def test_a_pass_of_the_campaign_comes_out(row: dict[str, str]) -> None:
    near = datetime.fromisoformat(row["culminates_or_closest_utc"])
    station = STATIONS[row["station"]]
    hour = timedelta(hours=1)
    (one,) = [
        p
        for p in find_passes_in_archive(
            ARCHIVE, 41731, station, near - hour, near + hour, mask_deg=10.0
        )
        if abs(p.culminates_at - near) < timedelta(minutes=5)
    ]
    # The set that serves lies within four hours of each of them.
    assert abs(one.epoch - one.culminates_at) < 4 * hour
    assert min(abs(t - near) for t in (one.culminates_at, one.tca_at)) <= timedelta(seconds=1)
    assert one.range_km_min == pytest.approx(float(row["min_range_km"]), abs=1.0)
    assert one.max_elevation_deg == pytest.approx(float(row["max_elevation_deg"]), abs=0.2)

    step_s = 0.25
    offset_s = np.arange(-300.0, 300.0, step_s)
    seen = track_offsets(ARCHIVE.nearest(one.culminates_at), station, one.tca_at, offset_s)
    within_s = step_s * np.count_nonzero(seen.range_km < 1200.0)
    # Printed in whole seconds, counted in quarters.
    assert within_s == pytest.approx(float(row["seconds_within_1200_km"]), abs=1.25)


def test_there_are_eleven_of_them() -> None:
    assert len(ROWS) == 11
