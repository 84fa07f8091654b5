"""How long a survey of ten years over ten places takes."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scheduler import services
from scheduler.services.context import Context
from scheduler.settings import load_settings

pytestmark = pytest.mark.bench
SMOKE = os.environ.get("SKYTRUNK_BENCH_SMOKE") == "1"
PLACES = [services.place_at(-50.0 + 10.0 * k, 10.0 * k) for k in range(10)]


def test_ten_years_over_ten_places(tmp_path: Path) -> None:
    places = PLACES[:1] if SMOKE else PLACES
    end = datetime(2017 if SMOKE else 2026, 1, 1, tzinfo=UTC)
    with Context(load_settings(database_url=f"sqlite:///{tmp_path / 'none.db'}")) as context:
        begun = time.process_time()
        answer = services.survey(
            context,
            satellite="micius",
            places=places,
            start=datetime(2016, 1, 1, tzinfo=UTC),
            end=end,
        )
        taken_s = time.process_time() - begun

    passes = sum(row.passes for row in answer.rows)
    print(
        f"survey of {end.year - 2016} years over {len(places)} places, {passes:,} passes:"
        f" {taken_s:.1f} s of CPU (target 120 s for ten years over ten places)"
    )
