"""How fast the merge job is as it runs: decision, bytes, proofs, tags, ledger, all durable."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.collector import freeze_gc
from scheduler.domain import Demand, NewBlock, Pool
from scheduler.entropy import SystemEntropy
from scheduler.ledger import Ledger, Transaction
from scheduler.ledger.keys.deposit import deposit_block, expect_blocks
from scheduler.merge import PROOF_BITS
from scheduler.network import Link, LinkKind, Node, NodeKind, Scenario
from scheduler.paths import jain_index
from scheduler.services.audit import verify_ledger
from scheduler.services.context import Context
from scheduler.settings import Settings
from scheduler.sources.scenarios import load_scenario

pytestmark = pytest.mark.bench
SMOKE = os.environ.get("SKYTRUNK_BENCH_SMOKE") == "1"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOPS, LINKS, LINK_BITS = 33, 135, 100_000
"""Hops from user to user, parallel links of the trunk, bits that each makes in a second."""
ACCESS_BITS = 4_000_000
"""What an access link has in stock at the start; it is no link of the trunk."""
WEST, EAST = 20, 15
"""Users at the two ends of the trunk: 300 pairs."""
KEY_BITS = 256
WARM = 2
"""Ticks before those that count: the first loads what all need, as in a process that stays."""


def _trunk(west: int, east: int) -> Scenario:
    """The trunk of `beijing-shanghai`, 135 links, with users of our own at its two ends."""
    scenario = load_scenario("beijing-shanghai")
    links = [link for link in scenario.links if link.kind is LinkKind.FIBRE]
    assert len(links) == LINKS
    users = {
        "beijing": [f"beijing-{number:02d}" for number in range(west)],
        "shanghai": [f"shanghai-{number:02d}" for number in range(east)],
    }
    nodes = [node for node in scenario.nodes if node.kind is not NodeKind.USER]
    for city, names in users.items():
        links += [_access(name, city) for name in names]
        nodes += [_user(name) for name in names]
    demands = [
        Demand(demand_id=f"{one}--{other}", node_a=one, node_b=other,
               bits_per_day=KEY_BITS * 86_400 * 2)
        for one in users["beijing"] for other in users["shanghai"]
    ]  # fmt: skip
    return replace(scenario, nodes=tuple(nodes), links=tuple(links), demands=tuple(demands))


def _user(name: str) -> Node:
    return Node(
        node_id=name, kind=NodeKind.USER, name=name, lat_deg=0.0, lon_deg=0.0, synthetic=True
    )


def _access(name: str, city: str) -> Link:
    return Link(
        pool=Pool.link(name, city), kind=LinkKind.ACCESS, length_km=5.0, preset="trunk-span",
        synthetic=True,
    )  # fmt: skip


@pytest.fixture
def services_of(tmp_path: Path) -> Iterator[Callable[[Scenario | str], Context]]:
    """Context on a new SQLite file and a scenario, by name or as it is."""
    opened: list[Context] = []

    def build(scenario: Scenario | str) -> Context:
        name = scenario if isinstance(scenario, str) else "beijing-shanghai"
        settings = Settings(
            database_url=f"sqlite:///{tmp_path / f'{len(opened)}.db'}", scenario=name
        )
        context = Context(settings, clock=SimulatedClock(NOON), entropy=SystemEntropy())
        if isinstance(scenario, Scenario):
            context.__dict__["scenario"] = scenario
        opened.append(context)
        return context

    yield build
    for context in opened:
        context.close()


def _deposit(context: Context, second: int, keys: dict[str, bytes]) -> None:
    """Every link of the trunk brings what it made in a second, one transaction for all."""
    trunk = [link for link in context.scenario.links if link.kind is LinkKind.FIBRE]
    _bring(context, f"second/{second}", trunk, LINK_BITS, keys)


def _stock_access(context: Context) -> None:
    access = [link for link in context.scenario.links if link.kind is LinkKind.ACCESS]
    _bring(context, "stock", access, ACCESS_BITS, {})


def _bring(
    context: Context, name: str, links: list[Link], bits: int, keys: dict[str, bytes]
) -> None:
    with context.ledger.begin() as tx:
        command = tx.command(name, kind="trunk", at=NOON, digest="")
        blocks = [
            NewBlock(
                block_id=context.entropy.uuid("block"),
                pool=link.pool,
                natural_key=f"{link.pool.pool_id}/{name}",
                length_bits=bits,
                source="device",
                simulated=False,
            )
            for link in links
        ]
        expect_blocks(tx, blocks)
        for block in blocks:
            key = keys.setdefault(block.pool.pool_id, os.urandom(bits // 8))
            deposit_block(tx, command, block, material_a=key, material_b=key)
        command.finish({})


def _refresh(context: Context, tick: int) -> None:
    """Let every pair's mark rise by one key: the key of the last second was drawn."""
    mark = KEY_BITS * tick + PROOF_BITS + KEY_BITS
    demands = tuple(replace(one, high_water_bits=mark) for one in context.scenario.demands)
    context.__dict__["scenario"] = replace(context.scenario, demands=demands)


