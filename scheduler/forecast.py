"""The one place where orbits meets qkd: a pass and a link become expected key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from orbits import Elements, GroundStation, SatellitePass, find_passes
from orbits.earth import SHIPPED, EarthTime
from scheduler.domain import Candidate, PassRow, instant_key
from scheduler.hardware import link_preset
from scheduler.learned import NOTHING_LEARNED, Learned, belief_of
from scheduler.network import SessionKind
from scheduler.network.ground import ground_station, grounds_of
from scheduler.sampling import (
    LinkSamples,
    LinkSpan,
    dark_spans,
    eclipsed_span,
    sample_links,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits import Archive
    from qkd import Counts, Preset
    from scheduler.network import Planning, Satellite, Station

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.intp]

_TAIL = timedelta(hours=3)  # for passes that rise in a window and set later; none lasts longer
_AT_ONCE = 20_000  # links whose samples are held in memory together, some 3 kB each


@dataclass(frozen=True, slots=True, kw_only=True)
class PassForecast:
    """A pass as it is shown and, where some part of it is dark, as it could be booked."""

    row: PassRow
    candidate: Candidate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """A satellite, the element set to foretell it by, and the window [start, end) to do so for.

    With the `history` of its element sets, each row tells its timing uncertainty.
    """

    satellite: Satellite
    elements: Elements
    start: datetime
    end: datetime
    history: Archive | None = None


def forecast_flights(
    flights: Sequence[Flight],
    *,
    stations: Sequence[Station],
    planning: Planning,
    step_s: float,
    bound: str,
    learned: Learned = NOTHING_LEARNED,
    earth: EarthTime = SHIPPED,
) -> list[PassForecast]:
    """Forecast every pass that rises within the windows, each to its very end.

    A pass already up at the start belongs to the window before. Flight after flight, each in
    order of rise.
    """
    grounds = [ground_station(one, least_deg=planning.min_elevation_deg) for one in stations]
    by_id = {station.station_id: station for station in stations}
    passes = [
        (item, flight.satellite, flight.elements, by_id[item.station_id])
        for flight in flights
        for item in _passes_of(flight, grounds, earth)
    ]
    return forecast_passes(
        passes, planning=planning, step_s=step_s, bound=bound, learned=learned, earth=earth
    )


def _passes_of(
    flight: Flight, grounds: Sequence[GroundStation], earth: EarthTime
) -> list[SatellitePass]:
    """The passes of one flight, by rise and station."""
    elements = flight.elements
    table = find_passes([elements], grounds, flight.start, flight.end + _TAIL, earth=earth)
    window_s = (flight.end - table.start).total_seconds()
    table = table.where(~table.cut_at_start & (table.rise_offset_s < window_s))
    if flight.history is not None:
        table = table.with_sigma(flight.history.time_sigmas_s(elements, table.culminates_at))
    return sorted(table, key=lambda one: (one.rises_at, one.station_id))


def forecast_passes(
    passes: Sequence[tuple[SatellitePass, Satellite, Elements, Station]],
    *,
    planning: Planning,
    step_s: float,
    bound: str,
    with_key: bool = True,
    learned: Learned = NOTHING_LEARNED,
    quantiles: bool = False,
    earth: EarthTime = SHIPPED,
) -> list[PassForecast]:
    """Describe passes: their light, their dark windows, and the key expected of these.

    With `quantiles` each row tells the 10 and 90 % of its key besides the median.
    """
    if not passes:
        return []
    grounds = grounds_of(station for *_, station in passes)
    dark, sun_deg = dark_spans(
        [
            LinkSpan(elements, grounds[id(station)], item.rises_at, item.sets_at)
            for item, _, elements, station in passes
        ],
        [item.culminates_at for item, *_ in passes],
        sun_below_deg=planning.sun_elevation_deg_max,
        step_s=step_s,
        earth=earth,
    )
    kinds = [satellite.session_over(station.station_id) for _, satellite, _, station in passes]
    dark = _usable(dark, kinds, passes, grounds, step_s=step_s, earth=earth)
    alone = [with_key and kind is not SessionKind.DUAL_DOWNLINK for kind in kinds]
    links = [
        Downlink(satellite, elements, station, *span)
        for (_, satellite, elements, station), span, one in zip(passes, dark, alone, strict=True)
        if span is not None and one
    ]
    known: Any = {"step_s": step_s, "bound": bound, "learned": learned, "earth": earth}
    gained = link_forecasts(links, **known)
    ends = key_quantiles(links if quantiles else (), (0.1, 0.9), **known)
    found: list[PassForecast] = []
    for (item, satellite, *_), span, sun, one in zip(
        passes, dark, sun_deg.tolist(), alone, strict=True
    ):
        candidate = None
        if span is not None and one:
            candidate = _candidate(item, satellite, span, next(gained))
        row = _row(item, satellite, sun, span, candidate, with_key=with_key)
        if quantiles:
            low, high = (0, 0) if candidate is None else next(ends)
            row = replace(row, secret_bits_10=low, secret_bits_90=high)
        found.append(PassForecast(row=row, candidate=candidate))
    return found


def _usable(
    dark: list[tuple[datetime, datetime] | None],
    kinds: Sequence[SessionKind],
    passes: Sequence[tuple[SatellitePass, Satellite, Elements, Station]],
    grounds: dict[int, GroundStation],
    *,
    step_s: float,
    earth: EarthTime,
) -> list[tuple[datetime, datetime] | None]:
    """The dark spans; of uplinks that part of each in which the satellite is in eclipse."""
    return [
        span
        if span is None or kind is not SessionKind.UPLINK
        else eclipsed_span(
            LinkSpan(elements, grounds[id(station)], *span), step_s=step_s, earth=earth
        )
        for span, kind, (_, _, elements, station) in zip(dark, kinds, passes, strict=True)
    ]


class Downlink(NamedTuple):
    """A satellite by an element set over a station, from AOS to LOS."""

    satellite: Satellite
    elements: Elements
    station: Station
    start: datetime
    end: datetime


class LinkForecast(NamedTuple):
    """What a link is expected to give under a clear sky, as one block, and where it points."""

    sifted_bits: float
    secret_bits: int
    qber: float  #: of the signal; 0.5 without clicks
    acquires_azimuth_deg: float
    acquires_elevation_deg: float
    acquires_range_km: float
    loses_azimuth_deg: float
    loses_elevation_deg: float
    loses_range_km: float
    highest_between: bool  #: not at an end
    nearest_between: bool


def link_forecasts(
    links: Sequence[Downlink],
    *,
    step_s: float,
    bound: str,
    learned: Learned = NOTHING_LEARNED,
    earth: EarthTime = SHIPPED,
) -> Iterator[LinkForecast]:
    """Sample links, those of a booking exactly as they were forecast, and forecast their key.

    The key is that of the median loss, by the preset and by what the link's sessions taught.
    """
    for first in range(0, len(links), _AT_ONCE):
        some = links[first : first + _AT_ONCE]
        sampled, presets = sample_hardware(some, step_s=step_s, bound=bound, earth=earth)
        ratios = _ratios(some, presets, learned, 0.5)
        columns = *_keys(sampled, presets, some, ratios, learned), *_ends(sampled)
        yield from map(LinkForecast, *(column.tolist() for column in columns))


def key_quantiles(
    links: Sequence[Downlink],
    levels: Sequence[float],
    *,
    step_s: float,
    bound: str,
    learned: Learned = NOTHING_LEARNED,
    earth: EarthTime = SHIPPED,
) -> Iterator[tuple[int, ...]]:
    """Quantiles of the secret bits of each link under a clear sky, by how passes differ."""
    for first in range(0, len(links), _AT_ONCE):
        some = links[first : first + _AT_ONCE]
        sampled, presets = sample_hardware(some, step_s=step_s, bound=bound, earth=earth)
        columns = [
            _keys(sampled, presets, some, ratios, learned)[1].tolist()
            for ratios in (_ratios(some, presets, learned, level) for level in levels)
        ]
        yield from zip(*columns, strict=True)


def _ratios(
    links: Sequence[Downlink], presets: Sequence[Preset], learned: Learned, level: float
) -> list[float]:
    """A quantile of the next session's sifted bits over those that its preset expects."""
    known: dict[tuple[int, int], float] = {}
    for (satellite, _, station, *_), preset in zip(links, presets, strict=True):
        pair = id(satellite), id(station)
        if pair not in known:
            link = satellite.satellite_id, station.station_id
            belief = belief_of(link, preset, learned)
            known[pair] = float(belief.ratio_quantiles(level))
    return [known[id(link.satellite), id(link.station)] for link in links]


