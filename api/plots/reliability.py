"""Whether forecasts were honest: a quantile's level against how often sessions stayed below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from api.plots.style import GREY, SERIES, draw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from scheduler.domain import Reliability


def reliability_diagram(path: Path, *, title: str, found: Sequence[Reliability]) -> Path:
    """Write frequencies over levels as PNG, with binomial bars and the honest diagonal."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        level, frequency, low, high = (
            np.array([getattr(one, name) for one in found])
            for name in ("level", "frequency", "low", "high")
        )
        axes.plot([0.0, 1.0], [0.0, 1.0], color=GREY, lw=1.0, label="honest")
        axes.errorbar(
            level, frequency, yerr=[frequency - low, high - frequency], fmt="o", capsize=3.0,
            color=SERIES[0], label=f"{found[0].sessions} sessions, binomial bars of 68 %",
        )  # fmt: skip
        axes.set_xlabel("level of the forecast's quantile of sifted bits")
        axes.set_ylabel("sessions that stayed below it")
        axes.set_xlim(0.0, 1.0)
        axes.set_ylim(0.0, 1.0)
        axes.set_aspect("equal")
        axes.legend(loc="upper left", frameon=False)
        axes.set_title(title, loc="left", fontsize=10)

    return draw(path, (8.0, 7.0), paint)
