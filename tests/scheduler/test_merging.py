"""Merging as the services do it: combined keys, who could know them, where they came from."""

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.domain import NewBlock, Pool
from scheduler.entropy import KeyedEntropy
from scheduler.errors import (
    FactError,
    InputError,
    LedgerBroken,
    LedgerMismatch,
    RequestConflict,
    UnknownName,
)
from scheduler.ledger import KeyState, SpentChunk
from scheduler.ledger.keys.blocks import get_entries
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.spending import spend_pool, spend_pools
from scheduler.ledger.keys.stock import get_stock
from scheduler.ledger.reader import get_commands
from scheduler.merge import CompromiseStructure, MergePlan, far_end_key, recombine, xor
from scheduler.paths import jain_index
from scheduler.replay import run_replay
from scheduler.services.context import Context
from scheduler.services.merges import due, execute
from scheduler.services.merges.answers import merge_views
from scheduler.services.merges.demand_served import DemandServed
from scheduler.services.merges.due import decide_merges
from scheduler.settings import Settings

SettingsOf = Callable[..., Settings]
START = datetime(2016, 12, 19, tzinfo=UTC)
PAIRS = ("nanshan--shanghai", "beijing--nanshan")


@pytest.fixture(scope="module")
def fibre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    """Two days of the campaign with fibre to Nanshan, replayed once for the tests that look."""
    file = tmp_path_factory.mktemp("fibre") / "ledger.db"
    settings = Settings(database_url=f"sqlite:///{file}", scenario="micius-2016-fibre")
    run_replay(settings, start=START, end=START + timedelta(days=2), seed=1)
    with Context(settings) as context:
        yield context


@pytest.mark.parametrize("pair", PAIRS)
def test_neither_micius_nor_any_one_relay_knows_a_combined_key(fibre: Context, pair: str) -> None:
    blocks = services.pair_blocks(fibre, pair)
    assert blocks

    relays = {node.node_id for node in fibre.scenario.nodes}
    for block, who in blocks:
        trace = services.trace_key(fibre, str(block.block_id))
        assert block.source == "combined"
        assert (trace.threshold, len(trace.paths)) == (2, 2)
        assert trace.single_points == ()
        assert "no node alone" in who.words
        assert (who.paths, who.threshold, who.single_points) == (2, 2, ())
        assert all(len(nodes) == 2 for nodes in trace.minimal_sets)
        structure = CompromiseStructure(
            threshold=trace.threshold,
            relay_sets=tuple(frozenset(path.nodes[1:-1]) for path in trace.paths),
        )
        assert not any(structure.is_known_to({node}) for node in relays - set(pair.split("--")))
        count = (len(path.nodes) - 2 for path in trace.paths)
        assert len(trace.minimal_sets) == next(count) * next(count)


def test_micius_is_on_one_path_of_some_combined_key_and_on_both_of_none(tmp_path: Path) -> None:
    # The first two nights give Nanshan too little for that.
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    settings = Settings(database_url=url, scenario="micius-2016-fibre")
    run_replay(settings, start=START, end=START + timedelta(days=6), seed=1)
    with Context(settings) as context:
        traces = [
            services.trace_key(context, str(block.block_id))
            for pair in PAIRS
            for block, _ in services.pair_blocks(context, pair)
        ]
    passing = [sum("micius" in path.nodes for path in trace.paths) for trace in traces]

    assert max(passing) == 1
    assert passing.count(1) >= 2


