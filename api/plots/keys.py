"""Secret key of every session over time, and how it adds up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from api.plots.style import BLACK, GREY, MARKERS, SERIES, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scheduler.facts import SettledPass, UnplannedSpan

KILO = 1000.0


def key_timeline(
    path: Path,
    *,
    title: str,
    start: datetime,
    end: datetime,
    settled: Sequence[SettledPass],
    unplanned: Sequence[UnplannedSpan],
) -> Path:
    """Write key per session (above) and its running sum by station (below) over [start, end)."""
    stations = sorted({done.station for done in settled})

    def paint(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1.5, 1.0])
        for axes in (above, below):
            _shade(axes, unplanned)
        sums: list[tuple[str, float]] = []
        for index, station in enumerate(stations):
            mine = sorted(
                (done for done in settled if done.station == station), key=lambda d: d.acquires_at
            )
            _sessions(above, station, mine, index)
            sums.append((station, _running_sum(below, station, mine, index, start, end)))
        _name_sums(below, sums, end)
        _finish(above, below, start, end, title)
        if not settled:
            above.text(0.5, 0.5, "no session settled", transform=above.transAxes, ha="center")

    return draw(path, (10.5, 7.0), paint)


def _shade(axes: Axes, unplanned: Sequence[UnplannedSpan]) -> None:
    for number, span in enumerate(unplanned):
        label = "nothing planned: no element set young enough" if number == 0 else None
        axes.axvspan(_x(span.start), _x(span.end), color="#e9edf1", lw=0, zorder=0, label=label)


def _x(when: datetime) -> Any:
    # Matplotlib's own date axis works on naive numpy instants; ours are UTC throughout.
    return np.datetime64(when.replace(tzinfo=None), "ms")


def _sessions(axes: Axes, station: str, mine: Sequence[SettledPass], index: int) -> None:
    colour, marker = SERIES[index % len(SERIES)], MARKERS[index % len(MARKERS)]
    when = [_x(done.acquires_at) for done in mine]
    kbits = [done.secret_bits / KILO for done in mine]
    axes.vlines(when, 0.0, kbits, color=colour, lw=1.0, alpha=0.45)
    axes.plot(when, kbits, ls="none", marker=marker, ms=6, color=colour, mec="white", mew=0.5,
              label=station)  # fmt: skip


def _running_sum(
    axes: Axes,
    station: str,
    mine: Sequence[SettledPass],
    index: int,
    start: datetime,
    end: datetime,
) -> float:
    total = np.cumsum([0.0, *(done.secret_bits / KILO / KILO for done in mine)])
    when = [_x(start), *(_x(done.acquires_at) for done in mine), _x(end)]
    axes.step(when, [*total, total[-1]], where="post", color=SERIES[index % len(SERIES)], lw=2.0)
    return float(total[-1])


def _name_sums(axes: Axes, sums: Sequence[tuple[str, float]], end: datetime) -> None:
    """Write each sum at the right end of its line, pushed apart where lines end close by."""
    least = 0.09 * max((total for _, total in sums), default=0.0)
    height = -least
    for index in sorted(range(len(sums)), key=lambda number: sums[number][1]):
        station, total = sums[index]
        height = max(total, height + least)
        axes.annotate(
            f"{station} {total:.2f}", (_x(end), height), textcoords="offset points",
            xytext=(6, 0), va="center", fontsize=9, color=SERIES[index % len(SERIES)],
        )  # fmt: skip


def _finish(above: Axes, below: Axes, start: datetime, end: datetime, title: str) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    above.set_title(title)
    above.set_ylabel("secret key of a session, kbit")
    below.set_ylabel("sum so far, Mbit")
    below.set_xlabel("start of the session, UTC")
    below.set_xlim(_x(start), _x(end))
    for axes in (above, below):
        axes.set_ylim(bottom=0.0)
        axes.grid(visible=False, axis="x")
    locator = AutoDateLocator(minticks=4, maxticks=10)  # type: ignore[no-untyped-call]
    below.xaxis.set_major_locator(locator)
    below.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    handles, _ = above.get_legend_handles_labels()
    if handles:
        above.legend(loc="upper center", bbox_to_anchor=(0.5, -0.03), ncols=4, labelcolor=BLACK)
    below.tick_params(colors=GREY, labelcolor=BLACK)
