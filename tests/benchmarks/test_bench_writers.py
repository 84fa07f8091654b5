"""Processes side by side: a key of 256 bits reserved, then delivered, sealed, entered twice.

p99 alone would hide who starves, so the longest wait and the slowest client are printed too. In
the same run nothing is lost and nothing handed out twice, and the whole ledger is verified.
"""

from __future__ import annotations

import hashlib
import multiprocessing as mp
import os
import time
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.queues import Queue
from pathlib import Path
from statistics import quantiles

import pytest

from scheduler.domain import Pool
from scheduler.ledger import Ledger, ReservationState, SpentChunk, open_ledger
from scheduler.ledger.db.durable import SUFFIX
from scheduler.ledger.keys.reservations import reserve_key, resolve_reservation
from scheduler.ledger.keys.stock import get_balances
from scheduler.ledger.vault.keystore import LocalKek
from tests.scheduler.ledger.builders import NOON, deposit, uuid_of
from tests.scheduler.ledger.postgres import Postgres

pytestmark = pytest.mark.bench

SMOKE = bool(os.environ.get("SKYTRUNK_BENCH_SMOKE"))
SECONDS = 1.0 if SMOKE else 8.0
KEY = b"k" * 32
POOL = Pool.link("micius", "nanshan")
BITS, BLOCKS, BLOCK_BITS = 256, 16, 256 * 4_096


@dataclass(frozen=True, slots=True)
class Client:
    """What one process got, and how long each key took; bytes only as their hashes."""

    took_s: list[float]
    digests: list[bytes]


def _deliver(ledger: Ledger, name: str) -> list[SpentChunk]:
    def reserve(tx: object) -> None:
        handle = tx.command(f"reserve/{name}", kind="reserve", at=NOON, digest="")  # type: ignore[attr-defined]
        reserve_key(
            tx, handle, POOL.pool_id, BITS, reservation_id=uuid_of(name), purpose="sae",  # type: ignore[arg-type]
            expires_at=NOON + timedelta(hours=1),
        )  # fmt: skip
        handle.finish({})

    def deliver(tx: object) -> list[SpentChunk]:
        handle = tx.command(f"deliver/{name}", kind="deliver", at=NOON, digest="")  # type: ignore[attr-defined]
        done = resolve_reservation(tx, handle, uuid_of(name), ReservationState.DELIVERED)  # type: ignore[arg-type]
        handle.finish({})
        return done

    ledger.run(reserve)
    return ledger.run(deliver)


def _client(url: str, keys: Path, number: int, barrier: object, answers: Queue[Client]) -> None:
    took, digests = [], []
    with open_ledger(url, kek=LocalKek(KEY), key_folder=keys) as ledger:
        barrier.wait()  # type: ignore[attr-defined]
        ends = time.perf_counter() + SECONDS
        while (start := time.perf_counter()) < ends:
            chunks = _deliver(ledger, f"{number}/{len(took)}")
            took.append(time.perf_counter() - start)
            digests.append(hashlib.sha256(b"".join(one.material_a for one in chunks)).digest())
    answers.put(Client(took, digests))


def _together(url: str, keys: Path, processes: int) -> list[Client]:
    context = mp.get_context("spawn")
    barrier, answers = context.Barrier(processes), context.Queue()
    clients = [
        context.Process(target=_client, args=(url, keys, number, barrier, answers))
        for number in range(processes)
    ]
    for client in clients:
        client.start()
    got = [answers.get(timeout=300) for _ in clients]
    for client in clients:
        client.join()
    return got


def _syncs(url: str) -> int:
    """How many syncs of SQLite's log began so far; 0 for another store."""
    counts = Path(url.removeprefix("sqlite:///") + SUFFIX)
    return int.from_bytes(counts.read_bytes()[:8], "little") if counts.exists() else 0


def _measure(name: str, url: str, keys: Path, processes: int) -> None:
    with open_ledger(url, kek=LocalKek(KEY), key_folder=keys) as ledger:
        for number in range(BLOCKS):
            with ledger.begin() as tx:
                deposit(tx, f"block{number}", BLOCK_BITS)
    before = _syncs(url)
    got = _together(url, keys, processes)
    syncs = _syncs(url) - before
    took = sorted(second for client in got for second in client.took_s)
    counts = [len(client.took_s) for client in got]
    handed_out = [digest for client in got for digest in client.digests]
    print(
        f"{name}, {processes} processes: {len(handed_out) / SECONDS:.0f} keys/s reserved and"
        f" delivered, p99 {quantiles(took, n=100)[98] * 1e3:.0f} ms,"
        f" longest {took[-1] * 1e3:.0f} ms,"
        f" slowest client {min(counts)} keys, fastest {max(counts)}"
        + (f", {len(handed_out) / syncs:.1f} keys a sync of the log" if syncs else "")
    )
    assert len(set(handed_out)) == len(handed_out)
    with open_ledger(url, kek=LocalKek(KEY), key_folder=keys) as ledger:
        assert ledger.view.verify().problems == ()
        with ledger.view.read() as reader:
            assert get_balances(reader)[POOL.pool_id]["delivered"] == BITS * len(handed_out)


@pytest.mark.parametrize("processes", [8, 16])
def test_processes_deliver_side_by_side_on_sqlite(tmp_path: Path, processes: int) -> None:
    _measure("SQLite", f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path / "keys", processes)


def test_processes_deliver_side_by_side_on_postgresql(tmp_path: Path) -> None:
    server = Postgres()
    try:
        _measure("PostgreSQL", server.create("bench"), tmp_path, 8)
    finally:
        server.stop()
