"""GET /passes of one satellite over ten stations and seven days, each another question."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from scheduler.services.context import Context
from scheduler.settings import load_settings

SMOKE = bool(os.environ.get("SKYTRUNK_BENCH_SMOKE"))
QUESTIONS = 20 if SMOKE else 200
STATIONS = 10
START = datetime(2016, 12, 19, tzinfo=UTC)
PLACES = [(40.4, 117.6), (43.5, 87.2), (37.4, 97.7), (26.7, 100.0), (31.8, 117.2),
          (36.7, 117.0), (23.1, 113.3), (45.8, 126.5), (29.7, 91.1), (18.3, 109.3)]  # fmt: skip


def ten_stations(file: Path) -> Path:
    """A scenario of Micius over ten places in China."""
    lines = [
        'name = "ten"', 'title = "Ten stations"', "", "[[satellites]]", 'id = "micius"',
        'name = "Micius (QSS)"', "norad_id = 41731", 'preset = "micius-2016-fitted"',
        'announces = "at-once"', "", "[planning]", "max_element_age_days = 30.0",
    ]  # fmt: skip
    for number, (lat, lon) in enumerate(PLACES, start=1):
        lines += [
            "", "[[stations]]", f'id = "s{number}"', f'name = "Station {number}"',
            f"lat_deg = {lat}", f"lon_deg = {lon}", "height_m = 1000.0", "mask_deg = 10.0",
            "telescope_m = 1.0", 'source = "a benchmark"',
        ]  # fmt: skip
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.mark.bench
def test_a_week_over_ten_stations(tmp_path: Path) -> None:
    settings = load_settings(
        scenario=str(ten_stations(tmp_path / "ten.toml")),
        database_url=f"sqlite:///{tmp_path / 'none.db'}",
        requests_per_s=1e6,
    )
    with Context(settings) as context:
        app = create_app(settings, context)
        app.state.context = context
        spent = asyncio.run(_ask(app))
    cpu_ms = sorted(1e3 * cpu for _, cpu in spent[2:])
    wall_ms = sorted(1e3 * wall for wall, _ in spent[2:])
    at = int(0.99 * len(cpu_ms))
    print(
        f"\nGET /passes, {STATIONS} stations, 7 days, {len(cpu_ms)} questions never asked before:"
        f" CPU median {cpu_ms[len(cpu_ms) // 2]:.1f} ms, p99 {cpu_ms[at]:.1f} ms;"
        f" wall median {wall_ms[len(wall_ms) // 2]:.1f} ms, p99 {wall_ms[at]:.1f} ms"
    )


async def _ask(app: object) -> list[tuple[float, float]]:
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    found = []
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for number in range(QUESTIONS + 2):
            start = START + timedelta(hours=number % 120, seconds=number)
            query = {
                "satellite": "micius",
                "from": f"{start:%Y-%m-%dT%H:%M:%SZ}",
                "to": f"{start + timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}",
            }
            wall, cpu = time.perf_counter(), time.process_time()
            answer = await client.get("/passes", params=query)
            found.append((time.perf_counter() - wall, time.process_time() - cpu))
            assert answer.status_code == 200, answer.text
            assert len(answer.json()["passes"]) > 10 * STATIONS
    return found
