"""An operator's token is shown its part of the network: no door tells of anybody else's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from api.security.roles import ROLES, WHOLE
from orbits import format_tle
from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.domain import Alert, AlertKind
from scheduler.replay import run_replay
from scheduler.services.context import Context
from scheduler.settings import Settings
from tests.api.conftest import serving
from tests.fresh_sets import BASE, fresh_set

START = datetime(2016, 12, 19, 12, tzinfo=UTC)
END = START + timedelta(days=2)
SPAN = "from=2016-12-19T12:00Z&to=2016-12-22T12:00Z"

# Two satellites and three stations: one each, and one of nobody's that both use.
SCENARIO = """
name = "operators"
title = "Two operators"

[planning]
min_elevation_deg = 10.0
weather = "none"

[[satellites]]
id = "micius"
name = "Micius"
norad_id = 41731
preset = "micius-2016"

[[satellites]]
id = "tiangong"
name = "Tiangong"
norad_id = 41765
preset = "micius-2016"

[[operators]]
id = "alpha"
name = "Alpha"
satellites = ["micius"]
tokens = ["alice"]

[[operators]]
id = "bravo"
name = "Bravo"
satellites = ["tiangong"]
tokens = ["bob"]

[[stations]]
id = "delingha"
name = "Delingha"
lat_deg = 37.3790083
lon_deg = 97.7269472
height_m = 1000.0
mask_deg = 10.0
owner = "alpha"

[[stations]]
id = "xinglong"
name = "Xinglong"
lat_deg = 40.3958667
lon_deg = 117.5774583
height_m = 1000.0
mask_deg = 10.0
owner = "bravo"

[[stations]]
id = "nanshan"
name = "Nanshan"
lat_deg = 43.4754611
lon_deg = 87.1766861
height_m = 1000.0
mask_deg = 10.0

[[demands]]
from = "delingha"
to = "nanshan"
bits_per_day = 1000

