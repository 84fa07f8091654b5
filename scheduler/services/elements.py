"""Use cases: bring element sets in, list, check and export them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from orbits import (
    Archive,
    Elements,
    ElementsError,
    Standing,
    as_utc,
    format_omm,
    format_tles,
    iso_utc,
    read_bulletin,
)
from scheduler.clock import SystemClock
from scheduler.domain import ElementsAdded, ElementsAnswer, ElementsCheck, instant_key
from scheduler.errors import FeedError, InputError, UnknownName
from scheduler.services.standing import judged

if TYPE_CHECKING:
    from scheduler.domain import KnownSet
    from scheduler.ledger import ElementRow
    from scheduler.services.context import Context
    from scheduler.sources.feed import FeedAnswer

EXPORT_FORMS = ("tle", "json", "csv", "xml", "kvn")
FETCHED_MAX = 100
_KNOWN_SHOWN = 10
AHEAD_MAX = timedelta(days=2)
"""How far ahead of its arrival a set's epoch may be; sets are published some hours ahead."""


def import_elements(
    context: Context, text: str, *, source: str, arrived_at: datetime | None = None
) -> ElementsAdded:
    """Read every element set of `text`, then add them in one transaction.

    Without `arrived_at` a set counts as known from its epoch on, plus the scenario's lag: an
    archive brought in today must serve a replay of years ago. Sets that disagree with their
    neighbours are kept but serve nothing until they are accepted.

    Raises InputError for a set from the future, of the clock in use and the machine's, and
    orbits.ElementsError naming the source, the line and the
    column of the first fault; then nothing is added.
    """
    try:
        reading = read_bulletin(text, source=source)
    except ElementsError as error:
        raise ElementsError(f"{source}: {error}") from error
    if arrived_at is not None:
        _check_arrival(reading.elements, as_utc(arrived_at))
    else:
        _check_epochs(context, reading.elements)
    known = {satellite.norad_id for satellite in context.scenario.satellites}
    return replace(
        _add(context, reading.elements, arrived_at),
        skipped=reading.skipped,
        strangers=_strangers(reading.elements, known),
    )


def _strangers(sets: Iterable[Elements], known: Collection[int]) -> tuple[str, ...]:
    """Number and name of each satellite that is not known, by number."""
    named = {item.norad_id: item.name for item in sets if item.norad_id not in known}
    return tuple(f"{number} {name}".rstrip() for number, name in sorted(named.items()))


def fetch_elements(context: Context, satellites: Sequence[str] | None = None) -> ElementsAdded:
    """Ask the configured endpoint for satellites, by name or number, and add what is new.

    The arrival of each set is the clock's present. What came is kept, whatever became of the
    other satellites. Raises SettingsError for an endpoint that is none, UnknownName, and
    FeedError if every satellite failed.
    """
    from scheduler.sources.feed import Feed
    from scheduler.sources.feed_cache import users_cache

    settings = context.settings
    feed = Feed(
        url=settings.elements_url,
        timeout_s=settings.elements_timeout_s,
        bytes_max=settings.elements_bytes_max,
    )
    if satellites is None:
        asked = [satellite.norad_id for satellite in context.scenario.satellites]
    else:
        asked = [_number_to_fetch(context, name) for name in satellites]
    numbers = list(dict.fromkeys(n for one in asked for n in context.numbers_of(one)))
    if not 1 <= len(numbers) <= FETCHED_MAX:
        raise InputError(f"{len(numbers)} satellites to fetch; allowed: 1 to {FETCHED_MAX}")
    present = context.clock.now()
    answers = feed.ask(numbers, at=present, cache=users_cache())
    answers = [_of_the_present(one, present) for one in answers]
    failures = tuple(one.failure for one in answers if one.failure)
    if len(failures) == len(answers):
        raise FeedError("; ".join(failures))
    found = tuple(item for one in answers for item in one.elements)
    return replace(
        _add(context, found, present),
        skipped=tuple(what for one in answers for what in one.skipped),
        unchanged=tuple(one.unchanged for one in answers if one.unchanged),
        failures=failures,
    )


def _of_the_present(answer: FeedAnswer, present: datetime) -> FeedAnswer:
    """The answer of a feed, or a failure for one with a set whose epoch is still to come."""
    try:
        if answer.elements:
            _check_arrival(answer.elements, present)
    except InputError as error:
        return replace(answer, elements=(), failure=f"from the future: {error}")
    return answer


def list_elements(
    context: Context, satellite: str | None = None, *, latest: bool = False
) -> ElementsAnswer:
    """The sets of one satellite or of all by epoch; with `latest` the last of each only.

    Raises UnknownName for a satellite of which there is none.
    """
    chosen: Iterable[KnownSet]
    if latest and satellite is None:
        context.refresh_elements()
        chosen = [
            one for one in context.latest_elements() if one.norad_id not in context.viewer.numbers
        ]
    else:
        chosen = _archive(context, satellite)
        if latest:
            chosen = {item.norad_id: item for item in chosen}.values()
    ordered = sorted(chosen, key=lambda item: (item.epoch, item.norad_id))
    given = context.verdicts
    return ElementsAnswer(
        at=context.clock.now(),
        elements=tuple(ordered),
        verdicts=tuple(given.last_on(item.sha256) for item in ordered),
    )


