"""Use cases: whether a process answers, whether all is well, and the figures to be watched."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scheduler.agenda import Work
from scheduler.domain import BookingState, Every, Job, JobState, Pool
from scheduler.errors import LedgerError, LedgerMissing
from scheduler.ledger.books import plans
from scheduler.ledger.books.alerts import get_alerts
from scheduler.ledger.books.bookings import count_bookings
from scheduler.ledger.books.jobs import get_jobs
from scheduler.ledger.keys.stock import get_balances
from scheduler.ledger.log.trail import tree_size
from scheduler.services.delivery.runway import pair_runway
from scheduler.services.live import live_cadences

if TYPE_CHECKING:
    from scheduler.ledger import Reader
    from scheduler.services.context import Context

LATE_S_MAX = 900.0
"""How late the newest merge may be before the clockwork counts as stopped."""

ASKING = (Work.ELEMENTS, Work.WEATHER, Work.PLAN, Work.VERIFY)
"""Work whose failure is told until it is done again: what plans rest on, plans, and the audit."""

NEVER = Every(1e9)
LATELY = 200
"""Jobs that figures are made from."""


def health(context: Context) -> dict[str, Any]:
    """What a monitor wants to know of a process: that it answers, on which scenario and clock."""
    return {"status": "ok", "scenario": context.scenario.name, "now": context.clock.now()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementAge:
    """How old the newest element set of a satellite is."""

    satellite: str
    age_s: float | None  #: None without any
    young: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether all is well, and what is not."""

    ready: bool
    at: datetime
    problems: list[str]
    log_size: int | None  #: leaves of the audit log; None if it cannot be read
    elements: list[ElementAge]
    last_job_at: datetime | None


def readiness(context: Context) -> Readiness:
    """Look at ledger, element sets and clockwork."""
    now = context.clock.now()
    problems: list[str] = []
    size, merges, last = None, list[Job](), list[Job]()
    asking = list[Job]()
    try:
        with context.view.read() as reader:
            size = tree_size(reader.connection)
            merges = get_jobs(reader, work=str(Work.MERGE), limit=1)
            last = get_jobs(reader, limit=1)
            asking = [job for work in ASKING for job in get_jobs(reader, work=str(work), limit=1)]
    except LedgerMissing:
        problems.append("there is no ledger yet")
    except LedgerError as error:
        problems.append(f"ledger: {error}")
    ages = element_ages(context, now)
    problems += [f"no young element set of {one.satellite}" for one in ages if not one.young]
    problems += [
        f"{job.job_key} failed, attempt {job.attempts}: {job.reason}"
        for job in asking
        if job.state is JobState.FAILED
    ]
    due = live_cadences(context).get(Work.MERGE, NEVER).last(now)
    late_s = (now - due).total_seconds()
    if size is not None and late_s > LATE_S_MAX and (not merges or merges[0].scheduled_for < due):
        problems.append(f"no merge since {due.isoformat()}: `skytrunk run` does not")
    return Readiness(
        ready=not problems,
        at=now,
        problems=list(map(context.viewer.shown, problems)),
        log_size=size,
        elements=ages,
        last_job_at=last[0].scheduled_for if last else None,
    )


def element_ages(context: Context, now: datetime) -> list[ElementAge]:
    """How old the newest set of each satellite is."""
    context.refresh_elements()
    ages = []
    for satellite in context.scenario.satellites:
        # Of a clock that runs in the past the sets of then count.
        epochs = [one.epoch for one in context.archive_of(satellite.norad_id) if one.epoch <= now]
        age = now - max(epochs) if epochs else None
        young = age is not None and age <= context.max_element_age
        age_s = None if age is None else age.total_seconds()
        ages.append(ElementAge(satellite=satellite.satellite_id, age_s=age_s, young=young))
    return ages


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is there to be counted, by label."""

    bookings: dict[BookingState, int] = field(default_factory=dict)
    key_bits: dict[str, dict[str, int]] = field(default_factory=dict)  #: by pool and account
    jobs: dict[tuple[str, JobState], int] = field(default_factory=dict)  #: of the last LATELY
    late_s: dict[str, float] = field(default_factory=dict)  #: the last of each work began so late
    merge_lag_s: float | None = None  #: since the newest merge that was done
    passes: dict[str, int] = field(default_factory=dict)  #: of the plan in force: seen, booked
    solver_gap: float | None = None  #: of that plan; None where no solver proved any
    runway_s: dict[str, float] = field(default_factory=dict)  #: by pair, at the last day's rate
    element_age_s: dict[str, float] = field(default_factory=dict)  #: by satellite
    alerts: dict[str, int] = field(default_factory=dict)  #: by kind, of the last LATELY


def figures(context: Context) -> Figures:
    """Count bookings, key and jobs; nothing without a ledger."""
    now = context.clock.now()
    ages = {one.satellite: one.age_s for one in element_ages(context, now)}
    known = {name: age_s for name, age_s in ages.items() if age_s is not None}
    with suppress(LedgerMissing):
        with context.view.read() as reader:
            found = _figures(context, reader)
        return replace(found, runway_s=_runways(context, now), element_age_s=known)
    return Figures(element_age_s=known)


def _runways(context: Context, now: datetime) -> dict[str, float]:
    """Seconds until each pair runs dry, of those that are drawn from."""
    pools = sorted({demand.pool.pool_id for demand in context.scenario.demands})
    dry = {name: pair_runway(context, Pool.parse(name)).empty_at for name in pools}
    return {name: (at - now).total_seconds() for name, at in dry.items() if at is not None}


def _figures(context: Context, reader: Reader) -> Figures:
    jobs: dict[tuple[str, JobState], int] = {}
    late_s: dict[str, float] = {}
    for job in get_jobs(reader, limit=LATELY):  # the last ones first
        work = job.job_key.partition("/")[0]
        jobs[work, job.state] = jobs.get((work, job.state), 0) + 1
        if job.started_at is not None:
            late_s.setdefault(work, (job.started_at - job.scheduled_for).total_seconds())
    merged = get_jobs(reader, work=str(Work.MERGE), state=JobState.DONE, limit=1)
    now = context.clock.now()
    plan = plans.last_made(reader.connection, at=now)
    passes: dict[str, int] = {}
    if plan is not None:
        seen = plans.count_passes(reader.connection, plan.plan_id)
        passes = {"seen": seen, "booked": plan.details["booked"]}
    alerts: dict[str, int] = {}
    for alert in get_alerts(reader, limit=LATELY):
        alerts[alert.kind] = alerts.get(alert.kind, 0) + 1
    return Figures(
        passes=passes,
        solver_gap=plan.gap if plan else None,
        alerts=alerts,
        bookings=count_bookings(reader),
        key_bits=get_balances(reader),
        jobs=jobs,
        late_s=late_s,
        merge_lag_s=(now - merged[0].scheduled_for).total_seconds() if merged else None,
    )
