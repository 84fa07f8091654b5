"""A plan as a timeline: stations by time, night shaded, booked and left-out passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.plots.style import BLACK, BLUE, GREY, ORANGE, VERMILION, draw
from scheduler.domain import TERMINAL_STATES, BookingState, OutageKind, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scheduler.domain import Outage, PlannedPass, Span

HOUR_S = 3600.0
ONE_ROW_DAYS = 2.0  # a longer window gets a row for every day
LABELS_DAYS = 8.0  # beyond this, figures on the bars would be unreadable
NIGHT, DAY = "#dfe5f2", "#fffdf4"
MARGIN_H = 0.5


_OFF = TERMINAL_STATES - {BookingState.SETTLED}


class _Look(StrEnum):
    """What a bar is."""

    BOOKED = "booked"
    LEFT_OUT = "left out"
    CANCELLED = "cancelled, missed or failed"
    DAYLIGHT = "in daylight"

    @classmethod
    def of(cls, planned: PlannedPass) -> _Look:
        """Return what the bar of a pass is."""
        if planned.verdict is not Verdict.BOOKED:
            return cls.DAYLIGHT if planned.verdict is Verdict.DAYLIGHT else cls.LEFT_OUT
        return cls.CANCELLED if planned.booking_state in _OFF else cls.BOOKED


def _span(planned: PlannedPass) -> tuple[datetime, datetime]:
    return planned.acquires_at or planned.rises_at, planned.loses_at or planned.sets_at


@dataclass(frozen=True, slots=True)
class _Row:
    station: str
    start: datetime
    end: datetime
    name: str

    def hours(self, when: datetime) -> float:
        return (when - self.start).total_seconds() / HOUR_S

    def cut(self, start: datetime, end: datetime) -> tuple[float, float] | None:
        """Begin and length in hours of what lies in this row."""
        begin, until = max(start, self.start), min(end, self.end)
        return (self.hours(begin), self.hours(until) - self.hours(begin)) if begin < until else None


_STYLE: dict[_Look, dict[str, Any]] = {
    _Look.BOOKED: {"height": 0.62, "facecolor": BLUE, "edgecolor": BLUE, "lw": 0.8, "zorder": 4},
    _Look.LEFT_OUT: {"height": 0.34, "facecolor": "white", "edgecolor": BLACK, "lw": 0.9,
                    "zorder": 3},
    _Look.CANCELLED: {"height": 0.62, "facecolor": "white", "edgecolor": VERMILION, "lw": 1.3,
                     "hatch": "xxxxx", "zorder": 5},
    _Look.DAYLIGHT: {"height": 0.14, "facecolor": "#c9b98a", "edgecolor": "none", "lw": 0.0,
                    "zorder": 2},
}  # fmt: skip


def plan_timeline(
    path: Path,
    *,
    title: str,
    start: datetime,
    end: datetime,
    stations: Mapping[str, str],
    passes: Sequence[PlannedPass],
    nights: Mapping[str, Sequence[Span]],
    outages: Sequence[Outage] = (),
) -> Path:
    """Write the timeline of [start, end); `stations` maps ids to the names on the rows.

    Up to two days each station has one row; a longer window has a row a day, so that a pass of
    minutes stays visible.
    """
    rows = _rows(start, end, stations)
    height = 1.9 + (0.78 if len(rows) <= 2 * len(stations) else 0.34) * len(rows)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for number, row in enumerate(rows):
            _ground(axes, number, row, nights.get(row.station, ()))
            _out_of_service(axes, number, row, outages)
            for bar in passes:
                if bar.station == row.station:
                    _bar(axes, number, row, bar, labelled=(end - start).days <= LABELS_DAYS)
        _finish(axes, rows, passes, nights)
        axes.set_title(title, pad=12)
        _legend(figure, passes, outages)

    return draw(path, (11.0, min(max(height, 3.4), 60.0)), paint)


def _rows(start: datetime, end: datetime, stations: Mapping[str, str]) -> list[_Row]:
    if (end - start) <= timedelta(days=ONE_ROW_DAYS):
        return [_Row(station, start, end, name) for station, name in stations.items()]
    rows: list[_Row] = []
    for station, name in stations.items():
        day = start.replace(hour=0, minute=0, second=0, microsecond=0)
        while day < end:
            rows.append(_Row(station, day, day + timedelta(days=1), f"{name}  {day:%m-%d}"))
            day += timedelta(days=1)
    return rows


def _ground(axes: Axes, number: int, row: _Row, nights: Sequence[Span]) -> None:
    length = row.hours(row.end)
    axes.broken_barh([(0.0, length)], (number - 0.46, 0.92), facecolor=DAY, lw=0, zorder=0)
    dark = [cut for night in nights if (cut := row.cut(night.start, night.end))]
    axes.broken_barh(dark, (number - 0.46, 0.92), facecolor=NIGHT, lw=0, zorder=1)


def _out_of_service(axes: Axes, number: int, row: _Row, outages: Sequence[Outage]) -> None:
    cuts = [
        cut for outage in outages
        if (outage.kind is OutageKind.SATELLITE or outage.name == row.station)
        and (cut := row.cut(outage.starts_at, outage.ends_at))
    ]  # fmt: skip
    axes.broken_barh(
        cuts, (number - 0.46, 0.92), facecolor=ORANGE, alpha=0.28, lw=0, hatch="///",
        edgecolor="#8a5a00", zorder=2,
    )  # fmt: skip


def _bar(axes: Axes, number: int, row: _Row, planned: PlannedPass, *, labelled: bool) -> None:
    cut = row.cut(*_span(planned))
    if cut is None:
        return
    look = _Look.of(planned)
    style = dict(_STYLE[look])
    tall = style.pop("height")
    axes.broken_barh([cut], (number - tall / 2, tall), **style)
    if labelled and planned.expected_bits is not None and look is not _Look.LEFT_OUT:
        axes.annotate(
            f"{planned.expected_bits / 1000.0:,.0f} kbit", (cut[0] + cut[1], number),
            textcoords="offset points", xytext=(4, 0), ha="left", va="center", fontsize=8.5,
            zorder=6, color=BLUE if look is _Look.BOOKED else VERMILION,
        )  # fmt: skip


def _finish(
    axes: Axes, rows: Sequence[_Row], passes: Sequence[PlannedPass],
    nights: Mapping[str, Sequence[Span]],
) -> None:  # fmt: skip
    axes.set_yticks(range(len(rows)), labels=[row.name for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.4, -0.75)
    first, last = _shown(rows, passes, nights)
    axes.set_xlim(first, last)
    step = next(step for step in (0.5, 1, 2, 3, 6, 12, 24) if (last - first) / step <= 14)
    ticks = [step * n for n in range(int(first // step) + 1, int(last // step) + 1)]
    origin = rows[0].start
    several = len({row.start for row in rows}) > 1
    names = [_clock(origin + timedelta(hours=tick), dated=not several) for tick in ticks]
    axes.set_xticks(ticks, labels=names)
    axes.set_xlabel("UTC" if several else f"UTC, from {origin:%Y-%m-%d}")
    axes.grid(visible=False, axis="y")
    for side in ("left", "top", "right"):
        axes.spines[side].set_visible(False)
    for number in range(1, len(rows)):
        if rows[number].station != rows[number - 1].station and several:
            axes.axhline(number - 0.5, color=GREY, lw=0.8, zorder=7)


def _shown(
    rows: Sequence[_Row], passes: Sequence[PlannedPass], nights: Mapping[str, Sequence[Span]]
) -> tuple[float, float]:
    """The hours worth showing: the nights and every pass, with half an hour on both sides."""
    hours: list[float] = []
    for row in rows:
        spans = [(night.start, night.end) for night in nights.get(row.station, ())]
        spans += [_span(planned) for planned in passes if _shows(planned, row)]
        for start, end in spans:
            if (cut := row.cut(start, end)) is not None:
                hours += [cut[0] - MARGIN_H, cut[0] + cut[1] + MARGIN_H]
    whole = rows[0].hours(rows[0].end)
    return (max(0.0, min(hours)), min(whole, max(hours))) if hours else (0.0, whole)


def _shows(planned: PlannedPass, row: _Row) -> bool:
    return planned.station == row.station and planned.verdict is not Verdict.DAYLIGHT


def _clock(when: datetime, *, dated: bool) -> str:
    midnight = when.hour == 0 and when.minute == 0
    return f"{when:%m-%d}\n00:00" if midnight and dated else f"{when:%H:%M}"


def _legend(figure: Figure, passes: Sequence[PlannedPass], outages: Sequence[Outage]) -> None:
    from matplotlib.patches import Patch

    used = {_Look.of(planned) for planned in passes}
    handles = []
    for look, style in _STYLE.items():
        if look in used:
            plain = {k: v for k, v in style.items() if k not in {"height", "zorder"}}
            handles.append(Patch(label=look.value, **plain))
    handles.append(Patch(facecolor=NIGHT, label="dark enough"))
    if outages:
        handles.append(
            Patch(facecolor=ORANGE, alpha=0.28, hatch="///", edgecolor="#8a5a00",
                  label="out of service")
        )  # fmt: skip
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), labelcolor=BLACK,
        fontsize=9,
    )  # fmt: skip
