"""Alerts: what raises one, that each is one, and that a webhook hears of it signed."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from scheduler import services
from scheduler.agenda import Due, Work
from scheduler.clock import SimulatedClock
from scheduler.domain import Alert, AlertKind, JobState
from scheduler.errors import ClockStepped, LedgerError, SettingsError
from scheduler.jobs import JobRunner
from scheduler.services import alerts, audit
from scheduler.services.context import Context
from scheduler.settings import Settings

START = datetime(2016, 12, 19, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECRET = b"a secret of sixteen"
ONE = services.Worker(name="one")


@dataclass
class Receiver:
    """A webhook of somebody else's, that keeps what it heard."""

    url: str = ""
    status: int = 200
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            told.heard.append((dict(self.headers), body))
            self.send_response(told.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def context(
    settings_of: Callable[..., Settings], receiver: Receiver, tmp_path: Path
) -> Iterator[Context]:
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET + b"\n")
    settings = settings_of(alert_url=receiver.url, alert_secret_file=secret)
    with Context(settings, clock=SimulatedClock(START)) as context:
        assert context.ledger
        yield context


def _at(context: Context, when: datetime) -> None:
    assert isinstance(context.clock, SimulatedClock)
    context.clock.advance_to(when)


def test_a_missed_session_is_one_alert_and_told_once(context: Context, receiver: Receiver) -> None:
    answer = services.plan_window(context, start=START, end=START + 24 * HOUR)
    booking = services.bookings_of_plan(context, answer)[0]
    at = booking.candidate.loses_at
    services.miss_session(context, booking.booking_id, at=at, reason="the dome was shut")
    _at(context, at)

    (alert,) = services.watch_over(context)
    assert services.watch_over(context) == []
    assert (alert.kind, alert.subject) == (AlertKind.SESSION_MISSED, str(booking.booking_id))
    (told,) = services.tell_alerts(context, worker=ONE)
    assert told.job.state is JobState.DONE
    assert services.tell_alerts(context, worker=ONE) == []

    ((headers, body),) = receiver.heard
    said = json.loads(body)
    assert said["kind"] == "session-missed"
    assert "the dome was shut" in said["words"]
    assert UUID(said["id"]) == UUID(headers["Skytrunk-Event"]) == alert.alert_id
    signed = headers["Skytrunk-Timestamp"].encode() + b"." + body
    expected = hmac.new(SECRET, signed, hashlib.sha256).hexdigest()
    assert headers["Skytrunk-Signature"] == f"v1={expected}"


def test_what_was_not_heard_is_told_again_with_the_same_id(
    context: Context, receiver: Receiver
) -> None:
    services.raise_alerts(
        context, [Alert(kind=AlertKind.POOL_LOW, subject="a--b", at=START, words="low")]
    )
    receiver.status = 500
    (told,) = services.tell_alerts(context, worker=ONE)
    assert (told.job.state, told.job.attempts) == (JobState.FAILED, 1)
    assert "answered 500" in told.job.reason
    assert services.tell_alerts(context, worker=ONE) == []  # not before its time

    assert told.job.retry_at is not None
    _at(context, told.job.retry_at)
    receiver.status = 204
    other = services.Worker(name="two")
    assert [one.job.state for one in services.tell_alerts(context, worker=other)] == [JobState.DONE]
    assert len({headers["Skytrunk-Event"] for headers, _ in receiver.heard}) == 1
    assert len(receiver.heard) == 2


def test_a_job_that_keeps_failing_and_a_failed_verification_are_alerts(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = Due(at=START, work=Work.VERIFY, since=START, until=START + HOUR)

    class Bad:
        ok = False
        problems = ("block 7 at end 0 is gone",)

    monkeypatch.setattr(audit, "verify_ledger", lambda _: Bad)
    with pytest.raises(LedgerError) as raised:
        services.run_job(context, due, worker=ONE)
    reason = services.failure_reason(raised.value)
    services.fail_job(context, due, worker=ONE, reason=reason)
    _at(context, START + HOUR)
    found = {alert.kind: alert for alert in services.watch_over(context)}
    assert "block 7 at end 0 is gone" in found[AlertKind.VERIFICATION_FAILED].words
    assert any("block 7" in one for one in services.readiness(context).problems)


def test_old_elements_and_low_pools_are_an_alert_a_day(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "numbers_in_orbit", lambda _: [41731])
    _at(context, START + timedelta(days=4000))
    (alert,) = services.watch_over(context)
    assert alert.kind is AlertKind.ELEMENTS_STALE
    _at(context, context.clock.now() + HOUR)
    assert services.watch_over(context) == []
    _at(context, context.clock.now() + 24 * HOUR)
    assert len(services.watch_over(context)) == 1


def test_a_pair_that_runs_dry_within_the_limit_is_an_alert(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    dry = {"nanshan": START + 5 * HOUR}

    class Runway:
        stock_bits = 512

        def __init__(self, pool_id: str) -> None:
            self.empty_at = next((when for name, when in dry.items() if name in pool_id), None)

    monkeypatch.setattr(alerts, "pair_runway", lambda _, pool: Runway(pool.pool_id))
    found = services.watch_over(context)
    assert {alert.kind for alert in found} == {AlertKind.POOL_LOW}
    assert all("nanshan" in alert.subject and "512 bits" in alert.words for alert in found)


def test_a_step_of_the_clock_is_told_though_nothing_else_is_done(
    context: Context, receiver: Receiver
) -> None:
    runner = JobRunner(context, clock=context.clock)

    class Stepped:
        def now(self) -> datetime:
            raise ClockStepped("the machine's clock shows 2031")

    runner.clock = context.clock = Stepped()
    runner._watch_over()
    runner._watch_over()
    ((_, body),) = receiver.heard
    assert json.loads(body)["kind"] == "clock-stepped"


def test_a_webhook_without_a_secret_stops_the_start(
    settings_of: Callable[..., Settings], tmp_path: Path
) -> None:
    short = tmp_path / "short"
    short.write_bytes(b"abc")
    for given, words in (
        (None, "without alert_secret_file"), (tmp_path / "none", "No such file"),
        (short, "3 bytes; allowed: 16"),
    ):  # fmt: skip
        settings = settings_of(alert_url="http://127.0.0.1:9/", alert_secret_file=given)
        with Context(settings) as context, pytest.raises(SettingsError, match=words):
            services.check_webhook(context)
