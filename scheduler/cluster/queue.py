"""Procrastinate wakes workers on any number of machines; the job's row in the ledger counts.

The queue lives in a schema of its own in the ledger's database. It may lose a task, or run one
twice: a task is no more than the word that something is due. Four guards, each for what was seen:
tasks are plain functions, run in threads (a blocking coroutine stops the heartbeat of its worker);
two reapers, by heartbeat and by age (after a restart of the database a task can stay `doing` under
a live worker); no queueing lock (a task that died with it would keep its next ones out); and
workers are started anew when they end (`skytrunk worker --processes`).
"""

from __future__ import annotations

import asyncio
import threading
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import procrastinate
import psycopg
import structlog

from scheduler import services
from scheduler.agenda import Due, Work
from scheduler.clock import SystemClock
from scheduler.domain import Job, JobState
from scheduler.errors import SchedulerError, SettingsError
from scheduler.ledger.db.engine import LIVENESS, SERVER_LIVENESS
from scheduler.logs import where_raised, words_of
from scheduler.services.context import Context

log = structlog.get_logger("skytrunk.worker")

QUEUE = SCHEMA = "skytrunk_queue"
TICK_S = 10
LOOK_BACK = timedelta(minutes=5)
"""How far back a tick looks for what no other one told: for so long nobody may have ticked."""
AGE_S = 120
"""A task that is at it for so long is told of again; who is at it still has the job's lease."""
STALLED_S = 30
BEAT_S = 10.0
CONCURRENCY = 2
_SCHEMA_LOCK = 0x536B79  # any number; who makes the tables holds it


def conninfo_of(database_url: str) -> str:
    """The address of a ledger's database for the queue. Raises SettingsError unless PostgreSQL."""
    kind, found, rest = database_url.partition("://")
    if kind.partition("+")[0] != "postgresql" or not found:
        raise SettingsError(
            f"setting database_url: {kind}; allowed for workers: postgresql://..., `skytrunk run`"
            " for SQLite"
        )
    mark = "&" if "?" in rest else "?"
    alive = "&".join(f"{name}={value}" for name, value in LIVENESS.items() if name not in rest)
    options = quote(f"-csearch_path={SCHEMA} {SERVER_LIVENESS}")
    return f"postgresql://{rest}{mark}{alive}&options={options}"


def make_tables(database_url: str) -> None:
    """Make the queue's tables where there are none; of several who start at once one does."""
    conninfo = conninfo_of(database_url)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_SCHEMA_LOCK,))
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        row = connection.execute(
            "SELECT to_regclass(%s)", (f"{SCHEMA}.procrastinate_jobs",)
        ).fetchone()
        if row is None or row[0] is None:
            connector = procrastinate.SyncPsycopgConnector(conninfo=conninfo)
            with procrastinate.App(connector=connector).open() as app:
                app.schema_manager.apply_schema()


