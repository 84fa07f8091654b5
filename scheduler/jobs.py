"""The live clockwork: APScheduler ticks, and each tick calls one use case.

The ledger is the truth and this is not: jobs live in memory, are rebuilt from the bookings at
start, and a tick that fires twice finds its request answered already.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from traceback import format_exception
from typing import Any
from uuid import UUID

import structlog
from apscheduler.events import EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from scheduler.clock import AcceleratedClock, Clock, SystemClock
from scheduler.domain import Booking, BookingState
from scheduler.process import freeze_gc
from scheduler.services import Services

log = structlog.get_logger("skytrunk.jobs")

_GRID_ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
_GRACE_S_MAX = 3600.0
_WATCH_S = 30.0  # of the machine; bookings made by another process are seen this soon
_ORDER = ("trunk", "announce", "expire", "merge", "plan")


class JobRunner:
    """Fires plan, trunk, time, merge and session jobs on a live clock until it is stopped."""

    def __init__(
        self,
        services: Services,
        *,
        clock: Clock,
        rate: float = 1.0,
        warmed_up: Callable[[], None] = lambda: None,
    ) -> None:
        """`warmed_up` is called when a job has run for the first time, with all that it loads."""
        self.services = services
        self.clock = clock
        self.rate = rate
        self.fired: dict[str, int] = {}
        self._warmed_up = warmed_up
        self._busy = threading.RLock()
        self._stopping = False
        self._trunk_done = clock.now()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            # One thread: the ledger has one writer, and use cases are short.
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1},
        )
        self._scheduler.add_listener(self._missed, EVENT_JOB_MISSED)

    def start(self) -> None:
        """Close what was missed while nobody ran, plan, and start ticking."""
        schedule = self.services.scenario.schedule
        now = self.clock.now()
        self._trunk_done = now
        self._guard("recover", self._recover)
        for name, step_s, work in (
            ("plan", schedule.plan_interval_s, self._plan),
            ("trunk", schedule.trunk_interval_s, self._trunk),
            ("announce", schedule.merge_interval_s, self._announce),
            ("expire", schedule.merge_interval_s, self._expire),
            ("merge", schedule.merge_interval_s, self._merge),
        ):
            self._every(name, step_s, work, now)
        self._scheduler.add_job(
            lambda: self._guard("watch", self._watch), "interval", seconds=_WATCH_S, id="watch"
        )
        self._scheduler.start()

    def stop(self) -> None:
        """Let the running job end, then fire nothing more."""
        self._stopping = True
        if self._scheduler.running:
            # Waiting inside shutdown would hold the lock that a job needs to schedule sessions.
            self._scheduler.shutdown(wait=False)
        with self._busy:
            pass

    def _every(
        self, name: str, step_s: float, work: Callable[[datetime], None], now: datetime
    ) -> None:
        """Tick at once, and then at each instant of the job's grid, in simulated time."""
        first = _grid(now, step_s) + timedelta(seconds=step_s)

        def tick() -> None:
            self._guard(name, lambda: work(_grid(self.clock.now(), step_s)))

        self._scheduler.add_job(
            tick,
            "interval",
            seconds=max(step_s / self.rate, 0.01),
            # At one instant the trunk deposits before the merge spends: jobs fire in this order.
            start_date=self._wall(first) + timedelta(milliseconds=_ORDER.index(name)),
            id=name,
            misfire_grace_time=max(1, int(step_s / self.rate)),
        )
        if name == "plan":
            self._scheduler.add_job(tick, id="plan/first", misfire_grace_time=None)

    def _wall(self, simulated: datetime) -> datetime:
        """The machine's instant at which the clock will show `simulated`."""
        wait_s = (simulated - self.clock.now()).total_seconds() / self.rate
        # The scheduler's own clock is the machine's; this is the one place that must ask it.
        return SystemClock().now() + timedelta(seconds=wait_s)

    def _plan(self, when: datetime) -> None:
        step = timedelta(seconds=self.services.scenario.schedule.plan_interval_s)
        answer = self.services.plan_window(start=when, end=when + step, not_before=self.clock.now())
        for part in answer["unplanned"]:
            log.warning("nothing planned", **part)
        log.info("plan", at=when.isoformat(), bookings=len(answer["bookings"]))
        for booking in self.services.bookings_of(answer):
            self._schedule(booking)

    def _trunk(self, when: datetime) -> None:
        step = timedelta(seconds=self.services.scenario.schedule.trunk_interval_s)
        # A late tick deposits each interval that passed, under its own request id; the first is
        # cut to the time since the clockwork was started.
        while self._trunk_done < when:
            end = _grid(self._trunk_done, step.total_seconds()) + step
            answer = self.services.deposit_trunk(start=self._trunk_done, end=end)
            log.info("trunk", until=end.isoformat(), **answer)
            self._trunk_done = end

    def _announce(self, when: datetime) -> None:
        for answer in self.services.announce_due(at=when):
            self._log_announced(answer)

    def _expire(self, when: datetime) -> None:
        answer = self.services.expire_due(at=when)
        log.info("expire", **answer)

    def _log_announced(self, answer: dict[str, Any]) -> None:
        log.info(
            "announced", satellite=answer["satellite"], bits=answer["bits"],
            blocks=len(answer["blocks"]), why=answer["why"],
        )  # fmt: skip

    def _merge(self, when: datetime) -> None:
        answer = self.services.merge_due(scheduled_for=when)
        log.info("merge", at=when.isoformat(), steps=len(answer["steps"]))

    def _schedule(self, booking: Booking) -> None:
        """Put the beginning and the end of a booked session on the machine's clock."""
        candidate, now = booking.candidate, self.clock.now()
        if booking.state is not BookingState.BOOKED:
            return
        if candidate.loses_at <= now:
            self.services.miss_session(booking.booking_id, at=now, reason="its time had passed")
            return
        key = booking.booking_id
        # Less than what is left of the pass: a session is missed rather than run late.
        grace_s = max(1, int(min(candidate.duration_s / self.rate / 2, _GRACE_S_MAX)))
        for name, when, grace in (
            ("begin", candidate.acquires_at, grace_s),
            ("settle", candidate.loses_at, None),
        ):
            self._scheduler.add_job(
                self._session,
                "date",
                run_date=self._wall(when),
                args=(name, key, when),
                id=f"{name}/{key}",
                replace_existing=True,
                misfire_grace_time=grace,
            )

    def _session(self, name: str, booking_id: UUID, when: datetime) -> None:
        if name == "begin":
            self._guard(name, lambda: self._begin(booking_id, when))
        else:
            self._guard(name, lambda: self._settle(booking_id, when))

    def _settle(self, booking_id: UUID, when: datetime) -> None:
        if answer := self.services.settle_session(booking_id, at=when):
            log.info(
                "session settled", station=answer["station"], at=when.isoformat(),
                secret_bits=answer["secret_bits"],
            )  # fmt: skip

    def _begin(self, booking_id: UUID, when: datetime) -> None:
        """Begin a session in its time, or not at all."""
        (booking,) = self.services.bookings_of({"bookings": [str(booking_id)]})
        now = self.clock.now()
        if now < booking.candidate.loses_at:
            if answer := self.services.begin_session(booking_id, at=when):
                self._log_announced(answer)
        else:
            self.services.miss_session(booking_id, at=now, reason="the clockwork came too late")

    def _recover(self) -> None:
        """Schedule what is still to come; close what can no longer happen."""
        now = self.clock.now()
        self.services.close_overdue(at=now)
        for booking in self.services.open_bookings():
            self._schedule(booking)

    def _watch(self) -> None:
        """Schedule the bookings that somebody else made meanwhile."""
        for booking in self.services.open_bookings():
            if self._scheduler.get_job(f"begin/{booking.booking_id}") is None:
                self._schedule(booking)

    def _missed(self, event: JobExecutionEvent) -> None:
        name, _, key = str(event.job_id).partition("/")
        log.warning("job missed", job=event.job_id)
        if name == "begin" and key:
            self._guard(
                "missed",
                lambda: self.services.miss_session(
                    UUID(key), at=self.clock.now(), reason="the clockwork came too late"
                ),
            )

    def _guard(self, name: str, work: Callable[[], Any]) -> None:
        """Run a job; what fails is logged and recorded, and the ticking goes on."""
        try:
            work()
            if name not in self.fired:
                self._warmed_up()
            self.fired[name] = self.fired.get(name, 0) + 1
        except Exception as error:  # noqa: BLE001 - the outermost loop: logged and recorded
            # As text of our own: structlog's rendering shows local variables, key among them.
            log.error("job failed", job=name, traceback="".join(format_exception(error)))
            self.services.record_failure(name, at=self.clock.now(), reason=type(error).__name__)


def _grid(when: datetime, step_s: float) -> datetime:
    """The last instant of the job's grid that is not after `when`."""
    step = timedelta(seconds=step_s)
    return _GRID_ORIGIN + step * ((when - _GRID_ORIGIN) // step)


def live_clock(start: datetime | None, rate: float) -> Clock:
    """The machine's own time, or one that starts elsewhere or runs faster."""
    if start is None and rate == 1.0:
        return SystemClock()
    return AcceleratedClock(start or SystemClock().now(), rate=rate)


def run_forever(
    settings: Any, *, clock_start: datetime | None, clock_rate: float, stop: threading.Event
) -> None:
    """Run the live clockwork until `stop` is set."""
    clock = live_clock(clock_start, clock_rate)
    with Services(settings, clock=clock) as services:
        with services.ledger.read() as reader:
            services.check_scenario(reader)
        runner = JobRunner(services, clock=clock, rate=clock_rate, warmed_up=freeze_gc)
        log.info(
            "started", scenario=services.scenario.name, now=clock.now().isoformat(),
            rate=clock_rate, jobs=list(_ORDER),
        )  # fmt: skip
        runner.start()
        try:
            stop.wait()
        finally:
            runner.stop()
            log.info("stopped", now=clock.now().isoformat())
