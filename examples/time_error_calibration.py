"""Hold the stated error bars of element sets against the errors that an archive shows.

    python examples/time_error_calibration.py archive.tle calibration.png

Each year is judged by the widths that all other years make, between the age classes as they
are stated. A row is an age class: how many of its errors lie within the 68 % and the 95 %
width, the exact binomial 95 % interval (Clopper and Pearson, Biometrika 26, 404, 1934), and a
mark where that does not contain the share. The last row of a satellite is its last month, if
it came down.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.stats import binomtest

from orbits import Archive, read_elements
from orbits.archive.history import AGE_EDGES_DAYS, TimeErrors

SHARES = (0.68, 0.95)
SETS_MIN = 20
PAIRS_MIN = 5
CURVE = np.linspace(0.01, 0.99, 99)


def held(errors: TimeErrors) -> dict[float, NDArray[np.bool_]]:
    """Return which errors lie within each width, as stated, fitted on the other years."""
    pairs, ratio = errors.pairs, errors.ratios()
    year = np.array([datetime.fromtimestamp(at, UTC).year for at in pairs.epoch])
    middles = 0.5 * (AGE_EDGES_DAYS[1:] + AGE_EDGES_DAYS[:-1])
    within = {share: np.zeros(len(ratio), dtype=bool) for share in (*SHARES, *CURVE)}
    for one in sorted(set(year.tolist())):
        mine, others = year == one, year != one
        if not others.any():
            continue
        parts = []
        for low, high in pairwise(AGE_EDGES_DAYS):
            of_age = others & (pairs.age_days > low) & (pairs.age_days <= high)
            parts.append(ratio[of_age if of_age.any() else others])
        for share, inside in within.items():
            widths = [np.quantile(part, share) for part in parts]
            inside[mine] = ratio[mine] <= np.interp(pairs.age_days[mine], middles, widths)
    return within


def row(name: str, which: NDArray[np.bool_], within: dict[float, NDArray[np.bool_]]) -> str:
    """Return a line of the table: the coverage of each width, marked if its interval is off."""
    count = int(which.sum())
    cells = []
    for share in SHARES:
        inside = int(within[share][which].sum())
        interval = binomtest(inside, count).proportion_ci(0.95)
        mark = " " if interval.low <= share <= interval.high else "*"
        low, high = 100 * interval.low, 100 * interval.high
        cells.append(f"{100 * inside / count:5.1f} % ({low:4.1f} to {high:5.1f}) {mark}")
    return f"  {name:14}{count:6}   {'  '.join(cells)}"


def main(source: Path, picture: Path) -> None:
    """Print the table of every satellite with enough sets, and draw the curves."""
    archive = Archive(read_elements(source.read_text(encoding="utf-8")))
    axes: Axes
    figure, axes = plt.subplots(figsize=(6, 6))
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for norad_id in archive.norad_ids:
        sets = archive.sets_of(norad_id)
        errors = archive.time_errors(norad_id)
        if len(sets) < SETS_MIN or len(errors.pairs.age_days) < PAIRS_MIN:
            continue
        within = held(errors)
        print(f"{sets[0].label}, {len(sets)} sets: age, errors, within 68 %, within 95 %")
        age = errors.pairs.age_days
        for low, high in pairwise(AGE_EDGES_DAYS):
            which = (age > low) & (age <= high)
            if which.sum() >= PAIRS_MIN:
                print(row(f"{low:g} to {high:g} d", which, within))
        last = errors.pairs.epoch > (sets[-1].epoch - timedelta(days=30)).timestamp()
        if archive.is_decaying(norad_id) and last.sum() >= PAIRS_MIN:
            print(row("last month", last, within))
        axes.plot(CURVE, [within[share].mean() for share in CURVE], label=sets[0].label)
    axes.set(xlabel="stated share", ylabel="share found, other years' quantiles")
    axes.legend()
    figure.savefig(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
