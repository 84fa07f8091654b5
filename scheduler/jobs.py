"""The live clockwork: APScheduler wakes it, the agenda says what is due, use cases do it.

The ledger is the truth and this is not: the agenda lives in memory and is rebuilt from the
bookings at start. What a job's row says is what counts: who took it, and what became of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from scheduler import services
from scheduler.agenda import Due, Work
from scheduler.clock import Clock, SystemClock, live_clock
from scheduler.collector import freeze_gc
from scheduler.domain import FINAL_JOB_STATES, Booking, BookingState, Job, JobState
from scheduler.errors import ClockStepped, LedgerError, SchedulerError
from scheduler.logs import set_up_logs, where_raised, words_of
from scheduler.services.context import Context
from scheduler.settings import Settings

log = structlog.get_logger("skytrunk.jobs")

_VAULT_S = 60.0  # of the machine; a data key that grew old is replaced this soon
_WATCH_S = 10.0  # of the machine; bookings and jobs of another process are seen this soon
_BEAT_S = 10.0  # of the machine; a lease lasts three of these
_STAND_BY_S = 1.0  # of the machine; how often one looks at a job that another process runs
_ROLL_S = 600.0  # of the clock in use; plans are made anew no more often for what changed


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
        self.worker = services.Worker.here(rate)
        self.fired: dict[str, int] = {}
        self._warmed_up = warmed_up
        self._busy = threading.RLock()
        self._stopping = False
        self._held: dict[str, Job] = {}  #: the jobs at hand: one, and one aside
        self._agenda = services.live_agenda(context, start=clock.now())
        self._rolls_at = clock.now()  #: when a change of what plans rest on counts again
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            # One thread: the ledger has one writer, and use cases are short. Another holds on to
            # the job at hand meanwhile; a third does what is long, and waits for nothing here.
            executors={name: ThreadPoolExecutor(1) for name in ("default", "beat", "aside")},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Close what was missed while nobody ran, plan, and start working."""
        self._guard("recover", self._recover)
        self._scheduler.add_job(self._watch, "interval", seconds=_WATCH_S, id="watch")
        self._scheduler.add_job(self._keep_vault, "interval", seconds=_VAULT_S, id="vault")
        self._scheduler.add_job(
            self._hold_on, "interval", seconds=_BEAT_S, id="beat", executor="beat"
        )
        self._scheduler.add_job(
            self._watch_over, "interval", seconds=_WATCH_S, id="alerts", executor="aside"
        )
        self._arm()
        self._scheduler.start()

    def stop(self) -> None:
        """Let the running job end, begin no other, and let go of what is under way."""
        self._stopping = True
        if self._scheduler.running:
            self._scheduler.pause()
            # Waiting inside shutdown would hold the lock that a job needs to wake up again.
            self._scheduler.shutdown(wait=False)
        for name in list(self._held):
            log.info("stopping", waits_for=name)
        with self._busy:
            self._guard("release", self._release)

    def _release(self) -> None:
        for job in services.release_jobs(self.context, self.worker):
            log.info("let go", job=job.job_key, at=job.scheduled_for.isoformat())

    def _arm(self, *, after_s: float = 0.0) -> None:
        """Wake up when the next work is due, and not before `after_s`."""
        when = self._agenda.next_at
        if when is not None and not self._stopping:
            soonest = SystemClock().now() + timedelta(seconds=after_s)
            self._scheduler.add_job(
                self._work,
                "date",
                run_date=max(soonest, self._wall(when)),
                id="work",
                replace_existing=True,
                max_instances=3,  # it is armed at its own end, where it still counts as running
            )

    def _work(self) -> None:
        """Do what is due by now, in order, as far as no other process is at it."""
        with self._busy:
            if not self._clock_is_right():
                return  # the watch arms it again
            due_now, left_out = self._agenda.take_until(self.clock.now())
            for due in left_out:
                self._miss(due, "late: the next one does its work too")
            while due_now and not self._stopping:
                due = due_now.pop(0)
                if not self._is_over(due):
                    # What comes after it may rest on it, so all of it waits.
                    for one in (due, *due_now):
                        self._agenda.put_back(one)
                    self._arm(after_s=_STAND_BY_S)
                    return
            self._guard("roll", self._roll)
            self._arm()

    @property
    def next_at(self) -> datetime | None:
        """When the next work is due."""
        return self._agenda.next_at

    def work(self) -> None:
        """Do what is due by now: for whoever moves the clock, in place of `start`."""
        self._work()

    def _roll(self) -> None:
        """Have the next days planned anew once what the plan rests on has changed."""
        now = self.clock.now()
        if now < self._rolls_at or self._stopping or Work.PLAN not in self._agenda.cadences:
            return
        self._rolls_at = now + timedelta(seconds=_ROLL_S)
        if changes := services.plan_changes(self.context, at=now):
            log.info("plan again", why="; ".join(changes)[:500])
            due = self._agenda.due_now(Work.PLAN, now)
            self._agenda.put_back(replace(due, if_changed=True))

    def _is_over(self, due: Due) -> bool:
        """Do a job unless somebody did; False while another process is at it."""
        ids = {"session": str(due.booking_id)} if due.booking_id else {}
        with structlog.contextvars.bound_contextvars(job_id=services.job_id(due), **ids):
            if due.work is Work.VERIFY and self._scheduler.running:
                # Minutes on a large ledger; sessions do not wait for it.
                self._scheduler.add_job(
                    self._try, args=[due], id="verify", executor="aside", replace_existing=True
                )
                return True
            return self._try(due)

    def _try(self, due: Due) -> bool:
        if due.work is Work.BEGIN and self._is_late(due):
            return True
        try:
            outcome = services.run_job(self.context, due, worker=self.worker, begun=self._note_held)
        except Exception as error:  # noqa: BLE001 - the outermost loop: logged and recorded
            if not (self._stopping and due.work is Work.VERIFY):  # then it was let go of
                self._fail(due, error)
            return True
        if outcome.done is None:
            return self._stands(due, outcome.job)
        for event, figures in outcome.done.lines:
            log.info(event, **figures)
        for booking in outcome.done.bookings:
            self._schedule(booking)
        self._count(str(due.work))
        return True

    def _stands(self, due: Due, job: Job) -> bool:
        """What to make of a job that was not ours to do."""
        if job.state is JobState.RUNNING:
            return False
        if job.retry_at is not None:
            self._agenda.put_back(due, until=job.retry_at)
        elif job.state is JobState.DONE and due.work is Work.PLAN:
            self._see_bookings()
        elif job.state in FINAL_JOB_STATES and job.reason:
            log.debug("not done", job=job.job_key, state=str(job.state), why=job.reason)
        return True

    def _fail(self, due: Due, error: Exception) -> None:
        """Log and write down that a job failed, and have it tried again."""
        reason = services.failure_reason(error)
        again = None
        try:
            job = services.fail_job(self.context, due, worker=self.worker, reason=reason)
            again = job.retry_at
        except SchedulerError as also:
            log.error("failure not recorded", job=str(due.work), why=words_of(also))
            again = self.clock.now() + timedelta(seconds=60)
        if again is not None:
            self._agenda.put_back(due, until=again)
            if due.work is Work.PLAN:
                self._rolls_at = max(self._rolls_at, again + timedelta(seconds=_ROLL_S))
        log.error(
            "job failed", job=str(due.work), at=due.at.isoformat(), why=words_of(error),
            where=where_raised(error), again_at=again and again.isoformat(),
        )  # fmt: skip

    def _miss(self, due: Due, reason: str) -> None:
        """Write down that a job was not done; of one under way by another, look again later."""

        def miss() -> None:
            job = services.miss_job(self.context, due, reason=reason)
            if job.state is JobState.RUNNING:
                wait_s = services.LEASE_S * self.worker.rate
                self._agenda.put_back(due, until=self.clock.now() + timedelta(seconds=wait_s))
            else:
                log.warning("missed", job=str(due.work), at=due.at.isoformat(), why=reason)

        self._guard("missed", miss)

    def _is_late(self, due: Due) -> bool:
        """Miss a session that can no longer begin in its time."""
        reason = services.late_reason(self.context, due, rate=self.worker.rate)
        if reason is None:
            return False
        self._guard("missed", lambda: services.miss_late_session(self.context, due, reason))
        self._miss(due, reason)
        return True

    def _wall(self, simulated: datetime) -> datetime:
        """The machine's instant at which the clock will show `simulated`."""
        wait_s = (simulated - self.clock.now()).total_seconds() / self.worker.rate
        # The scheduler's own clock is the machine's; this is the one place that must ask it.
        return SystemClock().now() + timedelta(seconds=wait_s)

    def _schedule(self, booking: Booking) -> None:
        """Put a booked session on the agenda."""
        candidate, now = booking.candidate, self.clock.now()
        if booking.state is BookingState.BOOKED and candidate.loses_at <= now:
            services.miss_session(
                self.context, booking.booking_id, at=now, reason="its time had passed"
            )
        elif booking.state in {BookingState.BOOKED, BookingState.RUNNING}:
            self._agenda.add_session(
                booking.booking_id, begins=candidate.acquires_at, ends=candidate.loses_at
            )

    def _recover(self) -> None:
        """Schedule what is still to come; close what can no longer happen, and list it."""
        services.close_overdue(self.context, at=self.clock.now())
        for job in services.miss_idle_time(self.context, self._agenda):
            log.warning("missed", job=job.job_key, why=job.reason)
        self._see_bookings()

    def _see_bookings(self) -> None:
        for booking in services.open_bookings(self.context):
            self._schedule(booking)

    def _see_left_over(self) -> None:
        """Take up what a process began that is gone by now, whenever this one was started."""
        for due in services.left_over(self.context):
            if not self._agenda.holds(due):
                self._agenda.put_back(due)

    def _watch(self) -> None:
        """Schedule the bookings that somebody else made meanwhile."""
        with self._busy:
            if not self._stopping and self._clock_is_right():
                self._guard("watch", self._see_bookings)
                self._guard("left over", self._see_left_over)
                self._guard("roll", self._roll)
                self._arm()

    def _watch_over(self) -> None:
        """Write down what somebody should look at, and tell it."""
        if self._stopping:
            return
        if self._clock_is_right():
            self._guard("alerts", self._raise_alerts)
        self._guard("tell", self._tell_alerts)

    def _raise_alerts(self) -> None:
        for alert in services.watch_over(self.context):
            log.warning("alert", kind=str(alert.kind), why=alert.words, alert=str(alert.alert_id))

    def _tell_alerts(self) -> None:
        for told in services.tell_alerts(self.context, worker=self.worker):
            if told.job.state is JobState.FAILED:
                log.warning("alert not told", alert=str(told.alert.alert_id), why=told.job.reason)

    def _note_held(self, job: Job, *, ended: bool) -> None:
        if ended:
            self._held.pop(job.job_key, None)
        else:
            self._held[job.job_key] = job

    def _hold_on(self) -> None:
        """Renew the leases of the jobs at hand, if they take long."""
        for job in list(self._held.values()):
            # It may just have ended; what has been lost, the work's own transaction finds out.
            with suppress(LedgerError, ClockStepped):
                services.hold_job(self.context, job)

    def _clock_is_right(self) -> bool:
        """False, and a line in the log, while the clock shows what cannot be."""
        try:
            self.clock.now()
        except ClockStepped as error:
            log.error("clock refused, nothing is done", why=str(error))
            reason = str(error)
            self._guard("alerts", lambda: services.alert_of_step(self.context, reason))
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

    def _guard(self, name: str, work: Callable[[], object]) -> None:
        """Do what is no job of the agenda; what fails is logged and recorded, and all goes on."""
        try:
            work()
            self._count(name)
        except Exception as error:  # noqa: BLE001 - the outermost loop: logged and recorded
            log.error("job failed", job=name, why=words_of(error), where=where_raised(error))
            try:
                services.note_failure(self.context, name, reason=services.failure_reason(error))
            except SchedulerError as also:
                log.error("failure not recorded", job=name, why=words_of(also))

    def _count(self, name: str) -> None:
        if name not in self.fired:
            self._warmed_up()
        self.fired[name] = self.fired.get(name, 0) + 1