class Queue:
    """The tasks of one worker process, on one ledger."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._held: dict[str, Job] = {}
        self._over = threading.Event()
        connector = procrastinate.PsycopgConnector(
            conninfo=conninfo_of(context.settings.database_url)
        )
        self.app = procrastinate.App(connector=connector)
        # Where not even a failure could be written down, the queue tries again by itself.
        again = procrastinate.RetryStrategy(max_attempts=20, wait=15)
        self.work = self.app.task(name="work", queue=QUEUE, retry=again)(self._work)
        every = f"* * * * * */{TICK_S}"
        for name, task in (("tick", self._tick), ("reap", self._reap), ("watch", self._watch)):
            cron = "* * * * *" if name == "watch" else every
            self.app.periodic(cron=cron)(self.app.task(name=name, queue=QUEUE)(task))

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; what is at hand is done first."""
        beat = threading.Thread(target=self._hold_on, daemon=True)
        beat.start()
        try:
            asyncio.run(self._serve())
        finally:
            self._over.set()

    async def _serve(self) -> None:
        async with self.app.open_async():
            await self.app.run_worker_async(
                queues=[QUEUE],
                name=services.Worker.here().name,
                concurrency=CONCURRENCY,
                fetch_job_polling_interval=0.5,
                update_heartbeat_interval=5.0,
                stalled_worker_timeout=float(STALLED_S),
                delete_jobs="always",
            )

    def _work(self, **said: Any) -> None:
        """Do what is due, unless its row says that somebody did."""
        try:
            due = due_of(said)
        except ValueError as error:
            # Tried again it would not be understood either; it has no row, and needs none.
            log.error("task dropped", why=str(error))
            return
        ids = {"session": str(due.booking_id)} if due.booking_id else {}
        with structlog.contextvars.bound_contextvars(job_id=services.job_id(due), **ids):
            # A name for each task: the queue may run one twice, in one process even.
            self._do(due, services.Worker.here())

    def _do(self, due: Due, worker: services.Worker) -> None:
        try:
            if due.work is Work.BEGIN and (reason := services.late_reason(self.context, due)):
                services.miss_late_session(self.context, due, reason)
                services.miss_job(self.context, due, reason=reason)
                log.warning("missed", job=str(due.work), why=reason)
                return
            outcome = services.run_job(self.context, due, worker=worker, begun=self._note_held)
        except Exception as error:  # noqa: BLE001 - the outermost loop: logged and recorded
            self._fail(due, worker, error)
            return
        if outcome.done is None:
            self._look_again(due, outcome.job)
            return
        for event, figures in outcome.done.lines:
            log.info(event, **figures)
        if due.work is Work.BEGIN:
            # Whoever is free settles it.
            services.release_jobs(self.context, worker)

    def _look_again(self, due: Due, job: Job) -> None:
        """Have a job that another one is at, or that is to be tried again, looked at then."""
        when = job.retry_at
        if job.state is JobState.RUNNING:
            when = SystemClock().now() + timedelta(seconds=services.LEASE_S)
        if when is not None:
            self.work.configure(schedule_at=when).defer(**said_of(due))

    def _fail(self, due: Due, worker: services.Worker, error: Exception) -> None:
        log.error("job failed", job=str(due.work), why=words_of(error), where=where_raised(error))
        reason = services.failure_reason(error)
        job = services.fail_job(self.context, due, worker=worker, reason=reason)
        self._look_again(due, job)

    def _note_held(self, job: Job, *, ended: bool) -> None:
        if ended:
            self._held.pop(f"{job.job_key}{job.holder}", None)
        else:
            self._held[f"{job.job_key}{job.holder}"] = job

    def _hold_on(self) -> None:
        while not self._over.wait(BEAT_S):
            for job in list(self._held.values()):
                try:
                    services.hold_job(self.context, job)
                except SchedulerError as error:
                    # It may just have ended; what is lost, the work's own transaction finds out.
                    log.debug("lease not renewed", job=job.job_key, why=words_of(error))

    def _tick(self, timestamp: int) -> None:
        """Tell of what is due until the next tick, and of what is to be tried again."""
        now = datetime.fromtimestamp(timestamp, UTC)
        until = now + timedelta(seconds=TICK_S)
        found = services.pending_work(self.context, since=now - LOOK_BACK, until=until)
        for due in found:
            # What comes first at an instant has the higher priority.
            deferrer = self.work.configure(schedule_at=due.at, priority=-int(due.work))
            deferrer.defer(**said_of(due))

    def _watch(self, timestamp: int) -> None:
        """Look for what somebody should look at, tell it, and look after the data keys."""
        for look in (self._raise_alerts, self._tell_alerts, self._keep_vault):
            try:
                look()
            except Exception as error:  # noqa: BLE001 - another worker may be at the same
                log.warning("watch failed", why=words_of(error), where=where_raised(error))

    def _raise_alerts(self) -> None:
        for alert in services.watch_over(self.context):
            log.warning("alert", kind=str(alert.kind), why=alert.words, alert=str(alert.alert_id))

    def _tell_alerts(self) -> None:
        services.tell_alerts(self.context, worker=services.Worker.here())

    def _keep_vault(self) -> None:
        services.keep_vault(self.context, at=self.context.clock.now())

    async def _reap(self, timestamp: int) -> None:
        """Put back the tasks of workers that are gone, and those that are at it for too long."""
        jobs = self.app.job_manager
        stalled = list(await jobs.get_stalled_jobs(seconds_since_heartbeat=STALLED_S))
        with warnings.catch_warnings():
            # The heartbeat does not see a task that a restart of the database left behind.
            warnings.simplefilter("ignore", DeprecationWarning)
            stalled += await jobs.get_stalled_jobs(nb_seconds=AGE_S)
        for job in {one.id: one for one in stalled}.values():
            log.warning("put back", task=job.task_name, why="its worker is gone, or it hangs")
            await jobs.retry_job(job)


def said_of(due: Due) -> dict[str, Any]:
    """What is due, as a task's arguments."""
    return {
        "work": str(due.work),
        "at": due.at.isoformat(),
        "since": due.since.isoformat(),
        "until": due.until.isoformat(),
        "booking": str(due.booking_id) if due.booking_id else None,
        "if_changed": due.if_changed,
    }


def due_of(said: dict[str, Any]) -> Due:
    """The other way round. Raises ValueError for what no tick said."""
    works = {str(work): work for work in Work}
    try:
        return Due(
            work=works[said["work"]],
            at=datetime.fromisoformat(said["at"]),
            since=datetime.fromisoformat(said["since"]),
            until=datetime.fromisoformat(said["until"]),
            booking_id=UUID(said["booking"]) if said["booking"] else None,
            if_changed=said["if_changed"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"task {said!r:.300}: not what a tick says ({error!r:.100})") from error