def sample_hardware(
    links: Sequence[Downlink], *, step_s: float, bound: str, earth: EarthTime = SHIPPED
) -> tuple[LinkSamples, list[Preset]]:
    """Sample links, and say what hardware each has."""
    grounds = grounds_of(link.station for link in links)
    hardware: dict[tuple[int, int], Preset] = {}
    for satellite, _, station, *_ in links:
        pair = id(satellite), id(station)
        if pair not in hardware:
            hardware[pair] = link_preset(satellite, station, bound)
    presets = [hardware[id(link.satellite), id(link.station)] for link in links]
    spans = [
        LinkSpan(link.elements, grounds[id(link.station)], link.start, link.end) for link in links
    ]
    return sample_links(spans, step_s=step_s, earth=earth), presets


def expected_counts(
    sampled: LinkSamples, preset: Preset, *, station: Station, ratios: Sequence[float]
) -> Counts:
    """Counts expected of a whole link, one block at each ratio of the preset's transmittance."""
    from qkd import pass_counts

    counts, _ = pass_counts(
        sampled.samples, preset, station.station_id, sample_s=sampled.sample_s, ratio=ratios
    )
    return counts.total(axis=-2)


def _keys(
    sampled: LinkSamples,
    presets: Sequence[Preset],
    links: Sequence[Downlink],
    ratios: Sequence[float],
    learned: Learned,
) -> tuple[FloatArray, NDArray[np.int64], FloatArray]:
    """Sifted bits, secret bits and QBER of each link, each at its ratio of transmittance.

    Secret bits of a pooled link are those that it adds to its open block. The bounds of the
    proof are searched for all blocks of one protocol at once: one by one they cost more than
    all else together.
    """
    from qkd import Counts, block_keys

    sifted, qber = np.zeros(len(links)), np.full(len(links), 0.5)
    secret = np.zeros(len(links), dtype=np.int64)
    alike: defaultdict[tuple[Any, ...], list[tuple[IntArray, Counts]]] = defaultdict(list)
    for places, counts in _link_counts(sampled, presets, links, ratios):
        preset = presets[places[0]]
        proof = preset.protocol, preset.security, preset.bound, preset.leak
        alike[proof].append((places, counts))
    for (protocol, security, bound, leak), found in alike.items():
        names = [item.name for item in fields(Counts)]
        many = Counts(**{n: np.concatenate([getattr(one, n) for _, one in found]) for n in names})
        at = np.concatenate([places for places, _ in found])
        keys = block_keys(many, protocol, security, bound=bound, leak=leak)
        clicks = many.key_clicks + many.check_clicks
        wrong = (many.key_errors + many.check_errors)[:, 0]
        seen = clicks[:, 0] > 0.0
        sifted[at] = clicks.sum(axis=-1)
        secret[at] = np.sum([key.length_bits for key in keys], axis=0)
        qber[at[seen]] = wrong[seen] / clicks[seen, 0]
        for row, place in enumerate(at.tolist() if learned.open_blocks else ()):
            link = links[place]
            block = learned.block_of((link.satellite.satellite_id, link.station.station_id))
            if block is not None:
                one = many.part(slice(row, row + 1)).total()
                secret[place] = block.added_bits(one, presets[place])
    for place, link in enumerate(links):
        if link.satellite.session_over(link.station.station_id) is SessionKind.COMMISSIONING:
            sifted[place], secret[place], qber[place] = 0.0, 0, 0.5
    return sifted, secret, qber


