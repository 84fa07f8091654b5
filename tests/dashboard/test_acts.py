"""What people do on the pages, in a real browser: each act is held against the API."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from api.app import create_app
from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.services.context import Context
from scheduler.settings import Settings, load_settings
from tests.api.conftest import Replayed, run_skytrunk, serving
from tests.dashboard.conftest import NOW, PLANNED
from tests.dashboard.test_pages import NAMES

pytestmark = pytest.mark.browser


@dataclass(frozen=True)
class Signed:
    """A page of somebody who is signed in, and what the API says to the same token."""

    page: Page
    api: httpx.Client

    def get(self, path: str) -> Any:
        return self.api.get(path).raise_for_status().json()


@pytest.fixture(scope="module")
def settings(replayed: Replayed, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("acts")
    replayed.copy_to(folder / "acts.db")
    found = load_settings(
        database_url=f"sqlite:///{folder / 'acts.db'}", replays_folder=folder / "replays"
    )
    done = run_skytrunk(folder, "--database", found.database_url, "plan", "make", *PLANNED)
    assert done.returncode == 0, done.stderr
    return found


@pytest.fixture(scope="module")
def secret(settings: Settings) -> str:
    with Context(settings, clock=SimulatedClock(NOW)) as context:
        return services.add_token(context, name="olga", role="operator", days=30)[1]


@pytest.fixture(scope="module")
def server(settings: Settings, secret: str) -> Iterator[httpx.Client]:
    with serving(settings, SimulatedClock(NOW)) as client:
        client.headers["authorization"] = f"Bearer {secret}"
        yield client


@pytest.fixture
def signed(browser: Browser, server: httpx.Client, secret: str) -> Iterator[Signed]:
    """Somebody who signs in as people do; nothing is asked of elsewhere, nothing goes wrong."""
    base = str(server.base_url).rstrip("/")
    context = browser.new_context(base_url=base)
    page = context.new_page()
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto("/ui/today")
    assert "/ui/sign-in" in page.url
    page.get_by_label("Token").fill(secret)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("olga (operator)")).to_be_visible()
    yield Signed(page, server)
    context.close()
    assert faults == []
    assert [url for url in asked if not url.startswith(base)] == []
    assert not any(secret in url for url in asked)


def _booked(signed: Signed) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = signed.get("/bookings?state=booked&limit=1000")["bookings"]
    return [one for one in found if one["acquires_at"] > f"{NOW:%Y-%m-%dT%H:%M}"]


@pytest.mark.parametrize("name", [*NAMES, "sign-in"])
def test_a_page_with_its_forms_is_accessible(signed: Signed, name: str) -> None:
    signed.page.goto(f"/ui/{name}")
    for one in signed.page.locator("summary").all():
        one.click()
    found = Axe().run(signed.page)
    assert [(one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]] == []


def test_a_wrong_token_is_said_and_opens_nothing(browser: Browser, server: httpx.Client) -> None:
    context = browser.new_context(base_url=str(server.base_url))
    page = context.new_page()
    page.goto("/ui/plan")
    page.get_by_label("Token").fill("skytrunk_" + "A" * 43)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert").first).to_contain_text("does not count")
    assert context.cookies() == []
    context.close()


def test_a_session_is_locked_unlocked_and_cancelled_on_the_plan(signed: Signed) -> None:
    booking = _booked(signed)[-1]
    where = f"/bookings/{booking['booking']}"
    page = signed.page
    page.goto("/ui/plan")
    page.locator(f"a[href*='{booking['pass']}'] rect").click()
    expect(page.locator("#chosen")).to_contain_text(booking["station"])
    page.get_by_role("button", name="Lock", exact=True).click()
    expect(page.locator("#told")).to_contain_text("Locked")
    assert signed.get(where)["locked"] is True
    expect(page.locator("rect.bar.locked")).to_have_count(1)
    page.get_by_role("button", name="Unlock", exact=True).click()
    expect(page.locator("#told")).to_contain_text("Plans may move it again")
    assert signed.get(where)["locked"] is False
    page.get_by_label("Reason").fill("no staff")
    page.get_by_role("button", name="Cancel the session").click()
    expect(page.locator("#told")).to_contain_text("Cancelled")
    cancelled = signed.get(where)
    assert (cancelled["state"], "no staff" in cancelled["reason"]) == ("cancelled", True)
    expect(page.get_by_role("button", name="Cancel the session")).to_have_count(0)


def test_the_rest_of_the_window_is_planned_anew(signed: Signed) -> None:
    before = signed.get("/plans")["plans"]
    page = signed.page
    page.goto("/ui/plan")
    page.get_by_text("Plan anew").click()
    page.get_by_label("To (UTC)").fill("2016-12-23T00:00")
    page.get_by_role("button", name="Plan", exact=True).click()
    expect(page.locator("#told")).to_contain_text("A new plan stands", timeout=60_000)
    after = signed.get("/plans")["plans"]
    assert len(after) == len(before) + 1
    (new,) = [one for one in after if one["plan"] not in {old["plan"] for old in before}]
    assert (new["from"], new["to"]) == ("2016-12-21T12:00:00.000Z", "2016-12-23T00:00:00.000Z")


def test_a_plan_that_cannot_be_is_said_in_words(signed: Signed) -> None:
    page = signed.page
    page.goto("/ui/plan")
    page.get_by_text("Plan anew").click()
    page.get_by_label("To (UTC)").fill("2016-12-20T00:00")
    page.get_by_role("button", name="Plan", exact=True).click()
    expect(page.get_by_role("alert").first).to_contain_text("is not before")


def test_a_station_taken_out_moves_the_runway_and_comes_back(signed: Signed) -> None:
    page = signed.page
    station = _booked(signed)[0]["station"]
    page.goto("/ui/runway")
    page.get_by_role("button", name=re.compile("^Lock micius")).first.click()
    expect(page.locator("#told")).to_contain_text("Locked")
    assert any(one["locked"] for one in signed.get("/bookings")["bookings"])
    page.get_by_role("link", name=station, exact=True).click()  # what if
    expect(page.locator(".change, .told p").first).to_be_visible()
    page.get_by_role("link", name="All back").click()
    sessions = page.get_by_role("switch").count()
    page.get_by_text("Take a station out of service").click()
    page.get_by_label("Station").select_option(station)
    page.get_by_label("Reason").fill("snow")
    page.get_by_role("button", name="Take out").click()
    expect(page.locator("#told")).to_contain_text("Out of service")
    (outage,) = signed.get("/outages")["outages"]
    assert (outage["name"], outage["reason"]) == (station, "snow")
    expect(page.locator(".told")).to_contain_text("not counted: micius/")
    assert page.get_by_role("switch").count() < sessions
    assert page.get_by_role("switch").count() == len(signed.get("/runway")["passes"])
    page.get_by_role("button", name=f"Put {station} back into service").click()
    expect(page.locator("#told")).to_contain_text("Back in service")
    assert signed.get("/outages")["outages"] == []
    expect(page.get_by_role("switch")).to_have_count(sessions)


def test_a_change_reaches_a_page_that_only_looks(signed: Signed) -> None:
    page = signed.page
    page.goto("/ui/runway")
    expect(page.get_by_text("Out of service", exact=True)).to_have_count(0)
    page.wait_for_timeout(500)  # the stream of changes is opened by then
    body = {"kind": "station", "name": "delingha", "from": "2016-12-22", "to": "2016-12-23"}
    made = signed.api.post("/outages", json=body).json()
    begun_s = time.monotonic()
    expect(page.get_by_text("Out of service", exact=True)).to_be_visible()
    print(f"on the page {time.monotonic() - begun_s:.2f} s after the answer")  # noqa: T201
    signed.api.delete(f"/outages/{made['outage']}")
    expect(page.get_by_text("Out of service", exact=True)).to_have_count(0)


def test_a_key_is_traced_and_the_ledger_verified(signed: Signed) -> None:
    block = signed.get("/ledger/entries?limit=1000")["entries"][0]["block"]
    trace = signed.get(f"/keys/{block}/trace")
    page = signed.page
    page.goto("/ui/ledger")
    page.get_by_label("Where does a key come from?").fill(block)
    page.get_by_role("button", name="Trace").click()
    expect(page.locator("section[aria-labelledby=trace] pre")).to_contain_text(block)
    assert block in json.dumps(trace)
    page.get_by_role("button", name="Verify the whole ledger").click()
    verified = signed.get("/ledger/verification")
    assert verified["ok"] is True
    expect(page.get_by_text(re.compile("^Sound: "))).to_contain_text(f"{verified['blocks']:,}")
    page.get_by_role("link", name="Next entries").click()
    expect(page.get_by_role("heading", name=re.compile("Entries behind"))).to_be_visible()


def test_work_is_run_paused_and_resumed(signed: Signed) -> None:
    page = signed.page
    page.goto("/ui/jobs")
    page.get_by_label("Why trunk is paused").fill("fibre cut")
    page.get_by_role("button", name="Pause trunk").click()
    expect(page.locator("#told")).to_contain_text("trunk is paused")
    (work,) = signed.get("/jobs?work=trunk")["works"]
    assert work["paused"]["reason"] == "fibre cut"
    page.get_by_role("button", name="Resume trunk").click()
    expect(page.locator("#told")).to_contain_text("trunk goes on")
    page.get_by_role("button", name="Run checkpoint now").click()
    expect(page.locator("#told")).to_contain_text("checkpoint was done")
    jobs = signed.get("/jobs?work=checkpoint")["jobs"]
    assert jobs[0]["state"] == "done"
    expect(page.locator("section[aria-labelledby=ran] tbody tr").first).to_contain_text("done")


def test_replays_are_started_watched_and_compared(signed: Signed) -> None:
    page = signed.page
    page.goto("/ui/replay")
    for number, objective in enumerate(("demand", "total"), start=1):
        page.get_by_label("From (UTC)").fill("2016-12-19")
        page.get_by_label("To (UTC)").fill("2016-12-20")
        page.get_by_label("Best at").select_option(objective)
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#told")).to_contain_text("The replay runs")
        expect(page.locator("tbody tr")).to_have_count(number)
        page.get_by_role("heading", name="Replay").click()  # no field keeps the page from news
        expect(page.locator("tbody tr").first).to_contain_text("done", timeout=120_000)
    page.locator("tbody tr a").first.click()
    (first, second) = signed.get("/replays")["replays"]
    result = signed.get(f"/replays/{second['replay']}")["result"]
    expect(page.locator("section[aria-labelledby=result]")).to_contain_text(
        f"{result['settled']} of {result['booked']} booked sessions settled"
    )
    page.get_by_label("Compare with").select_option(first["replay"])
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("caption", has_text="End-to-end key received")).to_be_visible()


def test_signing_out_leads_to_the_door(signed: Signed) -> None:
    signed.page.get_by_role("button", name="Sign out").click()
    expect(signed.page.get_by_role("heading", name="Sign in")).to_be_visible()
    signed.page.goto("/ui/plan")
    assert "/ui/sign-in" in signed.page.url


def test_a_pass_is_shown_in_full(signed: Signed) -> None:
    page = signed.page
    page.goto("/ui/passes?satellite=micius&station=xinglong&from=2016-12-21&days=2&forecast=true")
    page.locator("tbody tr a").nth(1).click()
    expect(page.locator("svg.curve .elevation")).to_be_visible()
    expect(page.locator("svg.world .seen")).to_have_count(1)
    row = signed.get(
        "/passes?satellite=micius&station=xinglong&from=2016-12-21&to=2016-12-23&forecast=true"
    )["passes"][1]
    expect(page.locator("section.chosen")).to_contain_text(f"{row['max_elevation_deg']:.3f}°")


def test_a_page_survives_a_restart_of_the_server_and_says_so(
    browser: Browser, settings: Settings, secret: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    stop = _start(settings, port)
    context = browser.new_context(base_url=f"http://127.0.0.1:{port}")
    page = context.new_page()
    page.goto("/ui/plan")
    page.get_by_label("Token").fill(secret)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("svg.timeline")).to_be_visible()
    stop()
    expect(page.get_by_role("alert").first).to_contain_text("does not answer", timeout=20_000)
    expect(page.locator("svg.timeline")).to_be_visible()
    stop = _start(settings, port)
    expect(page.locator("#told")).to_contain_text("answers again", timeout=20_000)
    expect(page.get_by_text("olga (operator)")).to_be_visible()
    context.close()
    stop()


def _start(settings: Settings, port: int) -> Any:
    context = Context(settings, clock=SimulatedClock(NOW))
    app = create_app(settings, context)
    listener = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()

    def stop() -> None:
        app.state.watch.stop()
        server.should_exit = True
        thread.join(timeout=30.0)
        listener.close()
        context.close()

    return stop