def test_a_trace_shows_where_each_bit_came_from(fibre: Context) -> None:
    for block, _ in services.pair_blocks(fibre, "beijing--nanshan"):
        trace = services.trace_key(fibre, str(block.block_id))
        behind = {source.block_id: source for source in trace.sources}
        for path in trace.paths:
            assert [hop.pool_id for hop in path.hops] == [
                Pool.link(one, other).pool_id
                for one, other in zip(path.nodes, path.nodes[1:], strict=False)
            ]
            assert [said.relay for said in path.announcements] == list(path.nodes[1:-1])
            for hop in path.hops:
                # 256 bits of the run went into the proof that both ends are equal.
                bits = sum(chunk.length_bits for chunk in hop.chunks)
                assert bits == block.length_bits + 256
                for chunk in hop.chunks:
                    source = behind[chunk.block_id]
                    assert source.pool_id == hop.pool_id
                    assert chunk.end_bit <= source.length_bits
                    kind = "session/" if "micius" in hop.pool_id else "span/"
                    assert source.natural_key.startswith(kind)
                    assert source.made_at <= block.made_at
        # Failure probabilities add up; those of tags and proofs, 1e-28, are lost in rounding.
        assert all(source.eps_total > 0.0 for source in trace.sources)
        behind_it = sum(source.eps_total for source in trace.sources)
        assert block.eps_total == pytest.approx(behind_it, rel=1e-12)
        assert block.eps_total < 1e-6


def test_no_two_keys_came_from_the_same_bit(fibre: Context) -> None:
    used: dict[UUID, list[tuple[int, int]]] = {}
    for pair in (*PAIRS, "beijing--delingha"):
        for block, _ in services.pair_blocks(fibre, pair):
            for path in services.trace_key(fibre, str(block.block_id)).paths:
                for chunk in (chunk for hop in path.hops for chunk in hop.chunks):
                    used.setdefault(chunk.block_id, []).append((chunk.start_bit, chunk.end_bit))

    for ranges in used.values():
        ordered = sorted(ranges)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ordered))


