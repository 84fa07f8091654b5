"""Colours, fonts and paper that all pictures share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable

# Okabe and Ito's palette, told apart with every common kind of colour vision.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#1b2733",
)  # fmt: skip
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
MARKERS = ("o", "^", "s", "D", "v", "P")
GREY, PALE, LAND, SEA = "#6b7785", "#dfe4ea", "#ece7dc", "#f6f9fc"

DPI = 130
_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib, so a picture is the same everywhere
    "font.size": 10,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": GREY,
    "axes.labelcolor": BLACK,
    "axes.grid": True,
    "grid.color": PALE,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": BLACK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": BLACK,
    "ytick.labelcolor": BLACK,
    "legend.frameon": False,
    "figure.facecolor": "white",
}


def draw(path: Path, size_in: tuple[float, float], paint: Callable[[Figure], None]) -> Path:
    """Make a figure of `size_in` inches, let `paint` fill it, write it to `path` as PNG."""
    with rc_context(_SETTINGS):
        figure = Figure(figsize=size_in, layout="constrained")
        FigureCanvasAgg(figure)
        paint(figure)
        # No date and no program name inside: the same data give the same file.
        figure.savefig(path, dpi=DPI, metadata={"Software": None})
    return path
