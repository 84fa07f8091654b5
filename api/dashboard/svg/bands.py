"""A pair's stock into the future: a band between two quantiles, a line in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.dashboard.svg.scale import TimeAxis
from scheduler.domain import RunwayRow

WIDTH, HEIGHT, BASE = 640.0, 96.0, 74.0
TOP = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BandPicture:
    """Paths of a band, its scale, and the marks of when it runs dry."""

    axis: TimeAxis
    area: str
    middle: str
    most_bits: float
    dry: tuple[tuple[str, float], ...]  #: (which quantile, x)
    width: float = WIDTH
    height: float = HEIGHT
    base: float = BASE
    top: float = TOP


def band_picture(row: RunwayRow, axis: TimeAxis) -> BandPicture:
    """The picture of one pair or link on a shared axis; its height is its own."""
    most = max((max(line) for line in row.bits), default=0.0) or 1.0

    def points(line: Sequence[float]) -> list[str]:
        return [
            f"{axis.x(when):g},{BASE - (BASE - TOP) * bits / most:.1f}"
            for when, bits in zip(row.times, line, strict=True)
        ]

    low, middle, high = map(points, row.bits)
    marks = [
        (name, axis.x(when))
        for name, when in zip(("10 %", "50 %", "90 %"), row.dry_at, strict=True)
        if when is not None
    ]
    return BandPicture(
        axis=axis,
        area="M" + " L".join([*low, *reversed(high)]) + " Z",
        middle="M" + " L".join(middle),
        most_bits=most,
        dry=tuple(marks),
    )


def band_axis(start: datetime, end: datetime) -> TimeAxis:
    """The axis of all bands of one page."""
    return TimeAxis(start=start, end=end, left=4.0, width=WIDTH - 8.0)
