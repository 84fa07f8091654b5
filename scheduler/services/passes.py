"""Use cases: which passes are coming, and which is the next that a link could use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from orbits import NoElementsError, OrbitsError, as_utc, find_passes_in_archive, iso_utc
from scheduler.abandon import go_on
from scheduler.domain import NextPass, PassAnswer, PassRow, Span
from scheduler.errors import InputError
from scheduler.forecast import forecast_passes
from scheduler.hardware import assumed_receiver
from scheduler.learned import NOTHING_LEARNED
from scheduler.network.ground import ground_station
from scheduler.services.learning import learned_by
from scheduler.services.places import ASSUMED_PRESET, any_satellite, is_assumed
from scheduler.services.reasons import limits_of, with_reasons

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orbits import Archive, GroundStation, PassTable, Segment
    from scheduler.network import Satellite, Station
    from scheduler.services.context import Context

_LONGEST_PASS = timedelta(hours=2)  # of a low orbit; of a higher one its later part is given
NEXT_DAYS = 7.0
"""How far ahead the next usable pass is looked for."""


def upcoming_passes(
    context: Context,
    *,
    satellite: str,
    stations: Sequence[str] | None = None,
    place: Station | None = None,
    start: datetime,
    end: datetime,
    min_elevation_deg: float | None = None,
    as_known_at: datetime | None = None,
    forecast: bool = False,
    dark_only: bool = False,
) -> PassAnswer:
    """The passes within [start, end), by rise and station, nothing precomputed.

    Over the stations of those names, or over a `place` that no scenario knows. Each instant is
    served by the element set nearest to it, or with `as_known_at` by the newest one that had
    arrived by then; where none is young enough, a note says so. Each row says why it cannot be
    used, if it cannot: without a forecast of key by mask and Sun alone, which need no ledger.

    Raises InputError for reversed or overlong times, UnknownName, and
    orbits.StaleElementsError if no instant of the window has a set that is young enough.
    """
    start, end = as_utc(start), as_utc(end)
    _check_span(start, end, context.settings.passes_days_max)
    if min_elevation_deg is not None and not 0.0 <= min_elevation_deg < 90.0:
        raise InputError(f"min_elevation_deg {min_elevation_deg}; allowed: 0 to below 90")
    context.refresh_elements()
    question = _Question(
        satellite=satellite,
        stations=None if stations is None else tuple(stations),
        place=place,
        start=start,
        end=end,
        min_elevation_deg=min_elevation_deg,
        as_known_at=as_known_at,
        forecast=forecast,
        dark_only=dark_only,
    )
    # A forecast rests on the sessions of the ledger too; who stands at a place asks once.
    if forecast or place is not None:
        return _work_out(context, question)
    key = (context.elements_seen, question)
    return context.pass_answers.of(key, lambda: _work_out(context, question))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What was asked about passes."""

    satellite: str
    stations: tuple[str, ...] | None
    place: Station | None
    start: datetime
    end: datetime
    min_elevation_deg: float | None
    as_known_at: datetime | None
    forecast: bool
    dark_only: bool