def check_elements(context: Context, satellite: str | None = None) -> ElementsCheck:
    """Compare each set with its neighbours; raises UnknownName as `list_elements` does."""
    archive = _archive(context, satellite)
    until = context.earth.known_until
    return ElementsCheck(
        checked=len(archive),
        findings=archive.check(),
        unreadable=context.unreadable_elements,
        ut1_known_until=until,
        is_ut1_known=context.clock.now() < until,
    )


def _archive(context: Context, satellite: str | None) -> Archive:
    context.refresh_elements()
    if satellite is not None:
        return context.archive_of(_number(context, satellite))
    if context.viewer.sees_all:
        return context.archive
    return context.archive_without(context.viewer.numbers)


def export_elements(
    context: Context, satellite: str | None = None, *, form: str, latest: bool = False
) -> str:
    """The sets that serve as one text in one of EXPORT_FORMS, oldest first.

    Raises InputError for another form, orbits.ElementsError for a set that does not fit in a
    TLE, UnknownName as `list_elements` does.
    """
    if form not in EXPORT_FORMS:
        raise InputError(f"form {form!r}; allowed: {', '.join(EXPORT_FORMS)}")
    archive = _archive(context, satellite)
    chosen = [item for item in archive if archive.standing(item).is_serving]
    if latest:
        chosen = list({item.norad_id: item for item in chosen}.values())
    sets = sorted(chosen, key=lambda item: (item.epoch, item.norad_id))
    if form != "tle":
        return format_omm(sets, form)
    return "".join(_tle_text(elements) for elements in sets)


def _tle_text(elements: Elements) -> str:
    try:
        return format_tles([elements])
    except ElementsError as error:
        raise ElementsError(
            f"set of {elements.label} of {elements.epoch:%Y-%m-%dT%H:%M:%SZ}: {error}"
        ) from error


def _add(
    context: Context, found: Collection[Elements], arrived_at: datetime | None
) -> ElementsAdded:
    if not found:
        return ElementsAdded(received=(), added=0)
    # Late: a list of element sets needs no tables.
    from scheduler.ledger.books.elements import add_elements
    from scheduler.ledger.books.verdicts import add_verdicts

    context.refresh_elements()
    fresh = [
        item if item.arrived_at == arrived_at else replace(item, arrived_at=arrived_at)
        for item in found
    ]
    verdicts = judged(context, fresh, since=arrived_at)
    with context.ledger.begin() as tx:
        added = add_elements(tx, [_row(elements) for elements in fresh])
        add_verdicts(tx, verdicts, at=context.clock.now())
    context.refresh_elements()
    held = [one for one in verdicts if one.standing is Standing.QUARANTINED]
    again = {one.sha256: one.reason for one in verdicts if one.standing is Standing.SERVES}
    known = context.archive if again else ()
    return ElementsAdded(
        received=tuple(found),
        added=added,
        quarantined=tuple(one.reason for one in held),
        released=tuple(
            f"satellite {item.norad_id}: the set of {iso_utc(item.epoch)} serves again:"
            f" {again[item.sha256]}"
            for item in known
            if item.sha256 in again
        ),
    )


def _row(elements: Elements) -> ElementRow:
    from scheduler.ledger import ElementRow

    return ElementRow(
        norad_id=elements.norad_id,
        name=elements.name,
        epoch=elements.epoch,
        text=elements.raw,
        sha256=elements.sha256,
        source=elements.source,
        arrived_at=elements.arrived_at,
    )


def _check_epochs(context: Context, found: Iterable[Elements]) -> None:
    """Refuse sets of which the epoch is still to come: none is published so far ahead."""
    present = max(context.clock.now(), SystemClock().now())
    late = max(found, key=lambda item: item.epoch)
    if late.epoch - present > AHEAD_MAX:
        days = (late.epoch - present) / timedelta(days=1)
        raise InputError(
            f"satellite {late.norad_id} has a set from the future, of {instant_key(late.epoch)},"
            f" {days:,.0f} days ahead; allowed: at most {AHEAD_MAX.days} days, or --arrived-at"
        )


def _check_arrival(found: Iterable[Elements], arrived_at: datetime) -> None:
    late = max(found, key=lambda item: item.epoch)
    if late.epoch - arrived_at > AHEAD_MAX:
        raise InputError(
            f"arrived-at {arrived_at.isoformat()} is before the epoch {late.epoch.isoformat()} of"
            f" satellite {late.norad_id}; allowed: at most 2 days before it"
        )


def _number_to_fetch(context: Context, name: str) -> int:
    """The catalogue number of a satellite, which need not be known yet."""
    if name.isdecimal() and name.isascii() and len(name) <= 9:
        return int(name)
    return context.satellite(name).norad_id


def _number(context: Context, name: str) -> int:
    """The catalogue number of a satellite with element sets, by id, name or number."""
    try:
        return context.satellite(name).norad_id
    except UnknownName:
        wanted = name.strip().casefold()
    if wanted.isdecimal() and wanted.isascii() and len(wanted) <= 9:
        if len(context.archive_of(int(wanted))):
            return int(wanted)
    else:
        for elements in context.archive:
            if elements.name.casefold() == wanted:
                return elements.norad_id
    numbers = context.archive.norad_ids
    known = ", ".join(str(number) for number in numbers[:_KNOWN_SHOWN])
    more = f" and {len(numbers) - _KNOWN_SHOWN} more" if len(numbers) > _KNOWN_SHOWN else ""
    raise UnknownName(f"no element set of {name!r} is known; known: {known}{more}")
