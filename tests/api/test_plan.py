"""Plans, bookings and outages at every interface: command line, HTTP, calendar, CSV, picture."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import matplotlib.image
import numpy as np
import pytest
from icalendar import Calendar

from api.schemas.plans import PlannedPass
from scheduler.ledger import open_ledger
from scheduler.settings import load_settings
from tests.api.conftest import Command, run_skytrunk, serving

NIGHT = ("--from", "2016-12-19", "--to", "2016-12-20")
BODY = {"from": "2016-12-19", "to": "2016-12-20"}
XINGLONG = "micius/xinglong/2016-12-19T16:50:00Z"
OUT = ("--from", "2016-12-19T17:00:00Z", "--to", "2016-12-19T20:00:00Z", "--reason", "mirror wash")
NOBODY = "00000000-0000-4000-8000-000000000000"


def _json(skytrunk: Command, *arguments: str) -> dict[str, Any]:
    done = skytrunk(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_a_plan_is_made_shown_and_explained(skytrunk: Command) -> None:
    made = _json(skytrunk, "plan", "make", *NIGHT)
    shown = _json(skytrunk, "plan", "show")
    listed = _json(skytrunk, "plan", "list")
    table = skytrunk("plan", "show", made["plan"]).stdout
    sentence = skytrunk("plan", "explain", XINGLONG).stdout

    assert shown == made
    assert listed == {"plans": [{k: v for k, v in made.items() if k != "passes"}]}
    assert [tuple(row) for row in made["passes"]] == [PlannedPass.names()] * len(made["passes"])
    for row in made["passes"]:
        if row["acquires_at"]:
            assert row["why"] in table
    assert sentence.startswith(f"{XINGLONG}: booked: ")
    assert len(sentence.splitlines()) == 1


def test_csv_says_the_same_as_json(skytrunk: Command) -> None:
    rows = _json(skytrunk, "plan", "make", *NIGHT)["passes"]
    in_csv = list(csv.DictReader(io.StringIO(skytrunk("plan", "show", "--csv").stdout)))

    assert [row["why"] for row in in_csv] == [row["why"] for row in rows]
    assert [row["booking"] for row in in_csv] == [row["booking"] or "" for row in rows]


def _events(text: str) -> dict[str, Any]:
    return {str(event["UID"]): event for event in Calendar.from_ical(text).walk("VEVENT")}


def test_a_calendar_entry_keeps_its_uid_and_tells_its_cancellation(skytrunk: Command) -> None:
    made = _json(skytrunk, "plan", "make", *NIGHT)
    before = _events(skytrunk("plan", "show", "--ical").stdout)
    booked = {row["booking"]: row for row in made["passes"] if row["booking"]}
    gone = next(key for key, row in booked.items() if row["station"] == "xinglong")
    told = _json(skytrunk, "plan", "cancel", gone, "--reason", "no workers")["bookings"]
    after = _events(skytrunk("plan", "show", made["plan"], "--ical").stdout)

    assert set(before) == set(after) == {f"{key}@skytrunk" for key in booked}
    for uid, event in before.items():
        row = booked[uid.partition("@")[0]]
        assert event["STATUS"] == "CONFIRMED"
        assert event["SEQUENCE"] == 0
        assert event["DTSTART"].dt.isoformat() == row["acquires_at"][:19] + "+00:00"
        assert event["DTEND"].dt.isoformat() == row["loses_at"][:19] + "+00:00"
    assert told[0]["state"] == "cancelled"
    cancelled = after[f"{gone}@skytrunk"]
    assert (cancelled["STATUS"], cancelled["SEQUENCE"]) == ("CANCELLED", 1)
    assert "no workers" in cancelled["DESCRIPTION"]
    assert skytrunk("plan", "show", made["plan"], "--ical").stdout.count("\n") > 20


def test_the_timeline_shows_something(skytrunk: Command, tmp_path: Path) -> None:
    skytrunk("plan", "make", *NIGHT)
    skytrunk("outage", "add", "--station", "nanshan", *OUT)
    assert skytrunk("plan", "show", "--picture", "day.png").returncode == 0
    skytrunk("plan", "make", "--from", "2016-12-20", "--to", "2016-12-24")
    assert skytrunk("plan", "show", "--picture", "days.png").returncode == 0

    for name in ("day.png", "days.png"):
        pixels = matplotlib.image.imread(tmp_path / name)
        assert pixels.shape[1] >= 1200
        colours = (pixels[..., :3] * 255).astype(np.uint8).reshape(-1, 3)
        # Booked passes in blue (#0072B2) on the night (#dfe5f2).
        for colour in ((0x00, 0x72, 0xB2), (0xDF, 0xE5, 0xF2)):
            assert np.any(np.all(colours == colour, axis=1))


def test_outage_lock_and_replanning_from_a_terminal(skytrunk: Command) -> None:
    made = _json(skytrunk, "plan", "make", *NIGHT)
    keys = {row["station"]: row["booking"] for row in made["passes"] if row["booking"]}
    locked = _json(skytrunk, "plan", "lock", keys["xinglong"])["bookings"]
    outage = _json(skytrunk, "outage", "add", "--station", "nanshan", *OUT)
    again = _json(skytrunk, "plan", "make", *NIGHT)
    bookings = {b["booking"]: b for b in _json(skytrunk, "plan", "bookings")["bookings"]}

    assert locked[0]["locked"] is True
    assert outage["marked"] == [keys["nanshan"]]
    assert "nanshan" in skytrunk("outage", "list").stdout
    assert again["cancelled"] >= 1
    assert bookings[keys["nanshan"]]["state"] == "cancelled"
    assert bookings[keys["xinglong"]]["state"] == "booked"
    assert (
        _json(skytrunk, "plan", "lock", keys["xinglong"], "--unlock")["bookings"][0]["locked"]
        is False
    )
    assert skytrunk("outage", "lift", outage["outage"]).returncode == 0
    assert _json(skytrunk, "outage", "list") == {"outages": []}
    assert skytrunk("ledger", "verify").returncode == 0


BAD_INPUT = [
    (("plan", "make", *NIGHT, "--objective", "fame"), 2, ["'fame'", "demand"]),
    (("plan", "make", *NIGHT, "--planner", "oracle"), 2, ["'oracle'", "milp"]),
    (("plan", "make", "--from", "2016-12-20", "--to", "2016-12-19"), 2, ["before"]),
    (("plan", "make", "--from", "2016-12-01", "--to", "2017-02-01"), 2, ["62 days", "31"]),
    (("plan", "make", *NIGHT, "--pin", "nonsense"), 2, ["'nonsense'", "allowed"]),
    (("plan", "make", *NIGHT, "--pin", "micius/xinglong/2016-12-19T12:00:00Z"), 1, ["pin"]),
    (("plan", "show"), 2, ["no plan yet"]),
    (("plan", "show", "x"), 2, ["'x'"]),
    (("plan", "show", "--json", "--csv"), 2, ["--csv"]),
    (("plan", "explain", XINGLONG), 2, ["no plan was made"]),
    (("plan", "lock", "x"), 2, ["'x'", "UUID"]),
    (("plan", "lock", NOBODY), 2, [NOBODY]),
    (("plan", "cancel", NOBODY), 2, ["--reason"]),
    (("plan", "cancel", NOBODY, "--reason", "x"), 2, [NOBODY]),
    (("plan", "bookings", "--state", "lost"), 2, ["'lost'", "settled"]),
    (("outage", "add", *OUT), 2, ["--station", "--satellite"]),
    (("outage", "add", "--station", "baikonur", *OUT), 2, ["'baikonur'"]),
    (("outage", "add", "--station", "nanshan", "--satellite", "micius", *OUT), 2, ["one of them"]),
    (("outage", "lift", "x"), 2, ["'x'"]),
    (("compare", *NIGHT, "--objective", "total"), 2, ["two or three"]),
    (("compare", *NIGHT, "--pictures", "gif"), 2, ["'gif'", "png, svg"]),
    (("compare", *NIGHT, "--objective", "total", "--objective", "fame"), 2, ["'fame'"]),
]


@pytest.mark.parametrize(("arguments", "code", "words"), BAD_INPUT)
def test_bad_input_is_one_line(
    skytrunk: Command, arguments: tuple[str, ...], code: int, words: list[str]
) -> None:
    open_ledger("sqlite:///skytrunk.db").close()  # a new one, with nothing in it

    done = skytrunk(*arguments)

    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    line = done.stderr.splitlines()[-1]
    for word in words:
        assert word in line


# -- HTTP -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The application on an empty ledger of its own."""
    file = tmp_path_factory.mktemp("plans") / "ledger.db"
    with serving(load_settings(database_url=f"sqlite:///{file}")) as client:
        yield client


