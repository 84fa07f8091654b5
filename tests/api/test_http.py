"""The HTTP side on a real server: answers, problems, and a page that fetches nothing."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.errors import outcomes
from api.problem_kinds import KINDS, kind_of, title_of
from scheduler.settings import load_settings
from tests.api.conftest import ROOT, Replayed, clean_environment, serving

DAY = {"satellite": "micius", "from": "2016-12-19", "to": "2016-12-20"}


def test_health_names_scenario_and_clock(http: httpx.Client) -> None:
    told = http.get("/health").json()

    assert told["status"] == "ok"
    assert told["scenario"] == "micius-2016"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told["now"])


def test_satellites_stations_and_balances(http: httpx.Client, replayed: Replayed) -> None:
    assert [row["norad_id"] for row in http.get("/satellites").json()["satellites"]] == [41731]
    assert [row["station"] for row in http.get("/stations").json()["stations"]] == [
        "delingha", "nanshan", "xinglong",
    ]  # fmt: skip
    assert http.get("/ledger/balances").json() == replayed.summary["balances"]


QUESTIONS = (
    "/merges", "/plans", "/bookings", "/outages", "/ledger/balances", "/ledger/checkpoint",
    "/merges", "/plans",
)  # fmt: skip


def test_questions_make_no_ledger_whatever_their_order(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'none.db'}"
    with serving(load_settings(database_url=url)) as client:
        answers = [client.get(path) for path in QUESTIONS]

    assert [answer.status_code for answer in answers] == [422] * len(QUESTIONS)
    (problem,) = {answer.json()["detail"] for answer in answers}
    assert problem.startswith(f"there is no ledger at {url}; allowed: ")
    assert list(tmp_path.iterdir()) == []


PROBLEMS: list[tuple[str, dict[str, Any], int, list[str]]] = [
    ("/passes", {}, 422, ["satellite", "from", "to"]),
    ("/passes", {**DAY, "satellite": "sputnik"}, 404, ["'sputnik'", "micius"]),
    ("/passes", {**DAY, "station": "baikonur"}, 404, ["'baikonur'", "xinglong"]),
    ("/passes", {**DAY, "from": "2016-12-19T10:00:00"}, 422, ["2016-12-19T10:00:00", "no zone"]),
    ("/passes", {**DAY, "from": "2016-12-21"}, 422, ["before", "allowed"]),
    ("/passes", {**DAY, "from": "2016-12-19", "to": "2016-12-19"}, 422, ["before"]),
    ("/passes", {**DAY, "to": "soon"}, 422, ["'soon'", "allowed"]),
    ("/passes", {**DAY, "to": "2017-12-19"}, 422, ["days"]),
    ("/passes", {**DAY, "min_elevation_deg": "90"}, 422, ["min_elevation_deg", "90"]),
    ("/passes", {**DAY, "min_elevation_deg": "nan"}, 422, ["min_elevation_deg"]),
    ("/passes", {**DAY, "min_elevation_deg": "high"}, 422, ["min_elevation_deg", "'high'"]),
    ("/passes", {**DAY, "forecast": "perhaps"}, 422, ["forecast", "'perhaps'"]),
    ("/passes", {**DAY, "colour": "red"}, 422, ["colour", "unknown"]),
    ("/passes", {**DAY, "station": ["xinglong"] * 65}, 422, ["station"]),
    ("/passes", {**DAY, "satellite": "x" * 65}, 422, ["satellite"]),
    ("/passes", {**DAY, "from": ["2016-12-19", "2016-12-18"]}, 422, ["from", "once"]),
    ("/passes", {**DAY, "from": "2020-03-01", "to": "2020-03-02"}, 409, ["14"]),
    ("/health", {"deep": "1"}, 422, ["deep", "unknown"]),
    ("/satellites", {"page": "2"}, 422, ["page", "unknown"]),
    ("/stations", {"page": "2"}, 422, ["page", "unknown"]),
    ("/ledger/balances", {"pool": "x"}, 422, ["pool", "unknown"]),
    ("/elements", {"satellite": "sputnik"}, 404, ["'sputnik'", "41731"]),
    ("/elements", {"limit": "0"}, 422, ["limit"]),
    ("/elements", {"limit": "1001"}, 422, ["limit"]),
    ("/elements", {"colour": "red"}, 422, ["colour", "unknown"]),
    (
        "/passes",
        {**DAY, "from": "2026-03-01", "to": "2026-03-02"},
        409,
        ["2025-12-12", "coming down"],
    ),
    ("/nowhere", {}, 404, ["Not Found"]),
]


@pytest.mark.parametrize(("path", "params", "status", "words"), PROBLEMS)
def test_what_is_wrong_becomes_a_problem_document(
    http: httpx.Client, path: str, params: dict[str, Any], status: int, words: list[str]
) -> None:
    answer = http.get(path, params=params)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["type"] == f"/problems/{kind_of(body['title'])}"
    assert http.get(body["type"]).status_code == 200
    assert body["status"] == status
    assert body["title"]
    for word in words:
        assert word in body["detail"]


NAMED: list[tuple[str, dict[str, Any], list[tuple[str, str | None, str]]]] = [
    ("/passes", {**DAY, "min_elevation_deg": "91"},
     [("min_elevation_deg", "91", "from 0.0; below 90.0")]),
    ("/runway", {"days": "61"}, [("days", "61", "from 0.01; up to 60.0")]),
    ("/passes", {**DAY, "satellite": "sputnik"}, [("satellite", "sputnik", "micius")]),
    ("/passes", {**DAY, "station": "baikonur"},
     [("station", "baikonur", "xinglong, nanshan, delingha")]),
    ("/elements", {"limit": "0", "latest": "x"},
     [("limit", "0", "from 1; up to 1000"), ("latest", "x", "a valid boolean")]),
    ("/outages", {"colour": "red"}, [("colour", "red", "")]),
    ("/passes", {"satellite": "micius", "to": "2016-12-20"},
     [("from", None, "a date (2016-12-19")]),
]  # fmt: skip


@pytest.mark.parametrize(("path", "params", "named"), NAMED)
def test_a_problem_names_field_value_and_what_is_allowed(
    http: httpx.Client,
    path: str,
    params: dict[str, Any],
    named: list[tuple[str, str | None, str]],
) -> None:
    errors = http.get(path, params=params).json()["errors"]

    assert [(one["field"], one.get("value")) for one in errors] == [one[:2] for one in named]
    for error, (_, _, allowed) in zip(errors, named, strict=True):
        assert allowed in error["allowed"]


def test_every_kind_of_problem_has_a_page(http: httpx.Client) -> None:
    titles = {outcome.title for outcome in outcomes().values()}
    titles |= {title_of(code) for code in (400, 401, 403, 404, 405, 413, 415, 429, 500, 503)}

    assert {kind_of(title) for title in titles} <= set(KINDS)
    page = html.unescape(http.get("/problems").text)
    for name, kind in KINDS.items():
        assert f'id="{name}"' in page
        assert kind.means in page
    assert http.get("/problems/none-such").status_code == 404


def test_a_wrong_method_is_a_problem_too(http: httpx.Client) -> None:
    answer = http.post("/passes")

    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert "GET" in answer.headers["allow"]


def test_the_docs_page_shows_every_operation_and_fetches_nothing(http: httpx.Client) -> None:
    page = http.get("/docs")
    document = http.get("/openapi.json").json()

    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path, methods in document["paths"].items():
        assert path in page.text
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                assert f"<code>{parameter['name']}</code>" in page.text
    for told in (  # meanings, limits, choices, defaults
        "The scenario&#39;s, if not given; from 0.0; below 90.0",
        "one of demand, max-min, total",
        "from 1; up to 1000; default 100",
        "it was up already at `from`",
    ):
        assert told.casefold() in page.text.casefold()
    assert "<script" not in page.text
    assert re.findall(r"""(?:src|href)=["'](?!#)([^"']*)""", page.text) == ["openapi.json"]
    assert "url(" not in page.text


def test_every_answer_is_documented(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()

    assert set(document["paths"]) == {
        "/health", "/ready", "/metrics", "/alerts",
        "/satellites", "/satellites/{satellite}", "/stations", "/stations/{station}",
        "/network", "/network/flow", "/passes", "/passes/{pass_id}", "/track",
        "/ledger/balances", "/ledger/entries", "/ledger/checkpoints", "/ledger/proof",
        "/ledger/verification", "/sessions", "/elements", "/elements/check",
        "/elements/accept", "/elements/withdraw",
        "/plans", "/plans/{plan_id}", "/plans/{plan_id}/explain", "/plans/{plan_id}/passes",
        "/plans/{plan_id}/bookings", "/plans/{plan_id}/timeline.png", "/bookings",
        "/bookings/{booking_id}", "/bookings/{booking_id}/events", "/calendar.ics",
        "/bookings/{booking_id}/lock", "/bookings/{booking_id}/cancel",
        "/outages", "/outages/{outage_id}",
        "/merges", "/pairs", "/runway", "/keys/{key_id}/trace", "/ledger/checkpoint",
        "/events", "/replays", "/replays/{replay_id}", "/session",
        "/jobs", "/jobs/events",
        "/jobs/{work}/run", "/jobs/{work}/pause", "/jobs/{work}/resume",
    }  # fmt: skip
    for methods in document["paths"].values():
        for operation in methods.values():
            assert "application/problem+json" in operation["responses"]["422"]["content"]
            (good,) = [told for code, told in operation["responses"].items() if code[0] == "2"]
            assert all("schema" in media for media in good.get("content", {}).values())


def test_many_at_once_get_the_same_answers(http: httpx.Client) -> None:
    paths = [
        "/ledger/balances",
        "/health",
        "/passes?satellite=micius&from=2016-12-19&to=2016-12-20",
    ]

    def ask(index: int) -> tuple[int, Any]:
        answer = http.get(paths[index % len(paths)])
        body = answer.json()
        body.pop("now", None)
        return answer.status_code, body

    alone = [ask(index) for index in range(len(paths))]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(ask, range(8 * len(paths))))

    assert all(status == 200 for status, _ in alone)
    assert together == alone * 8


EXECUTED = """
import asyncio, sys, threading
import httpx
from api.app import create_app
from scheduler.services import passes, tokens  # what is loaded at first use is no part of the walk
from scheduler.services.context import Context
from scheduler.settings import load_settings

seen = set()
def note(frame, event, _):
    seen.add(frame.f_code.co_filename)

async def ask(app):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        question = "satellite=micius&station=xinglong&from=2016-12-19&to=2016-12-20"
        return (await client.get(f"/passes?{question}")).status_code

settings = load_settings()
app = create_app(settings)
app.state.context = Context(settings)
threading.setprofile(note)
sys.setprofile(note)
status = asyncio.run(ask(app))
sys.setprofile(None)
print(status, *sorted(seen), sep="\\n")
"""


def test_a_question_about_passes_runs_through_few_modules(tmp_path: Path) -> None:
    """Scenario and element sets are read on the way: it is a server's first question."""
    done = subprocess.run(
        [sys.executable, "-c", EXECUTED], cwd=tmp_path, env=clean_environment(),
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    status, *files = done.stdout.splitlines()
    ours = [Path(file).relative_to(ROOT).as_posix() for file in files if file.startswith(str(ROOT))]
    product = [name for name in ours if name.split("/")[0] in {"api", "scheduler", "orbits", "qkd"}]

    assert status == "200"
    rooms = ("api/plots", "api/report", "api/cli", "scheduler/plan", "scheduler/merge",
             "scheduler/ledger/verify", "scheduler/ledger/schema", "scheduler/ledger/view",
             "scheduler/ledger/store", "qkd")  # fmt: skip
    assert [name for name in product if name.startswith(rooms)] == []
    assert "api/schemas/passes.py" in product
    access = [name for name in product if name.startswith("api/security") or "/token" in name]
    assert access == [  # who may ask at all, decided first
        "api/security/limits.py", "api/security/load.py", "api/security/roles.py",
        "api/security/session.py", "api/security/viewing.py",
        "scheduler/ledger/books/token_reads.py", "scheduler/services/tokens.py",
    ]  # fmt: skip
    rest = [name for name in product if not name.startswith("orbits/") and name not in access]
    assert len(rest) <= 44  # the form of the reply, shared stations and their ends among them
