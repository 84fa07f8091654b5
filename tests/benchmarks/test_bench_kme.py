"""How fast keys go to applications: figures with their sizes, never a failure on time."""

from __future__ import annotations

import http.client
import os
import statistics
import threading
import time
from pathlib import Path

import pytest

from scheduler.domain import KeyConstraints, KeyRequest
from scheduler.services.delivery import enc_keys, settle_answers
from scheduler.services.merges.at_request import merge_for
from tests.api.kme.conftest import ring_context
from tests.faults.test_delivery_faults import Servers
from tests.scheduler.services.ring import PAIR

pytestmark = pytest.mark.bench

SMOKE = os.environ.get("SKYTRUNK_BENCH_SMOKE") == "1"
CONNECTIONS = 8
REQUESTS = 20 if SMOKE else 200  # a connection
BATCHES = 2 if SMOKE else 30


def _ask(port: int, path: str, seconds: list[float]) -> None:
    """So many requests over one connection that is kept."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(REQUESTS):
        start = time.perf_counter()
        line.request("GET", path, headers={"x-test-caller": "bank-e"})
        answer = line.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - start)
        assert answer.status == 200
    line.close()


def _rate(port: int, path: str) -> tuple[float, list[float]]:
    """Requests a second over all connections, and how long each took."""
    seconds: list[float] = []
    askers = [threading.Thread(target=_ask, args=(port, path, seconds)) for _ in range(CONNECTIONS)]
    start = time.perf_counter()
    for one in askers:
        one.start()
    for one in askers:
        one.join()
    return len(seconds) / (time.perf_counter() - start), seconds


def _tell(what: str, rate: float, seconds: list[float]) -> None:
    cut = sorted(seconds)
    print(
        f"{what}: {rate:.0f}/s, p50 {statistics.median(seconds) * 1e3:.1f} ms,"
        f" p99 {cut[int(0.99 * len(cut))] * 1e3:.1f} ms, longest {cut[-1] * 1e3:.0f} ms,"
        f" n = {len(cut)}, {CONNECTIONS} connections"
    )


def test_enc_keys_against_an_empty_route(tmp_path: Path) -> None:
    with ring_context(tmp_path, bits=8_000_000) as context:
        bits = 256 * 4 * CONNECTIONS * REQUESTS
        merge_for(context, PAIR, bits, constraints=KeyConstraints(), at=context.clock.now())
    servers = Servers(tmp_path, 1)
    try:
        for path in ("/empty", "/api/v1/keys/bank-w/enc_keys"):
            _rate(servers.port, path)  # warms up
        bare = _rate(servers.port, "/empty")
        durable = _rate(servers.port, "/api/v1/keys/bank-w/enc_keys")
    finally:
        servers.stop()
    _tell("an empty route over HTTP", *bare)
    _tell("enc_keys of one key over HTTP, durable", *durable)
    print(f"enc_keys at {durable[0] / bare[0]:.0%} of the empty route's rate")


def test_many_keys_of_one_request(tmp_path: Path) -> None:
    with ring_context(tmp_path, bits=16_000_000) as context:
        request = KeyRequest(number=128)
        bits = 256 * 128 * (BATCHES + 4)
        merge_for(context, PAIR, bits, constraints=KeyConstraints(), at=context.clock.now())
        enc_keys(context, master="bank-e", slave="bank-w", request=request)
        start, worked = time.perf_counter(), time.process_time()
        answers = [
            enc_keys(context, master="bank-e", slave="bank-w", request=request).answer_id
            for _ in range(BATCHES)
        ]
        drawn = time.perf_counter() - start
        for answer in answers:
            settle_answers(context, [answer])
        settled, worked = time.perf_counter() - start, time.process_time() - worked
    keys = 128 * BATCHES
    print(
        f"number=128 on SQLite: {keys / drawn:,.0f} keys/s drawn, {keys / settled:,.0f} keys/s with"
        f" settling, {keys / worked:,.0f} keys a second of processor, n = {keys}"
    )
