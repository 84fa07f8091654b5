"""A week of live running in which nobody lifts a hand: elements and weather come by themselves."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from orbits import format_omm
from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.domain import BookingState, JobState, on_grid
from scheduler.entropy import KeyedEntropy
from scheduler.jobs import JobRunner
from scheduler.ledger.books import plans
from scheduler.ledger.books.bookings import get_bookings
from scheduler.services.context import Context
from scheduler.settings import Settings
from tests.fresh_sets import fresh_set

START = datetime(2016, 12, 19, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass
class Outside:
    """Two services that answer as they did on the day that the clock shows; each can be broken."""

    clock: SimulatedClock
    port: int = 0
    broken: str = ""  #: what both answer instead
    asked: Counter[str] = field(default_factory=Counter)

    def answer(self, path: str) -> tuple[int, str]:
        self.asked[path.partition("?")[0]] += 1
        if self.broken:
            return 200, self.broken
        return 200, self._sets() if path.startswith("/gp") else self._sky()

    def _sets(self) -> str:
        # A new set every eight hours, which the services have two hours after its epoch.
        epoch = on_grid(self.clock.now() - 2 * HOUR, 8 * 3600.0)
        return format_omm([fresh_set(epoch)])

    def _sky(self) -> str:
        midnight = self.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        times = [f"{midnight + n * HOUR:%Y-%m-%dT%H:%M}" for n in range(5 * 24)]
        return json.dumps({"hourly": {"time": times, "cloud_cover": [25] * len(times)}})


@contextmanager
def outside(clock: SimulatedClock) -> Iterator[Outside]:
    told = Outside(clock)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = told.answer(self.path)
            body = text.encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()


def _let_run(runner: JobRunner, clock: SimulatedClock, until: datetime) -> None:
    while (due := runner.next_at) is not None and due <= until:
        clock.advance_to(max(due, clock.now()))
        runner.work()
    clock.advance_to(until)


@pytest.fixture
def nobody_ships_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("scheduler.services.archives.packaged_elements", list)


@pytest.mark.faults
def test_a_week_runs_by_itself_and_outlives_an_outage_of_what_it_asks(
    settings_of: Callable[..., Settings], nobody_ships_elements: None
) -> None:
    clock = SimulatedClock(START)
    with outside(clock) as told:
        settings = settings_of(
            weather="open-meteo",
            weather_url=f"http://127.0.0.1:{told.port}/forecast",
            elements_url=f"http://127.0.0.1:{told.port}/gp",
            max_element_age_days=2.0,
            schedules={"elements": "6h", "weather": "30 */6 * * *", "verify": "off"},
        )
        with Context(settings, clock=clock, entropy=KeyedEntropy(1)) as context:
            runner = JobRunner(context, clock=clock)
            _let_run(runner, clock, START + 2 * DAY)
            assert {one.young for one in services.readiness(context).elements} == {True}
            assert services.watch_over(context) == []

            told.broken = "<html>we are busy</html>"
            _let_run(runner, clock, START + 4 * DAY + 12 * HOUR)
            troubles = services.readiness(context).problems
            kinds = {alert.kind.value for alert in services.watch_over(context)}
            asked = told.asked["/gp"]

            told.broken = ""
            _let_run(runner, clock, START + 7 * DAY)
            well = services.readiness(context)
            with context.view.read() as reader:
                states = Counter(one.state for one in get_bookings(reader))
                plan = plans.last_made(reader.connection)
            failed = services.list_jobs(context, state="failed").jobs
            verified = services.verify_ledger(context)

    assert any("elements" in one and "a web page" in one for one in troubles), troubles
    assert any(one.startswith("weather") for one in troubles), troubles
    assert {"job-failed", "elements-stale"} <= kinds
    assert asked < 8 + 10 * 8  # eight attempts for each of ten instants at most
    assert well.problems == []
    assert plan is not None
    assert plan.window_end - plan.window_start == 3 * DAY
    assert plan.details["rests_on"]["weather"]
    assert states[BookingState.SETTLED] >= 7
    assert states[BookingState.MISSED] == states[BookingState.FAILED] == 0
    assert {job.state for job in failed} <= {JobState.FAILED}
    assert verified.ok, verified.problems
