"""The live clockwork: APScheduler wakes it, the agenda says what is due, use cases do it.

The ledger is the truth and this is not: the agenda lives in memory, is rebuilt from the bookings
at start, and work that is done twice finds its request answered already.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from traceback import format_exception
from typing import Any

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from scheduler import services
from scheduler.agenda import Agenda, Due, Work, on_grid
from scheduler.clock import Clock, SystemClock, live_clock
from scheduler.domain import Booking, BookingState
from scheduler.errors import ClockStepped
from scheduler.process import freeze_gc
from scheduler.services.context import Context
from scheduler.settings import Settings

log = structlog.get_logger("skytrunk.jobs")

_VAULT_S = 60.0  # of the machine; a data key that grew old is replaced this soon
_WATCH_S = 30.0  # of the machine; bookings made by another process are seen this soon


class JobRunner:
    """Does what the agenda says on a live clock, until it is stopped."""

    def __init__(
        self,
        context: Context,
        *,
        clock: Clock,
        rate: float = 1.0,
        warmed_up: Callable[[], None] = lambda: None,
    ) -> None:
        """`warmed_up` is called when a job has run for the first time, with all that it loads."""
        self.context = context
        self.clock = clock
        self.rate = rate
        self.fired: dict[str, int] = {}
        self._warmed_up = warmed_up
        self._busy = threading.RLock()
        self._stopping = False
        self._agenda = Agenda(context.scenario.schedule, start=clock.now())
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            # One thread: the ledger has one writer, and use cases are short.
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Close what was missed while nobody ran, plan, and start working."""
        self._guard("recover", self._recover)
        self._scheduler.add_job(self._watch, "interval", seconds=_WATCH_S, id="watch")
        self._scheduler.add_job(self._keep_vault, "interval", seconds=_VAULT_S, id="vault")
        self._arm()
        self._scheduler.start()

    def stop(self) -> None:
        """Let the running job end, then begin no other."""
        self._stopping = True
        if self._scheduler.running:
            # Waiting inside shutdown would hold the lock that a job needs to wake up again.
            self._scheduler.shutdown(wait=False)
        with self._busy:
            pass

    def _arm(self) -> None:
        """Wake up when the next work is due."""
        when = self._agenda.next_at
        if when is not None and not self._stopping:
            self._scheduler.add_job(
                self._work, "date", run_date=self._wall(when), id="work", replace_existing=True
            )

    def _work(self) -> None:
        """Do what is due by now, in order."""
        with self._busy:
            if not self._clock_is_right():
                return  # the watch arms it again
            for due in self._agenda.take_until(self.clock.now()):
                if not self._stopping:
                    self._guard(str(due.work), partial(self._do, due))
            self._arm()

    def _do(self, due: Due) -> None:
        match due.work:
            case Work.SETTLE:
                self._settle(due)
            case Work.TRUNK:
                answer = services.deposit_trunk(self.context, start=due.since, end=due.at)
                log.info("trunk", until=due.at.isoformat(), **answer)
            case Work.CLOSE:
                for closed in services.close_blocks(self.context, at=due.at):
                    log.info(
                        "block closed", station=closed["station"], why=closed["reason"],
                        sessions=len(closed["sessions"]), secret_bits=closed["secret_bits"],
                    )  # fmt: skip
            case Work.ANNOUNCE:
                self._announce(due.at)
            case Work.EXPIRE:
                log.info("expire", **services.expire_due(self.context, at=due.at))
            case Work.MERGE:
                answer = services.merge_due(self.context, scheduled_for=due.at)
                log.info("merge", at=due.at.isoformat(), steps=len(answer["steps"]))
            case Work.PLAN:
                self._plan(due)
            case Work.BEGIN:
                self._begin(due)

    def _wall(self, simulated: datetime) -> datetime:
        """The machine's instant at which the clock will show `simulated`."""
        wait_s = (simulated - self.clock.now()).total_seconds() / self.rate
        # The scheduler's own clock is the machine's; this is the one place that must ask it.
        return SystemClock().now() + timedelta(seconds=wait_s)

    def _plan(self, due: Due) -> None:
        # A window is whole, whenever in it this was started: its answer is the same after that.
        start = on_grid(due.at, self.context.scenario.schedule.plan_interval_s)
        answer = services.plan_window(self.context, start=start, end=due.until)
        for part in answer["unplanned"]:
            log.warning("nothing planned", **part)
        log.info("plan", at=start.isoformat(), bookings=len(answer["bookings"]))
        for booking in services.bookings_of_plan(self.context, answer):
            self._schedule(booking)

    def _announce(self, when: datetime) -> None:
        for answer in services.announce_due(self.context, at=when):
            self._log_announced(answer)

    def _log_announced(self, answer: dict[str, Any]) -> None:
        log.info(
            "announced", satellite=answer["satellite"], bits=answer["bits"],
            blocks=len(answer["blocks"]), why=answer["why"],
        )  # fmt: skip

    def _schedule(self, booking: Booking) -> None:
        """Put a booked session on the agenda."""
        candidate, now = booking.candidate, self.clock.now()
        if booking.state is not BookingState.BOOKED:
            return
        if candidate.loses_at <= now:
            services.miss_session(
                self.context, booking.booking_id, at=now, reason="its time had passed"
            )
            return
        self._agenda.add_session(
            booking.booking_id, begins=candidate.acquires_at, ends=candidate.loses_at
        )

    def _settle(self, due: Due) -> None:
        assert due.booking_id is not None
        if answer := services.settle_session(self.context, due.booking_id, at=due.at):
            log.info(
                "session settled", station=answer["station"], at=due.at.isoformat(),
                secret_bits=answer["secret_bits"],
            )  # fmt: skip

    def _begin(self, due: Due) -> None:
        """Begin a session in its time, or not at all: none is run late."""
        assert due.booking_id is not None
        (booking,) = services.bookings_of_plan(self.context, {"bookings": [str(due.booking_id)]})
        now = self.clock.now()
        # No later than half of the pass, or a second of the machine on a fast clock.
        late_s = max(self.rate, booking.candidate.duration_s / 2)
        if now < booking.candidate.loses_at and now <= due.at + timedelta(seconds=late_s):
            if answer := services.begin_session(self.context, due.booking_id, at=due.at):
                self._log_announced(answer)
        else:
            services.miss_session(
                self.context, due.booking_id, at=now, reason="the clockwork came too late"
            )

    def _recover(self) -> None:
        """Schedule what is still to come; close what can no longer happen."""
        services.close_overdue(self.context, at=self.clock.now())
        self._see_bookings()

    def _see_bookings(self) -> None:
        for booking in services.open_bookings(self.context):
            self._schedule(booking)

    def _watch(self) -> None:
        """Schedule the bookings that somebody else made meanwhile."""
        with self._busy:
            if not self._stopping and self._clock_is_right():
                self._guard("watch", self._see_bookings)
                self._arm()

    def _clock_is_right(self) -> bool:
        """False, and a line in the log, while the clock shows what cannot be."""
        try:
            self.clock.now()
        except ClockStepped as error:
            log.error("clock refused, nothing is done", why=str(error))
            return False
        return True

    def _keep_vault(self) -> None:
        """End and shred the epochs of data keys that grew old.

        A replay has no such job: its key follows from its seed and protects nothing.
        """
        with self._busy:
            if not self._stopping and self._clock_is_right():
                self._guard("vault", self._log_vault)

    def _log_vault(self) -> None:
        done = services.keep_vault(self.context, at=self.clock.now())
        if any(done.values()):
            log.info("vault", **done)

    def _guard(self, name: str, work: Callable[[], Any]) -> None:
        """Run a job; what fails is logged and recorded, and the work goes on."""
        try:
            work()
            if name not in self.fired:
                self._warmed_up()
            self.fired[name] = self.fired.get(name, 0) + 1
        except Exception as error:  # noqa: BLE001 - the outermost loop: logged and recorded
            # As text of our own: structlog's rendering shows local variables, key among them.
            log.error("job failed", job=name, traceback="".join(format_exception(error)))
            services.record_failure(
                self.context, name, at=self.clock.now(), reason=type(error).__name__
            )


def run_forever(
    settings: Settings, *, clock_start: datetime | None, clock_rate: float, stop: threading.Event
) -> None:
    """Run the live clockwork until `stop` is set."""
    clock = live_clock(clock_start, clock_rate)
    with Context(settings, clock=clock) as context:
        with context.ledger.view.read() as reader:
            context.check_scenario(reader)
        runner = JobRunner(context, clock=clock, rate=clock_rate, warmed_up=freeze_gc)
        log.info(
            "started", scenario=context.scenario.name, now=clock.now().isoformat(),
            rate=clock_rate, jobs=[str(work) for work in Work],
        )  # fmt: skip
        runner.start()
        try:
            stop.wait()
        finally:
            runner.stop()
            log.info("stopped", now=clock.now().isoformat())