def test_a_source_block_traces_to_itself(fibre: Context) -> None:
    (block, _) = services.pair_blocks(fibre, "beijing--nanshan")[0]
    source = services.trace_key(fibre, str(block.block_id)).sources[0]

    trace = services.trace_key(fibre, str(source.block_id))

    assert trace.paths == ()
    assert trace.sources == ()
    assert "two ends" in trace.known_to


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("nonsense", InputError, "allowed: a UUID"),
        ("00000000-0000-4000-8000-000000000000", UnknownName, "no block and no key"),
    ],
)
def test_what_nobody_knows_is_not_traced(
    fibre: Context, name: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        services.trace_key(fibre, name)


@pytest.mark.parametrize("pair", ["nanshan", "nanshan--nanshan", "nanshan--nowhere"])
def test_no_pair_is_refused(fibre: Context, pair: str) -> None:
    with pytest.raises((InputError, UnknownName), match=r"nanshan|nowhere"):
        services.pair_blocks(fibre, pair)


def test_without_fibre_the_request_is_refused_naming_what_every_path_shares(
    settings_of: SettingsOf, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from importlib.resources import files

    text = files("scheduler").joinpath("scenarios", "micius-2016.toml").read_text("utf-8")
    asked = (
        'from = "nanshan"\nto = "shanghai"\n',
        'from = "nanshan"\nto = "beijing"\n',
    )
    for demand in asked:
        assert demand in text
        text = text.replace(demand, demand + "min_disjoint_paths = 2\n")
    file = tmp_path_factory.mktemp("scenario") / "asked.toml"
    file.write_text(text, encoding="utf-8")
    settings = settings_of(scenario=str(file))
    run_replay(settings, start=START, end=START + timedelta(days=1), seed=1)

    with Context(settings) as context:
        plan = services.plan_merges(context, at=START + timedelta(days=1))
        reasons = {
            one.demand.demand_id: one.reason for one in plan.demands
            if one.demand.min_disjoint_paths == 2
        }  # fmt: skip
        assert services.pair_blocks(context, "nanshan--shanghai") == []

    assert len(reasons) == 2
    for reason in reasons.values():
        assert reason.startswith("refused: ")
        assert "micius" in reason
        assert "xinglong" in reason


def _kept(
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[dict[str, list[SpentChunk]], dict[UUID, tuple[bytes, bytes]]]:
    """Keep what a tick spends and deposits: bytes that otherwise never leave it."""
    spent: dict[str, list[SpentChunk]] = {}
    gained: dict[UUID, tuple[bytes, bytes]] = {}

    def keep_spent(tx, handle, needs, **more):  # type: ignore[no-untyped-def]
        taken = spend_pools(tx, handle, needs, **more)
        spent.update(taken)
        return taken

    def keep_gained(tx, handle, block, **more):  # type: ignore[no-untyped-def]
        gained[block.block_id] = (more["material_a"], more["material_b"])
        return deposit_block(tx, handle, block, **more)

    monkeypatch.setattr(execute, "spend_pools", keep_spent)
    monkeypatch.setattr(execute, "deposit_block", keep_gained)
    return spent, gained


def test_a_combined_key_cannot_be_rebuilt_from_one_path_alone(
    settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(scenario="micius-2016-fibre")
    clock = SimulatedClock(START)
    with Context(settings, clock=clock, entropy=KeyedEntropy(7)) as context:
        _fill(context, 20_000)
        spent, gained = _kept(monkeypatch)
        answer = services.merge_due(context, scheduled_for=START)
        step = next(one for one in answer["steps"] if one["demand"] == "nanshan--shanghai")
        trace = services.trace_key(context, step["block"])
    near, far = gained[UUID(step["block"])]
    path_keys = []
    for path in trace.paths:
        runs = [_bytes(hop.chunks, spent[hop.pool_id]) for hop in path.hops]
        said = [xor(left, right) for left, right in itertools.pairwise(runs)]
        for own, public in zip(said, path.announcements, strict=True):
            # A relay speaks once about two links; the ledger has the digest of all that it said.
            left, right = (
                _bytes(side, spent[side[0].pool_id]) for side in (public.left, public.right)
            )
            assert hashlib.sha256(xor(left, right)).hexdigest() == public.sha256
            assert own in xor(left, right)
        path_keys.append(far_end_key(runs[-1], said))
        assert path_keys[-1] == runs[0]
    assert near == far
    together = xor(*path_keys)
    # Both paths give the key, behind the 256 bits that its proof of equality took.
    assert together[32:] == near
    for index, (alone, other) in enumerate((path_keys, path_keys[::-1])):
        # With the other path's key removed nothing can be put together,
        with pytest.raises(FactError, match="allowed"):
            recombine({index: alone}, (), threshold=2, count=2)
        # for what is missing is that whole key, uniform and unrelated to this one.
        assert xor(alone[32:], near) == other[32:]
        assert _agreement(alone[32:], near) == pytest.approx(0.5, abs=0.05)
        assert _agreement(alone[32:], other[32:]) == pytest.approx(0.5, abs=0.05)


def _agreement(one: bytes, other: bytes) -> float:
    """The part of equal bits: half for unrelated strings, give or take 4 sigma of 9,000 bits."""
    differing = sum(byte.bit_count() for byte in xor(one, other))
    return 1.0 - differing / (8 * len(one))


def _bytes(chunks, spent: list[SpentChunk]) -> bytes:  # type: ignore[no-untyped-def]
    """Cut a key's ranges out of what its tick spent on one link."""
    found = bytearray()
    for chunk in chunks:
        whole = next(
            one for one in spent
            if one.chunk.block_id == chunk.block_id and one.chunk.start_bit <= chunk.start_bit
            and chunk.end_bit <= one.chunk.end_bit
        )  # fmt: skip
        first = (chunk.start_bit - whole.chunk.start_bit) // 8
        found += whole.material_a[first : first + chunk.length_bits // 8]
    return bytes(found)


def _fill(context: Context, bits: int) -> None:
    """Give every link of the scenario some key."""
    with context.ledger.begin() as tx:
        command = tx.command("fill", kind="trunk", at=context.clock.now(), digest="")
        for link in context.scenario.links:
            name = f"test/{link.pool.pool_id}"
            key = context.entropy.key_bytes("key", name, length=bits // 8)
            block = NewBlock(
                block_id=context.entropy.uuid("block", name), pool=link.pool, natural_key=name,
                length_bits=bits, source="simulator", simulated=True, eps_total=1e-10,
            )  # fmt: skip
            deposit_block(tx, command, block, material_a=key, material_b=key)
        command.finish({})


def test_a_plan_writes_nothing_and_is_what_the_tick_then_does(settings_of: SettingsOf) -> None:
    with Context(
        settings_of(scenario="micius-2016-fibre"), clock=SimulatedClock(START),
        entropy=KeyedEntropy(7),
    ) as context:  # fmt: skip
        _fill(context, 20_000)
        before = list(services.export_ledger(context))
        plan = services.plan_merges(context, at=START)
        assert list(services.export_ledger(context)) == before

        answer = services.merge_due(context, scheduled_for=START)

    assert {one.demand.demand_id: one.reason for one in plan.demands} == answer["reasons"]
    assert [merge.demand_id for merge in plan.merges] == [
        step["demand"] for step in answer["steps"]
    ]
    assert plan.bits == sum(step["bits"] + 256 for step in answer["steps"])
    assert plan.jain_index == pytest.approx(jain_index(one.level for one in plan.demands))


def test_a_retry_under_the_same_name_adds_nothing(settings_of: SettingsOf) -> None:
    with Context(
        settings_of(scenario="micius-2016-fibre"), clock=SimulatedClock(START),
        entropy=KeyedEntropy(7),
    ) as context:  # fmt: skip
        _fill(context, 20_000)
        first = services.merge_due(context, scheduled_for=START, request="mine")
        after = list(services.export_ledger(context))

        again = services.merge_due(
            context, scheduled_for=START + timedelta(hours=1), request="mine"
        )

        assert again == first
        assert first["steps"]
        assert list(services.export_ledger(context)) == after
        assert services.verify_ledger(context).ok
        # A name that another kind of command took is refused.
        with context.ledger.begin() as tx:
            tx.command("merge/theirs", kind="trunk", at=START, digest="").finish({})
        with pytest.raises(RequestConflict):
            services.merge_due(context, scheduled_for=START, request="theirs")


def test_a_tick_is_decided_again_if_somebody_wrote_meanwhile(
    settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Key that went after the decision is not spent, and a tick in between is not repeated."""
    decided = []
    with Context(
        settings_of(scenario="micius-2016-fibre"), clock=SimulatedClock(START),
        entropy=KeyedEntropy(7),
    ) as context:  # fmt: skip
        _fill(context, 20_000)

        def interrupted(*args: Any, **more: Any) -> MergePlan:
            decided.append(plan := decide_merges(*args, **more))
            if len(decided) == 1:
                (link, _), *_ = plan.needs.items()
                with context.ledger.begin() as tx:
                    handle = tx.command("elsewhere", kind="test", at=START, digest="")
                    spend_pool(tx, handle, link, get_stock(tx)[link])
                    handle.finish({})
            return plan

        monkeypatch.setattr(due, "decide_merges", interrupted)
        answer = services.merge_due(context, scheduled_for=START)

        assert len(decided) == 2
        assert len(answer["steps"]) == len(decided[1].every_step) < len(decided[0].every_step)
        assert services.merge_due(context, scheduled_for=START) == answer
        assert len(decided) == 2
        assert services.verify_ledger(context).ok


def test_what_a_tick_told_is_told_again_from_the_ledger(fibre: Context) -> None:
    """Names of nodes are not kept in answers, but for those of the first releases."""
    with fibre.ledger.view.read() as reader:
        (kept, *_) = [
            one.answer for one in get_commands(reader, kind="merge") if one.answer["steps"]
        ]
        (answer,) = merge_views(reader, [kept])
        assert not any("paths" in step for step in kept["steps"])
        assert merge_views(reader, [answer]) == [answer]
        for step in answer["steps"]:
            traced = services.trace_key(fibre, step["block"])
            assert step["paths"] == [list(path.nodes) for path in traced.paths]
        with pytest.raises(LedgerBroken, match="a merge says that it made it"):
            merge_views(reader, [{"steps": [{"block": str(UUID(int=1))}]}])


def test_history_gives_the_newest_ticks_within_its_bounds(fibre: Context) -> None:
    every = services.merge_history(fibre)
    assert len(every) == 8
    assert [tick["at"] for tick in every] == sorted(tick["at"] for tick in every)
    assert services.merge_history(fibre, limit=2) == every[-2:]
    noon = START + timedelta(hours=12)
    assert services.merge_history(fibre, start=noon, end=noon + timedelta(hours=12)) == every[1:3]
    with pytest.raises(InputError, match="allowed: 1 to"):
        services.merge_history(fibre, limit=0)


def test_the_flow_adds_up_to_what_the_ledger_spent_and_gained(fibre: Context) -> None:
    flow = services.key_flow(fibre, start=START, end=START + timedelta(days=3))
    balances = services.pool_balances(fibre)

    for pair in (*PAIRS, "beijing--delingha"):
        one, other = sorted(pair.split("--"))
        gained = flow.pairs.get((one, other), 0) + flow.combined.get((one, other), 0)
        assert gained == balances[f"pair:{one}--{other}"]["pool"]
    with fibre.view.read() as reader:  # what sessions paid for their own tags is no merge's
        paid = Counter[str]()
        for entry in get_entries(reader):
            if entry.enters is KeyState.AUTHENTICATED:
                paid[entry.pool_id] += entry.amount_bits
    assert paid
    assert flow.links == {
        tuple(pool.removeprefix("link:").split("--")): accounts["spent"] - paid[pool]
        for pool, accounts in balances.items()
        if accounts["spent"] > paid[pool]
    }
    assert services.key_flow(fibre, start=START - timedelta(days=1), end=START).links == {}


def test_twice_the_demand_is_shared_fairly_on_the_beijing_shanghai_trunk(
    settings_of: SettingsOf,
) -> None:
    with Context(
        settings_of(scenario="beijing-shanghai"), clock=SimulatedClock(START),
        entropy=KeyedEntropy(1),
    ) as context:  # fmt: skip
        hour = timedelta(hours=1)
        for tick in range(1, 4):
            services.deposit_trunk(
                context, start=START + (tick - 1) * hour, end=START + tick * hour
            )
            services.merge_due(context, scheduled_for=START + tick * hour)
        served: dict[str, int] = {one.demand_id: 0 for one in context.scenario.demands}
        for tick_done in services.merge_history(context):
            for step in tick_done["steps"]:
                served[step["demand"]] += step["bits"]
        levels = [served[one.demand_id] / one.bits_per_day for one in context.scenario.demands]
        assert services.verify_ledger(context).ok

    assert min(levels) > 0.0
    assert jain_index(levels) >= 0.9
    # Three hours of twenty-four, of a day at twice what the trunk can serve.
    assert max(levels) < 3 / 24


def test_a_ledger_of_another_scenario_is_merged_by_nobody(settings_of: SettingsOf) -> None:
    with Context(settings_of(scenario="micius-2016-fibre"), clock=SimulatedClock(START)) as bound:
        services.bind_run(bound, {"scenario": "micius-2016-fibre"})
    with Context(settings_of(scenario="micius-2016"), clock=SimulatedClock(START)) as context:
        for work in (
            lambda: services.merge_due(context, scheduled_for=START),
            lambda: services.plan_merges(context, at=START),
            lambda: services.deposit_trunk(context, start=START, end=START + timedelta(hours=1)),
        ):
            with pytest.raises(LedgerMismatch, match="give --scenario micius-2016-fibre"):
                work()
        assert services.pool_balances(context) == {}


def test_merges_that_lie_ahead_are_not_counted_as_served(fibre: Context) -> None:
    last = services.merge_history(fibre, limit=1)[-1]
    with fibre.ledger.view.read() as reader:
        book = DemandServed()
        late = book.lately(reader, last["at"])
        early = book.lately(reader, START)
        again = book.lately(reader, last["at"])

    assert early == {}
    assert late == again
