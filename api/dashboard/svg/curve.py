"""One pass over its time: how high the satellite stands, and how much key comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BASE = 640.0, 220.0, 44.0, 70.0, 14.0, 190.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePicture:
    """Two lines over one axis of time; each has its own scale."""

    elevation: str
    rate: str
    rate_max_bps: float
    ticks: tuple[tuple[float, str], ...]
    levels: tuple[tuple[float, str], ...]  #: of elevation
    linked: tuple[float, float] | None  #: x from AOS to LOS
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    base: float = BASE


def curve_picture(
    elevations: Sequence[tuple[datetime, float]],
    rates: Sequence[tuple[datetime, float]],
    *,
    link: tuple[datetime, datetime] | None,
) -> CurvePicture:
    """The picture of one pass.

    elevations : instants and degrees, from rise to set
    rates : instants and sifted bits a second, within the link
    """
    start, end = elevations[0][0], elevations[-1][0]
    span_s = (end - start).total_seconds()

    def x(when: datetime) -> float:
        part = (when - start).total_seconds() / span_s
        return round(LEFT + (WIDTH - RIGHT - LEFT) * min(max(part, 0.0), 1.0), 1)

    most = max((rate for _, rate in rates), default=0.0)

    def line(points: Sequence[tuple[datetime, float]], top: float) -> str:
        if len(points) < 2 or not top:
            return ""
        return "M" + " L".join(
            f"{x(when)},{BASE - (BASE - TOP) * value / top:.1f}" for when, value in points
        )

    steps = range(6)
    instants = [start + (end - start) * step / 5 for step in steps]
    return CurvePicture(
        elevation=line(elevations, 90.0),
        rate=line(rates, most),
        rate_max_bps=most,
        ticks=tuple((x(when), f"{when:%H:%M:%S}") for when in instants),
        levels=tuple(
            (round(BASE - (BASE - TOP) * deg / 90.0, 1), f"{deg}°") for deg in (0, 30, 60, 90)
        ),
        linked=None if link is None else (x(link[0]), x(link[1])),
    )
