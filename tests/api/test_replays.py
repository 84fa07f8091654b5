"""Replays over HTTP: started in a process of their own, watched to their end, and added up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scheduler.settings import load_settings
from tests.api.conftest import serving

BODY = {"from": "2016-12-19", "to": "2016-12-20", "seed": 1}


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("replays")
    settings = load_settings(
        database_url=f"sqlite:///{folder / 'skytrunk.db'}", replays_folder=folder / "replays"
    )
    with serving(settings) as client:
        yield client


def finished(http: httpx.Client, replay: str, *, within_s: float = 120.0) -> dict[str, Any]:
    """Watch a replay to its end."""
    until_s = time.monotonic() + within_s
    before = 0.0
    while True:
        found: dict[str, Any] = http.get(f"/replays/{replay}").json()
        assert found["part_done"] >= before or found["state"] == "failed"
        before = found["part_done"]
        if found["state"] != "running":
            return found
        assert time.monotonic() < until_s, found


def test_a_replay_is_started_watched_and_added_up(http: httpx.Client) -> None:
    assert http.get("/replays").json() == {"replays": []}
    begun = http.post("/replays", json=BODY)
    assert begun.status_code == 202
    assert begun.json()["state"] == "running"
    second = http.post("/replays", json=BODY)
    assert (second.status_code, begun.json()["replay"] in second.json()["detail"]) == (409, True)
    done = finished(http, begun.json()["replay"])

    assert (done["state"], done["part_done"], done["reason"]) == ("done", 1.0, "")
    assert done["result"]["settled"] >= 1
    assert done["result"]["ledger_problems"] == []
    (listed,) = http.get("/replays").json()["replays"]
    assert listed == {name: done[name] for name in listed}
    page = http.get("/ui/replay", params={"chosen": done["replay"]}).text
    assert f"{done['result']['settled']} of {done['result']['booked']} booked" in page


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({}, 422, "from"), ({**BODY, "to": "2016-12-18"}, 422, "before"),
        ({**BODY, "to": "2019-12-18"}, 422, "allowed: up to 400"),
        ({**BODY, "seed": -1}, 422, "seed"), ({**BODY, "objective": "fame"}, 422, "'fame'"),
    ],
)  # fmt: skip
def test_a_replay_that_cannot_be_is_refused(
    http: httpx.Client, body: dict[str, Any], status: int, word: str
) -> None:
    answer = http.post("/replays", json=body)
    assert answer.status_code == status
    assert word in answer.json()["detail"]


@pytest.mark.parametrize("name", ["none", "a.b", "20161219-20161220-demand-00000000", "a" * 80])
def test_a_replay_that_is_not_there_is_said(http: httpx.Client, name: str) -> None:
    assert http.get(f"/replays/{name}").status_code == 404


def test_a_replay_whose_process_is_gone_is_interrupted(tmp_path: Path) -> None:
    folder = tmp_path / "replays"
    run = folder / "20161219-20161220-demand-0123abcd"
    run.mkdir(parents=True)
    asked = (
        '{"start": "2016-12-19T00:00:00+00:00", "end": "2016-12-20T00:00:00+00:00", "seed": 1,'
        ' "asked_at": "2016-12-19T00:00:00+00:00",'
        ' "settings": {"scenario": "micius-2016", "objective": "demand", "planner": "lp"}}'
    )
    (run / "asked.json").write_text(asked)
    (run / "progress.json").write_text('{"state": "running", "part": 0.5, "reason": ""}')
    (run / "lock").touch()
    settings = load_settings(
        database_url=f"sqlite:///{tmp_path / 'skytrunk.db'}", replays_folder=folder
    )
    with serving(settings) as http:
        (found,) = http.get("/replays").json()["replays"]
    assert (found["state"], found["part_done"]) == ("interrupted", 0.5)
