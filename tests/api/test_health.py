"""/ready and /metrics: what is not well, and what is counted."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from scheduler import services
from scheduler.agenda import Due, Work
from scheduler.clock import SimulatedClock
from scheduler.services.context import Context
from scheduler.settings import load_settings
from tests.api.conftest import serving

START = datetime(2016, 12, 19, tzinfo=UTC)


def test_ready_names_what_is_not_well_and_metrics_count_what_is_there(tmp_path: Path) -> None:
    settings = load_settings(database_url=f"sqlite:///{tmp_path / 'ledger.db'}")
    clock = SimulatedClock(START)
    with serving(settings, clock) as client:
        told = client.get("/ready")
        assert (told.status_code, told.json()["ready"]) == (503, False)
        assert told.json()["problems"] == ["there is no ledger yet"]
        assert "skytrunk_merge_lag_seconds" not in client.get("/metrics").text

        with Context(settings, clock=clock) as context:
            due = Due(at=START, work=Work.MERGE, since=START, until=START)
            services.run_job(context, due, worker=services.Worker(name="one"))
        told = client.get("/ready")
        assert (told.status_code, told.json()["problems"]) == (200, [])
        assert told.json()["log_size"] > 0
        assert [one["young"] for one in told.json()["elements"]] == [True]

        client.get("/nowhere")
        clock.advance_to(START + timedelta(hours=7))
        told = client.get("/ready")
        assert told.status_code == 503
        assert "no merge since 2016-12-19T06" in told.json()["problems"][0]
        lines = client.get("/metrics").text.splitlines()
        assert "skytrunk_merge_lag_seconds 25200.0" in lines
        assert 'skytrunk_jobs{state="done",work="merge"} 1.0' in lines
        assert 'skytrunk_job_lateness_seconds{work="merge"} 0.0' in lines
        counted = 'skytrunk_request_seconds_count{route="GET /ready",status="503"} 2.0'
        assert counted in lines
        assert 'skytrunk_request_seconds_count{route="-",status="404"} 1.0' in lines

        clock.advance_to(START + timedelta(days=4000))
        problems = client.get("/ready").json()["problems"]
        assert any(re.match("no young element set of micius", one) for one in problems)
