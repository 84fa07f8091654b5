"""Names on a map stand beside lines, marks and one another."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from api.plots.names import part_names


@pytest.mark.parametrize("heading_deg", range(0, 360, 15))
def test_no_line_that_leaves_a_place_crosses_its_name(heading_deg: int) -> None:
    figure = Figure(figsize=(6.0, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set(xlim=(-1.0, 1.0), ylim=(-1.0, 1.0))
    away = np.array([np.cos(np.radians(heading_deg)), np.sin(np.radians(heading_deg))])
    axes.plot([0.0, away[0]], [0.0, away[1]], lw=9.0)
    name = axes.annotate("Nanshan", (0.0, 0.0), textcoords="offset points", xytext=(0.0, 0.0))

    part_names(axes, [name], others=[])

    # Looked for point by point: the line is 9 points wide.
    box = name.get_window_extent().padded(4.5 * figure.dpi / 72.0)
    points = axes.transData.transform(np.linspace(0.0, 1.0, 2000)[:, None] * away)
    assert not any(box.contains(x, y) for x, y in points)


def test_names_of_neighbours_and_texts_that_stay_are_kept_apart() -> None:
    figure = Figure(figsize=(6.0, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set(xlim=(0.0, 10.0), ylim=(0.0, 10.0))
    places = [(5.0, 5.0), (5.3, 5.1), (5.1, 4.7), (9.9, 9.9)]
    axes.plot(*zip(*places, strict=True), "o", ms=8.0)
    amount = axes.annotate("5.22 Mbit", (6.0, 5.2), ha="center", va="center")
    names = [
        axes.annotate(f"place {number}", place, textcoords="offset points", xytext=(0.0, 0.0))
        for number, place in enumerate(places)
    ]

    part_names(axes, names, others=[amount])

    boxes = [text.get_window_extent() for text in (amount, *names)]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert boxes[-1].x1 <= axes.get_window_extent().x1
