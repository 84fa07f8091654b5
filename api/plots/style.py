"""Colours, fonts and paper that all pictures share."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, fontManager, get_font
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)

# Okabe and Ito's palette, told apart with every common kind of colour vision.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#1b2733",
)  # fmt: skip
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
MARKERS = ("o", "^", "s", "D", "v", "P")
GREY, PALE, LAND, SEA = "#6b7785", "#dfe4ea", "#ece7dc", "#f6f9fc"

DPI = 130
FONT = "DejaVu Sans"  # ships with matplotlib, so a picture is the same everywhere
LAST_RESORT = "Last Resort High-Efficiency"  # ships as well: a frame for any letter at all
_SETTINGS: dict[Any, Any] = {
    "font.family": FONT,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "svg.hashsalt": "skytrunk",  # else every id in an SVG is drawn by lot
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
    "legend.frameon": True,  # a line behind a legend would cross its words
    "legend.facecolor": "white",
    "legend.edgecolor": "none",
    "legend.framealpha": 0.92,
    "figure.facecolor": "white",
}


def draw(path: Path, size_in: tuple[float, float], paint: Callable[[Figure], None]) -> Path:
    """Make a figure of `size_in` inches, let `paint` fill it, write it to `path`.

    As SVG where its name ends so, else as PNG.
    """
    with rc_context(_SETTINGS):
        figure = Figure(figsize=size_in, layout="constrained")
        FigureCanvasAgg(figure)
        paint(figure)
        for text in figure.findobj(Annotation):
            text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
        _find_letters(figure, path)
        # No date and no program name inside: the same data give the same file.
        nameless = ("Creator", "Date") if path.suffix == ".svg" else ("Software",)
        figure.savefig(path, dpi=DPI, metadata=dict.fromkeys(nameless))
    return path


def _find_letters(figure: Figure, path: Path) -> None:
    """Give every text a font that has its letters; say once which letters none has."""
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    for axes in figure.axes:  # the names on an axis are filled in when they are asked for
        texts += [*axes.get_xticklabels(), *axes.get_yticklabels()]
    ours = {*_letters_of(findfont(FONT)), "\n"}
    foreign = [text for text in texts if not ours.issuperset(text.get_text())]
    lacking = {letter for text in foreign for letter in text.get_text()} - ours
    families, lacking = _fonts_for(lacking)
    for text in foreign:  # other fonts may have no bold
        text.set(fontfamily=[*families, LAST_RESORT], fontweight="normal")
    if lacking:
        shown = " ".join(sorted(lacking))
        log.warning("skytrunk: %s: no installed font has the letters %s", path.name, shown)


@cache
def drawable(name: str, otherwise: str) -> str:
    """Return a name for a picture, or what to write where no installed font has its letters."""
    _, lacking = _fonts_for(set(name) - _letters_of(findfont(FONT)))
    if not lacking:
        return name
    shown = " ".join(sorted(lacking))
    log.warning("skytrunk: no installed font has the letters %s; drawn: %s", shown, otherwise)
    return otherwise


def _fonts_for(letters: set[str]) -> tuple[list[str], set[str]]:
    """Return the fonts that have these letters, and the letters that none has."""
    families = [FONT]
    while letters and (better := _richest(letters)) is not None:
        families.append(better)
        letters = letters - _letters_of(findfont(better))
    return families, letters


def _richest(letters: Iterable[str]) -> str | None:
    """Return the installed font that has most of these letters; None if none has any."""
    counts = {
        entry.name: len(_letters_of(entry.fname) & set(letters))
        for entry in fontManager.ttflist
        if entry.name != LAST_RESORT and entry.style == "normal"
    }
    best = max(sorted(counts), key=lambda name: counts[name])
    return best if counts[best] else None


@cache
def _letters_of(file: str) -> frozenset[str]:
    return frozenset(map(chr, get_font(file).get_charmap()))
