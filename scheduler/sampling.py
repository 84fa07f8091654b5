"""Where links are looked at: few instants where all is smooth, many where something jumps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orbits import Elements, GroundStation, Sights, SunAndMoon, sights
from orbits.earth import SHIPPED, EarthTime

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits import Track

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.intp]

# A pass of 500 km altitude has its poles 66 s off the real axis, beyond which Gauss's rule of
# five points a minute is exact to 1e-6.
_PANEL_S = 60.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)
# Moonlight has a cusp at the Moon and a step at 10 degrees from it (Krisciunas and Schaefer).
_MOON_NEAR_DEG = 30.0
_MOON_UP_DEG = -1.0
# The Sun moves 0.25 deg a minute; within this of the limit every instant is looked at.
_DUSK_DEG = 0.3
_AT_ONCE = 200_000  # samples held in memory together, of 80 bytes each


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """A track's arrays at some of its instants; what the yield model asks of a track."""

    offset_s: FloatArray
    azimuth_deg: FloatArray
    elevation_deg: FloatArray
    range_km: FloatArray
    sun_elevation_deg: FloatArray
    moon_elevation_deg: FloatArray
    moon_phase_deg: FloatArray
    moon_separation_deg: FloatArray
    satellite_sunlit: NDArray[np.bool_]

    @classmethod
    def of(cls, seen: Track | Sights) -> Samples:
        """All samples of a track."""
        return cls(**{name: np.asarray(getattr(seen, name)) for name in cls.__dataclass_fields__})

    def part(self, chosen: slice | IntArray) -> Samples:
        """Some of the samples."""
        names = self.__dataclass_fields__
        return Samples(**{name: getattr(self, name)[chosen] for name in names})

    @classmethod
    def joined(cls, parts: Sequence[Samples]) -> Samples:
        """Several samples as one."""
        names = cls.__dataclass_fields__
        return cls(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinkSamples:
    """The samples of L links, one link after the other, each sample for so many seconds.

    The first and the last sample of a link are its two ends, which stand for no time.
    """

    samples: Samples
    sample_s: FloatArray
    edges: IntArray  #: where links begin and end among the samples, shape (L + 1,)

    def of(self, links: IntArray) -> LinkSamples:
        """The samples of some of the links."""
        sizes = np.diff(self.edges)[links]
        edges = np.concatenate([[0], np.cumsum(sizes)])
        chosen = np.arange(edges[-1]) + np.repeat(self.edges[links] - edges[:-1], sizes)
        return LinkSamples(
            samples=self.samples.part(chosen), sample_s=self.sample_s[chosen], edges=edges
        )

    @classmethod
    def joined(cls, parts: Sequence[LinkSamples]) -> LinkSamples:
        """The links of several, one after the other."""
        sizes = np.concatenate([np.diff(part.edges) for part in parts])
        return cls(
            samples=Samples.joined([part.samples for part in parts]),
            sample_s=np.concatenate([part.sample_s for part in parts]),
            edges=np.concatenate([[0], np.cumsum(sizes)]),
        )


class LinkSpan(NamedTuple):
    """A satellite over a station in [start, end)."""

    elements: Elements
    station: GroundStation
    start: datetime
    end: datetime


def sample_links(
    spans: Sequence[LinkSpan], *, step_s: float, earth: EarthTime = SHIPPED
) -> LinkSamples:
    """Sample links, at least one, so that a sum over the samples is the integral over the link.

    By Gauss's rule, five points a minute. In minutes in which something jumps (the satellite
    enters the shadow, crosses the
    true horizon, or passes near the Moon) at the middles of equal
    steps of about `step_s`. An instant without a position stands for no time.
    """
    batches = list(_batches(spans))
    found = LinkSamples.joined(
        [_sampled([spans[place] for place in places], step_s, earth) for places in batches]
    )
    order = np.concatenate(batches)
    if np.all(order[1:] > order[:-1]):
        return found
    return found.of(np.argsort(order))


def _batches(spans: Sequence[LinkSpan]) -> Iterator[list[int]]:
    """Places of spans of one element set, of about so many samples together."""
    alike: defaultdict[int, list[int]] = defaultdict(list)
    for place, span in enumerate(spans):
        alike[id(span.elements)].append(place)
    for places in alike.values():
        batch: list[int] = []
        samples = 0.0
        for place in places:
            batch.append(place)
            length_s = (spans[place].end - spans[place].start).total_seconds()
            samples += len(_NODES) * (1.0 + length_s / _PANEL_S)
            if samples > _AT_ONCE:
                yield batch
                batch, samples = [], 0.0
        if batch:
            yield batch


def _sampled(spans: Sequence[LinkSpan], step_s: float, earth: EarthTime) -> LinkSamples:
    """Sample spans of one element set."""
    start, begins_s, ends_s = _offsets(spans)
    stations, station = _stations([span.station for span in spans])
    panels = np.maximum(1, np.ceil((ends_s - begins_s) / _PANEL_S)).astype(np.intp)
    last = np.cumsum(panels) - 1
    owner = np.repeat(np.arange(len(spans)), panels)
    width_s = ((ends_s - begins_s) / panels)[owner]
    first_s = begins_s[owner] + (np.arange(len(owner)) - (last - panels + 1)[owner]) * width_s

    def look(where: _Where) -> Sights:
        over = station[owner[where.panel]]
        return sights(spans[0].elements, stations, over, start, where.offset_s, earth=earth)

    nodes = _Where(
        (first_s[:, None] + width_s[:, None] * (0.5 + 0.5 * _NODES)).ravel(),
        (width_s[:, None] * (0.5 * _WEIGHTS)).ravel(),
        np.repeat(np.arange(len(owner)), len(_NODES)),
    )
    ends = _Where(
        np.concatenate([begins_s, ends_s]),
        np.zeros(2 * len(spans)),
        np.concatenate([last - panels + 1, last]),
    )
    where = _sorted([ends, nodes])
    seen = look(where)
    rough = _rough(seen, where.panel, owner)
    if rough.any():
        smooth = np.flatnonzero(~rough[where.panel] | (where.sample_s == 0.0))
        fine = _middles(first_s, width_s, np.flatnonzero(rough), step_s)
        kept = where.part(smooth), _part(seen, smooth)
        where, seen = _in_order([kept, (fine, look(fine))])
    return LinkSamples(
        samples=Samples.of(_without_nowhere(seen)),
        sample_s=np.where(seen.usable, where.sample_s, 0.0),
        edges=np.searchsorted(owner[where.panel], np.arange(len(spans) + 1)),
    )


def _without_nowhere(seen: Sights) -> Sights:
    """The same with numbers that mean no link where there is no position."""
    if seen.usable.all():
        return seen
    absent = {"elevation_deg": -90.0, "azimuth_deg": 0.0, "range_km": 1e6,
              "moon_separation_deg": 90.0, "satellite_sunlit": False}  # fmt: skip
    return replace(
        seen,
        **{name: np.where(seen.usable, getattr(seen, name), no) for name, no in absent.items()},
    )


class _Where(NamedTuple):
    """Instants to look at, how long each stands for, and the stretch that each is in."""

    offset_s: FloatArray
    sample_s: FloatArray
    panel: IntArray

    def part(self, chosen: IntArray) -> _Where:
        return _Where(self.offset_s[chosen], self.sample_s[chosen], self.panel[chosen])


def _part(seen: Sights, chosen: IntArray) -> Sights:
    return Sights(**{item.name: getattr(seen, item.name)[chosen] for item in fields(Sights)})


def _sorted(parts: Sequence[_Where]) -> _Where:
    """Several lists of instants as one, stretch after stretch, in order of time."""
    where = _joined(parts)
    return where.part(np.lexsort((where.offset_s, where.panel)))


def _joined(parts: Sequence[_Where]) -> _Where:
    return _Where(
        np.concatenate([one.offset_s for one in parts]),
        np.concatenate([one.sample_s for one in parts]),
        np.concatenate([one.panel for one in parts]),
    )


def _in_order(parts: Sequence[tuple[_Where, Sights]]) -> tuple[_Where, Sights]:
    """Several looks as one, stretch after stretch, in order of time."""
    where = _joined([one for one, _ in parts])
    order = np.lexsort((where.offset_s, where.panel))
    joined = {
        item.name: np.concatenate([getattr(seen, item.name) for _, seen in parts])[order]
        for item in fields(Sights)
    }
    return where.part(order), Sights(**joined)


def _rough(seen: Sights, panel: IntArray, owner: IntArray) -> NDArray[np.bool_]:
    """Which panels something jumps in, or next to: the nodes do not say where between them."""
    rough = np.zeros(len(owner), dtype=bool)
    near = (seen.moon_separation_deg < _MOON_NEAR_DEG) & (seen.moon_elevation_deg > _MOON_UP_DEG)
    rough[panel[near]] = True
    together = owner[panel[1:]] == owner[panel[:-1]]
    for state in (seen.satellite_sunlit, seen.elevation_deg >= 0.0):
        change = np.flatnonzero((state[1:] != state[:-1]) & together)
        rough[panel[change]] = rough[panel[change + 1]] = True
    return rough


def _middles(first_s: FloatArray, width_s: FloatArray, chosen: IntArray, step_s: float) -> _Where:
    """The middles of equal steps of the chosen stretches."""
    counts = np.maximum(1, np.rint(width_s[chosen] / step_s)).astype(np.intp)
    owner = np.repeat(np.arange(len(chosen)), counts)
    inside = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    steps_s = (width_s[chosen] / counts)[owner]
    return _Where(first_s[chosen][owner] + (inside + 0.5) * steps_s, steps_s, chosen[owner])


def dark_spans(
    spans: Sequence[LinkSpan],
    at: Sequence[datetime],
    *,
    sun_below_deg: float,
    step_s: float,
    earth: EarthTime = SHIPPED,
) -> tuple[list[tuple[datetime, datetime] | None], FloatArray]:
    """The longest dark part of each span, of whole steps; and the Sun at one instant of each.

    Of two that are equally long the earlier. None where no middle of a step is dark.
    """
    start, begins_s, ends_s = _offsets(spans)
    stations, station = _stations([span.station for span in spans])
    bodies = SunAndMoon(start, float(begins_s.min()), float(ends_s.max()), earth)
    at_s = np.array([(instant - start).total_seconds() for instant in at])
    sun_deg = bodies.sun_elevation_deg(stations, station, at_s)
    every = np.arange(len(spans))
    looks_s, _, owner = _middles(begins_s, ends_s - begins_s, every, _PANEL_S)
    looks_deg = bodies.sun_elevation_deg(stations, station[owner], looks_s)
    firsts = np.searchsorted(owner, every)
    lowest, highest = (f.reduceat(looks_deg, firsts) for f in (np.minimum, np.maximum))
    found: list[tuple[datetime, datetime] | None] = [
        (span.start, span.end) if dark else None
        for span, dark in zip(spans, (highest < sun_below_deg - _DUSK_DEG).tolist(), strict=True)
    ]
    mixed = (highest >= sun_below_deg - _DUSK_DEG) & (lowest < sun_below_deg + _DUSK_DEG)
    chosen = np.flatnonzero(mixed)
    if not chosen.size:
        return found, sun_deg
    looks_s, width_s, owner = _middles(begins_s, ends_s - begins_s, chosen, step_s)
    dark = bodies.sun_elevation_deg(stations, station[owner], looks_s) < sun_below_deg
    edges = np.searchsorted(owner, [*chosen, len(spans)])
    for place, low, high in zip(chosen.tolist(), edges, edges[1:], strict=False):
        found[place] = _longest(spans[place].start, dark[low:high], float(width_s[low]))
    return found, sun_deg


def eclipsed_span(
    span: LinkSpan, *, step_s: float, earth: EarthTime = SHIPPED
) -> tuple[datetime, datetime] | None:
    """The longest part of a span, of whole steps, in which the satellite is in eclipse; or None.

    Penumbra counts as sunlight.
    """
    start, begins_s, ends_s = _offsets([span])
    middles = _middles(begins_s, ends_s - begins_s, np.zeros(1, dtype=np.intp), step_s)
    here = np.zeros(len(middles.offset_s), dtype=np.intp)
    seen = sights(span.elements, [span.station], here, start, middles.offset_s, earth=earth)
    return _longest(span.start, ~seen.satellite_sunlit & seen.usable, float(middles.sample_s[0]))


def _longest(
    start: datetime, dark: NDArray[np.bool_], step_s: float
) -> tuple[datetime, datetime] | None:
    """The longest run of dark steps; the earlier of two that are equally long."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], dark, [False])).astype(np.int8)))
    if not edges.size:
        return None
    runs = edges.reshape(-1, 2)
    first, last = (int(edge) for edge in runs[np.argmax(runs[:, 1] - runs[:, 0])])
    return start + timedelta(seconds=first * step_s), start + timedelta(seconds=last * step_s)


def _offsets(spans: Sequence[LinkSpan]) -> tuple[datetime, FloatArray, FloatArray]:
    """The first instant of all, and where each span begins and ends, seconds after it."""
    start = min(span.start for span in spans)
    second = timedelta(seconds=1)
    return (
        start,
        np.array([(span.start - start) / second for span in spans]),
        np.array([(span.end - start) / second for span in spans]),
    )


def _stations(each: Sequence[GroundStation]) -> tuple[list[GroundStation], IntArray]:
    """The different stations, and which of them each is."""
    places: dict[int, int] = {}
    found: list[GroundStation] = []
    index = np.empty(len(each), dtype=np.intp)
    for number, station in enumerate(each):
        if id(station) not in places:
            places[id(station)] = len(found)
            found.append(station)
        index[number] = places[id(station)]
    return found, index