[[demands]]
from = "xinglong"
to = "nanshan"
bits_per_day = 1000
"""
#: Whatever names something of the other operator's.
THEIRS = {"alice": ("tiangong", "41765", "xinglong"), "bob": ("micius", "41731", "delingha")}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, dict[str, str]]:
    """A ledger with a night of both operators, another planned, outages and alerts; the tokens."""
    folder = tmp_path_factory.mktemp("operators")
    (folder / "operators.toml").write_text(SCENARIO, encoding="utf-8")
    settings = Settings(
        database_url=f"sqlite:///{folder / 'o.db'}", scenario=str(folder / "operators.toml")
    )
    with Context(settings, clock=SimulatedClock(START)) as context:
        other = replace(
            fresh_set(START - timedelta(hours=6)), norad_id=41765, name="TIANGONG",
            raan_deg=(BASE.raan_deg + 12.0) % 360.0,
        )  # fmt: skip
        text = "\n".join((other.name, *format_tle(other)))
        services.import_elements(context, text, source="synthetic")
    run_replay(settings, start=START, end=END, seed=1)
    with Context(settings, clock=SimulatedClock(END)) as context:
        services.plan_by_hand(context, start=END, end=END + timedelta(days=1), at=END)
        for kind, name in (
            ("station", "xinglong"), ("station", "delingha"),
            ("satellite", "micius"), ("satellite", "tiangong"),
        ):  # fmt: skip
            services.add_outage(
                context,
                kind=kind,
                name=name,
                start=END + timedelta(days=2),
                end=END + timedelta(days=3),
            )
        services.raise_alerts(
            context,
            [
                Alert(kind=AlertKind.ELEMENTS_STALE, subject=name, at=END, words=f"{name} is stale")
                for name in ("micius", "tiangong")
            ],
        )
        secrets = {
            name: services.add_token(context, name=name, role="admin", days=30)[1]
            for name in ("alice", "bob", "carol")
        }
    return settings, secrets


@pytest.fixture(scope="module")
def http(shared: tuple[Settings, dict[str, str]]) -> Iterator[httpx.Client]:
    with serving(shared[0], SimulatedClock(END)) as client:
        yield client


def _paths(http: httpx.Client, name: str, secret: str) -> Iterator[str]:
    """Every address that a GET route has, filled with whatever that operator may know."""
    mine = {"alice": ("micius", "delingha"), "bob": ("tiangong", "xinglong")}[name]
    headers = {"authorization": f"Bearer {secret}"}
    plan = http.get("/plans", headers=headers).json()["plans"][-1]["plan"]
    bookings = http.get("/bookings", headers=headers).json()["bookings"]
    passes = http.get(f"/plans/{plan}/passes", headers=headers).json()["passes"]
    shown = f"satellite={mine[0]}&{SPAN}"
    asked = {
        "GET /passes": [f"?{shown}&forecast=true", f".csv?{shown}", f".czml?{shown}"],
        "GET /passes/{pass_id:path}": [f"/passes/{one['pass']}?forecast=true" for one in passes],
        "GET /pairs": [f"?{shown}&a={mine[1]}&b=nanshan"],
        "GET /track": [f"?{shown}&station={mine[1]}"],
        "GET /plans/{plan_id}/explain": [f"?pass={one['pass']}" for one in passes],
        "GET /bookings": ["", ".ics", ".csv", ".geojson"],
        "GET /events": ["?after=0&follow=false"],
        "GET /jobs/events": ["?job=merge"],
        "GET /runway": ["", f"?without={mine[1]}"],
        "GET /network/flow": [f"?{SPAN}"],
        "GET /stations": ["", ".geojson"],
        "GET /ui/passes": [f"?satellite={mine[0]}&from=2016-12-19&days=2&forecast=true"],
        "GET /ui/plan": ["", *(f"?pass={one['pass']}" for one in passes)],
    }  # fmt: skip
    for route in ROLES:
        method, _, path = route.partition(" ")
        if method != "GET" or path in {"/docs", "/openapi.json"}:
            continue
        filled = (
            path.replace("{plan_id}", plan)
            .replace("{booking_id}", bookings[0]["booking"])
            .replace("{satellite}", mine[0])
            .replace("{station}", mine[1])
            .replace("{kind}", "conflict")
            .replace("{name}", "style.css")
        )
        for query in asked.get(route, [""]):
            yield query if query.startswith("/") else f"{filled}{query}"


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_no_door_tells_an_operator_of_another(
    name: str, http: httpx.Client, shared: tuple[Settings, dict[str, str]]
) -> None:
    headers = {"authorization": f"Bearer {shared[1][name]}"}
    theirs = [
        one["booking"]
        for one in http.get(
            "/bookings", headers={"authorization": f"Bearer {shared[1]['carol']}"}
        ).json()["bookings"]
        if one["satellite"] in THEIRS[name]
    ]
    assert theirs
    answered = 0
    for path in _paths(http, name, shared[1][name]):
        answer = http.get(path, headers=headers)
        body = answer.text.casefold()
        assert answer.status_code < 500, (path, answer.text)
        answered += answer.status_code == 200
        for word in (*THEIRS[name], *theirs):
            assert word not in body, (path, word, answer.text)
    assert answered > 50


@pytest.mark.parametrize("route", sorted(WHOLE))
def test_what_tells_of_the_whole_is_no_operators(
    route: str, http: httpx.Client, shared: tuple[Settings, dict[str, str]]
) -> None:
    method, _, path = route.partition(" ")
    path = path.replace("{key_id}", "0").replace("{replay_id}", "0")
    headers = {"authorization": f"Bearer {shared[1]['alice']}"}

    answer = http.request(method, path, headers=headers, json={} if method == "POST" else None)

    assert answer.status_code == 403
    assert "token of an operator" in answer.json()["detail"]


def test_everybody_else_sees_both(
    http: httpx.Client, shared: tuple[Settings, dict[str, str]]
) -> None:
    headers = {"authorization": f"Bearer {shared[1]['carol']}"}
    for path in ("/satellites", "/bookings", "/ledger/balances", "/sessions", "/runway", "/alerts",
                 "/outages", "/elements", "/ui/plan", "/metrics"):  # fmt: skip
        text = http.get(path, headers=headers).text.casefold()
        assert "tiangong" in text, path
        assert "micius" in text, path


def test_an_operator_sees_its_own(
    http: httpx.Client, shared: tuple[Settings, dict[str, str]]
) -> None:
    headers = {"authorization": f"Bearer {shared[1]['alice']}"}
    for path in ("/satellites", "/bookings", "/ledger/balances", "/ledger/entries", "/sessions",
                 "/runway", "/alerts", "/outages", "/elements", "/ui/plan", "/ui/today",
                 "/calendar.ics", "/network"):  # fmt: skip
        assert "micius" in http.get(path, headers=headers).text.casefold(), path


def test_an_operator_takes_nothing_of_another_out_of_service(
    http: httpx.Client, shared: tuple[Settings, dict[str, str]]
) -> None:
    headers = {"authorization": f"Bearer {shared[1]['alice']}"}
    span = {"from": "2017-01-01T00:00:00Z", "to": "2017-01-02T00:00:00Z"}
    for kind, name, status in (
        ("station", "xinglong", 403), ("satellite", "tiangong", 403),
        ("station", "nanshan", 201), ("satellite", "micius", 201),
    ):  # fmt: skip
        answer = http.post("/outages", headers=headers, json={"kind": kind, "name": name, **span})
        assert answer.status_code == status, answer.text
    everybody = {"authorization": f"Bearer {shared[1]['carol']}"}
    outages = http.get("/outages", headers=everybody).json()["outages"]
    theirs = next(one["outage"] for one in outages if one["name"] == "xinglong")
    assert http.delete(f"/outages/{theirs}", headers=headers).status_code == 403
