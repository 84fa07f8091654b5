"""The report of several replays side by side: what each pair received under each objective."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from api.report.markdown import bullets, table
from api.schemas.base import to_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from api.schemas.replays import Comparison

MEANS = {
    "demand": "`demand` raises the worst-served demand first, then the weighed demand served, then"
    " the key of all sessions.",
    "max-min": "`max-min` raises the station with the least key.",
    "total": "`total` takes the most key of all sessions together, wherever it is.",
}


def write_comparison(out: Path, comparison: Comparison, suffix: str = "png") -> list[Path]:
    """Write compare.md, compare.json and a picture into the folder `out`; return their paths.

    `suffix` is that of the picture: png or svg.
    """
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"compare.{kind}" for kind in ("md", "json", suffix)]
    paths[0].write_text(comparison_text(comparison, paths[2].name), encoding="utf-8")
    paths[1].write_text(to_json(comparison.document()), encoding="utf-8")
    _draw(paths[2], comparison)
    return paths


def comparison_text(comparison: Comparison, picture: str) -> str:
    """Return the whole of compare.md, with a picture of that name beside it."""
    span = f"{comparison.from_:%Y-%m-%d} to {comparison.to:%Y-%m-%d}"
    title = f"# {comparison.scenario}, {span}: the same skies, planned for different ends\n"
    same = f"Seed {comparison.seed}, planner {comparison.planner}; only the objective differs.\n"
    parts = [title, same, bullets(MEANS[name] for name in comparison.objectives)]
    for shown in comparison.tables():
        parts += [f"## {shown.title}\n", table(shown.columns, shown.rows)]
        parts += [f"{shown.caption}\n"] if shown.caption else []
    return "\n".join([*parts, f"![End-to-end key received by each pair]({picture})\n"])


def _name(pair: str, asked: Mapping[str, int]) -> str:
    """Return a pair as its bars are named: its ends, and what it asked for."""
    return f"{pair.replace('--', ' - ')}\nasked for {asked.get(pair, 0) / 1000.0:,.0f}"


def _draw(path: Path, comparison: Comparison) -> Path:
    """Draw what each pair received, a bar for every objective."""
    from api.plots.style import SERIES, draw

    pairs, names = list(comparison.pairs), comparison.objectives
    wide = 0.8 / len(names)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        places = np.arange(len(pairs))
        for index, name in enumerate(names):
            kbits = [comparison.pairs[pair][name] / 1000.0 for pair in pairs]
            shift = (index - (len(names) - 1) / 2) * wide
            bars = axes.bar(places + shift, kbits, 0.92 * wide, color=SERIES[index], label=name)
            axes.bar_label(bars, fmt="{:,.0f}", fontsize=8, padding=2)
        axes.set_xticks(places, labels=[_name(pair, comparison.asked) for pair in pairs])
        axes.grid(visible=False, axis="x")
        axes.set_ylabel("end-to-end key, kbit")
        axes.set_title(f"{comparison.scenario}: key received by each pair, by objective")
        axes.legend(title="planned for")

    return draw(path, (9.0, 5.0), paint)