def _work_out(context: Context, asked: _Question) -> PassAnswer:
    """Find the passes that were asked for."""
    start, end, as_known_at = asked.start, asked.end, asked.as_known_at
    planning, forecast = context.scenario.planning, asked.forecast
    chosen = any_satellite(context, asked.satellite)
    archive = context.archive_of(chosen.norad_id, known_at=as_known_at)
    refuse_without_elements(context, chosen, archive)
    chosen_stations = context.stations(asked.stations) if asked.place is None else [asked.place]
    places = {station.station_id: station for station in chosen_stations}
    covered, notes = _covered(context, archive, chosen, start, end, as_known_at)
    known_at = as_known_at or context.clock.now()
    learned = learned_by(context, known_at) if forecast else NOTHING_LEARNED
    held = limits_of(context, chosen_stations, start=start, end=end, with_key=forecast)
    rows: list[PassRow] = []
    for span in covered:
        go_on()
        table = find_passes_in_archive(
            archive,
            chosen.norad_id,
            [
                _site(one, planning.min_elevation_deg, asked.min_elevation_deg)
                for one in places.values()
            ],
            span.start,
            span.end,
            rule=_rule(as_known_at),
            as_known_at=as_known_at,
            lag=timedelta(seconds=planning.element_lag_s),
            max_age=context.max_element_age,
            engine=context.settings.engine,
        )
        notes += _notes(table)
        sets = {elements.epoch: elements for elements in table.elements}
        go_on()
        found = forecast_passes(
            [(item, chosen, sets[item.epoch], places[item.station_id]) for item in table],
            planning=planning,
            step_s=context.settings.track_step_s,
            bound=context.settings.bound,
            with_key=forecast,
            learned=learned,
            quantiles=forecast,
            earth=context.earth,
        )
        go_on()
        reasoned, lacking = with_reasons(context, found, chosen_stations, held, at=known_at)
        rows += reasoned
        notes += lacking
    notes += decay_notes(archive, chosen, end)
    if forecast:
        notes += assumptions(context, chosen, places.values())
    shown = [row for row in rows if row.dark or not asked.dark_only]
    return PassAnswer(
        rows=tuple(sorted(shown, key=lambda row: (row.rises_at, row.station))),
        rule=_rule(as_known_at),
        as_known_at=as_known_at,
        epochs=tuple(sorted({row.elements_epoch for row in shown})),
        notes=tuple(dict.fromkeys(notes)),
    )


def next_pass(
    context: Context,
    *,
    satellites: Sequence[str] | None = None,
    stations: Sequence[str] | None = None,
    place: Station | None = None,
    at: datetime | None = None,
) -> NextPass:
    """The first pass that is not over at an instant (now) and would give key, if there is one.

    Over NEXT_DAYS, of any of the satellites (the scenario's), over any of the stations. A
    satellite without a young element set is told in a note; if that is so of all, the first
    one's error is raised.
    """
    present = context.clock.now() if at is None else as_utc(at)
    names = satellites or [one.satellite_id for one in context.scenario.satellites]
    if not names:
        raise InputError("the scenario has no satellite; allowed: name one with element sets")
    rows: list[PassRow] = []
    notes: list[str] = []
    failures: list[OrbitsError] = []
    for name in names:
        try:
            answer = upcoming_passes(
                context,
                satellite=name,
                stations=stations,
                place=place,
                start=present,
                end=present + timedelta(days=NEXT_DAYS),
                forecast=True,
                dark_only=True,
            )
        except OrbitsError as error:
            failures.append(error)
            notes.append(str(error))
            continue
        rows += [row for row in answer.rows if row.secret_bits]
        notes += answer.notes
    if len(failures) == len(names):
        raise failures[0]
    first = min(rows, key=lambda row: (row.acquires_at or row.rises_at, row.station), default=None)
    return NextPass(at=present, row=first, days=NEXT_DAYS, notes=tuple(dict.fromkeys(notes)))


def pass_at(context: Context, satellite: str, station: str | Station, at: datetime) -> PassRow:
    """The whole pass that is under way over a station at an instant, or the next one after it.

    Raises InputError if there is none within NEXT_DAYS, and whatever `upcoming_passes` raises.
    """
    named = station if isinstance(station, str) else None
    answer = upcoming_passes(
        context,
        satellite=satellite,
        stations=None if named is None else [named],
        place=None if isinstance(station, str) else station,
        start=at - _LONGEST_PASS,
        end=at + timedelta(days=NEXT_DAYS),
    )
    for row in answer.rows:
        if row.sets_at > at:
            return row
    raise InputError(
        f"no pass of {satellite} from {iso_utc(at)} on for {NEXT_DAYS:g} days; allowed: an instant"
        " during a pass, or before one"
    )