@pytest.fixture(scope="module")
def made(client: httpx.Client) -> dict[str, Any]:
    answer = client.post("/plans", json={**BODY, "request_id": "first"})
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_http_makes_lists_and_gives_plans(client: httpx.Client, made: dict[str, Any]) -> None:
    again = client.post("/plans", json={**BODY, "request_id": "first"})
    listed = client.get("/plans", params={"limit": 10}).json()["plans"]

    assert again.json() == made
    assert made["plan"] in [told["plan"] for told in listed]
    assert client.get(f"/plans/{made['plan']}").json() == made
    why = client.get(f"/plans/{made['plan']}/explain", params={"pass": XINGLONG}).json()["why"]
    assert why.startswith(f"{XINGLONG}: booked: ")


def test_http_gives_calendar_csv_and_picture(client: httpx.Client, made: dict[str, Any]) -> None:
    calendar = client.get(f"/plans/{made['plan']}/bookings.ics")
    table = client.get(f"/plans/{made['plan']}/passes.csv")
    picture = client.get(f"/plans/{made['plan']}/timeline.png")

    assert calendar.headers["content-type"].startswith("text/calendar")
    assert len(_events(calendar.text)) == made["booked"]
    assert table.headers["content-type"].startswith("text/csv")
    assert len(table.text.splitlines()) == len(made["passes"]) + 1
    assert picture.content.startswith(b"\x89PNG")