def _link_counts(
    sampled: LinkSamples,
    presets: Sequence[Preset],
    links: Sequence[Downlink],
    ratios: Sequence[float],
) -> Iterator[tuple[IntArray, Counts]]:
    """The links of each hardware by their places, and the counts expected of each of them."""
    from qkd import pass_counts

    alike: defaultdict[tuple[int, float], list[int]] = defaultdict(list)
    for place, (preset, ratio) in enumerate(zip(presets, ratios, strict=True)):
        alike[id(preset), ratio].append(place)
    for (_, ratio), places in alike.items():
        mine = sampled.of(np.array(places))
        counts, _ = pass_counts(
            mine.samples,
            presets[places[0]],
            links[places[0]].station.station_id,
            sample_s=mine.sample_s,
            ratio=ratio,
        )
        yield np.array(places), counts.summed_from(mine.edges[:-1])


def _ends(sampled: LinkSamples) -> Iterator[NDArray[Any]]:
    """Where each link points when it is acquired and lost, and what lies between."""
    seen = sampled.samples
    first, last = sampled.edges[:-1], sampled.edges[1:] - 1
    for end in (first, last):
        yield seen.azimuth_deg[end]
        yield seen.elevation_deg[end]
        yield seen.range_km[end]
    for values in (seen.elevation_deg, -seen.range_km):
        yield np.maximum.reduceat(values, first) > np.maximum(values[first], values[last])


