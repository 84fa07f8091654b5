"""How fast the ledger is: figures with their sizes, never a failure on time."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.collector import freeze_gc
from scheduler.domain import NewBlock, Pool
from scheduler.ledger import Ledger, Transaction, open_ledger
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.spending import spend_pool
from scheduler.ledger.log import merkle, trail
from scheduler.ledger.log.canonical import leaf_data
from scheduler.ledger.log.trail import AuditTrail
from scheduler.ledger.vault.keystore import LocalKek
from tests.scheduler.ledger.builders import NOON, chain, deposit, relay, uuid_of
from tests.scheduler.ledger.postgres import Postgres
from tests.scheduler.ledger.verify.changes import verify_with

pytestmark = pytest.mark.bench

SMOKE = os.environ.get("SKYTRUNK_BENCH_SMOKE") == "1"
KEY = os.urandom(32)
HOPS = 33
NODES = tuple(f"node-{number:02d}" for number in range(HOPS + 1))
PASS_BITS = 14_300_000  # the best pass of Micius over Xinglong, as the issue states it
LINKS = 135
LINK_BITS = 100_000
PAIRS = 300


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger in an SQLite file, as it would be used."""
    with open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", kek=LocalKek(KEY)) as opened:
        yield opened


def _percentile(seconds: list[float], share: float) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))]


def _tell(what: str, seconds: list[float]) -> None:
    print(
        f"{what}: median {statistics.median(seconds) * 1e3:.1f} ms,"
        f" p99 {_percentile(seconds, 0.99) * 1e3:.1f} ms, n = {len(seconds)}"
    )


def test_a_pass_is_deposited(ledger: Ledger) -> None:
    seconds = []
    for number in range(2 if SMOKE else 10):
        start = time.perf_counter()
        with ledger.begin() as tx:
            deposit(tx, f"pass-{number}", PASS_BITS)
        seconds.append(time.perf_counter() - start)
    _tell(f"deposit of {PASS_BITS / 1e6} Mbit at both ends, sealed, durable", seconds)


