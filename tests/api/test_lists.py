"""Every list over HTTP: page by page, in each form it has; passes and bookings by their ids."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.routes.reply import MEDIA
from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.domain import Alert, AlertKind
from scheduler.services.context import Context
from scheduler.settings import Settings, load_settings
from tests.api.calendars import read_calendar
from tests.api.conftest import Replayed, run_skytrunk, serving

NOW = datetime(2016, 12, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLANNED = ("--from", "2016-12-21", "--to", "2016-12-24", "--at", "2016-12-21")
SPAN = "from=2016-12-21&to=2016-12-24"


@pytest.fixture(scope="module")
def settings(replayed: Replayed, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two nights replayed, three more planned, two checkpoints, an outage."""
    folder = tmp_path_factory.mktemp("lists")
    replayed.copy_to(folder / "lists.db")
    found = load_settings(database_url=f"sqlite:///{folder / 'lists.db'}")
    done = run_skytrunk(folder, "--database", found.database_url, "plan", "make", *PLANNED)
    assert done.returncode == 0, done.stderr
    with Context(found, clock=SimulatedClock(NOW)) as context:
        for _ in range(2):
            services.sign_checkpoint(context)
        for day in (25, 26):
            services.add_outage(
                context,
                kind="station",
                name="nanshan",
                start=datetime(2016, 12, day, tzinfo=UTC),
                end=datetime(2016, 12, day, 1, tzinfo=UTC),
            )
        # Two of one instant: the id decides between them.
        services.raise_alerts(
            context,
            [
                Alert(kind=AlertKind.ELEMENTS_STALE, subject=name, at=NOW - ago * HOUR, words=name)
                for name, ago in (("a", 0), ("b", 1), ("c", 1), ("d", 2))
            ],
        )
    return found


@pytest.fixture(scope="module")
def http(settings: Settings) -> Iterator[httpx.Client]:
    with serving(settings, SimulatedClock(NOW)) as client:
        yield client


LISTS = [
    ("/satellites", "satellites"), ("/stations", "stations"), ("/plans", "plans"),
    ("/bookings", "bookings"), ("/outages", "outages"), ("/merges", "merges"),
    ("/elements?satellite=micius", "elements"), ("/ledger/entries", "entries"),
    ("/ledger/checkpoints", "checkpoints"), ("/sessions", "sessions"), ("/jobs", "jobs"),
    ("/alerts", "alerts"),
    (f"/passes?satellite=micius&{SPAN}", "passes"),
    (f"/pairs?satellite=micius&a=xinglong&b=nanshan&{SPAN}", "pairs"),
    ("/plans/{plan}/passes", "passes"), ("/plans/{plan}/bookings", "bookings"),
]  # fmt: skip


def _at(http: httpx.Client, path: str) -> str:
    if "{plan}" not in path:
        return path
    return path.replace("{plan}", http.get("/plans").json()["plans"][-1]["plan"])


def _pages(http: httpx.Client, path: str, limit: int) -> Iterator[httpx.Response]:
    answer = http.get(path, params={"limit": limit} if "?" not in path else None)
    while True:
        assert answer.status_code == 200, answer.text
        yield answer
        if "next" not in answer.links:
            return
        answer = http.get(answer.links["next"]["url"])