def _row(
    item: SatellitePass,
    satellite: Satellite,
    sun_deg: float,
    span: tuple[datetime, datetime] | None,
    candidate: Candidate | None,
    *,
    with_key: bool,
) -> PassRow:
    """The pass as it is shown; a dark one without a candidate gives nothing."""
    none = (0.0, 0, None) if with_key else (None, None, None)
    sifted, secret, qber = (
        (candidate.sifted_bits, int(candidate.secret_bits), candidate.qber) if candidate else none
    )
    return PassRow(
        satellite=satellite.satellite_id,
        norad_id=satellite.norad_id,
        station=item.station_id,
        rises_at=item.rises_at,
        culminates_at=item.culminates_at,
        sets_at=item.sets_at,
        max_elevation_deg=item.max_elevation_deg,
        max_elevation_azimuth_deg=item.culmination_azimuth_deg,
        range_km_min=item.range_km_min,
        nearest_at=item.tca_at,
        rise_azimuth_deg=item.rise_azimuth_deg,
        set_azimuth_deg=item.set_azimuth_deg,
        cut_at_start=item.cut_at_start,
        cut_at_end=item.cut_at_end,
        sun_elevation_deg=sun_deg,
        dark=span is not None,
        elements_epoch=item.epoch,
        time_sigma_s=item.time_sigma_s,
        acquires_at=span[0] if span else None,
        loses_at=span[1] if span else None,
        sifted_bits=sifted,
        secret_bits=secret,
        qber=qber,
    )


def _candidate(
    item: SatellitePass, satellite: Satellite, span: tuple[datetime, datetime], gained: LinkForecast
) -> Candidate:
    place = f"{satellite.satellite_id}/{item.station_id}"
    return Candidate(
        candidate_id=f"{place}/{instant_key(span[0])}",
        pass_id=f"{place}/{instant_key(item.rises_at)}",
        satellite_id=satellite.satellite_id,
        station_id=item.station_id,
        acquires_at=span[0],
        loses_at=span[1],
        commissioning=satellite.session_over(item.station_id) is SessionKind.COMMISSIONING,
        max_elevation_deg=item.max_elevation_deg,
        range_km_min=item.range_km_min,
        elements_epoch=item.epoch,
        sifted_bits=gained.sifted_bits,
        secret_bits=float(gained.secret_bits),
        qber=gained.qber,
        acquires_azimuth_deg=gained.acquires_azimuth_deg,
        acquires_elevation_deg=gained.acquires_elevation_deg,
        loses_azimuth_deg=gained.loses_azimuth_deg,
        loses_elevation_deg=gained.loses_elevation_deg,
    )
