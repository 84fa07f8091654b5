"""The sifted rate over a pass: published points against the model."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from api.plots.style import BLACK, BLUE, GREY, VERMILION, draw

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

PUBLISHED_FILE = "micius-2016-12-19-sifted-rate.csv"
PUBLISHED_ZERO = datetime(2016, 12, 19, 16, 49, 56, 100_000, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCurve:
    """A sifted rate over the seconds of a pass."""

    offset_s: NDArray[np.float64]
    sifted_rate_kbps: NDArray[np.float64]


@cache
def published_points() -> RateCurve:
    """Return the 201 points read off the published plot; zero is 2016-12-19T16:49:56.1Z.

    Source: Liao et al., Nature 549, 43 (2017); see README.md beside the file.
    """
    text = (files("api.data") / PUBLISHED_FILE).read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return RateCurve(
        offset_s=np.array([float(row["t_s"]) for row in rows]),
        sifted_rate_kbps=np.array([float(row["sifted_kbps_digitised"]) for row in rows]),
    )


def rate_comparison(
    path: Path,
    *,
    title: str,
    start: datetime,
    unfitted: RateCurve,
    fitted: RateCurve | None,
    range_km: NDArray[np.float64],
) -> Path:
    """Write the published points with both curves of the model.

    The model's offsets count from `start`, `range_km` belongs to `unfitted`; the axis counts
    from the zero of the published points.
    """
    published = published_points()
    shift_s = (start - PUBLISHED_ZERO).total_seconds()
    model_s = unfitted.offset_s + shift_s

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(
            published.offset_s, published.sifted_rate_kbps, ls="none", marker="o", ms=4.2,
            mfc="none", mec=GREY, mew=1.0,
            label="published, 201 points read off the plot (Liao et al. 2017)",
        )  # fmt: skip
        axes.plot(
            model_s, unfitted.sifted_rate_kbps, color=VERMILION, lw=2.2, ls=(0, (6, 2)),
            label="model, unfitted: published parameters, midpoints of published ranges",
        )  # fmt: skip
        if fitted is not None:
            axes.plot(
                fitted.offset_s + shift_s, fitted.sifted_rate_kbps, color=BLUE, lw=2.4,
                label="model, fitted: air mass and constant loss from the seven loss bins",
            )  # fmt: skip
        axes.set_title(title, pad=12)
        axes.set_xlabel("seconds after 16:49:56.1 UTC")
        axes.set_ylabel("sifted rate, kbit/s (signal intensity, matching bases)")
        top = max(published.sifted_rate_kbps.max(), unfitted.sifted_rate_kbps.max())
        axes.set_ylim(0.0, 1.32 * float(top))
        axes.set_xlim(-5.0, float(max(published.offset_s[-1], model_s[-1])) + 5.0)
        axes.legend(loc="upper left")
        twin = axes.twiny()
        twin.grid(visible=False)
        twin.set_xlim(axes.get_xlim())
        marks = np.arange(0.0, float(model_s[-1]) + 1.0, 45.0)
        ranges = np.interp(marks, model_s, range_km)
        twin.set_xticks(marks, labels=[f"{value:.0f}" for value in ranges])
        twin.set_xlabel("range, km", labelpad=6)
        twin.tick_params(colors=GREY, labelcolor=BLACK, length=0)

    return draw(path, (9.6, 6.0), paint)
