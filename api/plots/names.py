"""Names beside their places, where no line and no other name is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation
    from matplotlib.transforms import BboxBase

Point = tuple[float, float]

_SIDES: tuple[tuple[float, float, str, str], ...] = (
    (10.0, 5.0, "left", "baseline"),
    (-10.0, 5.0, "right", "baseline"),
    (10.0, -5.0, "left", "top"),
    (-10.0, -5.0, "right", "top"),
    (0.0, 10.0, "center", "bottom"),
    (0.0, -10.0, "center", "top"),
    (13.0, 0.0, "left", "center"),
    (-13.0, 0.0, "right", "center"),
)
"""Where a name may stand, the best first: points right and up of its place, and its anchor."""

_PAD_PX = 2.0


def part_names(axes: Axes, names: Sequence[Annotation], *, others: Sequence[Annotation]) -> None:
    """Move each name to that side of its place where it meets least of lines, marks and texts.

    `others` are texts that stay. To be called when all is drawn: the figure is laid out first.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    taken = [text.get_window_extent() for text in others]
    if (legend := axes.get_legend()) is not None:
        taken.append(legend.get_window_extent())
    frame = axes.get_window_extent()
    lines = list(_lines(axes))
    for name in names:
        costs = []
        for side in _SIDES:
            _move(name, side)
            box = name.get_window_extent().padded(_PAD_PX)
            met = sum(_crosses(box, *line) for line in lines)
            met += sum(1 for other in taken if box.overlaps(other))
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1
            inside = inside and frame.y0 <= box.y0 and box.y1 <= frame.y1
            costs.append(met + (0 if inside else 3))
        _move(name, _SIDES[costs.index(min(costs))])
        taken.append(name.get_window_extent())


def _move(name: Annotation, side: tuple[float, float, str, str]) -> None:
    right, up, across, along = side
    name.set(position=(right, up), horizontalalignment=across, verticalalignment=along)


def _lines(axes: Axes) -> Iterator[tuple[Point, Point, float]]:
    """Every piece of a line and every mark that is drawn: its ends and half its width, pixels."""
    a_point = axes.figure.dpi / 72.0
    for line in axes.get_lines():
        places = [(float(x), float(y)) for x, y in axes.transData.transform(line.get_xydata())]
        if line.get_linestyle() == "None":
            half = line.get_markersize() / 2.0 * a_point
            yield from ((place, place, half) for place in places)
        else:
            half = line.get_linewidth() / 2.0 * a_point
            yield from ((one, other, half) for one, other in pairwise(places))


def _crosses(box: BboxBase, one: Point, other: Point, half_px: float) -> bool:
    """True if a line of that half width between two points meets the box."""
    (x0, y0), (x1, y1) = one, other
    low, high = 0.0, 1.0  # the part of the line within each pair of sides
    for start, step, least, most in (
        (x0, x1 - x0, box.x0 - half_px, box.x1 + half_px),
        (y0, y1 - y0, box.y0 - half_px, box.y1 + half_px),
    ):
        if step == 0.0:
            if not least < start < most:
                return False
            continue
        first, last = sorted(((least - start) / step, (most - start) / step))
        low, high = max(low, first), min(high, last)
    return low <= high