def test_one_key_is_relayed_over_the_whole_trunk(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        for link in chain(NODES):
            deposit(tx, link.pool_id, 200_000, pool=link)
    seconds = []
    for number in range(5 if SMOKE else 300):
        start = time.perf_counter()
        with ledger.begin() as tx:
            relay(tx, str(number), NODES, 256)
        seconds.append(time.perf_counter() - start)
    _tell(f"relay of one 256-bit key over {HOPS} hops, announcements included, durable", seconds)


def _mesh_links() -> list[Pool]:
    """The trunk's hops and enough other links to make LINKS."""
    others = [Pool.link("hub", f"spoke-{number:03d}") for number in range(LINKS - HOPS)]
    return [*chain(NODES), *others]


def _deposit_second(tx: Transaction, second: int, keys: dict[str, bytes]) -> None:
    for link in _mesh_links():
        name = f"{link.pool_id}/{second}"
        handle = tx.command(f"deposit/{name}", kind="deposit", at=NOON, digest="")
        block = NewBlock(
            block_id=uuid_of(name),
            pool=link,
            natural_key=name,
            length_bits=LINK_BITS,
            source="simulator",
            simulated=True,
        )
        key = keys[link.pool_id]
        deposit_block(tx, handle, block, material_a=key, material_b=key)
        handle.finish({})


def _merge_second(tx: Transaction, second: int) -> None:
    """Refresh every pair by 256 bits: one range a hop, one block a pair."""
    handle = tx.command(f"merge/{second}", kind="merge", at=NOON, digest="")
    runs = [spend_pool(tx, handle, link.pool_id, PAIRS * 256) for link in chain(NODES)]
    key = b"".join(part.material_a for part in runs[0])
    for pair in range(PAIRS):
        name = f"pair/{pair}/{second}"
        part = key[pair * 32 : pair * 32 + 32]
        block = NewBlock(
            block_id=uuid_of(name),
            pool=Pool.pair(f"user-{pair:03d}", "z-user"),
            natural_key=name,
            length_bits=256,
            source="merge",
            simulated=True,
        )
        deposit_block(tx, handle, block, material_a=part, material_b=part)
    handle.finish({})


def _run_mesh(ledger: Ledger, seconds: int, first: int = 0) -> tuple[list[float], list[float]]:
    keys = {link.pool_id: os.urandom(LINK_BITS // 8) for link in _mesh_links()}
    deposits, merges = [], []
    for second in range(first, first + seconds):
        start = time.perf_counter()
        with ledger.begin() as tx:
            _deposit_second(tx, second, keys)
        middle = time.perf_counter()
        with ledger.begin() as tx:
            _merge_second(tx, second)
        deposits.append(middle - start)
        merges.append(time.perf_counter() - middle)
        if second == first:
            freeze_gc()  # as a process that stays does
    return deposits, merges


def test_a_mesh_is_kept_up_with(ledger: Ledger) -> None:
    seconds = 3 if SMOKE else 200
    deposits, merges = (times[1:] for times in _run_mesh(ledger, seconds + 1))
    _tell(f"mesh: {LINKS} deposits of {LINK_BITS} bit a second", deposits)
    _tell(f"mesh: {PAIRS} pairs by 256 bit over {HOPS} hops a second", merges)
    spent = sum(deposits) + sum(merges)
    print(f"mesh: {seconds} s of it took {spent:.1f} s: headroom {seconds / spent:.1f}x")


def test_a_ledger_is_verified(ledger: Ledger) -> None:
    """At two sizes, so that memory that grew with the ledger would show."""
    for seconds in (1, 1) if SMOKE else (30, 90):
        _run_mesh(ledger, seconds, first=ledger.view.verify().commands)
        for workers in (1, 2):
            _tell_verified("mesh", ledger, workers)


def test_a_ledger_of_relays_is_verified(ledger: Ledger) -> None:
    relays = 3 if SMOKE else 1500
    with ledger.begin() as tx:
        for link in chain(NODES):
            deposit(tx, link.pool_id, 256 * relays, pool=link)
    for number in range(relays):
        ledger.run(lambda tx, number=number: relay(tx, str(number), NODES, 256))
    for workers in (1, 2):
        _tell_verified("relays", ledger, workers)


def _tell_verified(what: str, ledger: Ledger, workers: int) -> None:
    """Wall and CPU time of one audit, and the most memory that this process and another took."""
    others: list[float] = [0.0]
    before, started, spent = _peak_mb("self"), time.perf_counter(), _cpu_s()
    report = verify_with(ledger.view, workers, lambda _: others.extend(_children_mb()))
    seconds, cpu_s = time.perf_counter() - started, _cpu_s() - spent
    assert report.problems == ()
    print(
        f"verify, {what}, {workers} at work: {report.entries} entries, {report.blocks} blocks,"
        f" {report.commands} commands in {seconds:.2f} s: {report.entries / seconds:.0f}"
        f" entries/s; CPU {cpu_s:.2f} s; memory +{_peak_mb('self') - before:.0f} MB here,"
        f" {max(others):.0f} MB in the other process"
    )


def _children_mb() -> list[float]:
    """Peak memory of each child so far. (That of `getrusage` has the parent's before `exec`.)"""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [_peak_mb(child) for child in children]


def _peak_mb(process: str) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) / 1024


def _cpu_s() -> float:
    """CPU time of this process and of those it waited for."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def test_a_proof_is_given_out_of_ten_million_leaves(ledger: Ledger) -> None:
    size = 20_000 if SMOKE else 10_000_000
    start = time.perf_counter()
    _fill_log(ledger, size)
    built = time.perf_counter() - start
    prove, append = [], []
    for number in range(200):
        start = time.perf_counter()
        with ledger.view.read() as reader:
            trail.inclusion(reader.connection, number * 7919 % size)
        prove.append(time.perf_counter() - start)
    for number in range(50):
        changes = AuditTrail(ledger._mac)
        changes.record("command", str(number), "00" * 32)
        with ledger.begin() as tx:
            start = time.perf_counter()
            changes.append(tx.connection)
            append.append(time.perf_counter() - start)
    print(f"log of {size} leaves built in {built:.0f} s")
    _tell(f"inclusion proof at {size} leaves", prove)
    _tell(f"append at {size} leaves, without the commit", append)


def _fill_log(ledger: Ledger, size: int) -> None:
    """Leaves by the million, past the commands that would make them."""
    frontier: list[bytes] = []
    places = itertools.count()  # post-order: nodes are numbered as they are completed
    digest = "00" * 32
    with ledger._engine.connect().execution_options(ledger_writes=True) as connection:
        cursor = connection.connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        for first in range(0, size, 50_000):
            leaves, nodes = [], []
            for seq in range(first, min(first + 50_000, size)):
                leaves.append((seq, "command", str(seq), digest))
                hashed = merkle.leaf_hash(leaf_data(seq, "command", str(seq), digest))
                nodes += [(next(places), done) for _, done in merkle.grow(frontier, seq, hashed)]
            cursor.executemany("INSERT INTO audit_leaf VALUES (?, ?, ?, ?)", leaves)
            cursor.executemany("INSERT INTO audit_node VALUES (?, ?)", nodes)
        cursor.execute("UPDATE audit_head SET size = ?", (size,))
        cursor.execute("COMMIT")


def _merge_worker(url: str, key: bytes, folder: Path, name: int, start: int, count: int) -> None:
    nodes = [f"w{name}-{number:02d}" for number in range(6)]
    with open_ledger(url, kek=LocalKek(key), key_folder=folder) as ledger:
        for number in range(start, start + count):
            ledger.run(lambda tx, n=number: relay(tx, f"{name}/{n}", nodes, 256))


def test_workers_merge_side_by_side_on_postgresql(tmp_path: Path) -> None:
    each = 5 if SMOKE else 150
    server = Postgres()
    try:
        url = server.create("bench")
        with (
            open_ledger(url, kek=LocalKek(KEY), key_folder=tmp_path) as ledger,
            ledger.begin() as tx,
        ):
            for name in range(4):
                for link in chain([f"w{name}-{number:02d}" for number in range(6)]):
                    deposit(tx, link.pool_id, 256 * 2 * each + 256, pool=link)
        for workers in (1, 4):
            rate = _rate(url, tmp_path, workers, each)
            print(f"PostgreSQL: {workers} merge workers, 5 hops: {rate:.0f} merges/s")
        with open_ledger(url, kek=LocalKek(KEY), key_folder=tmp_path) as ledger:
            assert ledger.view.verify().problems == ()
    finally:
        server.stop()


def _rate(url: str, folder: Path, workers: int, each: int) -> float:
    spawner = multiprocessing.get_context("forkserver")
    spawner.set_forkserver_preload(["tests.benchmarks.test_bench_ledger"])
    processes = [
        spawner.Process(target=_merge_worker, args=(url, KEY, folder, name, workers * 1000, each))
        for name in range(workers)
    ]
    start = time.perf_counter()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    return workers * each / (time.perf_counter() - start)