@pytest.mark.parametrize(("path", "name"), LISTS)
def test_pages_together_are_the_whole_list(http: httpx.Client, path: str, name: str) -> None:
    path = _at(http, path)
    mark = "&" if "?" in path else "?"
    whole = http.get(f"{path}{mark}limit=1000").json()[name]
    few = max(1, len(whole) // 3)
    found: list[list[Any]] = []
    for page in _pages(http, f"{path}{mark}limit={few}", few):
        found.append(page.json()[name])
        assert len(found[-1]) <= few
    newest = name in {"plans", "merges", "elements", "checkpoints"}
    together = [row for page in (reversed(found) if newest else found) for row in page]

    assert together == whole
    assert len(found) >= min(3, len(whole)) or not whole


@pytest.mark.parametrize(("path", "name"), LISTS)
def test_a_list_as_csv_has_the_same_rows(http: httpx.Client, path: str, name: str) -> None:
    path = _at(http, path)
    rows = http.get(path).json()[name]
    place, _, query = path.partition("?")
    answer = http.get(f"{place}.csv?{query}")
    asked = http.get(path, headers={"accept": "text/csv;q=0.9, text/html;q=0.8"})

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text == asked.text
    read = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(read) == len(rows)
    for line, row in zip(read, rows, strict=True):
        for field, value in row.items():
            if isinstance(value, str) and not value.startswith(("=", "+", "-", "@")):
                assert line[field] == value
            elif isinstance(value, int) and not isinstance(value, bool):
                assert line[field] == str(value)


def test_every_form_that_is_announced_is_given(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    forms = {media: form for form, media in MEDIA.items()}
    asked = 0
    queries = {
        "/passes": f"satellite=micius&{SPAN}",
        "/track": "satellite=micius&from=2016-12-21&to=2016-12-22&step_s=600",
        "/pairs": f"satellite=micius&a=xinglong&b=nanshan&{SPAN}",
    }
    for path, methods in document["paths"].items():
        for media in methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {}):
            if media not in forms or path.endswith((".png", ".ics")) or "booking_id" in path:
                continue
            if ("{" in path and "{plan_id}" not in path) or path.endswith("/explain"):
                continue
            if path in {"/jobs/events", "/ledger/proof"} or path.startswith("/keys"):
                continue
            place = _at(http, path.replace("{plan_id}", "{plan}"))
            answer = http.get(f"{place}.{forms[media]}?{queries.get(path, '')}")
            assert answer.status_code == 200, (path, media, answer.text)
            assert answer.headers["content-type"].partition(";")[0] == media
            if media.endswith("json"):
                json.loads(answer.text)
            if media == "text/calendar":
                read_calendar(answer.text)
            asked += 1
    assert asked > 30


def test_a_form_that_is_not_there_is_a_problem(http: httpx.Client) -> None:
    for answer in (
        http.get("/plans.czml"),
        http.get("/plans", headers={"accept": "application/xml"}),
        http.get("/plans", headers={"accept": "text/csv;q=0, image/*"}),
    ):
        assert answer.status_code == 406
        assert ".csv (text/csv)" in answer.json()["detail"]
        assert answer.json()["type"] == "/problems/not-acceptable"
    assert http.get("/plans", headers={"accept": "text/*;q=1, */*;q=0.1"}).text.startswith("plan,")


@pytest.mark.parametrize(
    "cursor", ["x", "!!", "e30", "WzFd", "WyJhIl0", "bnVsbA", "W1tdXQ", "WyJhIiwiYiJd", "é"]
)
def test_a_cursor_of_ones_own_is_refused_or_ends_nowhere(http: httpx.Client, cursor: str) -> None:
    for path in ("/bookings", "/ledger/entries", "/jobs", "/elements", "/plans", "/outages"):
        answer = http.get(path, params={"cursor": cursor})
        assert answer.status_code in {200, 422}, (path, answer.text)
        if answer.status_code == 422:
            assert answer.json()["errors"][0]["field"] == "cursor"


def test_bookings_are_found_by_satellite_station_plan_and_id(http: httpx.Client) -> None:
    every = http.get("/bookings").json()["bookings"]
    one = every[-1]
    mine = http.get("/bookings", params={"station": one["station"], "satellite": "micius"}).json()
    made = http.get("/bookings", params={"plan": one["plan"]}).json()["bookings"]

    assert [b for b in every if b["station"] == one["station"]] == mine["bookings"]
    assert one in made
    assert http.get(f"/bookings/{one['booking']}").json() == one
    events = http.get(f"/bookings/{one['booking']}/events").json()["events"]
    assert events[0]["from_state"] is None
    assert http.get("/bookings?station=mars").status_code == 404


def test_a_pass_has_an_id_that_leads_to_it(http: httpx.Client) -> None:
    rows = http.get(f"/passes?satellite=micius&station=xinglong&{SPAN}").json()["passes"]
    for row in rows[1:-1]:
        found = http.get(f"/passes/{row['pass']}").json()
        assert found["pass"] == row["pass"]
        # The search begins elsewhere: the last digit that is shown may round the other way.
        assert found["max_elevation_deg"] == pytest.approx(row["max_elevation_deg"], abs=1.1e-3)
    assert http.get("/passes/micius/xinglong").status_code == 422
    assert http.get("/passes/micius/mars/2016-12-21T12:00Z").status_code == 404


def test_a_forecast_says_what_is_booked(http: httpx.Client) -> None:
    bookings = http.get("/bookings?state=booked").json()["bookings"]
    rows = http.get(f"/passes?satellite=micius&{SPAN}&forecast=true").json()["passes"]
    booked = {row["booking"]: row["booking_state"] for row in rows if row["booking"]}

    assert booked == {one["booking"]: "booked" for one in bookings}
    assert {one["pass"] for one in bookings} <= {row["pass"] for row in rows}


def test_an_outage_is_lifted_over_http(http: httpx.Client) -> None:
    body = {"kind": "station", "name": "delingha", "from": "2017-01-01", "to": "2017-01-02"}
    made = http.post("/outages", json=body).json()
    (shown,) = http.get("/stations/delingha").json()["outages"]
    lifted = http.delete(f"/outages/{made['outage']}")

    assert shown["outage"] == made["outage"]
    assert lifted.json() == {name: made[name] for name in lifted.json()}
    assert http.get("/stations/delingha").json()["outages"] == []
    assert http.delete("/outages/outage/none").status_code == 404


def test_the_network_says_what_its_links_hold(http: httpx.Client) -> None:
    found = http.get("/network").json()
    pools = http.get("/ledger/balances").json()["pools"]
    shapes = http.get("/network.geojson").json()["features"]
    flow = http.get("/network/flow?from=2016-12-19&to=2016-12-21").json()

    for link in found["links"]:
        assert link["stock_bits"] == pools.get(link["pool"], {}).get("pool", 0)
    assert all(demand["paths"] for demand in found["demands"])
    assert {one["geometry"]["type"] for one in shapes} <= {"Point", "LineString"}
    assert sum(flow["pairs"].values()) + sum(flow["combined"].values()) > 0


def test_a_proof_over_http_is_the_one_of_the_command_line(
    http: httpx.Client, settings: Settings
) -> None:
    one = http.get("/bookings").json()["bookings"][0]["booking"]
    proof = http.get("/ledger/proof", params={"kind": "booking", "subject": one}).json()
    checkpoint = http.get("/ledger/checkpoint").json()
    with Context(settings) as context:
        same = services.prove_row(context, "booking", one)

    assert proof == {**same, "hashes": list(same["hashes"])}
    assert checkpoint["size"] <= proof["size"]
    assert http.get("/ledger/verification").json()["ok"] is True


def test_czml_shows_the_satellite_where_its_track_is(http: httpx.Client) -> None:
    span = {"satellite": "micius", "from": "2016-12-21", "to": "2016-12-21T00:10:00Z"}
    points = http.get("/track", params=span).json()["points"]
    head, packet = http.get("/track.czml", params=span).json()
    places = packet["position"]["cartographicDegrees"]

    assert head["id"] == "document"
    assert head["version"] == "1.0"
    for number, point in enumerate(points):
        seconds, lon, lat, height_m = places[4 * number : 4 * number + 4]
        assert seconds == 10.0 * number
        # Five decimals there, six here.
        assert (lon, lat) == pytest.approx((point["lon_deg"], point["lat_deg"]), abs=6e-6)
        assert 480e3 < height_m < 600e3  # Micius flies at about 500 km
    lines = http.get("/passes.czml", params={**span, "to": "2016-12-23"}).json()
    ids = {one["id"] for one in lines}
    for line in lines:
        for reference in line.get("polyline", {}).get("positions", {}).get("references", ()):
            assert reference.removesuffix("#position") in ids


# -- calendars ----------------------------------------------------------------------------------


def _events(http: httpx.Client, address: str = "/calendar.ics") -> dict[str, Any]:
    answer = http.get(address)
    assert answer.headers["content-type"].startswith("text/calendar")
    return {one.properties["UID"]: one for one in read_calendar(answer.text).named("VEVENT")}


def test_a_calendar_is_read_back_with_alarms(http: httpx.Client) -> None:
    bookings = http.get("/bookings?limit=1000").json()["bookings"]
    events = _events(http)

    assert len(events) == len(bookings)
    for one in bookings:
        event = events[f"{one['booking']}@skytrunk"]
        stamp = one["acquires_at"][:19].replace("-", "").replace(":", "") + "Z"
        assert event.properties["DTSTART"] == stamp
        assert one["pass"] in event.properties["DESCRIPTION"]
        off = one["state"] in {"cancelled", "missed", "failed"}
        alarms = event.named("VALARM")
        assert [alarm.properties["TRIGGER"] for alarm in alarms] == ([] if off else ["-PT10M"])
        assert (event.properties["STATUS"] == "CANCELLED") is off
    assert not any(
        one.named("VALARM") for one in _events(http, "/calendar.ics?alarm_min=0").values()
    )


def test_a_cancelled_booking_updates_its_event(settings: Settings, tmp_path: Path) -> None:
    with serving(settings, SimulatedClock(NOW)) as http:
        booking = http.get("/bookings?state=booked").json()["bookings"][-1]["booking"]
        before = _events(http)[f"{booking}@skytrunk"]
        http.post(f"/bookings/{booking}/cancel", json={"reason": "no staff"})
        after = _events(http)[f"{booking}@skytrunk"]

    assert before.properties["STATUS"] == "CONFIRMED"
    assert after.properties["STATUS"] == "CANCELLED"
    assert int(after.properties["SEQUENCE"]) > int(before.properties["SEQUENCE"])
    assert after.properties["LAST-MODIFIED"] == "20161221T120000Z"


def test_a_calendar_token_opens_the_calendar_and_nothing_else(tmp_path: Path) -> None:
    settings = load_settings(database_url=f"sqlite:///{tmp_path / 'skytrunk.db'}")
    with Context(settings) as context:
        _, calendar = services.add_token(context, name="phone", role="calendar", days=30)
        _, planner = services.add_token(context, name="anna", role="planner", days=30)
    with serving(settings) as http:
        assert http.get("/calendar.ics", params={"token": calendar}).status_code == 200
        assert http.get("/calendar.ics").status_code == 401
        assert http.get("/calendar.ics", params={"token": "x"}).status_code == 401
        wrong = http.get("/calendar.ics", params={"token": planner})
        assert (wrong.status_code, planner in wrong.text) == (401, False)
        assert "role calendar" in wrong.json()["detail"]
        for path in ("/bookings", "/passes", "/outages", "/ledger/balances", "/ui/today"):
            bearing = {"authorization": f"Bearer {calendar}"}
            assert http.get(path, headers=bearing).status_code == 403
            assert http.get(path, params={"token": calendar}).status_code == 401
        services_before = http.get("/calendar.ics", params={"token": calendar}).status_code
        with Context(settings) as context:
            services.revoke_token(context, "phone")
        assert services_before == 200
        assert http.get("/calendar.ics", params={"token": calendar}).status_code == 401