def _timed(ledger: Ledger) -> list[float]:
    """Seconds that each write transaction from now on holds the ledger's only writer."""
    seconds: list[float] = []
    begin = ledger.begin

    @contextmanager
    def timed() -> Iterator[Transaction]:
        start = time.perf_counter()
        with begin() as tx:
            yield tx
        seconds.append(time.perf_counter() - start)

    setattr(ledger, "begin", timed)  # noqa: B010 - a method, in the eyes of a type checker
    return seconds


def _tell(what: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    median = ordered[len(ordered) // 2]
    print(f"{what}: median {median * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, n = {len(ordered)}")


def test_one_key_over_33_hops(services_of: Callable[[Scenario | str], Context]) -> None:
    context = services_of(_trunk(1, 1))
    _stock_access(context)
    for second in range(2):
        _deposit(context, second, {})
    seconds = []
    for tick in range(WARM + (5 if SMOKE else 200)):
        _refresh(context, tick)
        start = time.perf_counter()
        answer = services.merge_due(context, scheduled_for=NOON + timedelta(seconds=tick))
        seconds.append(time.perf_counter() - start)
        if tick == 0:
            freeze_gc()
        (step,) = answer["steps"]
        assert (step["bits"], len(step["paths"][0]) - 1) == (KEY_BITS, HOPS)
    told = f"\none merge transaction: {KEY_BITS} bits over {HOPS} hops from stock, durable"
    _tell(told, seconds[WARM:])


def test_300_pairs_a_second_over_33_hops(
    services_of: Callable[[Scenario | str], Context],
) -> None:
    context = services_of(_trunk(WEST, EAST))
    keys: dict[str, bytes] = {}
    count = WARM + (3 if SMOKE else 200)
    deposits, merges = [], []
    context.routes  # noqa: B018 - found once, whatever the stock
    _stock_access(context)
    held = _timed(context.ledger)
    for tick in range(count):
        start = time.perf_counter()
        _deposit(context, tick, keys)
        middle = time.perf_counter()
        _refresh(context, tick)
        begun = time.perf_counter()
        answer = services.merge_due(context, scheduled_for=NOON + timedelta(seconds=tick))
        merges.append(time.perf_counter() - begun)
        deposits.append(middle - start)
        if tick == 0:
            freeze_gc()
        assert len(answer["steps"]) == WEST * EAST
        assert all(step["bits"] == KEY_BITS for step in answer["steps"])
    deposits, merges = deposits[WARM:], merges[WARM:]
    _tell(f"\nmesh: {LINKS} deposits of {LINK_BITS} bits, one transaction", deposits)
    pairs = f"mesh: {WEST * EAST} pairs by {KEY_BITS} bits over {HOPS} hops"
    _tell(f"{pairs}, one transaction", held[1::2][WARM:])
    _tell(f"{pairs}, as the job, decided first", merges)
    count, spent = len(merges), sum(deposits) + sum(merges)
    print(f"mesh: {count} s of it took {spent:.1f} s: headroom {count / spent:.2f}x")


def test_the_beijing_shanghai_trunk_is_shared_fairly(
    services_of: Callable[[Scenario | str], Context],
) -> None:
    context = services_of("beijing-shanghai")
    hour, hours = timedelta(hours=1), 2 if SMOKE else 24
    merges = []
    for tick in range(1, hours + 1):
        services.deposit_trunk(context, start=NOON + (tick - 1) * hour, end=NOON + tick * hour)
        start = time.perf_counter()
        services.merge_due(context, scheduled_for=NOON + tick * hour)
        merges.append(time.perf_counter() - start)
    served = dict.fromkeys((one.demand_id for one in context.scenario.demands), 0)
    for done in services.merge_history(context, limit=hours):
        for step in done["steps"]:
            served[step["demand"]] += step["bits"]
    levels = [served[one.demand_id] / one.bits_per_day for one in context.scenario.demands]
    gained = sum(served.values()) / 1e6
    for workers in (1, 2):
        start = time.perf_counter()
        report = verify_ledger(context, workers=workers)
        seconds = time.perf_counter() - start
        assert report.ok
        print(
            f"\nbeijing-shanghai: {hours} h verified, {workers} at work: {report.entries} entries,"
            f" {report.blocks} blocks in {seconds:.2f} s: {report.entries / seconds:.0f} entries/s"
        )
    _tell(f"\nbeijing-shanghai: hourly merges, {gained / hours:.1f} Mbit each", merges)
    print(
        f"beijing-shanghai: {hours} h, {len(levels)} pairs at twice what the trunk can serve:"
        f" Jain's index {jain_index(levels):.4f}, served {min(levels):.3f} to {max(levels):.3f}"
    )
