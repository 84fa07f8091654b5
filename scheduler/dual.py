"""Dual downlinks: when two stations share a satellite, and what key its pairs give them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orbits import Elements, overlaps, sights
from orbits.earth import SHIPPED, EarthTime
from scheduler.domain import Candidate, PassRow, instant_key, pair_name
from scheduler.hardware import session_preset
from scheduler.learned import NOTHING_LEARNED, Learned, belief_of
from scheduler.network.ground import ground_station
from scheduler.sampling import Samples

if TYPE_CHECKING:
    from qkd import Counts, Preset
    from scheduler.network import Satellite, Station

Span = tuple[datetime, datetime]


class DualLink(NamedTuple):
    """A satellite by an element set over two stations at once, from AOS to LOS."""

    satellite: Satellite
    elements: Elements
    stations: tuple[Station, Station]
    start: datetime
    end: datetime

    @property
    def name(self) -> str:
        """The two stations in one name."""
        return pair_name(*(one.station_id for one in self.stations))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DualSamples:
    """What both stations see of a satellite, at the middles of equal steps."""

    seen: tuple[Samples, Samples]
    step_s: float

    def counts(self, link: DualLink, preset: Preset, *, ratio: float = 1.0) -> Counts:
        """Counts expected of the link, one block."""
        from qkd import session_counts

        names = [one.station_id for one in link.stations]
        steps = np.full(len(self.seen[0].offset_s), self.step_s)
        counts, _ = session_counts(self.seen, preset, names, sample_s=steps, ratio=ratio)
        return counts.total(axis=-2)


class DualForecast(NamedTuple):
    """What a dual downlink is expected to give under clear skies, and how both see it."""

    sifted_bits: float
    secret_bits: int
    qber: float  #: 0.5 without coincidences
    joint_elevation_deg: float  #: of the lower station, at its best
    range_km_min: float


def sample_dual(link: DualLink, *, step_s: float, earth: EarthTime = SHIPPED) -> DualSamples:
    """Look at a satellite from both stations at the same instants, of about `step_s` each."""
    length_s = (link.end - link.start).total_seconds()
    count = max(1, round(length_s / step_s))
    offset_s = (np.arange(count, dtype=np.float64) + 0.5) * (length_s / count)
    here = np.zeros(count, dtype=np.intp)
    one, other = (
        Samples.of(
            sights(link.elements, [ground_station(place)], here, link.start, offset_s, earth=earth)
        )
        for place in link.stations
    )
    return DualSamples(seen=(one, other), step_s=length_s / count)


def dual_forecasts(
    links: Sequence[DualLink],
    *,
    step_s: float,
    bound: str,
    learned: Learned = NOTHING_LEARNED,
    earth: EarthTime = SHIPPED,
    level: float = 0.5,
) -> Iterator[DualForecast]:
    """Forecast dual downlinks at a quantile of their loss: by preset and what sessions taught.

    Of a pooled link secret bits are those that it adds to its open block.
    """
    from qkd import block_keys

    for link in links:
        preset = session_preset(link.satellite, link.stations, bound)
        name = link.satellite.satellite_id, link.name
        ratio = float(belief_of(name, preset, learned).ratio_quantiles(level))
        samples = sample_dual(link, step_s=step_s, earth=earth)
        counts = samples.counts(link, preset, ratio=ratio)
        block = learned.block_of(name)
        if block is not None:
            secret = block.added_bits(counts, preset)
        else:
            keys = block_keys(counts, preset.protocol, preset.security, leak=preset.leak)
            secret = sum(int(key.length_bits) for key in keys)
        sifted = float((counts.key_clicks + counts.check_clicks).sum())
        wrong = float((counts.key_errors + counts.check_errors).sum())
        one, other = samples.seen
        yield DualForecast(
            sifted_bits=sifted,
            secret_bits=secret,
            qber=wrong / sifted if sifted > 0.0 else 0.5,
            joint_elevation_deg=float(np.minimum(one.elevation_deg, other.elevation_deg).max()),
            range_km_min=float(min(one.range_km.min(), other.range_km.min())),
        )


def shared_spans(first: Sequence[PassRow], second: Sequence[PassRow]) -> list[tuple[int, int]]:
    """Which dark links of two stations overlap: the places of both among the rows."""
    links = [
        [(i, row) for i, row in enumerate(rows) if row.acquires_at] for rows in (first, second)
    ]
    if not all(links):
        return []
    start = min(row.acquires_at for rows in links for _, row in rows if row.acquires_at)
    columns = [
        [
            [_seconds(getattr(row, name), start) for _, row in rows]
            for name in ("acquires_at", "loses_at")
        ]
        for rows in links
    ]
    found = overlaps(*columns[0], *columns[1])
    return [
        (links[0][i][0], links[1][j][0])
        for i, j in zip(found.first.tolist(), found.second.tolist(), strict=True)
    ]


def _seconds(when: datetime, start: datetime) -> float:
    return (when - start) / timedelta(seconds=1)


def shared_row(one: PassRow, other: PassRow) -> PassRow | None:
    """The pass of both stations together, as it is shown; None if they share no moment.

    Between rise and set it is above the masks of both, between AOS and LOS dark at both; its
    elevation and range are to be filled in. The light is that of the brighter place.
    """
    values = {item.name: getattr(one, item.name) for item in fields(PassRow)}
    begins = [max(getattr(one, n), getattr(other, n)) for n in ("rises_at", "acquires_at")]
    ends = [min(getattr(one, n), getattr(other, n)) for n in ("sets_at", "loses_at")]
    if not (begins[0] < ends[0] and begins[1] < ends[1]):
        return None
    values |= {
        "station": pair_name(one.station, other.station),
        "rises_at": begins[0],
        "sets_at": ends[0],
        "acquires_at": begins[1],
        "loses_at": ends[1],
        "culminates_at": min(max(one.culminates_at, begins[0]), ends[0]),
        "nearest_at": min(max(one.nearest_at, begins[0]), ends[0]),
        "sun_elevation_deg": max(one.sun_elevation_deg, other.sun_elevation_deg),
        "dark": True,
        "max_elevation_deg": min(one.max_elevation_deg, other.max_elevation_deg),
        "range_km_min": min(one.range_km_min, other.range_km_min),
    }
    return PassRow(**values)


def dual_candidate(row: PassRow, gained: DualForecast) -> Candidate:
    """The session of a row of two stations, with its key."""
    assert row.acquires_at is not None
    assert row.loses_at is not None
    place = f"{row.satellite}/{row.station}"
    return Candidate(
        candidate_id=f"{place}/{instant_key(row.acquires_at)}",
        pass_id=f"{place}/{instant_key(row.rises_at)}",
        satellite_id=row.satellite,
        station_id=row.station,
        acquires_at=row.acquires_at,
        loses_at=row.loses_at,
        max_elevation_deg=gained.joint_elevation_deg,
        range_km_min=gained.range_km_min,
        elements_epoch=row.elements_epoch,
        sifted_bits=gained.sifted_bits,
        secret_bits=float(gained.secret_bits),
        qber=gained.qber,
    )
