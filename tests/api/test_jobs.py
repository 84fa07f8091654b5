"""`skytrunk jobs` and /jobs: what ran, by hand too, and what is paused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scheduler.settings import load_settings
from tests.api.conftest import serving
from tests.api.test_sae import said


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv("SKYTRUNK_DATABASE_URL", url)
    return url


def test_work_is_run_shown_paused_and_resumed(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "0 jobs" in said(capsys, "jobs", "list")
    assert "expire is done\n" in said(capsys, "jobs", "run", "expire")
    (job,) = json.loads(said(capsys, "jobs", "list", "--json"))["jobs"]
    assert (job["job"], job["state"], job["attempts"]) == ("expire", "done", 1)
    shown = said(capsys, "jobs", "show", "expire", "--at", job["scheduled_for"])
    assert "2 changes" in shown
    assert "running" in shown

    assert "merge is paused" in said(capsys, "jobs", "pause", "merge", "--reason", "maintenance")
    assert "maintenance" in said(capsys, "jobs", "list")
    assert "paused already" in said(
        capsys, "jobs", "pause", "merge", "--reason", "once more", code=1
    )
    missed = said(capsys, "jobs", "run", "merge")
    assert missed.startswith("merge is missed: paused since")
    assert "merge goes on" in said(capsys, "jobs", "resume", "merge")
    assert "not paused" in said(capsys, "jobs", "resume", "merge", code=2)
    assert "known: trunk" in said(capsys, "jobs", "run", "settle", code=2)
    assert "allowed: due, running" in said(capsys, "jobs", "list", "--state", "lost", code=2)
    assert "sound" in said(capsys, "ledger", "verify")


def test_the_same_over_http(database: str) -> None:
    with serving(load_settings(database_url=database)) as client:
        done = client.post("/jobs/expire/run")
        assert done.status_code == 200, done.text
        assert done.json()["job"]["state"] == "done"
        assert client.post("/jobs/merge/pause", json={"reason": "maintenance"}).status_code == 200
        listed = client.get("/jobs").json()
        paused = {one["work"]: one["paused"] for one in listed["works"]}
        assert paused["merge"]["reason"] == "maintenance"
        assert paused["trunk"] is None
        assert [one["job"] for one in listed["jobs"]] == ["expire"]
        events = client.get("/jobs/events", params={"job": "expire"}).json()["events"]
        assert [one["state"] for one in events] == ["running", "done"]
        assert client.post("/jobs/merge/resume").json()["work"] == "merge"
        assert client.post("/jobs/merge/resume").status_code == 404
        assert client.post("/jobs/nothing/run").status_code == 404
