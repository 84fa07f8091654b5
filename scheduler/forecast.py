"""The one place where orbits meets qkd: a pass and a link become expected key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from orbits import Elements, GroundStation, SatellitePass, Track, find_passes, track_offsets
from scheduler.domain import Candidate, PassRow, instant_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits import Archive
    from qkd import Counts, LinkBelief, LinkBudget, Preset
    from scheduler.network import Planning, Satellite, Station, Terminal

    FloatArray = NDArray[np.float64]

Learned = Mapping[tuple[str, str], Sequence[float]]
"""Measured over expected sifted bits of a link's settled sessions, by satellite and station."""
NOTHING_LEARNED: Learned = MappingProxyType({})

# A satellite that rises in a window may set after it; no arc of a downlink orbit lasts longer.
_TAIL = timedelta(hours=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassForecast:
    """A pass as it is shown and, where some part of it is dark, as it could be booked."""

    row: PassRow
    candidate: Candidate | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """A track's arrays, cut to some of its instants; what the yield model asks of a track."""

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
    def of(cls, seen: Track, chosen: slice) -> Samples:
        """The chosen samples of a track."""
        names = cls.__dataclass_fields__
        return cls(**{name: np.asarray(getattr(seen, name))[chosen] for name in names})

    @classmethod
    def joined(cls, parts: Sequence[Samples]) -> Samples:
        """Several samples as one."""
        names = cls.__dataclass_fields__
        return cls(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinkWindow:
    """The longest dark part of a pass, [start, end), sampled at the middle of equal steps."""

    start: datetime
    end: datetime
    samples: Samples
    step_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedKey:
    """What a window is expected to give, under a clear sky: the median of what is believed."""

    sifted_bits: float
    secret_bits: int
    qber: float  #: of the signal; 0.5 without clicks


def ground_station(
    station: Station, *, least_deg: float = -90.0, mask_deg: float | None = None
) -> GroundStation:
    """The station as `orbits` knows it, its mask raised to an elevation that passes must have.

    Another `mask_deg` takes the place of its own; what stands around it stays.
    """
    own_deg = station.mask_deg if mask_deg is None else mask_deg
    return GroundStation(
        station_id=station.station_id,
        name=station.name,
        lat_deg=station.lat_deg,
        lon_deg=station.lon_deg,
        height_m=station.height_m,
        mask=station.horizon_above(max(own_deg, least_deg)),
    )


def forecast_window(
    elements: Elements,
    *,
    satellite: Satellite,
    stations: Sequence[Station],
    start: datetime,
    end: datetime,
    planning: Planning,
    step_s: float,
    bound: str,
    history: Archive | None = None,
    learned: Learned = NOTHING_LEARNED,
) -> list[PassForecast]:
    """Forecast every pass that rises within [start, end), each to its very end.

    A pass already up at `start` belongs to the window before. In order of rise. With the
    `history` of the satellite's element sets, each row tells its timing uncertainty.
    """
    table = find_passes(
        [elements],
        [ground_station(one, least_deg=planning.min_elevation_deg) for one in stations],
        start,
        end + _TAIL,
    )
    by_id = {station.station_id: station for station in stations}
    found = [item for item in table if not item.cut_at_start and item.rises_at < end]
    if history is not None:
        found = [
            replace(item, time_sigma_s=history.time_sigma_s(elements, item.culminates_at))
            for item in found
        ]
    items = sorted(found, key=lambda one: (one.rises_at, one.station_id))
    return forecast_passes(
        [(item, elements, by_id[item.station_id]) for item in items],
        satellite=satellite,
        planning=planning,
        step_s=step_s,
        bound=bound,
        learned=learned,
    )


def forecast_passes(
    passes: Sequence[tuple[SatellitePass, Elements, Station]],
    *,
    satellite: Satellite,
    planning: Planning,
    step_s: float,
    bound: str,
    with_key: bool = True,
    learned: Learned = NOTHING_LEARNED,
    quantiles: bool = False,
) -> list[PassForecast]:
    """Describe passes: their light, their dark windows, and the key expected of these.

    With `quantiles` each row tells the 10 and 90 % of its key besides the median.
    """
    rows: list[tuple[PassRow, LinkWindow | None]] = []
    for item, elements, station in passes:
        samples, width_s = _sample(elements, station, item.rises_at, item.sets_at, step_s)
        window = _dark_window(samples, item.rises_at, width_s, planning.sun_elevation_deg_max)
        rows.append((_row(item, elements, satellite, samples, window), window))
    if not with_key:
        return [PassForecast(row=row, candidate=None) for row, _ in rows]
    dark = [
        (window, link_preset(satellite, station, bound), station)
        for (_, window), (_, _, station) in zip(rows, passes, strict=True)
        if window is not None
    ]
    beliefs = [belief_of(satellite, station, preset, learned) for _, preset, station in dark]
    gained = iter(expected_keys(dark, [median_ratio(one) for one in beliefs]))
    ends = iter(_key_ends(dark, beliefs) if quantiles else ())
    found: list[PassForecast] = []
    for (item, elements, _), (row, window) in zip(passes, rows, strict=True):
        if window is None:
            none = {"secret_bits_10": 0, "secret_bits_90": 0} if quantiles else {}
            no_key = replace(row, sifted_bits=0.0, secret_bits=0, qber=None, **none)
            found.append(PassForecast(row=no_key, candidate=None))
            continue
        candidate = _candidate(item, elements, satellite, window, next(gained))
        low, high = next(ends) if quantiles else (None, None)
        with_bits = replace(
            row,
            sifted_bits=candidate.sifted_bits,
            secret_bits=int(candidate.secret_bits),
            secret_bits_10=low,
            secret_bits_90=high,
            qber=candidate.qber,
        )
        found.append(PassForecast(row=with_bits, candidate=candidate))
    return found


def belief_of(
    satellite: Satellite, station: Station, preset: Preset, learned: Learned
) -> LinkBelief:
    """What is believed of a link's loss: its preset's spread, and what its sessions taught."""
    from qkd import LinkBelief

    ratios = learned.get((satellite.satellite_id, station.station_id), ())
    return LinkBelief.prior(preset.spread).updated(ratios)


def median_ratio(belief: LinkBelief) -> float:
    """The median of the next session's sifted bits over those that its preset expects."""
    return float(belief.ratio_quantiles(0.5))


def _key_ends(
    windows: Sequence[tuple[LinkWindow, Preset, Station]], beliefs: Sequence[LinkBelief]
) -> Iterator[tuple[int, int]]:
    """The 10 and the 90 % quantile of the secret bits of whole windows."""
    low, high = (
        expected_keys(windows, [float(belief.ratio_quantiles(level)) for belief in beliefs])
        for level in (0.1, 0.9)
    )
    return ((one.secret_bits, other.secret_bits) for one, other in zip(low, high, strict=True))


def booked_window(
    candidate: Candidate, elements: Elements, *, station: Station, step_s: float
) -> LinkWindow:
    """Sample the window of a booking again, exactly as it was forecast."""
    samples, width_s = _sample(elements, station, candidate.acquires_at, candidate.loses_at, step_s)
    return LinkWindow(
        start=candidate.acquires_at,
        end=candidate.loses_at,
        samples=Samples.of(samples, slice(None)),
        step_s=width_s,
    )


def expected_counts(
    window: LinkWindow, preset: Preset, *, station: Station, ratio: float = 1.0
) -> tuple[Counts, LinkBudget]:
    """Counts expected of a whole window, one block, and the link budget behind them.

    `ratio` times the preset's transmittance.
    """
    from qkd import pass_counts

    counts, budget = pass_counts(
        window.samples, preset, station.station_id, sample_s=window.step_s, ratio=ratio
    )
    return counts.total(axis=-2), budget


def expected_keys(
    windows: Sequence[tuple[LinkWindow, Preset, Station]], ratios: Sequence[float]
) -> list[ExpectedKey]:
    """Sifted and secret bits expected of whole windows, each one block.

    Each at its ratio to the preset's transmittance, the same for the windows of one link.

    Counts are taken of all samples of a link at once, and the bounds of the proof are searched
    for all blocks of one protocol at once: one by one they cost more than all else together.
    """
    from qkd import Counts, block_keys

    alike: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    blocks: dict[int, dict[str, FloatArray]] = {}
    for places, counts in _link_counts(windows, ratios):
        preset = windows[places[0]][1]
        alike[preset.protocol, preset.security, preset.bound, preset.leak] += places
        for row, place in enumerate(places):
            blocks[place] = {item.name: getattr(counts, item.name)[row] for item in fields(counts)}
    found: dict[int, ExpectedKey] = {}
    for (protocol, security, bound, leak), places in alike.items():
        names = [item.name for item in fields(Counts)]
        many = Counts(**{n: np.stack([blocks[place][n] for place in places]) for n in names})
        keys = block_keys(many, protocol, security, bound=bound, leak=leak)
        secret = np.sum([key.length_bits for key in keys], axis=0)
        clicks = many.key_clicks + many.check_clicks
        wrong = (many.key_errors + many.check_errors)[:, 0]
        for row, place in enumerate(places):
            signal = float(clicks[row, 0])
            found[place] = ExpectedKey(
                sifted_bits=float(clicks[row].sum()),
                secret_bits=int(secret[row]),
                qber=float(wrong[row]) / signal if signal > 0.0 else 0.5,
            )
    return [found[place] for place in range(len(windows))]


def _link_counts(
    windows: Sequence[tuple[LinkWindow, Preset, Station]], ratios: Sequence[float]
) -> Iterator[tuple[list[int], Counts]]:
    """The windows of each link by their places, and the counts expected of each of them."""
    from qkd import pass_counts

    links: defaultdict[tuple[int, float], list[int]] = defaultdict(list)
    for place, ((_, preset, _), ratio) in enumerate(zip(windows, ratios, strict=True)):
        links[id(preset), ratio].append(place)
    for (_, ratio), places in links.items():
        _, preset, station = windows[places[0]]
        mine = [windows[place][0] for place in places]
        sizes = [len(window.samples.offset_s) for window in mine]
        counts, _ = pass_counts(
            Samples.joined([window.samples for window in mine]),
            preset,
            station.station_id,
            sample_s=np.repeat([window.step_s for window in mine], sizes),
            ratio=ratio,
        )
        yield places, counts.summed_from(np.cumsum([0, *sizes[:-1]]))


def link_preset(satellite: Satellite, station: Station, bound: str) -> Preset:
    """The satellite's transmitter into what receives it at the station.

    With the tail bound that the settings ask for. Raises qkd.ParameterRangeError for numbers of
    the scenario that make no hardware.
    """
    receiver = station.receiver_for(satellite)
    return _downlink(satellite.transmitter, receiver, station.station_id, station.height_m, bound)


def assumed_receiver(satellite: Satellite, station: Station) -> str:
    """Say what a station is assumed to receive with where nobody said it; empty if somebody did."""
    from qkd import satellite_preset

    like = satellite.transmitter.like
    receivers = satellite_preset(like).receivers
    if station.receiver is not None or station.station_id in receivers:
        return ""
    diameter_m = next(iter(receivers.values())).diameter_m
    size_m = diameter_m if station.telescope_m is None else station.telescope_m
    return (
        f"{station.station_id} names no preset: assumed to have the receiver of {like}, with a"
        f" telescope of {size_m:g} m"
    )


@cache
def _downlink(
    sends: Terminal, receives: Terminal, station_id: str, height_m: float, bound: str
) -> Preset:
    from qkd import Stated, compose, receiver_of, satellite_preset, transmitter_of

    transmitter = transmitter_of(satellite_preset(sends.like))
    receiver = receiver_of(satellite_preset(receives.like), station_id)
    sent, received = (
        {one.key: Stated(value=one.value, source=one.source) for one in end.numbers}
        for end in (sends, receives)
    )
    if sent:
        transmitter = transmitter.changed(sends.name, sent)
    if received or receives.standard_air:
        receiver = receiver.changed(receives.name, received, standard_air=receives.standard_air)
    made = compose(transmitter, receiver, station_id=station_id, height_m=height_m)
    return replace(made, bound=bound)


def _sample(
    elements: Elements, station: Station, start: datetime, end: datetime, step_s: float
) -> tuple[Track, float]:
    """Sample [start, end) at the middles of equal steps of about `step_s`."""
    duration_s = (end - start).total_seconds()
    count = max(1, round(duration_s / step_s))
    width_s = duration_s / count
    offsets = (np.arange(count, dtype=np.float64) + 0.5) * width_s
    return track_offsets(elements, ground_station(station), start, offsets), width_s


def _dark_window(
    samples: Track, start: datetime, step_s: float, sun_elevation_deg_max: float
) -> LinkWindow | None:
    """The longest run of dark samples; the earlier of two that are equally long."""
    dark = np.asarray(samples.sun_elevation_deg) < sun_elevation_deg_max
    edges = np.flatnonzero(np.diff(np.concatenate(([False], dark, [False])).astype(np.int8)))
    if not edges.size:
        return None
    runs = edges.reshape(-1, 2)
    first, last = (int(edge) for edge in runs[np.argmax(runs[:, 1] - runs[:, 0])])
    return LinkWindow(
        start=start + timedelta(seconds=first * step_s),
        end=start + timedelta(seconds=last * step_s),
        samples=Samples.of(samples, slice(first, last)),
        step_s=step_s,
    )


def _row(
    item: SatellitePass,
    elements: Elements,
    satellite: Satellite,
    samples: Track,
    window: LinkWindow | None,
) -> PassRow:
    top = int(np.argmax(samples.elevation_deg))
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
        sun_elevation_deg=float(samples.sun_elevation_deg[top]),
        dark=window is not None,
        elements_epoch=item.epoch,
        time_sigma_s=item.time_sigma_s,
        acquires_at=window.start if window else None,
        loses_at=window.end if window else None,
    )


def _candidate(
    item: SatellitePass,
    elements: Elements,
    satellite: Satellite,
    window: LinkWindow,
    gained: ExpectedKey,
) -> Candidate:
    place = f"{satellite.satellite_id}/{item.station_id}"
    return Candidate(
        candidate_id=f"{place}/{instant_key(window.start)}",
        pass_id=f"{place}/{instant_key(item.rises_at)}",
        satellite_id=satellite.satellite_id,
        station_id=item.station_id,
        acquires_at=window.start,
        loses_at=window.end,
        max_elevation_deg=item.max_elevation_deg,
        range_km_min=item.range_km_min,
        elements_epoch=item.epoch,
        sifted_bits=gained.sifted_bits,
        secret_bits=float(gained.secret_bits),
        qber=gained.qber,
        # Of the first and the last sample, half a step inside the window: slews are degrees.
        acquires_azimuth_deg=float(window.samples.azimuth_deg[0]),
        acquires_elevation_deg=float(window.samples.elevation_deg[0]),
        loses_azimuth_deg=float(window.samples.azimuth_deg[-1]),
        loses_elevation_deg=float(window.samples.elevation_deg[-1]),
    )
