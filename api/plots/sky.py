"""The sky above a station: where the satellite stands during its passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from api.plots.style import BLACK, GREY, SERIES, draw

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.projections.polar import PolarAxes
    from numpy.typing import NDArray


CROWDED_S = 25.0
LEGEND_ROW_IN = 0.26
# Beside the colours, so that a grey copy can be read too.
_DASHES = ("-", (0, (6, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyTrack:
    """One pass sampled: instants are `start` plus `offset_s`."""

    label: str
    start: datetime
    offset_s: NDArray[np.float64]
    elevation_deg: NDArray[np.float64]
    azimuth_deg: NDArray[np.float64]
    range_km: NDArray[np.float64]

    def clock(self, index: int) -> str:
        """The instant of one sample as hours, minutes and whole seconds, rounded."""
        when = self.start + timedelta(seconds=float(self.offset_s[index]) + 0.5)
        return f"{when:%H:%M:%S}"


def sky_plot(path: Path, tracks: Sequence[SkyTrack], *, title: str) -> Path:
    """Write the sky plot of one or several passes over one station.

    North is up and east to the right, as on a map of the ground below; the rim is the horizon.
    One pass is marked minute by minute, several only where they rise.
    """

    columns = 1 if len(tracks) == 1 else min(3, len(tracks))
    more_rows = max(0, -(-len(tracks) // columns) - 1) if tracks else 0

    def paint(figure: Figure) -> None:
        axes: PolarAxes = figure.add_subplot(projection="polar")  # type: ignore[assignment]
        _lay_out(axes)
        for index, track in enumerate(tracks):
            _line(axes, track, index)
            if len(tracks) == 1:
                _minutes(axes, track)
                _landmarks(axes, track)
            else:
                axes.plot(*_place(track, 0), "o", ms=6, color=_colour(index), zorder=4)
        figure.suptitle(title, weight="bold", size=13, y=0.985)
        # The layout does not count the letter N, which stands above the rim.
        figure.set_layout_engine("constrained", rect=(0.0, 0.0, 1.0, 0.945))
        if tracks:
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.07), ncols=columns,
                        title="the dot is the rise" if len(tracks) > 1 else None)  # fmt: skip
        else:
            axes.text(0.0, 90.0, "no pass", ha="center", color=GREY)

    return draw(path, (7.2, 7.8 + LEGEND_ROW_IN * more_rows), paint)


def _lay_out(axes: PolarAxes) -> None:
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)
    axes.set_ylim(0.0, 90.0)
    axes.set_yticks([30.0, 60.0, 80.0], labels=["60°", "30°", "10°"], color=GREY, fontsize=9)
    axes.set_rlabel_position(200.0)
    names = ["N", "30°", "60°", "E", "120°", "150°", "S", "210°", "240°", "W", "300°", "330°"]
    axes.set_xticks(np.radians(np.arange(0.0, 360.0, 30.0)), labels=names)
    axes.tick_params(axis="x", pad=4)


def _place(track: SkyTrack, index: int) -> tuple[float, float]:
    return float(np.radians(track.azimuth_deg[index])), 90.0 - float(track.elevation_deg[index])


def _colour(index: int) -> str:
    return SERIES[index % len(SERIES)]


def _line(axes: PolarAxes, track: SkyTrack, index: int) -> None:
    azimuth = np.unwrap(np.radians(track.azimuth_deg))
    axes.plot(
        azimuth, 90.0 - track.elevation_deg, color=_colour(index), lw=2.4, label=track.label,
        ls=_DASHES[index % len(_DASHES)],
    )  # fmt: skip


def _minutes(axes: PolarAxes, track: SkyTrack) -> None:
    """Mark each whole minute and write the time on the outer side of the track."""
    first = track.start.replace(second=0, microsecond=0) + timedelta(minutes=1)
    offsets = np.arange((first - track.start).total_seconds(), track.offset_s[-1], 60.0)
    azimuth = np.unwrap(np.radians(track.azimuth_deg))
    for offset in offsets:
        angle = float(np.interp(offset, track.offset_s, azimuth))
        radius = 90.0 - float(np.interp(offset, track.offset_s, track.elevation_deg))
        axes.plot([angle], [radius], "o", ms=5.0, mfc="white", mec=SERIES[0], mew=1.4, zorder=3)
        if min(offset - track.offset_s[0], track.offset_s[-1] - offset) < CROWDED_S:
            continue  # the time of rise or set stands there already
        when = track.start + timedelta(seconds=float(offset))
        axes.annotate(
            f"{when:%H:%M}", (angle, radius), textcoords="offset points",
            xytext=_aside(azimuth, 90.0 - track.elevation_deg, track.offset_s, float(offset)),
            ha="center", va="center", fontsize=8.5, color=BLACK,
        )  # fmt: skip


def _aside(
    azimuth: NDArray[np.float64], zenith: NDArray[np.float64], offset_s: NDArray[np.float64],
    offset: float, distance: float = 19.0,
) -> tuple[float, float]:  # fmt: skip
    """Return the shift, in points, square to the track and away from the zenith."""
    x, y = zenith * np.sin(azimuth), zenith * np.cos(azimuth)
    near = [offset - 5.0, offset, offset + 5.0]
    (x0, x1, x2), (y0, y1, y2) = np.interp(near, offset_s, x), np.interp(near, offset_s, y)
    square = np.array([y2 - y0, x0 - x2])
    square /= np.hypot(*square) or 1.0
    sign = 1.0 if square @ np.array([x1, y1]) >= 0.0 else -1.0
    return float(sign * distance * square[0]), float(sign * distance * square[1])


def _landmarks(axes: PolarAxes, track: SkyTrack) -> None:
    """Mark rise, closest approach and set, with their figures."""
    nearest = int(np.argmin(track.range_km))
    # On the inner side of the track, where the minutes are not.
    away = _aside(
        np.unwrap(np.radians(track.azimuth_deg)), 90.0 - track.elevation_deg, track.offset_s,
        float(track.offset_s[nearest]), -62.0,
    )  # fmt: skip
    axes.plot(*_place(track, nearest), "*", ms=15, color="#D55E00", mec="white", zorder=4)
    axes.annotate(
        f"closest {track.clock(nearest)}\n{track.range_km[nearest]:.1f} km,"
        f" {track.elevation_deg[nearest]:.1f}°",
        _place(track, nearest), textcoords="offset points", xytext=away,
        ha="center", va="center", fontsize=9.5, color="#A33F00", weight="bold",
    )  # fmt: skip
    for index, word in ((0, "rises"), (-1, "sets")):
        _end(axes, track, index, f"{word} {track.clock(index)}")


def _end(axes: PolarAxes, track: SkyTrack, index: int, text: str) -> None:
    """Mark one end of the track and write its time on the inner side."""
    x, y = _aside(
        np.unwrap(np.radians(track.azimuth_deg)), 90.0 - track.elevation_deg, track.offset_s,
        float(track.offset_s[index]), -11.0,
    )  # fmt: skip
    axes.plot(*_place(track, index), "o" if index == 0 else "s", ms=7, color=SERIES[0], zorder=4)
    axes.annotate(
        text, _place(track, index), textcoords="offset points", xytext=(x, y),
        ha="left" if x >= 0.0 else "right", va="center", fontsize=9, weight="bold", color=SERIES[0],
    )  # fmt: skip
