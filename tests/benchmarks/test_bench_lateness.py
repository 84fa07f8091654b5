"""How late jobs begin while the API answers at half of its rate, on one ledger and machine."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from pathlib import Path

import pytest

from scheduler.domain import JobState
from scheduler.ledger.books.jobs import get_jobs
from scheduler.services.context import Context
from scheduler.settings import load_settings
from tests.api.conftest import started
from tests.benchmarks.test_bench_burst import _get, _quantile, _question

RATE_PER_S = 50
LOAD_S = 5.0 if os.environ.get("SKYTRUNK_BENCH_SMOKE") else 60.0


async def _load(port: int) -> list[tuple[int, float]]:
    while (await _get(port, _question(-1)))[1] > 0.5:  # until all is loaded
        pass
    begun, asked = time.perf_counter(), []
    for number in range(int(RATE_PER_S * LOAD_S)):
        await asyncio.sleep(max(0.0, begun + number / RATE_PER_S - time.perf_counter()))
        asked.append(asyncio.create_task(_get(port, _question(number))))
    return await asyncio.gather(*asked)


@pytest.mark.bench
def test_jobs_begin_in_time_under_load(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = tmp_path / "lateness.toml"
    schedules = {"expire": "1s"} | dict.fromkeys(("elements", "verify", "checkpoint"), "off")
    settings.write_text(
        'scenario = "micius-2016"\nrequests_per_s = 1000.0\n[schedules]\n'
        + "".join(f"{name} = {json.dumps(text)}\n" for name, text in schedules.items())
    )
    words = ("--config", str(settings))
    with (
        started(tmp_path, *words, "run") as run,
        started(tmp_path, *words, "serve", "--port", str(port)) as server,
    ):
        assert server.stderr is not None
        server.stderr.readline()  # it listens
        answers = asyncio.run(_load(port))
        run.terminate()
        run.communicate(timeout=60)
    found = load_settings(database_url=f"sqlite:///{tmp_path / 'skytrunk.db'}")
    with Context(found) as context, context.view.read() as reader:
        jobs = get_jobs(reader, work="expire", state=JobState.DONE, limit=1000)
    late = [(one.started_at - one.scheduled_for).total_seconds() for one in jobs if one.started_at]
    print(
        f"\n{len(late)} jobs of a second each beside {len(answers)} questions at {RATE_PER_S}/s:"
        f" late by p50 {_quantile(late, 0.5):.3f} s, p99 {_quantile(late, 0.99):.3f} s,"
        f" at most {max(late):.3f} s",
        file=sys.stderr,
    )
