"""What deploy/ gives as examples holds: metrics that are there, commands that parse, settings."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from api.cli.root import app
from scheduler import services
from scheduler.agenda import Due, Work
from scheduler.clock import SimulatedClock
from scheduler.domain import Alert, AlertKind
from scheduler.services.context import Context
from scheduler.settings import load_settings
from tests.api.conftest import serving
from tests.test_readme import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
START = datetime(2016, 12, 19, tzinfo=UTC)

# What the operators' page promises; names do not change unseen.
METRICS = {
    "skytrunk_passes", "skytrunk_bookings", "skytrunk_key_bits", "skytrunk_merge_lag_seconds",
    "skytrunk_job_lateness_seconds", "skytrunk_jobs", "skytrunk_solver_gap", "skytrunk_alerts",
    "skytrunk_request_seconds", "skytrunk_runway_seconds", "skytrunk_element_age_seconds",
}  # fmt: skip


def _named(text: str) -> set[str]:
    names = set(re.findall(r"skytrunk_[a-z_]+", text))
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in names}


def test_every_metric_that_is_promised_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(database_url=f"sqlite:///{tmp_path / 'ledger.db'}")
    clock = SimulatedClock(START)
    with Context(settings, clock=clock) as context:
        worker = services.Worker(name="one")
        for work in (Work.PLAN, Work.TRUNK, Work.MERGE):
            due = Due(at=START, work=work, since=START - timedelta(hours=6),
                      until=START + timedelta(days=1))  # fmt: skip
            services.run_job(context, due, worker=worker)
        alert = Alert(kind=AlertKind.JOB_FAILED, subject="plan", at=START, words="no")
        services.raise_alerts(context, [alert])
    # Nothing is drawn here, so that no pair would have a runway.
    health = sys.modules["scheduler.services.health"]  # the package's own name is the use case
    monkeypatch.setattr(health, "_runways", lambda *_: {"pair:a--b": 3600.0})
    with serving(settings, clock) as client:
        answer = client.get("/health", headers={"X-Request-Id": "mine-1"})
        assert answer.headers["x-request-id"] == "mine-1"
        assert len(client.get("/health").headers["x-request-id"]) == 16
        text = client.get("/metrics").text
    served = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line[0] != "#"}
    assert _named("\n".join(served)) - {"skytrunk_request_seconds_created"} == METRICS


def test_the_dashboard_shows_them_all_and_no_other() -> None:
    dashboard = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))
    shown = {target["expr"] for panel in dashboard["panels"] for target in panel["targets"]}
    assert _named("\n".join(shown)) == METRICS


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_the_commands_of_units_are_commands(unit: Path) -> None:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(unit)
    program, *words = shlex.split(parser["Service"]["ExecStart"])
    assert program.endswith("/bin/skytrunk")
    command = typer.main.get_command(app)
    context = command.make_context("skytrunk", list(words), resilient_parsing=False)
    name, found, rest = command.resolve_command(context, words)  # type: ignore[attr-defined]
    assert found is not None, name
    found.make_context(name, rest, parent=context)  # options that are none are refused
    assert parser["Service"]["Restart"] == "always"


def test_the_example_of_settings_is_accepted(tmp_path: Path) -> None:
    settings = load_settings(DEPLOY / "skytrunk.toml")
    given = tomllib.loads((DEPLOY / "skytrunk.toml").read_text(encoding="utf-8"))
    assert {name: str(text) for name, text in given["schedules"].items()} == settings.schedules


def test_the_container_runs_a_command_of_ours() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    (command,) = re.findall(r'^CMD \["(\w+)"\]$', text, re.MULTILINE)
    assert command in {one.name for one in app.registered_commands}
    assert "requirements.lock" in text
