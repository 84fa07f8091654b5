"""GET /passes at 100 a second, each another question, and what /health says meanwhile."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.api.conftest import started

RATE_PER_S = 100
BURST_S = 5.0 if os.environ.get("SKYTRUNK_BENCH_SMOKE") else 60.0
START = datetime(2016, 12, 19, tzinfo=UTC)


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def _get(port: int, path: str) -> tuple[int, float]:
    """Ask by plain sockets, for a client of a library would be busier than the server."""
    begun = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read(-1)
    writer.close()
    return int(answer.split(b" ", 2)[1]), time.perf_counter() - begun


def _question(number: int) -> str:
    day = START + timedelta(minutes=number)
    end = day + timedelta(days=3)
    return f"/passes?satellite=micius&from={day:%Y-%m-%dT%H:%MZ}&to={end:%Y-%m-%dT%H:%MZ}"


async def _burst(port: int) -> tuple[list[tuple[int, float]], list[float], float]:
    health: list[float] = []

    async def watch() -> None:
        while True:
            health.append((await _get(port, "/health"))[1])
            await asyncio.sleep(0.1)

    while (await _get(port, _question(-1)))[1] > 0.5:  # until all is loaded
        pass
    watching = asyncio.create_task(watch())
    begun = time.perf_counter()
    asked = []
    for number in range(int(RATE_PER_S * BURST_S)):
        await asyncio.sleep(max(0.0, begun + number / RATE_PER_S - time.perf_counter()))
        asked.append(asyncio.create_task(_get(port, _question(number))))
    answers = await asyncio.gather(*asked)
    watching.cancel()
    ended = time.perf_counter()
    for number in range(10**5, 2 * 10**5):  # until a new question is answered as before
        status, took_s = await _get(port, _question(number))
        if status == 200 and took_s < 0.5:
            break
    return answers, health, time.perf_counter() - ended


@pytest.mark.bench
def test_a_burst_is_answered_or_shed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = tmp_path / "burst.toml"
    settings.write_text('scenario = "micius-2016"\nrequests_per_s = 1000.0\n')
    with started(tmp_path, "--config", str(settings), "serve", "--port", str(port)) as process:
        assert process.stderr is not None
        process.stderr.readline()  # it listens
        answers, health, recovered_s = asyncio.run(_burst(port))
    times = [took_s for _, took_s in answers]
    done = sum(status == 200 for status, _ in answers)
    print(
        f"\n{len(answers)} questions at {RATE_PER_S}/s: {done} answered,"
        f" {len(answers) - done} shed,"
        f" longest {max(times):.2f} s, p99 {_quantile(times, 0.99):.2f} s;"
        f" /health p99 {1e3 * _quantile(health, 0.99):.0f} ms of {len(health)};"
        f" normal again after {recovered_s:.2f} s",
        file=sys.stderr,
    )
    assert {status for status, _ in answers} <= {200, 503}
