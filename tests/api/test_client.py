"""The typed client, by itself and behind `--server`: what the server says, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from api.client import Client, ServerFailed, ServerRefused
from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.errors import InputError
from scheduler.services.context import Context
from scheduler.settings import load_settings
from tests.api.calendars import read_calendar
from tests.api.conftest import Command, Replayed, run_skytrunk, serving

NOW = datetime(2016, 12, 21, 12, tzinfo=UTC)
START, END = datetime(2016, 12, 21, tzinfo=UTC), datetime(2016, 12, 24, tzinfo=UTC)
SPAN = ("--from", "2016-12-21", "--to", "2016-12-24")


@pytest.fixture(scope="module")
def folder(replayed: Replayed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("client")
    replayed.copy_to(found / "client.db")
    done = run_skytrunk(
        found, "--database", f"sqlite:///{found / 'client.db'}", "plan", "make", *SPAN,
        "--at", "2016-12-21",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return found


@pytest.fixture(scope="module")
def http(folder: Path) -> Iterator[httpx.Client]:
    settings = load_settings(database_url=f"sqlite:///{folder / 'client.db'}")
    with serving(settings, SimulatedClock(NOW)) as client:
        yield client


@pytest.fixture
def client(http: httpx.Client) -> Iterator[Client]:
    with Client(str(http.base_url)) as found:
        yield found


def test_answers_are_what_the_server_says(client: Client, http: httpx.Client) -> None:
    for found, path in (
        (client.satellites(), "/satellites"), (client.stations(), "/stations"),
        (client.plans(), "/plans"), (client.outages(), "/outages"), (client.merges(), "/merges"),
        (client.balances(), "/ledger/balances"), (client.network(), "/network"),
        (client.jobs(), "/jobs?limit=20"), (client.runway(), "/runway?days=7"),
        (client.sessions(), "/sessions"), (client.replays(), "/replays"),
    ):  # fmt: skip
        assert found.document() == http.get(path).json(), path


def test_a_list_comes_whole_over_all_its_pages(
    client: Client, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = http.get("/ledger/entries?limit=1000").json()["entries"]
    monkeypatch.setattr("api.client.PAGE_MAX", 7)

    assert len(whole) > 21
    assert client.entries().document()["entries"] == whole


def test_a_booking_is_locked_and_an_outage_lifted(client: Client) -> None:
    booking = client.bookings(state="booked").bookings[-1]
    assert client.lock(booking.booking, reason="visitors").locked is True
    assert client.lock(booking.booking, locked=False).locked is False
    assert client.booking_events(booking.booking).events[0].from_state is None
    made = client.add_outage("station", "nanshan", start=START, end=END, reason="snow")
    assert client.lift_outage(made.outage).reason == "snow"
    assert client.outages().outages == []


def test_changes_come_as_they_happen(client: Client) -> None:
    found = list(client.changes(after=0, follow=False))
    assert [one.place for one in found] == list(range(1, len(found) + 1))
    assert {"command", "booking"} <= {one.kind for one in found}
    assert list(client.changes(after=found[-3].place, follow=False)) == found[-2:]


def test_what_the_server_refuses_is_said_in_its_words(client: Client, http: httpx.Client) -> None:
    with pytest.raises(ServerRefused, match="'sputnik' is not known") as refused:
        client.passes(satellite="sputnik", start=START, end=END)
    assert refused.value.problem["errors"][0]["field"] == "satellite"
    with pytest.raises(ServerFailed, match=r"127\.0\.0\.1"):
        Client("http://127.0.0.1:9").health()
    with (
        pytest.raises(ServerFailed, match="Unauthorized"),
        Client(str(http.base_url), token="skytrunk_" + "A" * 43) as stranger,
    ):
        stranger.health() and stranger.bookings()
    with pytest.raises(InputError, match="allowed: http"):
        Client("http://[::")


COMMANDS = [
    ("satellites",), ("passes", "micius", *SPAN, "--station", "xinglong"),
    ("passes", "micius", *SPAN, "--forecast", "--dark"), ("plan", "list"), ("plan", "bookings"),
    ("outage", "list"), ("merge", "history"), ("jobs", "list"),
    ("runway", "--at", "2016-12-21T12:00Z"),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_says_the_same_of_a_server_as_of_its_ledger(
    command: tuple[str, ...], http: httpx.Client, folder: Path, skytrunk: Command
) -> None:
    shutil.rmtree(folder / "copy", ignore_errors=True)
    database = f"sqlite:///{folder / 'client.db'}"
    here = skytrunk(*command, "--json", "--database", database)
    there = skytrunk(*command, "--json", "--server", str(http.base_url))

    assert here.returncode == there.returncode == 0, there.stderr
    mine, its = json.loads(here.stdout), json.loads(there.stdout)
    for document in (mine, its):  # the clocks are not the same
        document.pop("at", None)
        document.pop("works", None)
    assert its == mine


def test_what_only_a_ledger_at_hand_does_is_said(skytrunk: Command, http: httpx.Client) -> None:
    url = str(http.base_url)
    for command in (("ledger", "checkpoint"), ("vault", "status"), ("elements", "list")):
        done = skytrunk(*command, "--server", url)
        assert done.returncode == 2
        assert "--server" in done.stderr
    done = skytrunk("satellites", "--server", url, "--database", "sqlite:///x.db")
    assert (done.returncode, "--database" in done.stderr) == (2, True)


# -- one pass, the same figures everywhere --------------------------------------------------------


def test_the_same_pass_has_the_same_figures_everywhere(
    client: Client, http: httpx.Client, folder: Path, skytrunk: Command
) -> None:
    asked = {"satellite": "micius", "from": "2016-12-21", "to": "2016-12-24", "forecast": "true"}
    rows = http.get("/passes", params=asked).json()["passes"]
    bookings = {one["pass"]: one for one in http.get("/bookings?state=booked").json()["bookings"]}
    assert bookings
    csv_lines = http.get("/passes.csv", params=asked).text
    events = {
        one.properties["UID"]: one.properties
        for one in read_calendar(http.get("/passes.ics", params=asked).text).named("VEVENT")
    }
    command = skytrunk(
        "passes", "micius", *SPAN, "--forecast", "--json",
        "--database", f"sqlite:///{folder / 'client.db'}",
    )  # fmt: skip
    told = {one["pass"]: one for one in json.loads(command.stdout)["passes"]}
    typed = {one.pass_: one for one in client.passes(
        satellite="micius", start=START, end=END, forecast=True).passes}  # fmt: skip
    plan = http.get("/plans").json()["plans"][-1]["plan"]
    planned = {one["pass"]: one for one in http.get(f"/plans/{plan}").json()["passes"]}
    drawn = http.get("/ui/plan").text
    for row in rows:
        name, shown = row["pass"], f"{row['max_elevation_deg']:.3f}"
        assert told[name] == row
        assert typed[name].document() == row
        assert name in csv_lines
        page = http.get(
            "/ui/passes",
            params={
                "satellite": "micius", "station": row["station"], "from": "2016-12-21",
                "days": 3, "forecast": "true", "pass": name,
            },
        ).text  # fmt: skip
        panel = page[page.index('id="chosen"') :]
        assert f"highest {shown}°" in panel
        assert f"{row['secret_bits']:,}" in page
        event = events[f"{name}@skytrunk"]
        if row["acquires_at"]:
            clock = row["acquires_at"][11:19]
            assert f"AOS {clock}" in event["DESCRIPTION"]
            assert f"up to {shown} deg" in event["DESCRIPTION"]
            assert f"{row['secret_bits']:,} secret bits" in event["DESCRIPTION"]
            assert f"Link from {clock}" in panel
        if name in bookings:
            assert bookings[name]["acquires_at"] == row["acquires_at"]
            assert bookings[name]["max_elevation_deg"] == row["max_elevation_deg"]
            assert planned[name]["secret_bits"] == pytest.approx(row["secret_bits"])
            assert f"{row['max_elevation_deg']:.1f} degrees" in drawn
            with Context(load_settings(database_url=f"sqlite:///{folder / 'client.db'}")) as here:
                view = services.get_booking(here, bookings[name]["booking"])
            assert int(view.booking.candidate.secret_bits) == row["secret_bits"]
