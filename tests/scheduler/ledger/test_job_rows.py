"""Jobs in the ledger: who gets one, under which token, and what became of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler.domain import ATTEMPTS_MAX, JobState
from scheduler.errors import LedgerError, UnknownName
from scheduler.ledger import Ledger
from scheduler.ledger.books.jobs import (
    claim_job,
    end_job,
    fence_job,
    find_job,
    get_job_events,
    get_jobs,
    note_job,
    pause,
    paused,
    renew_lease,
    resume,
)
from tests.scheduler.ledger.builders import NOON, take_job

LEASE = timedelta(seconds=30)


def _tries(ledger: Ledger, holder: str, *, after: timedelta = timedelta(0)) -> bool:
    now = NOON + after
    with ledger.begin() as tx:
        _, taken = claim_job(
            tx, "merge", NOON, holder=holder, at=now, machine_now=now, lease_until=now + LEASE
        )
    return taken


def test_a_job_is_taken_once_for_each_instant(ledger: Ledger) -> None:
    assert _tries(ledger, "one")
    assert not _tries(ledger, "two")
    with ledger.begin() as tx:
        take_job(tx, "merge", NOON + timedelta(hours=1))
        take_job(tx, "plan", NOON)
        job = find_job(tx, "merge", NOON)
        assert job is not None
        end_job(tx, job, JobState.DONE, at=NOON)
    # What is done is nobody's any more, whatever became of the lease.
    assert not _tries(ledger, "two", after=2 * LEASE)
    assert not _tries(ledger, "one", after=2 * LEASE)
    assert ledger.view.verify().problems == ()


def test_whoever_lost_the_lease_is_fenced_off(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        stale = take_job(tx, "merge", NOON)
    assert not _tries(ledger, "two", after=LEASE - timedelta(seconds=1))
    assert _tries(ledger, "two", after=LEASE)

    allowed = "running by two; allowed: running by one"
    with pytest.raises(LedgerError, match=allowed), ledger.begin() as tx:
        fence_job(tx, stale)
    with ledger.begin() as tx:
        job = find_job(tx, "merge", NOON)
        assert job is not None
        assert (job.holder, job.attempts) == ("two", 2)
        end_job(tx, job, JobState.DONE, at=NOON)
    assert ledger.view.verify().problems == ()


def test_a_renewed_lease_holds_on(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        job = take_job(tx, "merge", NOON)
        renew_lease(tx, job, at=NOON, lease_until=NOON + 3 * LEASE)
    assert not _tries(ledger, "two", after=2 * LEASE)


def test_one_goes_on_with_its_own_under_the_same_token(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        first = take_job(tx, "merge", NOON)
        again = take_job(tx, "merge", NOON)
    assert (again.attempts, again.holder) == (first.attempts, first.holder)


def test_a_failed_job_waits_longer_each_time_and_is_given_up(ledger: Ledger) -> None:
    now, waits = NOON, []
    for _ in range(ATTEMPTS_MAX):
        with ledger.begin() as tx:
            job = take_job(tx, "merge", NOON, at=now)
            failed = end_job(tx, job, JobState.FAILED, at=now, reason="disk full")
        if failed.retry_at is None:
            break
        assert not _tries(ledger, "one", after=failed.retry_at - NOON - timedelta(seconds=1))
        waits.append((failed.retry_at - now).total_seconds())
        now = failed.retry_at

    assert waits == [60, 120, 240, 480, 960, 1920, 3600]
    assert not _tries(ledger, "one", after=timedelta(days=9))
    with ledger.view.read() as reader:
        (listed,) = get_jobs(reader, state=JobState.FAILED, limit=10)
        events = get_job_events(reader, "merge", NOON)
    assert (listed.reason, listed.attempts) == ("disk full", ATTEMPTS_MAX)
    assert [one.state for one in events] == [JobState.RUNNING, JobState.FAILED] * ATTEMPTS_MAX


def test_a_job_tells_when_it_began_and_how_long_it_took(ledger: Ledger) -> None:
    later = NOON + timedelta(seconds=7)
    with ledger.begin() as tx:
        job = take_job(tx, "settle/one", NOON)
        renew_lease(tx, job, at=NOON + timedelta(seconds=5), lease_until=NOON + LEASE)
        end_job(tx, job, JobState.DONE, at=later)
    with ledger.view.read() as reader:
        (listed,) = get_jobs(reader, work="settle", limit=10)
        assert get_jobs(reader, work="sett", limit=10) == []
    assert (listed.started_at, listed.changed_at, listed.duration_s) == (NOON, later, 7.0)


def test_what_was_missed_is_noted_once_and_never_over_what_was_done(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        note_job(tx, "merge", NOON, JobState.MISSED, at=NOON, reason="nobody ran")
        note_job(tx, "merge", NOON, JobState.MISSED, at=NOON, reason="another word")
        done = end_job(tx, take_job(tx, "plan", NOON), JobState.DONE, at=NOON)
        assert note_job(tx, "plan", NOON, JobState.MISSED, at=NOON, reason="late").state is (
            done.state
        )
    with ledger.view.read() as reader:
        assert [one.reason for one in get_job_events(reader, "merge", NOON)] == ["nobody ran"]
    assert not _tries(ledger, "one")


def test_work_is_paused_once_and_resumed(ledger: Ledger) -> None:
    def paused_under(request: str) -> None:
        with ledger.begin() as tx:
            handle = tx.command(request, kind="job-paused", at=NOON, digest="")
            pause(tx, handle, "merge", reason="maintenance")
            handle.finish({})

    def resumed_under(request: str) -> None:
        with ledger.begin() as tx:
            handle = tx.command(request, kind="job-resumed", at=NOON, digest="")
            resume(tx, handle, "merge")
            handle.finish({})

    paused_under("p1")
    with pytest.raises(LedgerError, match="merge is paused already"):
        paused_under("p2")
    resumed_under("r1")
    with pytest.raises(UnknownName, match="merge is not paused"):
        resumed_under("r2")
    paused_under("p3")
    with ledger.view.read() as reader:
        (standing,) = paused(reader)
    assert (standing.work, standing.reason, standing.since) == ("merge", "maintenance", NOON)
    assert ledger.view.verify().problems == ()
