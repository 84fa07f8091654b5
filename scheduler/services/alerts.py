"""Use cases: what somebody should look at is written down once, and told until it is heard."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.agenda import Work
from scheduler.clock import SystemClock
from scheduler.domain import (
    Alert,
    AlertKind,
    BookingState,
    Job,
    JobState,
    Pool,
    instant_key,
    on_grid,
)
from scheduler.errors import ClockStepped, FeedError, InputError, LedgerMissing
from scheduler.ledger.books import alerts as books
from scheduler.ledger.books import jobs as job_books
from scheduler.ledger.books.bookings import get_bookings
from scheduler.services.delivery.runway import pair_runway
from scheduler.services.health import element_ages
from scheduler.services.jobs import LEASE_S, Worker
from scheduler.services.live import numbers_in_orbit
from scheduler.services.viewing import shown_rows
from scheduler.sources.webhooks import post_alert, read_secret

if TYPE_CHECKING:
    from scheduler.ledger import Reader
    from scheduler.services.context import Context

LATELY = timedelta(days=2)
"""What happened before is no news: nobody is told of it."""
DAY_S = 86_400.0
SECOND_ATTEMPT = timedelta(minutes=5)
"""A failed job that nothing became of for so long will not mend itself unseen."""
TOLD_AT_ONCE = 20
ALERTS_MAX = 1001  # a page, and whether there is another


def watch_over(context: Context) -> list[Alert]:
    """Look for what somebody should look at, write it down, and return what is new.

    What lasts, such as a low pool, is an event a day.
    """
    with suppress(LedgerMissing):
        with context.view.read() as reader:
            found = list(_events(reader, context.clock.now()))
        return raise_alerts(context, [*found, *_conditions(context)])
    return []


def raise_alerts(context: Context, found: Iterable[Alert]) -> list[Alert]:
    """Write down the alerts that are new, and return those; no transaction if none is."""
    alerts = list(found)
    with context.existing_ledger.view.read() as reader:
        known = books.known_ids(reader, alerts)
    fresh = [alert for alert in alerts if alert.alert_id not in known]
    if not fresh:
        return []
    with context.existing_ledger.begin() as tx:
        return books.add_alerts(tx, fresh)


def _events(reader: Reader, now: datetime) -> Iterator[Alert]:
    since = now - LATELY
    for state in (BookingState.MISSED, BookingState.FAILED):
        for booking in get_bookings(reader, state=state, since=since):
            candidate = booking.candidate
            yield Alert(
                kind=AlertKind.SESSION_MISSED,
                subject=str(booking.booking_id),
                at=candidate.acquires_at,
                words=f"{candidate.satellite_id} over {candidate.station_id} of"
                f" {instant_key(candidate.acquires_at)} {state}: {booking.reason}",
            )
    for job in job_books.get_jobs(reader, state=JobState.FAILED, limit=ALERTS_MAX):
        lasts = job.attempts > 1 or now - job.changed_at >= SECOND_ATTEMPT
        if job.scheduled_for >= since and lasts and not job.job_key.startswith(TELL):
            is_audit = job.job_key == str(Work.VERIFY)
            yield Alert(
                kind=AlertKind.VERIFICATION_FAILED if is_audit else AlertKind.JOB_FAILED,
                subject=job.job_key,
                at=job.scheduled_for,
                words=f"{job.job_key} of {instant_key(job.scheduled_for)} failed: {job.reason}",
            )


def _conditions(context: Context) -> Iterator[Alert]:
    now = context.clock.now()
    today = on_grid(now, DAY_S)
    orbiting = set(numbers_in_orbit(context))
    numbers = {one.satellite_id: one.norad_id for one in context.scenario.satellites}
    for age in element_ages(context, now):
        if not age.young and numbers[age.satellite] in orbiting:
            words = f"no young element set of {age.satellite}: it is planned no more"
            yield Alert(kind=AlertKind.ELEMENTS_STALE, subject=age.satellite, at=today, words=words)
    limit = timedelta(hours=context.settings.alert_runway_hours)
    for pool_id in sorted({demand.pool.pool_id for demand in context.scenario.demands}):
        runway = pair_runway(context, Pool.parse(pool_id))
        if runway.empty_at is not None and runway.empty_at - now < limit:
            yield Alert(
                kind=AlertKind.POOL_LOW,
                subject=pool_id,
                at=today,
                words=f"{pool_id} holds {runway.stock_bits} bits and runs dry about"
                f" {instant_key(runway.empty_at)} at the rate of the last day",
            )


def alert_of_step(context: Context, reason: str) -> list[Alert]:
    """Write down that the machine's clock is not to be trusted, once an hour."""
    alert = Alert(
        kind=AlertKind.CLOCK_STEPPED,
        subject=context.scenario.name,
        at=on_grid(SystemClock().now(), 3600.0),
        words=reason,
    )
    return raise_alerts(context, [alert])