def test_http_locks_cancels_and_takes_out_of_service(
    client: httpx.Client, made: dict[str, Any]
) -> None:
    keys = {row["station"]: row["booking"] for row in made["passes"] if row["booking"]}
    locked = client.post(f"/bookings/{keys['xinglong']}/lock", json={"reason": "visitors"})
    outage = client.post(
        "/outages",
        json={"kind": "station", "name": "nanshan", "from": "2016-12-19T17:00:00Z",
              "to": "2016-12-19T20:00:00Z"},
    )  # fmt: skip
    cancelled = client.post(f"/bookings/{keys['delingha']}/cancel", json={"reason": "no workers"})
    bookings = client.get("/bookings", params=BODY).json()["bookings"]
    found = {booking["booking"]: booking for booking in bookings}

    assert locked.json()["locked"] is True
    assert outage.status_code == 201
    assert outage.json()["marked"] == [keys["nanshan"]]
    assert [one["name"] for one in client.get("/outages").json()["outages"]] == ["nanshan"]
    assert cancelled.json()["state"] == "cancelled"
    assert "out of service" in found[keys["nanshan"]]["out_of_service"]
    # A cancelled booking is at the end of its life.
    late = client.post(f"/bookings/{keys['delingha']}/lock", json={})
    assert late.status_code == 409
    assert late.headers["content-type"] == "application/problem+json"
    only = client.get("/bookings", params={"state": "cancelled"}).json()["bookings"]
    assert [booking["booking"] for booking in only] == [keys["delingha"]]


