"""The examples of the OpenAPI document, as a server gave them: `make examples` writes them anew."""

from __future__ import annotations

import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.services.context import Context
from scheduler.settings import load_settings
from tests.api.conftest import run_skytrunk, serving

NOW = datetime(2016, 12, 21, 12, tzinfo=UTC)
SPAN = {"from": "2016-12-21", "to": "2016-12-22"}
REASON = {"reason": "mirror is cleaned"}
ROWS = 1  # of each list
TEXT = 400


def questions(http: httpx.Client) -> dict[str, dict[str, Any]]:
    """What each operation is asked in its example; those without anything to say are left out."""
    plan = http.get("/plans").json()["plans"][-1]["plan"]
    booking = http.get("/bookings?state=booked").json()["bookings"][-1]["booking"]
    entry = http.get("/ledger/entries").json()["entries"][0]
    row = http.get("/passes", params={"satellite": "micius", **SPAN}).json()["passes"][2]["pass"]
    outage = {"kind": "station", "name": "nanshan", **SPAN, "reason": "snow"}
    lifted = http.post("/outages", json={**outage, "name": "xinglong"}).json()["outage"]
    elements = http.get("/elements?satellite=micius").json()["elements"][0]["sha256"][:12]
    replay = http.post("/replays", json={"from": "2016-12-19", "to": "2016-12-20"}).json()["replay"]
    return {
        "GET /satellites/{satellite}": {"path": {"satellite": "micius"}},
        "GET /stations/{station}": {"path": {"station": "nanshan"}},
        "GET /network/flow": {"query": {"from": "2016-12-19", "to": "2016-12-21"}},
        "GET /passes": {"query": {"satellite": "micius", **SPAN, "forecast": "true"}},
        "GET /passes/{pass_id}": {"path": {"pass_id": row}},
        "GET /pairs": {"query": {"satellite": "micius", "a": "xinglong", "b": "nanshan", **SPAN}},
        "GET /track": {"query": {"satellite": "micius", "from": "2016-12-21",
                                 "to": "2016-12-21T00:10:00Z", "step_s": "60"}},
        "GET /elements": {"query": {"satellite": "micius"}},
        "GET /elements/check": {"query": {"satellite": "micius"}},
        "POST /elements/withdraw": {"body": {"elements": [elements], **REASON}},
        "POST /elements/accept": {"body": {"elements": [elements], **REASON}},
        "POST /plans": {"body": {"from": "2016-12-22", "to": "2016-12-23"}},
        "GET /plans/{plan_id}": {"path": {"plan_id": plan}},
        "GET /plans/{plan_id}/explain": {"path": {"plan_id": plan}, "query": {"pass": row}},
        "GET /plans/{plan_id}/passes": {"path": {"plan_id": plan}},
        "GET /plans/{plan_id}/bookings": {"path": {"plan_id": plan}},
        "GET /plans/{plan_id}/timeline.png": {"path": {"plan_id": plan}},
        "GET /bookings": {"query": {"state": "booked", "station": "nanshan"}},
        "GET /bookings/{booking_id}": {"path": {"booking_id": booking}},
        "GET /bookings/{booking_id}/events": {"path": {"booking_id": booking}},
        "POST /bookings/{booking_id}/lock": {"path": {"booking_id": booking}, "body": REASON},
        "POST /bookings/{booking_id}/cancel": {"path": {"booking_id": booking}, "body": REASON},
        "GET /calendar.ics": {"query": {"alarm_min": "15"}},
        "POST /outages": {"body": outage},
        "DELETE /outages/{outage_id}": {"path": {"outage_id": lifted}},
        "GET /ledger/entries": {"query": {"pool": entry["pool"]}},
        "GET /ledger/proof": {"query": {"kind": "booking", "subject": booking}},
        "GET /keys/{key_id}/trace": {"path": {"key_id": entry["block"]}},
        "GET /events": {"query": {"after": "0", "follow": "false"}},
        "GET /runway": {"query": {"days": "3"}},
        "POST /replays": {"body": {"from": "2016-12-19", "to": "2016-12-20"}},
        "GET /replays/{replay_id}": {"path": {"replay_id": replay}},
        "POST /jobs/{work}/run": {"path": {"work": "checkpoint"}},
        "GET /jobs/events": {"query": {"job": "checkpoint"}},
        "POST /jobs/{work}/pause": {"path": {"work": "merge"}, "body": REASON},
        "POST /jobs/{work}/resume": {"path": {"work": "merge"}},
    }  # fmt: skip


FIRST = (  # what others look at comes before them; what ends a life comes last
    "POST /jobs/{work}/run", "POST /jobs/{work}/pause", "POST /jobs/{work}/resume",
)  # fmt: skip
LAST = ("POST /bookings/{booking_id}/cancel", "POST /replays")


def ask_all(http: httpx.Client) -> dict[str, dict[str, Any]]:
    """Every operation's example: what was asked, and what came, cut short."""
    asked = questions(http)
    document = http.get("/openapi.json").json()
    names = [
        f"{method.upper()} {path}" for path, ways in document["paths"].items() for method in ways
    ]
    rest = [name for name in names if name not in (*FIRST, *LAST)]
    while http.get("/replays").json()["replays"][0]["state"] == "running":
        pass
    return {name: _ask(http, name, asked.get(name, {})) for name in (*FIRST, *rest, *LAST)}


def _ask(http: httpx.Client, name: str, asked: dict[str, Any]) -> dict[str, Any]:
    method, _, path = name.partition(" ")
    for word, value in asked.get("path", {}).items():
        path = path.replace(f"{{{word}}}", value)
    answer = http.request(method, path, params=asked.get("query"), json=asked.get("body"))
    assert answer.is_success, (name, answer.text)
    kind = answer.headers.get("content-type", "").partition(";")[0]
    found = dict(asked)
    if kind == "application/json" and answer.content:
        found["answer"] = _short(answer.json())
    elif kind.startswith("text/") and "html" not in kind:
        found["answer"] = answer.text[: answer.text.rfind("\n", 0, TEXT) + 1]
    return found


def _short(value: Any) -> Any:
    if isinstance(value, list):
        # A list of plain figures says by its length what it means.
        plain = not any(isinstance(one, dict | list) for one in value)
        return [_short(one) for one in (value[:3] if plain else value[:ROWS])]
    if isinstance(value, dict):
        names = len(value) > 12 and all(isinstance(one, dict | int) for one in value.values())
        items = list(value.items())[: 2 if names else None]
        return {name: _short(one) for name, one in items}
    return value


def main(out: Path) -> None:
    """Write the examples."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = f"sqlite:///{folder / 'examples.db'}"
        for arguments in (
            ("replay", "--from", "2016-12-19", "--to", "2016-12-21"),
            ("plan", "make", "--from", "2016-12-21", "--to", "2016-12-24", "--at", "2016-12-21"),
        ):
            done = run_skytrunk(folder, "--database", database, *arguments)
            if done.returncode:
                raise SystemExit(done.stderr)
        settings = load_settings(database_url=database, replays_folder=folder / "replays")
        with Context(settings, clock=SimulatedClock(NOW)) as context:
            secret = services.add_token(context, name="olga", role="admin", days=30)[1]
        with serving(settings, SimulatedClock(NOW)) as http:
            http.headers["authorization"] = f"Bearer {secret}"
            found = ask_all(http)
    text = json.dumps(found, indent=1, ensure_ascii=False).replace(str(folder), "/var/lib/skytrunk")
    out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