TELL = "tell/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An alert that was sent, and how its job stands."""

    alert: Alert
    job: Job


def check_webhook(context: Context) -> None:
    """Raise SettingsError if alerts are to be sent and cannot be signed."""
    if context.settings.alert_url is not None:
        read_secret(context.settings.alert_secret_file)


def tell_alerts(context: Context, *, worker: Worker) -> list[Told]:
    """Send the alerts that wait for it, each as a job of its own: what fails is sent again.

    A receiver may get one twice, where its answer was lost, and knows it by its id.
    """
    url = context.settings.alert_url
    if url is None:
        return []
    secret, now = read_secret(context.settings.alert_secret_file), _now(context)
    with suppress(LedgerMissing):
        with context.view.read() as reader:
            waiting = books.untold_alerts(reader, since=now - LATELY, limit=TOLD_AT_ONCE)
        return [
            told
            for alert in waiting
            if (told := _tell(context, alert, url, secret, worker, now)) is not None
        ]
    return []


def _tell(
    context: Context, alert: Alert, url: str, secret: bytes, worker: Worker, now: datetime
) -> Told | None:
    machine_now = SystemClock().now()
    lease = machine_now + timedelta(seconds=LEASE_S)
    key = f"{TELL}{alert.alert_id}"
    with context.existing_ledger.view.read() as reader:
        known = job_books.find_job(reader, key, alert.at)
    if known is not None and not job_books.is_free(
        known, worker.name, at=now, machine_now=machine_now
    ):
        return None
    with context.existing_ledger.begin() as tx:
        job, taken = job_books.claim_job(
            tx, key, alert.at, holder=worker.name, at=now, machine_now=machine_now,
            lease_until=lease,
        )  # fmt: skip
    if not taken:
        return None
    timestamp = str(int(machine_now.timestamp()))
    state, reason = JobState.DONE, ""
    try:
        body = body_of(alert, scenario=context.scenario.name)
        post_alert(url, secret, event_id=str(alert.alert_id), timestamp=timestamp, body=body)
    except FeedError as error:
        state, reason = JobState.FAILED, str(error)
    with context.existing_ledger.begin() as tx:
        job = job_books.end_job(tx, job, state, at=now, reason=reason)
    return Told(alert=alert, job=job)


def body_of(alert: Alert, *, scenario: str) -> bytes:
    """What is sent of an alert: one JSON object, the same at each attempt."""
    told = {
        "id": str(alert.alert_id),
        "kind": alert.kind.value,
        "subject": alert.subject,
        "at": instant_key(alert.at),
        "words": alert.words,
        "scenario": scenario,
    }
    return json.dumps(told, sort_keys=True).encode()


def _now(context: Context) -> datetime:
    """The present; the machine's where its clock is refused, for that is to be told too."""
    try:
        return context.clock.now()
    except ClockStepped:
        return SystemClock().now()


def list_alerts(
    context: Context,
    *,
    kind: str | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int = 100,
) -> list[Alert]:
    """The last alerts, the last first, those of one kind where it is named.

    Behind the instant and id of `before`, where it is named. Raises InputError, LedgerMissing.
    """
    try:
        wanted = None if kind is None else AlertKind(kind)
    except ValueError:
        raise InputError(f"kind {kind!r:.60}; allowed: {', '.join(AlertKind)}") from None
    if not 1 <= limit <= ALERTS_MAX:
        raise InputError(f"limit {limit}; allowed: 1 to {ALERTS_MAX - 1}")
    with context.view.read() as reader:
        return shown_rows(
            lambda last, most: books.get_alerts(reader, kind=wanted, before=last, limit=most),
            key=lambda one: (one.at, str(one.alert_id)),
            shows=lambda one: context.viewer.shown(one.words) == one.words,
            after=before,
            limit=limit,
        )
