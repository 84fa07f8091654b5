"""Secret key of every session over time, and how it adds up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from api.plots.style import BLACK, GREY, SERIES, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scheduler.domain import KeyGain, UnplannedSpan

KILO, MEGA = 1e3, 1e6
SESSIONS_MAX, WEEKS_MAX = timedelta(days=70), timedelta(days=500)
"""Times up to which sessions are drawn one by one, and weeks; of longer ones the months."""
GAP: dict[str, Any] = {"color": "#d3dae2", "lw": 0.0, "zorder": 0}
PANELS_MAX = 6  # more stations than this are told apart by their sums alone
PANEL_HEIGHT_IN, SUM_HEIGHT_IN = 1.55, 3.0


def key_timeline(
    path: Path,
    *,
    title: str,
    start: datetime,
    end: datetime,
    gains: Sequence[KeyGain],
    sessions: Mapping[str, int],
    unplanned: Sequence[UnplannedSpan],
) -> Path:
    """Write key over [start, end), a panel a station, and the running sums below.

    The panels are those of the stations with the most key, and show each session, or the sum of
    a week or month where sessions would be a cloud. `gains` are in order of time.
    """
    by_station: dict[str, list[KeyGain]] = {}
    for done in gains:
        by_station.setdefault(done.station, []).append(done)
    stations = sorted(by_station, key=lambda name: -_bits(by_station[name]))
    shown = stations[:PANELS_MAX]

    def paint(figure: Figure) -> None:
        heights = [*(PANEL_HEIGHT_IN for _ in shown), SUM_HEIGHT_IN]
        grid = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)
        *panels, below = grid[:, 0]
        span = Span.of(start, end)
        found = {station: sums_of(by_station[station], span) for station in shown}
        top = max((key for one in found.values() for key in one.values()), default=1.0)
        for index, (axes, station) in enumerate(zip(panels, shown, strict=True)):
            _panel(axes, span, found[station], index, top)
            _name_panel(axes, f"{station}: {sessions.get(station, 0)} sessions", index)
        sums = [
            (station, _running_sum(below, by_station[station], index, start, end))
            for index, station in enumerate(stations)
        ]
        _name_sums(below, sums, end)
        for axes in (*panels, below):
            _shade(axes, unplanned)
        _finish([*panels, below], start, end, title, span)
        _legend(figure, unplanned)
        if not gains:
            below.text(0.5, 0.5, "no session settled", transform=below.transAxes, ha="center")

    return draw(path, (10.5, 1.0 + PANEL_HEIGHT_IN * len(shown) + SUM_HEIGHT_IN), paint)


def _bits(mine: Sequence[KeyGain]) -> int:
    return sum(done.secret_bits for done in mine)


def _shade(axes: Axes, unplanned: Sequence[UnplannedSpan]) -> None:
    for span in unplanned:
        axes.axvspan(_x(span.start), _x(span.end), **GAP)


def _legend(figure: Figure, unplanned: Sequence[UnplannedSpan]) -> None:
    """Say below all panels what their grey means, where nothing else is drawn."""
    from matplotlib.patches import Patch

    if unplanned:
        label = f"nothing planned: no element set young enough ({_days(unplanned):,.0f} days)"
        figure.legend(handles=[Patch(**GAP, label=label)], loc="outside lower right")


def _days(spans: Sequence[UnplannedSpan]) -> float:
    return sum((span.end - span.start) / timedelta(days=1) for span in spans)


def _x(when: datetime) -> Any:
    # Matplotlib's own date axis works on naive numpy instants; ours are UTC throughout.
    return np.datetime64(when.replace(tzinfo=None), "ms")


def _colour(index: int) -> str:
    return SERIES[index % len(SERIES)]


class Span(StrEnum):
    """What a panel shows the key of."""

    SESSION = "session"
    WEEK = "week"
    MONTH = "month"

    @property
    def unit(self) -> str:
        """In what the panels count."""
        return "kbit" if self is Span.SESSION else "Mbit"

    @property
    def unit_bits(self) -> float:
        """The same in bits."""
        return KILO if self is Span.SESSION else MEGA

    @classmethod
    def of(cls, start: datetime, end: datetime) -> Span:
        """What is told apart in a picture of that time."""
        if end - start <= SESSIONS_MAX:
            return cls.SESSION
        return cls.WEEK if end - start <= WEEKS_MAX else cls.MONTH

    def begin(self, when: datetime) -> datetime:
        """When that session, week (from Monday) or month of UTC began."""
        if self is Span.SESSION:
            return when
        day = when.replace(hour=0, minute=0, second=0, microsecond=0)
        back = day.day - 1 if self is Span.MONTH else day.weekday()
        return day - timedelta(days=back)

    def end(self, begin: datetime) -> datetime:
        """When the next one begins."""
        return self.begin(begin + timedelta(days=32 if self is Span.MONTH else 7))


def sums_of(mine: Sequence[KeyGain], span: Span) -> dict[datetime, float]:
    """Return the secret key of each session, week or month that had any, in the unit of `span`."""
    sums: dict[datetime, float] = {}
    for done in mine:
        begin = span.begin(done.at)
        sums[begin] = sums.get(begin, 0.0) + done.secret_bits / span.unit_bits
    return sums


def _panel(axes: Axes, span: Span, sums: Mapping[datetime, float], index: int, top: float) -> None:
    """Draw a pin for every session, or a bar as wide as its week or month."""
    if span is Span.SESSION:
        when = [_x(begin) for begin in sums]
        axes.vlines(when, 0.0, list(sums.values()), color=_colour(index), lw=1.4, alpha=0.55)
        axes.plot(when, list(sums.values()), "o", ms=4.5, color=_colour(index), mec="white",
                  mew=0.5)  # fmt: skip
    for begin, key in sums.items() if span is not Span.SESSION else ():
        axes.fill_between(
            [_x(begin), _x(span.end(begin))], key, color=_colour(index), lw=0.4, ec="white"
        )
    axes.set_ylim(0.0, 1.32 * max(top, 1e-3))


def _name_panel(axes: Axes, text: str, index: int) -> None:
    axes.text(
        0.008, 0.95, text, transform=axes.transAxes, va="top", weight="bold", color=_colour(index),
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip


def _running_sum(
    axes: Axes, mine: Sequence[KeyGain], index: int, start: datetime, end: datetime
) -> float:
    total = np.cumsum([0.0, *(done.secret_bits / MEGA for done in mine)])
    when = [_x(start), *(_x(done.at) for done in mine), _x(end)]
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


def _finish(grid: Sequence[Axes], start: datetime, end: datetime, title: str, span: Span) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    below = grid[-1]
    grid[0].set_title(title)
    if len(grid) > 1:
        grid[(len(grid) - 1) // 2].set_ylabel(f"secret key of a {span}, {span.unit}")
    below.set_ylabel("sum so far, Mbit")
    below.set_xlabel("start of the session, UTC" if span is Span.SESSION else "UTC")
    below.set_xlim(_x(start), _x(end))
    below.set_ylim(bottom=0.0)
    for axes in grid:
        axes.grid(visible=False, axis="x")
        axes.tick_params(colors=GREY, labelcolor=BLACK)
    locator = AutoDateLocator(minticks=4, maxticks=10)  # type: ignore[no-untyped-call]
    below.xaxis.set_major_locator(locator)
    below.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
