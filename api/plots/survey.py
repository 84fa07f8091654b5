"""A survey of places: what the months give, and the longest time without."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from api.plots.style import MARKERS, SERIES, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scheduler.domain import SurveyAnswer, SurveyRow

MONTHS = "JFMAMJJASOND"


def survey_picture(path: Path, found: SurveyAnswer) -> Path:
    """Write bits a day by month, clear and with weather, beside the longest dry spells."""

    def paint(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        for k, row in enumerate(found.rows):
            _months(left, row, k)
        left.set_xticks(range(12), MONTHS)
        left.set_ylabel("secret kbit a day; dashed: weather included")
        left.set_ylim(bottom=0.0)
        left.set_title(f"{found.satellite}, {found.start:%Y-%m-%d} to {found.end:%Y-%m-%d}")
        left.legend(fontsize=8)
        _spells(right, found)

    return draw(path, (13.0, max(5.0, 2.5 + 0.4 * len(found.rows))), paint)


def _months(axes: Axes, row: SurveyRow, number: int) -> None:
    colour = SERIES[number % len(SERIES)]
    marker = MARKERS[number // len(SERIES) % len(MARKERS)]
    for values, line, label in (
        (row.monthly_bits, "-", row.station),
        (row.monthly_expected_bits, "--", None),
    ):
        kbit = [np.nan if one is None else one / 1e3 for one in values]
        axes.plot(range(12), kbit, line, lw=1.2, label=label, color=colour, marker=marker, ms=4.0)


def _spells(axes: Axes, found: SurveyAnswer) -> None:
    days = [row.dry_s / 86_400.0 for row in found.rows]
    places = np.arange(len(days))
    colours = [SERIES[k % len(SERIES)] for k in range(len(days))]
    axes.barh(places, days, color=colours, height=0.6)
    for place, row in zip(places.tolist(), found.rows, strict=True):
        label = f"  {row.dry_s / 86_400.0:.1f} d from {row.dry_from:%Y-%m-%d}"
        axes.text(0.0, place, label, va="center", fontsize=8, color="white")
    axes.set_yticks(places, [row.station for row in found.rows])
    axes.invert_yaxis()
    axes.set_xlabel("days")
    axes.set_title("longest time without a usable pass")
