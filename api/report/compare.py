"""The report of several replays side by side: what each pair received under each objective."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from api.export import to_json
from api.report.markdown import bullets, table
from api.shape import iso_z

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from api.shape import Document
    from scheduler.domain import ReplaySummary

COLUMNS = {"pairs": "pair", "stations": "station", "sessions": "station", "shares": "pair"}
MEANS = {
    "demand": "`demand` raises the worst-served demand first, then the weighed demand served, then"
    " the key of all sessions.",
    "max-min": "`max-min` raises the station with the least key.",
    "total": "`total` takes the most key of all sessions together, wherever it is.",
}


def comparison_document(found: Sequence[ReplaySummary]) -> Document:
    """Return the figures of replays of the same time, by objective."""
    pairs = sorted({f"{p.node_a}--{p.node_b}" for one in found for p in one.pairs})
    received = {
        one.objective: {f"{p.node_a}--{p.node_b}": p.merged_bits for p in one.pairs}
        for one in found
    }
    first = found[0]
    return {
        "scenario": first.scenario,
        "seed": first.seed,
        "planner": first.planner,
        "from": iso_z(first.start),
        "to": iso_z(first.end),
        "objectives": [one.objective for one in found],
        "pairs": {
            pair: {name: bits.get(pair, 0) for name, bits in received.items()} for pair in pairs
        },
        "stations": {
            tally.station: {one.objective: _of(one, tally.station, "secret_bits") for one in found}
            for tally in first.stations
        },
        "sessions": {
            tally.station: {one.objective: _of(one, tally.station, "settled") for one in found}
            for tally in first.stations
        },
    }


def _of(summary: ReplaySummary, station: str, name: str) -> int:
    (tally,) = [tally for tally in summary.stations if tally.station == station]
    return int(getattr(tally, name))


def comparison_rows(document: Document, what: str) -> list[list[str | int]]:
    """Return the rows of one table, their sum last."""
    names = document["objectives"]
    rows: list[list[str | int]] = [
        [key, *(values[name] for name in names)] for key, values in document[what].items()
    ]
    sums = [sum(values[name] for values in document[what].values()) for name in names]
    return [*rows, ["all", *sums]]


def write_comparison(out: Path, found: Sequence[ReplaySummary]) -> list[Path]:
    """Write compare.md, compare.json and a picture into the folder `out`; return their paths."""
    out.mkdir(parents=True, exist_ok=True)
    document = comparison_document(found)
    paths = [out / "compare.md", out / "compare.json", out / "compare.png"]
    paths[0].write_text(comparison_text(document), encoding="utf-8")
    paths[1].write_text(to_json(document), encoding="utf-8")
    _draw(paths[2], document)
    return paths


def comparison_text(document: Document) -> str:
    """Return the whole of compare.md."""
    names = [f"{name}|" for name in document["objectives"]]
    span = f"{document['from'][:10]} to {document['to'][:10]}"
    title = f"# {document['scenario']}, {span}: the same skies, planned for different ends\n"
    same = f"Seed {document['seed']}, planner {document['planner']}; only the objective differs.\n"
    return "\n".join(
        [
            title,
            same,
            bullets(MEANS[name] for name in document["objectives"]),
            "## End-to-end key received, bits\n",
            table(["pair", *names], comparison_rows(document, "pairs")),
            "## Secret key settled, bits\n",
            table(["station", *names], comparison_rows(document, "stations")),
            "## Sessions settled\n",
            table(["station", *names], comparison_rows(document, "sessions")),
            "![End-to-end key received by each pair](compare.png)\n",
        ]
    )


def _draw(path: Path, document: Document) -> Path:
    """Draw what each pair received, a bar for every objective."""
    from api.plots.style import SERIES, draw

    pairs, names = list(document["pairs"]), document["objectives"]
    wide = 0.8 / len(names)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        places = np.arange(len(pairs))
        for index, name in enumerate(names):
            kbits = [document["pairs"][pair][name] / 1000.0 for pair in pairs]
            shift = (index - (len(names) - 1) / 2) * wide
            bars = axes.bar(places + shift, kbits, 0.92 * wide, color=SERIES[index], label=name)
            axes.bar_label(bars, fmt="{:,.0f}", fontsize=8, padding=2)
        axes.set_xticks(places, labels=[pair.replace("--", " - ") for pair in pairs])
        axes.grid(visible=False, axis="x")
        axes.set_ylabel("end-to-end key, kbit")
        axes.set_title(f"{document['scenario']}: key received by each pair, by objective")
        axes.legend(title="planned for")

    return draw(path, (9.0, 5.0), paint)
