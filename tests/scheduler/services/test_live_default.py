"""What `run` and `serve` take where nobody names a scenario."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scheduler import services
from scheduler.services.context import Context
from scheduler.settings import Settings


def test_a_live_run_is_of_a_mission_that_flies(
    settings_of: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SKYTRUNK_SCENARIO", raising=False)
    fresh = settings_of("fresh")

    assert services.live_settings(fresh).scenario == services.LIVE_SCENARIO == "spoqc-2026"
    named = fresh.model_copy(update={"scenario": "jinan-1"})
    assert services.live_settings(named).scenario == "jinan-1"


def test_a_live_run_over_a_replayed_ledger_keeps_its_scenario(
    settings_of: Callable[..., Settings],
) -> None:
    settings = settings_of("replayed")
    with Context(settings) as context:
        services.bind_run(context, {"scenario": "micius-2016"})

    assert services.live_settings(settings).scenario == "micius-2016"