def _log_signer(public_key: str) -> None:
    log.info("new ledger", signed_by=public_key, keep="elsewhere, or as log_public_key")


def run_forever(
    settings: Settings,
    *,
    clock_start: datetime | None,
    clock_rate: float,
    stop: threading.Event,
    allow_earlier: bool = False,
) -> None:
    """Run the live clockwork until `stop` is set.

    Raises InputError if the clock shows an earlier time than the ledger's newest key, unless that
    is allowed.
    """
    set_up_logs(settings.log_format)
    clock = live_clock(clock_start, clock_rate)
    with Context(settings, clock=clock, on_new_ledger=_log_signer) as context:
        with context.ledger.view.read() as reader:
            context.check_scenario(reader)
        for name in services.__all__:
            getattr(services, name)  # loaded now: an accelerated clock starts when work does
        services.check_webhook(context)
        services.check_executors(context)
        if not allow_earlier:
            services.refuse_earlier(context)
        runner = JobRunner(context, clock=clock, rate=clock_rate, warmed_up=freeze_gc)
        log.info(
            "started", scenario=context.scenario.name, now=clock.now().isoformat(),
            rate=clock_rate, worker=runner.worker.name, jobs=[str(work) for work in Work],
        )  # fmt: skip
        runner.start()
        try:
            stop.wait()
        finally:
            runner.stop()
            log.info("stopped", now=clock.now().isoformat())
