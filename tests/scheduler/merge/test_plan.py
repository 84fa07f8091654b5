"""What a merge plan gives: fair, within the stock, in whole grains, with reasons."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain import KEY_GRAIN_BITS, CombinedStep, Demand, Pool, Provenance
from scheduler.merge import (
    TAG_KEY_BITS,
    CompromiseStructure,
    MergePlan,
    announcements,
    far_end_key,
    plan_merges,
    recombine,
    xor,
)
from scheduler.network import Scenario
from tests.scheduler.paths.networks import network, want

NOW = datetime(2017, 1, 1, tzinfo=UTC)


def plan(
    scenario: Scenario,
    demands: list[Demand],
    stock: dict[str, int],
    served: dict[str, int] | None = None,
) -> MergePlan:
    return plan_merges(
        scenario=scenario, demands=demands, stock=stock, served=served or {}, now=NOW
    )


def spent(decided: MergePlan) -> Counter[str]:
    spending: Counter[str] = Counter()
    combined = [leg for step in decided.combined for leg in step.legs]
    for leg in (*decided.steps, *combined):
        for pool_id in leg.links:
            spending[pool_id] += leg.bits
    return spending


CHAIN = network(("a", "b"), ("b", "c"), ("c", "d"))


def test_one_demand_takes_what_the_scarcest_hop_holds() -> None:
    stock = {"link:a--b": 5000, "link:b--c": 1000, "link:c--d": 5000}

    decided = plan(CHAIN, [want("a", "d")], stock)

    (step,) = decided.steps
    assert step.path == ("a", "b", "c", "d")
    assert step.links == ("link:a--b", "link:b--c", "link:c--d")
    assert step.bits == 768
    assert "link:b--c" in decided.reasons["a--d"]


def test_an_empty_hop_serves_nobody_and_is_named() -> None:
    decided = plan(CHAIN, [want("a", "d")], {"link:a--b": 5000, "link:b--c": 255})

    assert decided.steps == ()
    assert decided.reasons["a--d"].startswith("not served: no key to spare on link:b--c")


def test_a_demand_gets_no_more_than_its_day_and_its_high_water_mark() -> None:
    stock = dict.fromkeys(("link:a--b", "link:b--c", "link:c--d"), 10**6)

    (step,) = plan(CHAIN, [want("a", "d")], stock, {"a--d": 2048}).steps
    assert step.bits == 512
    assert plan(CHAIN, [want("a", "d")], stock, {"a--d": 2560}).steps == ()

    full = want("a", "d", high_water_bits=1000)
    (step,) = plan(CHAIN, [full], stock | {"pair:a--d": 400}).steps
    assert step.bits == 512
    decided = plan(CHAIN, [full], stock | {"pair:a--d": 900})
    assert "high-water mark of 1000 bits" in decided.reasons["a--d"]


def test_nobody_relays_through_a_user_or_a_node_to_avoid() -> None:
    users = network(("a", "u"), ("u", "b"), users=("u",))
    stock = {"link:a--u": 9999, "link:b--u": 9999}

    assert "no path" in plan(users, [want("a", "b")], stock).reasons["a--b"]

    avoiding = want("a", "d", avoid_nodes=frozenset({"c"}))
    assert "no path" in plan(CHAIN, [avoiding], dict.fromkeys(stock, 9999)).reasons["a--d"]


BITS = st.integers(0, 6000)


@given(
    stock=st.tuples(BITS, BITS, BITS),
    served=st.tuples(BITS, BITS, BITS),
    weights=st.tuples(*[st.floats(0.1, 10.0)] * 3),
)
def test_a_plan_keeps_within_stock_and_demand_in_whole_grains(
    stock: tuple[int, ...], served: tuple[int, ...], weights: tuple[float, ...]
) -> None:
    pools = ("link:a--b", "link:b--c", "link:c--d")
    pairs = (("a", "d"), ("a", "c"), ("b", "d"))
    demands = [want(*pair, weight=w) for pair, w in zip(pairs, weights, strict=True)]
    before = dict(zip(pools, stock, strict=True))
    had = {d.demand_id: bits for d, bits in zip(demands, served, strict=True)}

    decided = plan(CHAIN, demands, before, had)

    for pool_id, bits in spent(decided).items():
        assert bits <= before[pool_id]
    for step in decided.steps:
        assert step.bits % KEY_GRAIN_BITS == 0
        assert step.bits + had[step.demand_id] <= 2560
    assert set(decided.reasons) == {d.demand_id for d in demands}
    assert plan(CHAIN, list(reversed(demands)), before, had) == decided


def test_a_shared_hop_is_split_by_weight() -> None:
    stock = {"link:a--b": 10**6, "link:b--c": 256 * 30, "link:c--d": 10**6}
    demands = [
        want("a", "d", 10**6, weight=2.0),
        want("b", "d", 10**6),
    ]

    decided = plan(CHAIN, demands, stock)

    assert {step.demand_id: step.bits for step in decided.steps} == {
        "a--d": 256 * 20,
        "b--d": 256 * 10,
    }


RING = network(("a", "b"), ("b", "d"), ("a", "c"), ("c", "d"))
FULL = dict.fromkeys(("link:a--b", "link:b--d", "link:a--c", "link:c--d"), 5120)


def test_a_combined_key_spends_every_path_alike() -> None:
    decided = plan(RING, [want("a", "d", min_disjoint_paths=2)], FULL | {"link:c--d": 1100})

    (step,) = decided.combined
    assert decided.steps == ()
    assert [leg.path for leg in step.legs] == [("a", "b", "d"), ("a", "c", "d")]
    assert (step.bits, step.threshold) == (1024, 2)
    assert set(spent(decided).values()) == {1024}
    assert "combined of 2 disjoint paths of 2 and 2 hops" in decided.reasons["a--d"]
    structure = CompromiseStructure.of(Provenance.of(step))
    assert structure.minimal_sets() == (frozenset({"b", "c"}),)


def test_a_combined_key_is_refused_where_the_paths_meet() -> None:
    decided = plan(CHAIN, [want("a", "d", min_disjoint_paths=2)], {"link:a--b": 9999})

    assert decided.combined == decided.steps == ()
    assert decided.reasons["a--d"] == (
        "refused: 2 node-disjoint paths from a to d are wanted, but every path shares b, c"
    )


def test_no_combined_key_is_made_while_one_path_is_empty() -> None:
    decided = plan(RING, [want("a", "d", min_disjoint_paths=2)], FULL | {"link:c--d": 0})

    assert decided.combined == ()
    assert decided.reasons["a--d"] == "not served: no key to spare on link:c--d"


def path_keys(step: CombinedStep, keys: dict[str, bytes]) -> list[tuple[bytes, list[bytes]]]:
    """The key of each path, as its far end rebuilds it, and what its relays announced."""
    rebuilt = []
    for leg in step.legs:
        hops = [keys[pool_id] for pool_id in leg.links]
        announced = announcements(hops)
        rebuilt.append((far_end_key(hops[-1], announced), announced))
    return rebuilt


@given(keys=st.lists(st.binary(min_size=32, max_size=32), min_size=4, max_size=4), other=st.data())
def test_one_path_removed_leaves_every_key_possible(
    keys: list[bytes], other: st.DataObject
) -> None:
    """Nobody rebuilds the key from one path: for any guess the other path may fit it.

    The adversary holds all of one path and both paths' announcements. Shifting every hop key
    of the path not held by one offset changes none of these and shifts the key by it.
    """
    (step,) = plan(RING, [want("a", "d", 256, min_disjoint_paths=2)], FULL).combined
    held = dict(zip(FULL, keys, strict=True))
    offset = other.draw(st.binary(min_size=32, max_size=32))
    missing = step.legs[1]
    shifted = held | {pool_id: xor(held[pool_id], offset) for pool_id in missing.links}

    before, after = path_keys(step, held), path_keys(step, shifted)

    assert after[0] == before[0]
    assert after[1][1] == before[1][1]
    one, two = (
        recombine(dict(enumerate(key for key, _ in paths)), [], threshold=2, count=2)
        for paths in (before, after)
    )
    assert xor(one, two) == offset


PARALLEL = network(("a", "b"), ("b", "c"), parallel=2)


def test_parallel_links_add_up_and_each_step_takes_one_pool_a_hop() -> None:
    stock = {"link:a--b": 1024, "link:a--b#2": 512, "link:b--c": 256, "link:b--c#2": 1280}

    decided = plan(PARALLEL, [want("a", "c")], stock)

    assert decided.bits == 1536
    assert spent(decided) == stock
    assert len(decided.steps) == 3
    (one,) = plan(PARALLEL, [want("a", "c", 512)], stock).steps
    assert one.links == ("link:a--b", "link:b--c#2")


@given(
    stock=st.lists(st.integers(0, 9000), min_size=4, max_size=4),
    bits=st.lists(st.integers(256, 9000), min_size=3, max_size=3),
)
def test_no_parallel_pool_is_overdrawn(stock: list[int], bits: list[int]) -> None:
    pools = ("link:a--b", "link:a--b#2", "link:b--c", "link:b--c#2")
    before = dict(zip(pools, stock, strict=True))
    pairs = (("a", "c"), ("a", "b"), ("b", "c"))
    demands = [want(*pair, b) for pair, b in zip(pairs, bits, strict=True)]

    decided = plan(PARALLEL, demands, before)

    assert all(amount <= before[pool_id] for pool_id, amount in spent(decided).items())


def test_the_reserve_and_the_tag_key_of_a_link_are_left_alone() -> None:
    scenario = network(("a", "b"), ("b", "c"), reserve_bits=1000)
    stock = {"link:a--b": 5000, "link:b--c": 5000}

    bare = plan_merges(
        scenario=scenario, demands=[want("a", "c", 9999)], stock=stock, served={}, now=NOW
    )
    tagged = plan_merges(
        scenario=scenario,
        demands=[want("a", "c", 9999)],
        stock=stock,
        served={},
        now=NOW,
        tagged=True,
    )

    assert bare.bits == 4000 // 256 * 256
    assert bare.tags == ()
    # One key for each direction in which announcements may travel.
    assert tagged.bits == (4000 - 2 * TAG_KEY_BITS) // 256 * 256
    assert tagged.tags == (("link:b--c", "b"),)


def test_a_plan_says_how_fair_it_is() -> None:
    stock = {"link:a--b": 10**6, "link:b--c": 2560, "link:c--d": 10**6}

    decided = plan(CHAIN, [want("a", "d"), want("b", "d")], stock)

    assert decided.levels == {"a--d": 0.5, "b--d": 0.5}
    assert decided.fairness == 1.0


def test_a_step_too_small_for_its_proof_is_not_made() -> None:
    stock = dict.fromkeys(("link:a--b", "link:b--c", "link:c--d"), 256)

    def proved(bits: int) -> MergePlan:
        return plan_merges(
            scenario=CHAIN,
            demands=[want("a", "d")],
            stock=dict.fromkeys(stock, bits),
            served={},
            now=NOW,
            proved=True,
        )

    assert proved(511).steps == ()
    assert "too little for a proof of equality" in proved(511).reasons["a--d"]
    assert proved(511).levels == {"a--d": 0.0}
    assert proved(512).bits == 512


def test_a_shortfall_is_not_cut_into_steps_too_small_to_be_made() -> None:
    # Eight grains for eight demands: one each would leave nobody anything to prove and keep.
    users = [f"u{number}" for number in range(8)]
    scenario = network(("a", "b"), *((user, "a") for user in users))
    stock = {link.pool.pool_id: 10**5 for link in scenario.links} | {"link:a--b": 8 * 256}
    demands = [want(user, "b") for user in users]

    def decided(served: dict[str, int]) -> MergePlan:
        return plan_merges(
            scenario=scenario, demands=demands, stock=stock, served=served, now=NOW, proved=True
        )

    first = decided({})
    served = {step.demand_id: step.bits for step in first.steps}
    assert sorted(served.values()) == [512] * 4
    again = {step.demand_id for step in decided(served).steps}
    assert again == {one.demand_id for one in demands} - served.keys()
    assert all("no key to spare on link:a--b" in first.reasons[name] for name in again)


def test_a_link_that_is_crossed_both_ways_keeps_a_tag_key_for_each() -> None:
    links = (("a", "b"), ("b", "c"), ("c", "d"), ("b", "e"), ("c", "f"))
    stock = dict.fromkeys((Pool.link(*ends).pool_id for ends in links), 5000)
    demands = [want("a", "d", high_water_bits=512), want("f", "e", high_water_bits=512)]
    backwards = replace(demands[1], node_a="f", node_b="e")

    decided = plan_merges(
        scenario=network(*links), demands=[demands[0], backwards], stock=stock, served={},
        now=NOW, tagged=True,
    )  # fmt: skip

    over = {node for pool_id, node in decided.tags if pool_id == "link:b--c"}
    ways = {step.path for step in decided.steps}
    assert len(over) == len({path[path.index("b") < path.index("c")] for path in ways})
    for pool_id, bits in decided.needs.items():
        steps = sum(step.bits for step in decided.steps if pool_id in step.links)
        assert bits == steps + TAG_KEY_BITS * sum(link == pool_id for link, _ in decided.tags)


def test_a_spare_path_is_taken_where_there_is_one() -> None:
    (step,) = plan(RING, [want("a", "d", spare_paths=1)], FULL).combined

    assert (len(step.legs), step.threshold) == (2, 1)
    assert CompromiseStructure.of(Provenance.of(step)).single_points() == {"b", "c"}


def test_two_demands_of_one_pair_share_its_high_water_mark() -> None:
    stock = dict.fromkeys(("link:a--b", "link:b--c", "link:c--d"), 10**5)
    one = want("a", "d", high_water_bits=3000)
    demands = [one, replace(one, demand_id="other")]

    decided = plan(CHAIN, demands, stock)

    assert decided.bits == 2816
    assert "high-water mark of 3000 bits" in decided.reasons["other"]


RELAYS = ("c", "d", "e", "f", "g", "h")


@pytest.mark.parametrize("paths", [1, 2])
def test_no_relay_is_hidden(paths: int) -> None:
    """Key lies on the last two of six relays alone: they serve, though others are listed first."""
    scenario = network(*(link for relay in RELAYS for link in (("a", relay), (relay, "z"))))
    demand = want("a", "z", 2560, min_disjoint_paths=paths)
    stock = {f"link:{end}": 2560 for relay in "gh" for end in (f"a--{relay}", f"{relay}--z")}

    decided = plan_merges(scenario=scenario, demands=[demand], stock=stock, served={}, now=NOW)

    assert sum(step.bits for step in decided.every_step) == 2560


def test_the_best_of_many_routes_is_the_networks_own_limit() -> None:
    """Each relay has a sixth of the demand: all six are used, whatever is listed first."""
    scenario = network(*(link for relay in RELAYS for link in (("a", relay), (relay, "z"))))
    stock = {link.pool.pool_id: 512 for link in scenario.links}

    decided = plan_merges(
        scenario=scenario, demands=[want("a", "z", 6 * 512)], stock=stock, served={}, now=NOW
    )

    assert {step.path[1] for step in decided.steps} == set(RELAYS)
    assert decided.bits == 6 * 512
