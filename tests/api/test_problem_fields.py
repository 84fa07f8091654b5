"""Problems of a body's fields: whatever is wrong, the field, the value and the range are named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from scheduler.clock import SimulatedClock
from scheduler.settings import load_settings
from tests.api.conftest import serving

NOW = datetime(2016, 12, 19, 12, tzinfo=UTC)
NIGHT = {"from": "2016-12-20T12:00:00Z", "to": "2016-12-21T12:00:00Z"}
BACKWARD = {"from": NIGHT["to"], "to": NIGHT["from"]}
LONG = {**NIGHT, "to": "2019-12-19T12:00:00Z"}
SHA256 = "ab" * 32
NOBODY = "00000000-0000-4000-8000-000000000000"
AWAY, MARS = "nowhere/xinglong/2016-12-20T16:00:00Z", "micius/mars/2016-12-20T16:00:00Z"

# Address, body, status, and of the first error: field, value, and a word of what is allowed.
CASES: list[tuple[str, dict[str, Any] | None, int, str, str, str]] = [
    ("/plans", BACKWARD, 422, "from", BACKWARD["from"], "a start before its end"),
    ("/plans", LONG, 422, "to", LONG["to"], "up to 31 days"),
    ("/plans", {**NIGHT, "at": "2017-01-01T00:00:00Z"}, 422, "to", NIGHT["to"], "later"),
    ("/plans", {**NIGHT, "pins": ["what"]}, 422, "pins", "what", "SATELLITE/STATION/INSTANT"),
    ("/plans", {**NIGHT, "pins": [AWAY]}, 404, "pins", AWAY, "micius"),
    ("/plans", {**NIGHT, "vetoes": [MARS]}, 404, "vetoes", MARS, "xinglong"),
    ("/plans", {**NIGHT, "objective": "most"}, 422, "objective", "most", "max-min"),
    ("/outages", {**NIGHT, "kind": "station", "name": "mars"}, 404, "name", "mars", "xinglong"),
    ("/outages", {**NIGHT, "kind": "satellite", "name": "moon"}, 404, "name", "moon", "micius"),
    ("/outages", {**BACKWARD, "kind": "station", "name": "xinglong"}, 422, "from",
     BACKWARD["from"], "a start before its end"),
    ("/outages", {**NIGHT, "kind": "station", "name": "xinglong", "reason": "x\ny"}, 422,
     "reason", "x\\ny", "printable"),
    ("/elements/accept", {"elements": [SHA256]}, 404, "elements", SHA256, "elements list"),
    ("/elements/accept", {"elements": ["what"]}, 422, "elements.0", "what", "pattern"),
    ("/elements/withdraw", {"elements": [SHA256], "reason": "x"}, 404, "elements", SHA256,
     "elements list"),
    (f"/bookings/{NOBODY}/lock", {"locked": True}, 404, "booking_id", NOBODY, "plan bookings"),
    (f"/bookings/{NOBODY}/cancel", {"reason": "x"}, 404, "booking_id", NOBODY, "plan bookings"),
    ("/jobs/nothing/run", None, 404, "work", "nothing", "merge"),
    ("/jobs/nothing/pause", {"reason": "x"}, 404, "work", "nothing", "merge"),
    ("/jobs/merge/pause", {"reason": " "}, 422, "reason", " ", "why"),
    ("/jobs/merge/resume", None, 404, "work", "merge", "jobs list"),
    ("/replays", BACKWARD, 422, "from", BACKWARD["from"], "a start before its end"),
    ("/replays", LONG, 422, "to", LONG["to"], "up to 400"),
]  # fmt: skip


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server on a ledger with a plan."""
    folder = tmp_path_factory.mktemp("fields")
    settings = load_settings(database_url=f"sqlite:///{folder / 'fields.db'}")
    with serving(settings, SimulatedClock(NOW)) as client:
        answer = client.post("/plans", json={"from": NOW.isoformat(), "to": NIGHT["from"]})
        assert answer.status_code == 201, answer.text
        yield client


@pytest.mark.parametrize(("path", "body", "status", "field", "value", "allowed"), CASES)
def test_a_problem_names_field_value_and_range(
    http: httpx.Client,
    path: str,
    body: dict[str, Any] | None,
    status: int,
    field: str,
    value: str,
    allowed: str,
) -> None:
    answer = http.post(path, json=body)

    assert answer.status_code == status, answer.text
    first = answer.json()["errors"][0]
    assert (first["field"], first["value"]) == (field, value)
    assert allowed in first["allowed"]
    assert first["detail"] in answer.json()["detail"]


def test_every_route_that_takes_a_body_is_in_the_table(http: httpx.Client) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    takes = {path for path, methods in paths.items() if "requestBody" in methods.get("post", {})}
    asked = {case[0].replace(NOBODY, "{booking_id}").replace("nothing", "{work}") for case in CASES}

    assert takes - {"/session"} <= asked


def test_a_secret_is_never_shown_again(http: httpx.Client) -> None:
    assert "hunter2hunter2" not in http.post("/session", data={"token": "hunter2hunter2"}).text


def test_what_a_missing_parameter_may_be_is_told(http: httpx.Client) -> None:
    answer = http.get("/passes", params={"satellite": "micius", "from": "2016-12-19"})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "to"
    assert "a date with time and zone" in error["allowed"]
