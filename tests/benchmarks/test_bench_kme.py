"""How fast keys go to applications: figures with their sizes, never a failure on time."""

from __future__ import annotations

import http.client
import math
import os
import ssl
import statistics
import subprocess
import threading
import time
from pathlib import Path

import pytest

from api.security.pki import Laboratory
from scheduler.clock import SystemClock
from scheduler.domain import KeyConstraints, KeyRequest
from scheduler.services.delivery import enc_keys, settle_answers
from scheduler.services.merges.at_request import merge_for
from tests.api.kme.conftest import ring_context
from tests.api.kme.server import KME
from tests.faults.test_delivery_faults import Servers
from tests.scheduler.services.ring import PAIR

pytestmark = pytest.mark.bench

SMOKE = os.environ.get("SKYTRUNK_BENCH_SMOKE") == "1"
CONNECTIONS = 8
REQUESTS = 20 if SMOKE else 200  # a connection
GATHERED = 4  # answers that leave within the 50 ms for which the outbox gathers them
SETTLED_S = 0.5  # by when the ledger is told of the last answers
BATCHES = 2 if SMOKE else 30


def _ask(port: int, path: str, tls: ssl.SSLContext, seconds: list[float]) -> None:
    """So many requests over one connection that is kept."""
    line = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=tls)
    line.connect()
    for _ in range(REQUESTS):
        start = time.perf_counter()
        line.request("GET", path)
        answer = line.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - start)
        assert answer.status == 200
    line.close()


def _processor_s(process: subprocess.Popen[bytes]) -> float:
    """Processor time that a process has used; nan where the system does not tell."""
    try:
        words = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except OSError:
        return math.nan
    user, system = words.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _rate(port: int, path: str, tls: ssl.SSLContext) -> tuple[float, list[float]]:
    """Requests a second over all connections, and how long each took."""
    seconds: list[float] = []
    told = (port, path, tls, seconds)
    askers = [threading.Thread(target=_ask, args=told) for _ in range(CONNECTIONS)]
    start = time.perf_counter()
    for one in askers:
        one.start()
    for one in askers:
        one.join()
    return len(seconds) / (time.perf_counter() - start), seconds


def _tell(what: str, rate: float, seconds: list[float]) -> tuple[float, float]:
    cut = sorted(seconds)
    p50, p99 = statistics.median(cut), cut[int(0.99 * len(cut))]
    print(
        f"{what}: {rate:.0f}/s, p50 {p50 * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms,"
        f" longest {cut[-1] * 1e3:.0f} ms, n = {len(cut)}, {CONNECTIONS} connections"
    )
    return p50, p99


def _client_tls(laboratory: Laboratory) -> ssl.SSLContext:
    tls = ssl.create_default_context(cafile=str(laboratory.authority_file("peer")))
    tls.load_cert_chain(laboratory.file_of("bank-e"))
    return tls


def test_enc_keys_against_an_empty_route(tmp_path: Path) -> None:
    laboratory, now = Laboratory(tmp_path / "pki"), SystemClock().now()
    laboratory.init(now)
    laboratory.issue(KME, plane="peer", now=now)
    laboratory.issue("bank-e", plane="application", now=now)
    with ring_context(tmp_path, bits=8_000_000) as context:
        bits = 256 * 4 * CONNECTIONS * REQUESTS
        merge_for(context, PAIR, bits, constraints=KeyConstraints(), at=context.clock.now())
    tls, path = _client_tls(laboratory), "/api/v1/keys/bank-w/enc_keys"
    servers = Servers(tmp_path, 1, str(laboratory.folder))
    try:
        for one in ("/empty", path):
            _rate(servers.port, one, tls)  # warms up
        began = _processor_s(servers.running[0])
        bare = _rate(servers.port, "/empty", tls)
        between = _processor_s(servers.running[0])
        durable = _rate(servers.port, path, tls)
        time.sleep(SETTLED_S)
        ended = _processor_s(servers.running[0])
    finally:
        servers.stop()
    of_bare = _tell("an empty route over mutual TLS", *bare)
    of_keys = _tell("enc_keys of one key over mutual TLS, durable", *durable)
    print(
        f"enc_keys at {durable[0] / bare[0]:.0%} of the empty route's rate,"
        f" p50 {of_keys[0] / of_bare[0]:.2f} and p99 {of_keys[1] / of_bare[1]:.2f} times its own;"
        f" processor of the server {1e3 * (ended - between) / len(durable[1]):.2f} ms a request,"
        f" {1e3 * (between - began) / len(bare[1]):.2f} ms the empty route"
    )


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
        for first in range(0, BATCHES, GATHERED):
            settle_answers(context, answers[first : first + GATHERED])
        settled, worked = time.perf_counter() - start, time.process_time() - worked
    keys = 128 * BATCHES
    print(
        f"number=128 on SQLite: {keys / drawn:,.0f} keys/s drawn, {keys / settled:,.0f} keys/s with"
        f" settling, {keys / worked:,.0f} keys a second of processor, n = {keys}"
    )
