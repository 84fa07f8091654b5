"""Sessions of a device or a courier: prepared, settled with what there is, or failed."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from scheduler import services
from scheduler.agenda import Due, Work
from scheduler.clock import SimulatedClock
from scheduler.domain import ATTEMPTS_MAX, Booking, BookingState, JobState, Pool
from scheduler.errors import FeedError, SchedulerError, SettingsError
from scheduler.services import executors
from scheduler.services.context import Context
from scheduler.services.sessions import needs_watching
from scheduler.settings import Settings, load_settings

START = datetime(2016, 12, 19, tzinfo=UTC)
ONE, TWO = services.Worker(name="one"), services.Worker(name="two")
SettingsOf = Callable[..., Settings]


@contextmanager
def _booked(settings: Settings) -> Iterator[tuple[Context, Booking]]:
    with Context(settings, clock=SimulatedClock(START)) as context:
        answer = services.plan_window(context, start=START, end=START + timedelta(days=1))
        yield context, services.bookings_of_plan(context, answer)[0]


def _state(context: Context, booking: Booking) -> tuple[BookingState, str]:
    (now,) = services.bookings_of_plan(context, {"bookings": [str(booking.booking_id)]})
    return now.state, now.reason


def _do(context: Context, booking: Booking, work: Work, worker: services.Worker = ONE) -> JobState:
    """Do one end of a session as the clockwork does, and say how its job stands."""
    candidate = booking.candidate
    at = candidate.acquires_at if work is Work.BEGIN else candidate.loses_at
    due = Due(at=at, work=work, since=at, until=at, booking_id=booking.booking_id)
    assert isinstance(context.clock, SimulatedClock)
    context.clock.advance_to(max(at, context.clock.now()))
    try:
        return services.run_job(context, due, worker=worker).job.state
    except SchedulerError as error:
        reason = services.failure_reason(error)
        return services.fail_job(context, due, worker=worker, reason=reason).state


def _drop(folder: Path, booking: Booking, *, pool: str | None = None) -> None:
    """Leave 4,096 bits of a session, the manifest last."""
    place = folder / str(booking.booking_id)
    place.mkdir(parents=True, exist_ok=True)
    key = hashlib.shake_256(str(booking.booking_id).encode()).digest(512)
    (place / "key").write_bytes(key)
    candidate = booking.candidate
    link = pool or Pool.link(candidate.satellite_id, candidate.station_id).pool_id
    block: dict[str, Any] = {
        "pool": link, "natural_key": f"pass/{booking.booking_id}", "length_bits": 4096,
        "source": "ground-station", "simulated": False, "eps_total": 1e-10,
        "file": "key", "sha256": hashlib.sha256(key).hexdigest(),
    }  # fmt: skip
    text = json.dumps({"format": "skytrunk-keys/1", "blocks": [block]})
    (place / "manifest.json").write_text(text)


def _trouble(folder: Path, booking: Booking, words: str) -> None:
    place = folder / str(booking.booking_id)
    place.mkdir(parents=True, exist_ok=True)
    (place / executors.TROUBLE).write_text(words)


def _of_drops(settings_of: SettingsOf, folder: Path) -> Settings:
    """Settings in which every station leaves files."""
    setting = {"kind": "file-drop", "folder": str(folder)}
    return settings_of(executors=dict.fromkeys(("xinglong", "nanshan", "delingha"), setting))


def test_a_session_is_settled_with_the_files_that_come_late(
    settings_of: SettingsOf, tmp_path: Path
) -> None:
    drops = tmp_path / "drops"
    with _booked(_of_drops(settings_of, drops)) as (context, booking):
        assert _do(context, booking, Work.BEGIN) is JobState.DONE
        assert _do(context, booking, Work.SETTLE) is JobState.FAILED  # nothing there yet
        assert _state(context, booking)[0] is BookingState.RUNNING
        _drop(drops, booking)
        assert isinstance(context.clock, SimulatedClock)
        context.clock.advance_to(context.clock.now() + timedelta(minutes=1))
        assert _do(context, booking, Work.SETTLE) is JobState.DONE
        assert _do(context, booking, Work.SETTLE) is JobState.DONE  # once
        assert _state(context, booking) == (BookingState.SETTLED, "4096 secret bits")
        pools = services.pool_balances(context)
        verified = services.verify_ledger(context)
    assert verified.ok, verified.problems
    assert sum(accounts.get("pool", 0) for accounts in pools.values()) == 4096


def test_trouble_without_key_fails_the_session_and_with_key_settles_what_there_is(
    settings_of: SettingsOf, tmp_path: Path
) -> None:
    drops = tmp_path / "drops"
    with _booked(_of_drops(settings_of, drops)) as (context, booking):
        assert _do(context, booking, Work.BEGIN) is JobState.DONE
        _trouble(drops, booking, "clouds came\nat 18:40")
        assert _do(context, booking, Work.SETTLE) is JobState.DONE
        assert _state(context, booking) == (BookingState.FAILED, "clouds came at 18:40")

        answer = services.plan_window(context, start=START, end=START + timedelta(days=1))
        later = services.bookings_of_plan(context, answer)[1]
        assert _do(context, later, Work.BEGIN) is JobState.DONE
        _drop(drops, later)
        _trouble(drops, later, "half of the pass alone")
        assert _do(context, later, Work.SETTLE) is JobState.DONE
        words = "4096 secret bits; half of the pass alone"
        assert _state(context, later) == (BookingState.SETTLED, words)


def test_a_station_that_reports_trouble_ahead_has_no_session(
    settings_of: SettingsOf, tmp_path: Path
) -> None:
    drops = tmp_path / "drops"
    with _booked(_of_drops(settings_of, drops)) as (context, booking):
        _trouble(drops, booking, "the dome is stuck")
        assert _do(context, booking, Work.BEGIN) is JobState.DONE
        assert _state(context, booking) == (BookingState.FAILED, "the dome is stuck")


def test_who_never_hears_of_a_session_gives_it_up(settings_of: SettingsOf, tmp_path: Path) -> None:
    with _booked(_of_drops(settings_of, tmp_path / "drops")) as (context, booking):
        assert _do(context, booking, Work.BEGIN) is JobState.DONE
        for _ in range(ATTEMPTS_MAX):
            assert _state(context, booking)[0] is BookingState.RUNNING
            assert _do(context, booking, Work.SETTLE) is JobState.FAILED
            assert isinstance(context.clock, SimulatedClock)
            context.clock.advance_to(context.clock.now() + timedelta(hours=1))
        state, reason = _state(context, booking)
    assert state is BookingState.FAILED
    assert "given up: FeedError" in reason
    assert "no manifest yet" in reason


def test_key_of_another_link_is_not_taken(settings_of: SettingsOf, tmp_path: Path) -> None:
    drops = tmp_path / "drops"
    with _booked(_of_drops(settings_of, drops)) as (context, booking):
        assert _do(context, booking, Work.BEGIN) is JobState.DONE
        _drop(drops, booking, pool="link:a--b")
        assert _do(context, booking, Work.SETTLE) is JobState.DONE
        state, reason = _state(context, booking)
    assert state is BookingState.FAILED
    assert "link:a--b" in reason


class Box:
    """The key managers at both ends of a device: one hands out keys, the other the same again."""

    def __init__(self, held: int) -> None:
        self.held, self.drawn = held, dict[str, str]()

    def status(self) -> dict[str, Any]:
        return {"stored_key_count": self.held, "max_key_per_request": 4, "key_size": 256}

    def keys(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path.endswith("/enc_keys"):
            made = {str(uuid4()): b64encode(os.urandom(32)).decode() for _ in range(body["number"])}
            self.held -= len(made)
            self.drawn |= made
        else:
            made = {one["key_ID"]: self.drawn.pop(one["key_ID"]) for one in body["key_IDs"]}
        return {"keys": [{"key_ID": name, "key": key} for name, key in made.items()]}


@pytest.fixture
def device() -> Iterator[dict[str, Any]]:
    box = Box(held=11)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(box.status())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self._say(box.keys(self.path, body))

        def _say(self, answer: dict[str, Any]) -> None:
            text = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_address[1]}"
            yield {"kind": "device", "a": {"url": url, "sae": "up"}, "b": {"url": url, "sae": "gs"}}
        finally:
            server.shutdown()
            thread.join()


def test_a_device_is_asked_for_all_that_it_holds(
    settings_of: SettingsOf, device: dict[str, Any]
) -> None:
    names = ("micius/xinglong", "micius/nanshan", "micius/delingha")
    with _booked(settings_of(executors=dict.fromkeys(names, device))) as (context, booking):
        assert _do(context, booking, Work.BEGIN) is JobState.DONE
        # Whoever began it was killed; the device did its work without.
        assert not needs_watching(context, booking)
        assert booking.booking_id not in services.close_overdue(
            context, at=booking.candidate.loses_at
        )
        services.release_jobs(context, ONE)
        assert _do(context, booking, Work.SETTLE, TWO) is JobState.DONE
        state, reason = _state(context, booking)
        verified = services.verify_ledger(context)
    assert verified.ok, verified.problems
    assert state is BookingState.SETTLED
    assert reason == f"{11 * 256} secret bits"


def test_what_a_device_gave_before_it_failed_is_settled(
    settings_of: SettingsOf, device: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = settings_of(executors={"xinglong": device})
    pull, asked = executors.pull, []

    def pull_twice(*given: Any, **more: Any) -> Any:
        asked.append(given)
        if len(asked) > 2:
            raise FeedError("key manager 127.0.0.1:9: ConnectError")
        return pull(*given, **more)

    monkeypatch.setattr(executors, "pull", pull_twice)
    every = dict.fromkeys(("xinglong", "nanshan", "delingha"), setting.executors["xinglong"])
    with _booked(setting.model_copy(update={"executors": every})) as (context, booking):
        assert _do(context, booking, Work.BEGIN) is JobState.DONE
        assert _do(context, booking, Work.SETTLE) is JobState.DONE
        words = "2048 secret bits; key manager 127.0.0.1:9: ConnectError"
        assert _state(context, booking) == (BookingState.SETTLED, words)


def test_an_executor_of_no_downlink_or_without_its_parts_is_refused(
    settings_of: SettingsOf, tmp_path: Path
) -> None:
    drop = {"kind": "file-drop", "folder": str(tmp_path)}
    with (
        Context(settings_of(executors={"xinlong": drop})) as context,
        pytest.raises(SettingsError, match="probably meant: xinglong"),
    ):
        services.check_executors(context)
    with pytest.raises(SettingsError, match="allowed: folder"):
        load_settings(executors={"xinglong": {"kind": "file-drop"}})
    with pytest.raises(SettingsError, match="allowed: a, b"):
        load_settings(executors={"xinglong": {"kind": "device", "folder": str(tmp_path)}})
