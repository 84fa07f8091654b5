"""Secret key of every session over time, and how it adds up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from api.plots.style import BLACK, GREY, SERIES, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scheduler.domain import SettledPass, UnplannedSpan

KILO, MEGA = 1e3, 1e6
PANELS_MAX = 6  # more stations than this are told apart by their sums alone
PANEL_HEIGHT_IN, SUM_HEIGHT_IN = 1.55, 3.0


def key_timeline(
    path: Path,
    *,
    title: str,
    start: datetime,
    end: datetime,
    settled: Sequence[SettledPass],
    unplanned: Sequence[UnplannedSpan],
) -> Path:
    """Write key per session, a panel a station, and the running sums below, over [start, end).

    The panels are those of the stations with the most key.
    """
    by_station: dict[str, list[SettledPass]] = {}
    for done in sorted(settled, key=lambda one: one.acquires_at):
        by_station.setdefault(done.station, []).append(done)
    stations = sorted(by_station, key=lambda name: -_bits(by_station[name]))
    shown = stations[:PANELS_MAX]

    def paint(figure: Figure) -> None:
        heights = [*(PANEL_HEIGHT_IN for _ in shown), SUM_HEIGHT_IN]
        grid = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)
        *panels, below = grid[:, 0]
        top_kbit = max((done.secret_bits for done in settled), default=1) / KILO
        for index, (axes, station) in enumerate(zip(panels, shown, strict=True)):
            _sessions(axes, station, by_station[station], index, top_kbit)
        sums = [
            (station, _running_sum(below, by_station[station], index, start, end))
            for index, station in enumerate(stations)
        ]
        _name_sums(below, sums, end)
        for axes in (*panels, below):
            _shade(axes, unplanned)
        _finish([*panels, below], start, end, title)
        if not settled:
            below.text(0.5, 0.5, "no session settled", transform=below.transAxes, ha="center")

    return draw(path, (10.5, 1.0 + PANEL_HEIGHT_IN * len(shown) + SUM_HEIGHT_IN), paint)


def _bits(mine: Sequence[SettledPass]) -> int:
    return sum(done.secret_bits for done in mine)


def _shade(axes: Axes, unplanned: Sequence[UnplannedSpan]) -> None:
    for number, span in enumerate(unplanned):
        label = "nothing planned: no element set young enough" if number == 0 else None
        axes.axvspan(_x(span.start), _x(span.end), color="#e4e8ed", lw=0, zorder=0, label=label)


def _x(when: datetime) -> Any:
    # Matplotlib's own date axis works on naive numpy instants; ours are UTC throughout.
    return np.datetime64(when.replace(tzinfo=None), "ms")


def _colour(index: int) -> str:
    return SERIES[index % len(SERIES)]


def _sessions(
    axes: Axes, station: str, mine: Sequence[SettledPass], index: int, top_kbit: float
) -> None:
    when = [_x(done.acquires_at) for done in mine]
    kbits = [done.secret_bits / KILO for done in mine]
    axes.vlines(when, 0.0, kbits, color=_colour(index), lw=1.4, alpha=0.55)
    axes.plot(when, kbits, "o", ms=4.5, color=_colour(index), mec="white", mew=0.5)
    axes.set_ylim(0.0, 1.32 * max(top_kbit, 1e-3))
    axes.text(
        0.008, 0.95, f"{station}: {len(mine)} sessions", transform=axes.transAxes, va="top",
        weight="bold", color=_colour(index),
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
    )  # fmt: skip


def _running_sum(
    axes: Axes, mine: Sequence[SettledPass], index: int, start: datetime, end: datetime
) -> float:
    total = np.cumsum([0.0, *(done.secret_bits / MEGA for done in mine)])
    when = [_x(start), *(_x(done.acquires_at) for done in mine), _x(end)]
    axes.step(when, [*total, total[-1]], where="post", color=_colour(index), lw=2.0)
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
            xytext=(6, 0), va="center", fontsize=9, color=_colour(index),
        )  # fmt: skip


def _finish(grid: Sequence[Axes], start: datetime, end: datetime, title: str) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    below = grid[-1]
    grid[0].set_title(title)
    if len(grid) > 1:
        grid[(len(grid) - 1) // 2].set_ylabel("secret key of a session, kbit")
    below.set_ylabel("sum so far, Mbit")
    below.set_xlabel("start of the session, UTC")
    below.set_xlim(_x(start), _x(end))
    below.set_ylim(bottom=0.0)
    for axes in grid:
        axes.grid(visible=False, axis="x")
        axes.tick_params(colors=GREY, labelcolor=BLACK)
    locator = AutoDateLocator(minticks=4, maxticks=10)  # type: ignore[no-untyped-call]
    below.xaxis.set_major_locator(locator)
    below.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    handles, _ = below.get_legend_handles_labels()
    if handles:
        below.legend(loc="upper left")