PROBLEMS: list[tuple[str, str, dict[str, Any] | None, int, list[str]]] = [
    ("POST", "/plans", {}, 422, ["from", "to"]),
    ("POST", "/plans", {**BODY, "colour": "red"}, 422, ["colour", "unknown"]),
    ("POST", "/plans", {**BODY, "to": "2016-12-19"}, 422, ["before"]),
    ("POST", "/plans", {**BODY, "from": "soon"}, 422, ["'soon'"]),
    ("POST", "/plans", {**BODY, "to": "2017-12-19"}, 422, ["365 days", "31"]),
    ("POST", "/plans", {**BODY, "objective": "fame"}, 422, ["objective", "'fame'"]),
    ("POST", "/plans", {**BODY, "planner": "oracle"}, 422, ["planner", "'oracle'"]),
    ("POST", "/plans", {**BODY, "seed": -1}, 422, ["seed"]),
    ("POST", "/plans", {**BODY, "pins": [XINGLONG] * 101}, 422, ["pins"]),
    ("POST", "/plans", {**BODY, "pins": ["micius/mars/2016-12-19T16:50Z"]}, 404, ["'mars'"]),
    ("POST", "/plans", {**BODY, "request_id": "first", "seed": 2}, 409, ["first"]),
    ("GET", "/plans?limit=0", None, 422, ["limit"]),
    ("GET", "/plans?page=1", None, 422, ["page", "unknown"]),
    ("GET", "/plans/nothing", None, 404, ["'nothing'"]),
    ("GET", "/plans/nothing/explain?pass=x", None, 422, ["'x'"]),
    ("GET", "/plans/nothing/bookings.ics", None, 404, ["'nothing'"]),
    ("GET", "/bookings?state=lost", None, 422, ["'lost'"]),
    ("GET", "/bookings?from=2016-12-20&to=2016-12-19", None, 422, ["2016-12-20", "is not before"]),
    ("GET", "/merges?from=2016-12-20&to=2016-12-19", None, 422, ["2016-12-20", "is not before"]),
    ("POST", f"/bookings/{NOBODY}/lock", {}, 404, [NOBODY]),
    ("POST", f"/bookings/{NOBODY}/lock", {"lock": True}, 422, ["lock", "unknown"]),
    ("POST", f"/bookings/{NOBODY}/cancel", {"reason": "x"}, 404, [NOBODY]),
    ("POST", f"/bookings/{NOBODY}/cancel", {}, 422, ["reason"]),
    ("POST", "/bookings/x/cancel", {"reason": "x"}, 422, ["booking_id"]),
    ("POST", "/outages", {"kind": "planet", "name": "x", **BODY}, 422, ["kind", "'planet'"]),
    ("POST", "/outages", {"kind": "station", "name": "baikonur", **BODY}, 404, ["'baikonur'"]),
    ("GET", "/outages?all=1", None, 422, ["all", "unknown"]),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "words"), PROBLEMS)
def test_what_is_wrong_becomes_a_problem_document(
    client: httpx.Client,
    made: dict[str, Any],
    method: str,
    path: str,
    body: dict[str, Any] | None,
    status: int,
    words: list[str],
) -> None:
    answer = client.request(method, path, json=body)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    for word in words:
        assert word in answer.json()["detail"]


def test_a_body_that_is_no_json_is_told_so(client: httpx.Client) -> None:
    answer = client.post(
        "/plans", content=b'{"from": ', headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("body: not JSON, Expecting value at character")


# -- two objectives side by side --------------------------------------------------------------


def test_two_objectives_are_shown_side_by_side(tmp_path: Path) -> None:
    done = run_skytrunk(
        tmp_path, "compare", *NIGHT, "--report", "out", "--pictures", "svg", "--json"
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)

    assert document["objectives"] == ["demand", "total"]
    assert set(document["stations"]) == {"xinglong", "nanshan", "delingha"}
    settled = document["stations"].values()
    assert sum(s["total"] for s in settled) >= 0.9 * sum(s["demand"] for s in settled) > 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "compare.md", "compare.json", "compare.svg",
    }  # fmt: skip
    assert json.loads((tmp_path / "out" / "compare.json").read_text()) == document
    text = (tmp_path / "out" / "compare.md").read_text()
    assert "](compare.svg)" in text
    assert "end-to-end key, kbit" in (tmp_path / "out" / "compare.svg").read_text()
    for pair, bits in document["pairs"].items():
        figures = bits["demand"], bits["total"], document["asked"][pair]
        assert f"| {pair} | {' | '.join(f'{figure:,}' for figure in figures)} |" in text
    assert document["asked"]["nanshan--shanghai"] == 200_000
    for station, left in document["left"].items():
        settled = document["stations"][station]
        assert all(0 <= left[objective] <= settled[objective] for objective in left)
    assert "No pair gets more than it asks for a day" in text
    assert not list(tmp_path.glob("*.db"))


def test_a_plan_can_be_made_without_any_solver(skytrunk: Command) -> None:
    made = _json(skytrunk, "plan", "make", *NIGHT, "--planner", "greedy")

    assert made["solver"] == "greedy"
    assert made["booked"] > 0
