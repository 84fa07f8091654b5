"""Use case: how often and how much over years, for stations that are only an idea."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orbits import as_utc
from scheduler.domain import LEVELS, SeasonRow, SurveyAnswer, SurveyRow
from scheduler.errors import InputError
from scheduler.forecast import Flight, forecast_flights
from scheduler.services.passes import assumptions, decay_notes, refuse_without_elements
from scheduler.services.places import any_satellite
from scheduler.sources.weather import weather_of
from scheduler.weather import SYNTHETIC_NOTE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits import Archive, Elements
    from scheduler.domain import PassRow
    from scheduler.network import Satellite, Station
    from scheduler.services.context import Context
    from scheduler.weather import Weather

    FloatArray = NDArray[np.float64]

YEARS_MAX = 25
PLACES_MAX = 16
SEASONS = ("Dec-Feb", "Mar-May", "Jun-Aug", "Sep-Nov")
_WEEK_S, _DAY_S = 7.0 * 86_400.0, 86_400.0
_AT_ONCE = timedelta(days=180)  # whose passes are held in memory together


class _Link(NamedTuple):
    """A usable pass: what a survey keeps of it."""

    acquires_at: datetime
    loses_at: datetime
    secret_bits: int
    clear_probability: float


def survey(
    context: Context,
    *,
    satellite: str,
    places: Sequence[Station],
    start: datetime,
    end: datetime,
) -> SurveyAnswer:
    """The usable passes of a long span [start, end) over each place, in statistics of weeks.

    Each instant is served by the nearest element set. Further from its epoch than the limit of
    age that set stands for a mean orbit: the same without drag, whose plane turns as it should
    but whose phase nobody knows, so that dates there are examples and only statistics count.
    A pass is usable if its dark part gives key enough for a plan under a clear sky. Weather is
    that of the climatology.

    Raises InputError for a span of less than a week or more than YEARS_MAX years, and for no
    place or more than PLACES_MAX; UnknownName; NoElementsError.
    """
    start, end = as_utc(start), as_utc(end)
    _check(places, start, end)
    context.refresh_elements()
    chosen = any_satellite(context, satellite)
    archive = context.archive_of(chosen.norad_id)
    refuse_without_elements(context, chosen, archive)
    named = [replace(one, station_id=f"place-{k}") for k, one in enumerate(places)]
    weather = weather_of((), named)
    counts = {one.station_id: [0, 0] for one in named}
    links: dict[str, list[_Link]] = {one.station_id: [] for one in named}
    flights, mean = _flights(context, archive, chosen, start, end)
    for row in _passes(context, flights, named):
        counts[row.station][0] += 1
        counts[row.station][1] += row.dark
        if (link := _link(context, row, weather)) is not None:
            links[row.station].append(link)
    rows = [_row(one, counts[one.station_id], links[one.station_id], start, end) for one in named]
    notes = [*decay_notes(archive, chosen, end), *assumptions(context, chosen, places)]
    days = mean / timedelta(days=1)
    if days:
        notes.append(
            f"{days:,.0f} of {(end - start) / timedelta(days=1):,.0f} days by a mean orbit (the"
            " nearest element set without drag): good for statistics, not for dates"
        )
    notes.append(f"weather: climatology; {SYNTHETIC_NOTE}")
    return SurveyAnswer(
        satellite=chosen.satellite_id,
        norad_id=chosen.norad_id,
        start=start,
        end=end,
        mean_orbit_days=days,
        rows=tuple(rows),
        notes=tuple(dict.fromkeys(notes)),
    )


def _check(places: Sequence[Station], start: datetime, end: datetime) -> None:
    longest = timedelta(days=366 * YEARS_MAX)
    if not timedelta(days=7) <= end - start <= longest:
        days = (end - start) / timedelta(days=1)
        raise InputError(f"a survey of {days:g} days; allowed: 7 days to {YEARS_MAX} years")
    if not 1 <= len(places) <= PLACES_MAX:
        raise InputError(f"a survey of {len(places)} places; allowed: 1 to {PLACES_MAX}")


def _flights(
    context: Context, archive: Archive, satellite: Satellite, start: datetime, end: datetime
) -> tuple[list[Flight], timedelta]:
    """The span cut by what serves it, and how much of it is served by a mean orbit."""
    limit = context.max_element_age
    flights: list[Flight] = []
    mean = timedelta(0)
    for piece in archive.segments(start, end, norad_id=satellite.norad_id):
        elements = piece.elements
        low = min(max(elements.epoch - limit, piece.start), piece.end)
        high = max(min(elements.epoch + limit, piece.end), piece.start)
        without_drag = _mean_orbit(elements)
        for begin, until, used in (
            (piece.start, low, without_drag),
            (low, high, elements),
            (high, piece.end, without_drag),
        ):
            if used is without_drag:
                mean += max(until - begin, timedelta(0))
            while begin < until:
                to = min(begin + _AT_ONCE, until)
                flights.append(Flight(satellite=satellite, elements=used, start=begin, end=to))
                begin = to
    return flights, mean


def _mean_orbit(elements: Elements) -> Elements:
    """The same orbit without drag: it neither decays nor runs ahead."""
    return replace(elements, bstar=0.0, mean_motion_dot=0.0, mean_motion_ddot=0.0, raw="")


def _passes(
    context: Context, flights: Sequence[Flight], places: Sequence[Station]
) -> Iterator[PassRow]:
    for flight in flights:
        found = forecast_flights(
            [flight],
            stations=places,
            planning=context.scenario.planning,
            step_s=context.settings.track_step_s,
            bound=context.settings.bound,
            earth=context.earth,
        )
        yield from (one.row for one in found)


def _link(context: Context, row: PassRow, weather: Weather) -> _Link | None:
    """What a usable pass gives; None of another."""
    least = max(1, context.scenario.planning.min_secret_bits)
    if row.acquires_at is None or row.loses_at is None or (row.secret_bits or 0) < least:
        return None
    p_clear = weather.clear_probability(row.station, row.acquires_at, known_at=row.acquires_at)
    return _Link(row.acquires_at, row.loses_at, row.secret_bits or 0, p_clear)


def _row(
    place: Station, counts: Sequence[int], links: Sequence[_Link], start: datetime, end: datetime
) -> SurveyRow:
    ordered = sorted(links)
    dry_from, dry_to = longest_dry_spell(
        [(one.acquires_at, one.loses_at) for one in ordered], start, end
    )
    clear, expected = monthly_bits(ordered, start, end)
    return SurveyRow(
        station=place.name,
        lat_deg=place.lat_deg,
        lon_deg=place.lon_deg,
        height_m=place.height_m,
        passes=counts[0],
        dark=counts[1],
        usable=len(ordered),
        dry_s=(dry_to - dry_from).total_seconds(),
        dry_from=dry_from,
        dry_to=dry_to,
        seasons=tuple(season_rows(ordered, start, end)),
        monthly_bits=clear,
        monthly_expected_bits=expected,
    )


def longest_dry_spell(
    spans: Sequence[tuple[datetime, datetime]], start: datetime, end: datetime
) -> tuple[datetime, datetime]:
    """The longest part of [start, end) outside of spans in order; of equal ones the first."""
    edges = [start, *(edge for span in spans for edge in span), end]
    # A span that goes on after the end leaves nothing behind it.
    gaps = [(a, max(a, b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return max(gaps, key=lambda gap: gap[1] - gap[0])


def season_rows(links: Sequence[_Link], start: datetime, end: datetime) -> Iterator[SeasonRow]:
    """Yield each season that has a week, then all together; a part of a week does not count."""
    weeks = int((end - start).total_seconds() // _WEEK_S)
    week = np.array(
        [int((one.acquires_at - start).total_seconds() // _WEEK_S) for one in links], dtype=np.intp
    )
    whole = week < weeks
    bits = np.array([one.secret_bits for one in links], dtype=np.float64)
    clear = np.array([one.clear_probability for one in links], dtype=np.float64)
    passes, secret, expected = (
        np.bincount(week[whole], values[whole], minlength=weeks)
        for values in (np.ones(len(links)), bits, bits * clear)
    )
    middles = [start + timedelta(seconds=(k + 0.5) * _WEEK_S) for k in range(weeks)]
    season = np.array([when.month % 12 // 3 for when in middles])
    chosen = [(name, season == k) for k, name in enumerate(SEASONS)]
    for name, mine in [*chosen, ("all", season >= 0)]:
        if mine.any():
            yield SeasonRow(
                season=name,
                weeks=int(mine.sum()),
                passes=tuple(np.quantile(passes[mine], LEVELS).tolist()),
                secret_bits=tuple(np.quantile(secret[mine], LEVELS).tolist()),
                expected_bits=float(expected[mine].mean()),
            )


def monthly_bits(
    links: Sequence[_Link], start: datetime, end: datetime
) -> tuple[tuple[float | None, ...], tuple[float | None, ...]]:
    """Bits a day of each month of the year, clear and with weather; None of one not in the span."""
    days = np.zeros(12)
    for number, length_s in _months(start, end):
        days[number] += length_s / _DAY_S
    month = np.array([one.acquires_at.month - 1 for one in links], dtype=np.intp)
    bits = np.array([one.secret_bits for one in links], dtype=np.float64)
    clear = np.array([one.clear_probability for one in links], dtype=np.float64)

    def a_day(values: FloatArray) -> tuple[float | None, ...]:
        sums = np.bincount(month, values, minlength=12).tolist()
        return tuple(s / d if d else None for s, d in zip(sums, days.tolist(), strict=True))

    return a_day(bits), a_day(bits * clear)


def _months(start: datetime, end: datetime) -> Iterator[tuple[int, float]]:
    """Yield every calendar month's part of a span: which, 0 to 11, and its seconds."""
    begin = start
    while begin < end:
        year, month = divmod(begin.year * 12 + begin.month, 12)
        until = min(datetime(year, month + 1, 1, tzinfo=UTC), end)
        yield begin.month - 1, (until - begin).total_seconds()
        begin = until