def _site(station: Station, usual_deg: float, asked_deg: float | None) -> GroundStation:
    """The station with the elevation asked for, or else with its own mask and the usual one."""
    if asked_deg is None:
        return ground_station(station, least_deg=usual_deg)
    return ground_station(station, mask_deg=asked_deg)


def _rule(as_known_at: datetime | None) -> str:
    return "nearest" if as_known_at is None else "known_at"


def _covered(
    context: Context,
    archive: Archive,
    satellite: Satellite,
    start: datetime,
    end: datetime,
    as_known_at: datetime | None,
) -> tuple[list[Span], list[str]]:
    """The parts of a window that a young enough element set serves, and a note on each other."""

    def segments(max_age: timedelta | None) -> tuple[Segment, ...]:
        return archive.segments(
            start,
            end,
            _rule(as_known_at),
            norad_id=satellite.norad_id,
            lag=timedelta(seconds=context.scenario.planning.element_lag_s),
            as_known_at=as_known_at,
            max_age=max_age,
        )

    limit = context.max_element_age
    spans: list[Span] = []
    for piece in segments(None):
        begin = max(piece.start, piece.elements.epoch - limit)
        until = min(piece.end, piece.elements.epoch + limit)
        if begin < until and spans and spans[-1].end == begin:
            spans[-1] = Span(start=spans[-1].start, end=until)
        elif begin < until:
            spans.append(Span(start=begin, end=until))
    if not spans:
        segments(limit)  # raises, and says which set would have served
    edges = [start, *(edge for span in spans for edge in (span.start, span.end)), end]
    days = limit / timedelta(days=1)
    notes = [
        f"not searched from {iso_utc(begin)} to {iso_utc(until)}: no element set of"
        f" {satellite.name} within {days:g} days"
        for begin, until in zip(edges[::2], edges[1::2], strict=True)
        if begin < until
    ]
    return spans, notes


def refuse_without_elements(context: Context, satellite: Satellite, archive: Archive) -> None:
    """Raise NoElementsError that says how the first element set of a satellite comes."""
    number = satellite.norad_id
    if any(True for _ in archive) or any(True for _ in context.archive_of(number)):
        return
    how = satellite.elements or f"`skytrunk elements fetch {number}` brings the newest"
    raise NoElementsError(f"no element set of {satellite.name} ({number}) is known: {how}")


def _notes(table: PassTable) -> list[str]:
    """What the passes alone do not tell: no position, always up."""
    stations = [table.stations[station].name for _, station in sorted(table.always_up)]
    notes = [f"always up over {name}: no pass" for name in dict.fromkeys(stations)]
    return notes + [
        f"no position from {iso_utc(gap.start)} to {iso_utc(gap.end)}: {gap.reason}"
        for gap in table.unusable
    ]


def decay_notes(archive: Archive, satellite: Satellite, end: datetime) -> Iterable[str]:
    """Yield that the satellite came down, if it did before the end."""
    decay = archive.decay(satellite.norad_id)
    if decay is not None and end > decay.last_epoch:
        yield f"{decay.satellite}: {decay.sentence}"


def assumptions(
    context: Context, satellite: Satellite, stations: Iterable[Station]
) -> Iterable[str]:
    """Yield what of the link's hardware nobody said."""
    if is_assumed(context, satellite):
        yield (
            f"{satellite.name} is in no scenario: assumed to carry the transmitter of"
            f" {ASSUMED_PRESET}"
        )
    yield from filter(None, (assumed_receiver(satellite, station) for station in stations))


def _check_span(start: datetime, end: datetime, days_max: float) -> None:
    if not start < end:
        raise InputError(f"the end {end.isoformat()} is not after the start {start.isoformat()}")
    if end - start > timedelta(days=days_max):
        days = (end - start) / timedelta(days=1)
        raise InputError(f"{days:g} days of passes; allowed: up to {days_max:g} in one question")
