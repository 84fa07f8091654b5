"""Use case: when two stations can share a satellite, at once or one after the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orbits import as_utc, overlaps, sequences, sights
from scheduler.domain import PairAnswer, PairKind, PairRow, PairSide
from scheduler.dual import DualLink, dual_forecasts, shared_row
from scheduler.errors import InputError
from scheduler.network import SessionKind
from scheduler.network.ground import ground_station
from scheduler.services.learning import learned_by
from scheduler.services.passes import upcoming_passes
from scheduler.services.places import any_satellite
from scheduler.services.weather import weather_over

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from scheduler.domain import PassRow
    from scheduler.network import Satellite, Station
    from scheduler.services.context import Context

GAP_H = 12.0
"""How long after the first link the second may begin, unless said otherwise."""
GAP_H_MAX = 24.0 * 7
_STEP_S = 1.0

Span = tuple[datetime, datetime]


class _Match(NamedTuple):
    """A pass of each station and the span of each that counts."""

    first: PassRow
    first_span: Span
    second: PassRow
    second_span: Span
    gap_s: float | None


class _Seen(NamedTuple):
    """What a station sees over a span, a sample each step."""

    elevation_deg: NDArray[np.float64]
    sunlit_fraction: float


def station_pairs(
    context: Context,
    *,
    satellite: str,
    first: str,
    second: str,
    start: datetime,
    end: datetime,
    gap_h: float | None = None,
    simultaneous: bool = False,
    as_known_at: datetime | None = None,
) -> PairAnswer:
    """The windows of two stations within [start, end), by begin.

    Sequential ones are a dark link of the first station and one of the second that begins
    within the gap after it, with the key of the poorer; simultaneous ones are spans in which
    both see the satellite above their masks, dark or not, with the key that a dual downlink
    gives while it is dark at both, and none foretold of other satellites.

    Raises InputError for one station twice, a gap that is none, or one of simultaneous
    windows, and whatever `upcoming_passes` raises.
    """
    gap_s_max = _gap_s(gap_h, simultaneous=simultaneous)
    sites = context.stations([first, second])
    if sites[0].station_id == sites[1].station_id:
        raise InputError(f"a pair of {sites[0].station_id} with itself; allowed: two stations")
    answer = upcoming_passes(
        context,
        satellite=satellite,
        stations=[site.station_id for site in sites],
        start=start,
        end=end,
        as_known_at=as_known_at,
        forecast=not simultaneous,
    )
    of_each = [[row for row in answer.rows if row.station == site.station_id] for site in sites]
    if gap_s_max is None:
        matches = _at_once(of_each[0], of_each[1], as_utc(start))
    else:
        matches = _one_after_the_other(of_each[0], of_each[1], as_utc(start), gap_s_max)
    above = any_satellite(context, satellite)
    rows, notes = _rows(context, above, sites, matches, as_known_at)
    if simultaneous and _is_dual(above, sites):
        rows = _with_key(context, above, sites, rows, matches, as_known_at)
    return PairAnswer(
        rows=tuple(rows),
        kind=PairKind.SIMULTANEOUS if simultaneous else PairKind.SEQUENTIAL,
        gap_s_max=gap_s_max,
        rule=answer.rule,
        notes=(*answer.notes, *notes),
    )


def _is_dual(satellite: Satellite, sites: Sequence[Station]) -> bool:
    return all(satellite.session_over(one.station_id) is SessionKind.DUAL_DOWNLINK for one in sites)


def _with_key(
    context: Context,
    satellite: Satellite,
    sites: Sequence[Station],
    rows: Sequence[PairRow],
    matches: Sequence[_Match],
    as_known_at: datetime | None,
) -> list[PairRow]:
    """The windows with the key that the pairs of an entangled source give in their dark part."""
    sets = {one.epoch: one for one in context.archive_of(satellite.norad_id)}
    one, other = sorted(sites, key=lambda site: site.station_id)
    links: list[DualLink | None] = []
    for match in matches:
        both = shared_row(match.first, match.second) if _have_light(match) else None
        if both is None or both.acquires_at is None or both.loses_at is None:
            links.append(None)
            continue
        used = sets[match.first.elements_epoch]
        links.append(DualLink(satellite, used, (one, other), both.acquires_at, both.loses_at))
    at = context.clock.now() if as_known_at is None else as_utc(as_known_at)
    forecasts = dual_forecasts(
        [link for link in links if link is not None],
        step_s=context.settings.track_step_s,
        bound=context.settings.bound,
        learned=learned_by(context, at),
        earth=context.earth,
    )
    return [
        replace(row, shared_bits=0 if link is None else next(forecasts).secret_bits)
        for row, link in zip(rows, links, strict=True)
    ]


def _have_light(match: _Match) -> bool:
    """Whether both passes have a dark part at all."""
    return None not in (match.first.acquires_at, match.second.acquires_at)


def _gap_s(gap_h: float | None, *, simultaneous: bool) -> float | None:
    if simultaneous:
        if gap_h is not None:
            raise InputError("a gap of simultaneous windows; allowed: one of both")
        return None
    hours = GAP_H if gap_h is None else gap_h
    if not 0.0 <= hours <= GAP_H_MAX:
        raise InputError(f"gap_h {hours:g}; allowed: 0 to {GAP_H_MAX:g}")
    return hours * 3600.0


def _at_once(first: Sequence[PassRow], second: Sequence[PassRow], start: datetime) -> list[_Match]:
    spans = [[(row.rises_at, row.sets_at) for row in rows] for rows in (first, second)]
    found = overlaps(*_columns(spans[0], start), *_columns(spans[1], start))
    matches = []
    for i, j in zip(found.first.tolist(), found.second.tolist(), strict=True):
        # Of the instants themselves, whose seconds were rounded.
        span = max(spans[0][i][0], spans[1][j][0]), min(spans[0][i][1], spans[1][j][1])
        if span[0] < span[1]:
            matches.append(_Match(first[i], span, second[j], span, None))
    return matches


def _one_after_the_other(
    first: Sequence[PassRow], second: Sequence[PassRow], start: datetime, gap_s_max: float
) -> list[_Match]:
    links = [
        [
            (row, (row.acquires_at, row.loses_at))
            for row in rows
            if row.acquires_at is not None and row.loses_at is not None
        ]
        for rows in (first, second)
    ]
    columns = [_columns([span for _, span in of_one], start) for of_one in links]
    found = sequences(*columns[0], *columns[1], gap_s_max=gap_s_max)
    return [
        _Match(links[0][i][0], links[0][i][1], links[1][j][0], links[1][j][1], gap_s)
        for i, j, gap_s in zip(*(column.tolist() for column in found), strict=True)
    ]


def _columns(spans: Sequence[Span], start: datetime) -> tuple[list[float], list[float]]:
    """Begins and ends, seconds after an instant."""
    return (
        [(begin - start).total_seconds() for begin, _ in spans],
        [(end - start).total_seconds() for _, end in spans],
    )


def _rows(
    context: Context,
    satellite: Satellite,
    sites: Sequence[Station],
    matches: Sequence[_Match],
    as_known_at: datetime | None,
) -> tuple[list[PairRow], list[str]]:
    """The matches with light, elevations and skies; and what the weather lacks."""
    at = context.clock.now() if as_known_at is None else as_utc(as_known_at)
    looks = [
        (row.station, _middle(span))
        for match in matches
        for row, span in ((match.first, match.first_span), (match.second, match.second_span))
    ]
    weather, notes = weather_over(context, sites, looks, at=at)
    look = _looking(context, satellite, sites)

    def side(row: PassRow, span: Span, seen: _Seen, *, with_key: bool) -> PairSide:
        return PairSide(
            station=row.station,
            begins_at=span[0],
            ends_at=span[1],
            max_elevation_deg=_highest(row, span, seen),
            dark=_within_dark(row, span),
            sunlit_fraction=seen.sunlit_fraction,
            clear_probability=1.0
            if weather is None
            else weather.clear_probability(row.station, _middle(span), known_at=at),
            elements_epoch=row.elements_epoch,
            secret_bits=row.secret_bits if with_key else None,
        )

    rows = []
    for first, first_span, second, second_span, gap_s in matches:
        one, other = look(first, first_span), look(second, second_span)
        at_once = gap_s is None
        joint = np.minimum(one.elevation_deg, other.elevation_deg).max() if at_once else None
        rows.append(
            PairRow(
                kind=PairKind.SIMULTANEOUS if at_once else PairKind.SEQUENTIAL,
                satellite=satellite.satellite_id,
                norad_id=satellite.norad_id,
                first=side(first, first_span, one, with_key=not at_once),
                second=side(second, second_span, other, with_key=not at_once),
                gap_s=gap_s,
                joint_elevation_deg=None if joint is None else float(joint),
            )
        )
    return rows, notes


def _looking(
    context: Context, satellite: Satellite, sites: Sequence[Station]
) -> Callable[[PassRow, Span], _Seen]:
    """What each station sees of a pass over a span, by the element set of that pass."""
    sets = {one.epoch: one for one in context.archive_of(satellite.norad_id)}
    grounds = {site.station_id: ground_station(site) for site in sites}

    @cache
    def look(row: PassRow, span: Span) -> _Seen:
        length_s = (span[1] - span[0]).total_seconds()
        offset_s = np.linspace(0.0, length_s, max(2, round(length_s / _STEP_S) + 1))
        ground = grounds[row.station]
        here = np.zeros(len(offset_s), dtype=np.intp)
        used = sets[row.elements_epoch]
        seen = sights(used, [ground], here, span[0], offset_s, earth=context.earth)
        return _Seen(seen.elevation_deg, float(seen.satellite_sunlit.mean()))

    return look


def _highest(row: PassRow, span: Span, seen: _Seen) -> float:
    """The pass's own culmination if it lies in the span, which samples only come near to."""
    if span[0] <= row.culminates_at < span[1]:
        return row.max_elevation_deg
    return float(seen.elevation_deg.max())


def _within_dark(row: PassRow, span: Span) -> bool:
    if row.acquires_at is None or row.loses_at is None:
        return False
    return row.acquires_at <= span[0] and span[1] <= row.loses_at


def _middle(span: Span) -> datetime:
    return span[0] + timedelta(seconds=0.5 * (span[1] - span[0]).total_seconds())
