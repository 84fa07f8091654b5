"""What a campaign came to, by what its replays had apart: a panel for each sum."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from api.plots.style import BLACK, BLUE, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import Formatter

LABEL_MAX = 34
"""Letters of a variant's name that are drawn; a longer one ends in dots."""
_NUMBERED = re.compile(r"(\w+)=(-?[\d.]+(?:e-?\d+)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A sum of one variant's replays."""

    variant: str
    low: float  #: 10 % of the replays stay below
    median: float
    high: float  #: 90 % of them stay below


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """A sum of a campaign's replays, and its spread in every variant."""

    name: str
    counted: str  #: what its axis counts, such as sessions
    unit: str = ""  #: behind its figures, with a prefix; "" of what is counted one by one
    spreads: Sequence[Spread]


def sweep(path: Path, *, title: str, sums: Sequence[Sum]) -> Path:
    """Write a panel for each sum.

    A curve over the values where the variants differ in one number, else a line for each variant.
    """
    variants = [one.variant for one in sums[0].spreads]
    scale = _scale(variants)
    rows = -(-len(sums) // 2)
    height = 3.0 if scale else 1.2 + 0.32 * len(variants)

    def paint(figure: Figure) -> None:
        from matplotlib.ticker import MaxNLocator

        # A column of names is enough for both panels beside it.
        panels = figure.subplots(rows, 2, squeeze=False, sharey=scale is None).ravel()
        for axes, one in zip(panels, sums, strict=False):
            axes.set_title(one.name)
            if scale:
                _curve(axes, one.spreads, *scale)
            else:
                _lines(axes, one.spreads)
            counts = axes.yaxis if scale else axes.xaxis
            counts.set_label_text(one.counted)
            counts.set_major_formatter(_figures(one.unit))
            counts.set_major_locator(MaxNLocator(nbins=6, integer=True))
        for axes in panels[len(sums) :]:
            axes.set_axis_off()
        figure.suptitle(title, x=0.01, ha="left", weight="bold")

    return draw(path, (10.5, 0.5 + rows * height), paint)


def _scale(variants: Sequence[str]) -> tuple[str, list[float]] | None:
    """The setting and its values, where all variants differ in one number alone."""
    found = [_NUMBERED.fullmatch(one) for one in variants]
    if len(variants) < 3 or None in found or len({one[1] for one in found if one}) != 1:
        return None
    return next(one[1] for one in found if one), [float(one[2]) for one in found if one]


def _curve(axes: Axes, spreads: Sequence[Spread], name: str, values: Sequence[float]) -> None:
    order = np.argsort(values)
    x = np.array(values)[order]
    low, median, high = (
        np.array([getattr(one, what) for one in spreads])[order]
        for what in ("low", "median", "high")
    )
    axes.fill_between(x, low, high, color=BLUE, alpha=0.2, lw=0.0)
    axes.plot(x, median, "o-", color=BLUE)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel(name.replace("_", " "))


def _lines(axes: Axes, spreads: Sequence[Spread]) -> None:
    places = np.arange(len(spreads))
    for place, one in zip(places, spreads, strict=True):
        axes.plot([one.low, one.high], [place, place], color=BLUE, lw=5.0, alpha=0.3,
                  solid_capstyle="butt")  # fmt: skip
        axes.plot(one.median, place, "o", color=BLUE)
        axes.annotate(
            f"{one.median:,.0f}", (one.median, place), (0, 6), textcoords="offset points",
            ha="center", fontsize=8, color=BLACK,
        )  # fmt: skip
    axes.set_yticks(places, labels=[_short(one.variant or "as set") for one in spreads])
    axes.set_ylim(len(spreads) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.12)


def _figures(unit: str) -> Formatter:
    from matplotlib.ticker import EngFormatter, StrMethodFormatter

    return EngFormatter(unit=unit) if unit else StrMethodFormatter("{x:,.0f}")


def _short(name: str) -> str:
    return name if len(name) <= LABEL_MAX else name[: LABEL_MAX - 3] + "..."
