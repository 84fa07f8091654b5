"""Demands with a limit of age get young key and no other; the rest keep the old for themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.domain import Demand
from scheduler.errors import FactError, PlanError
from scheduler.merge import TAG_KEY_BITS, MergePlan, legs_of, plan_merges
from scheduler.network import Scenario
from tests.scheduler.paths.networks import network, want

NOW = datetime(2017, 1, 1, tzinfo=UTC)
CHAIN = network(("a", "b"), ("b", "c"), ("c", "d"))
LINKS = ("link:a--b", "link:b--c", "link:c--d")

Blocks = Mapping[str, Sequence[tuple[float, int]]]
"""Of each pool its blocks: (age in seconds, bits)."""


def plan(scenario: Scenario, demands: Sequence[Demand], blocks: Blocks, **more: bool) -> MergePlan:
    """Plan with what the ledger would say of these blocks."""
    limits = {one.max_age_s for one in demands if one.max_age_s is not None}
    return plan_merges(
        scenario=scenario,
        demands=demands,
        stock=_younger(blocks, inf),
        young={limit: _younger(blocks, limit) for limit in limits},
        served={},
        now=NOW,
        **more,
    )


def _younger(blocks: Blocks, limit: float) -> dict[str, int]:
    return {link: sum(bits for age, bits in held if age < limit) for link, held in blocks.items()}


def spend(decided: MergePlan, blocks: Blocks) -> dict[str, list[tuple[float, int]]]:
    """Take what a plan says, step by step, as the ledger does; return what is left.

    With a limit the youngest first and nothing too old, without one the oldest first.
    """
    left = {link: sorted(held) for link, held in blocks.items()}
    for step in decided.every_step:
        limit = decided.limit_of(step.demand_id)
        for link in (link for leg in legs_of(step) for link in leg.links):
            left[link] = _taken(left[link], step.bits, limit)
    for link, _ in decided.tags:
        left[link] = _taken(left[link], TAG_KEY_BITS, inf)
    return left


def _taken(held: Sequence[tuple[float, int]], bits: int, limit: float) -> list[tuple[float, int]]:
    kept = []
    for age, there in held if limit < inf else reversed(held):
        used = min(bits, there) if age < limit else 0
        bits -= used
        kept.append((age, there - used))
    assert bits == 0, "the plan takes more key of that age than there is"
    return sorted(kept)


def merged(decided: MergePlan) -> dict[str, int]:
    found: dict[str, int] = {}
    for step in decided.every_step:
        found[step.demand_id] = found.get(step.demand_id, 0) + step.bits
    return found


def test_a_limited_demand_gets_what_is_young_enough_and_the_reason_says_so() -> None:
    blocks = {link: [(7200.0, 5120)] for link in LINKS}
    blocks["link:b--c"] = [(7200.0, 5120), (60.0, 768)]
    blocks["link:a--b"] = blocks["link:c--d"] = [(60.0, 5120)]

    limited = plan(CHAIN, [want("a", "d", max_age_s=3600.0)], blocks)
    free = plan(CHAIN, [want("a", "d")], blocks)

    assert merged(limited) == {"a--d": 768}
    assert limited.reasons["a--d"].endswith("no key to spare on link:b--c younger than 3600 s")
    assert merged(free) == {"a--d": 2560}


def test_where_nothing_is_young_enough_nothing_is_merged() -> None:
    blocks = {link: [(3600.0, 5120)] for link in LINKS}  # exactly as old is too old

    decided = plan(CHAIN, [want("a", "d", max_age_s=3600.0)], blocks)

    assert decided.every_step == ()
    assert decided.reasons["a--d"] == (
        "not served: no key to spare on link:a--b younger than 3600 s"
    )


def test_a_link_has_no_young_key_where_it_has_none_and_none_to_spare_where_others_took_it() -> None:
    blocks: dict[str, list[tuple[float, int]]] = {link: [(1.0, 5120)] for link in LINKS[:2]}

    decided = plan(CHAIN, [want("a", "d", max_age_s=3600.0)], blocks)

    assert decided.reasons["a--d"] == (
        "not served: no key to spare on link:c--d younger than 3600 s"
    )
    # Here a demand that goes first takes old and young alike; what is left is the reserve.
    kept = network(("a", "b"), reserve_bits=1024)
    first, then = want("a", "b", 2048, priority=1), want("b", "a", 2048, max_age_s=3600.0)
    shared = plan(kept, [first, then], {"link:a--b": [(1.0, 2048), (7200.0, 1024)]})
    assert merged(shared) == {"a--b": 2048}
    assert shared.reasons["b--a"] == "not served: no key to spare on link:a--b"


def test_old_key_goes_to_whom_its_age_does_not_matter() -> None:
    demands = [want("a", "b", max_age_s=3600.0), want("b", "a2")]
    scenario = network(("a", "b"), ("a", "a2"))
    blocks = {"link:a--b": [(7200.0, 2560), (60.0, 2560)], "link:a--a2": [(60.0, 2560)]}

    decided = plan(scenario, demands, blocks)

    assert merged(decided) == {"a--b": 2560, "b--a2": 2560}
    assert spend(decided, blocks) == {
        "link:a--b": [(60.0, 0), (7200.0, 0)], "link:a--a2": [(60.0, 0)],
    }  # fmt: skip


def test_the_shortest_limit_takes_first_also_where_it_is_combined() -> None:
    ring = network(("a", "b"), ("b", "c"), ("a", "x"), ("c", "x"))
    blocks = {link.pool.pool_id: [(60.0, 2560), (7200.0, 2560)] for link in ring.links}
    demands = [
        want("a", "b"),
        want("a", "c", max_age_s=600.0, min_disjoint_paths=2),
        want("b", "c", max_age_s=86_400.0),
    ]

    decided = plan(ring, demands, blocks)

    assert [step.demand_id for step in decided.every_step] == ["a--c", "b--c", "a--b"]
    assert merged(decided) == {"a--c": 2560, "b--c": 2560, "a--b": 2560}
    spend(decided, blocks)


@pytest.mark.parametrize("parallel", [1, 2])
def test_a_reserve_and_the_tags_may_be_kept_in_old_key(parallel: int) -> None:
    scenario = network(("a", "b"), ("b", "c"), parallel=parallel, reserve_bits=512)
    # The reserve, and a tag key for each direction.
    old, new = (7200.0, 512 + 2 * TAG_KEY_BITS), (60.0, 1024)
    blocks = {link.pool.pool_id: [old, new] for link in scenario.links}

    decided = plan(
        scenario, [want("a", "c", 10**6, max_age_s=3600.0)], blocks, tagged=True, proved=True
    )

    assert merged(decided) == {"a--c": 1024 * parallel}
    assert {link for link, _ in decided.tags} <= {link.pool.pool_id for link in scenario.links}
    left = spend(decided, blocks)
    assert all(sum(bits for _, bits in held) >= 512 for held in left.values())


def test_whoever_needs_the_young_one_of_two_parallel_links_gets_it() -> None:
    scenario = network(("a", "b"), ("b", "c"), parallel=2)
    young, old = [(60.0, 2816)], [(7200.0, 2560)]
    blocks = {"link:a--b": young, "link:a--b#2": old, "link:b--c": old, "link:b--c#2": old}

    # By name and by fullness the demand without a limit would come first, and take it.
    decided = plan(scenario, [want("a", "c"), want("b", "a", max_age_s=3600.0)], blocks)

    assert merged(decided) == {"a--c": 2560, "b--a": 2560}
    assert {step.demand_id: step.links[0] for step in decided.steps} == {
        "b--a": "link:a--b", "a--c": "link:a--b#2",
    }  # fmt: skip


def test_young_key_that_is_all_reserve_is_no_key_to_spare() -> None:
    scenario = network(("a", "b"), parallel=2, reserve_bits=2560)
    blocks = {"link:a--b": [(60.0, 2560)], "link:a--b#2": [(7200.0, 5120)]}

    decided = plan(scenario, [want("a", "b", max_age_s=3600.0)], blocks)

    assert decided.reasons["a--b"] == (
        "not served: no key to spare on link:a--b younger than 3600 s"
    )


def test_without_word_of_young_key_a_limit_cannot_be_planned_for() -> None:
    with pytest.raises(PlanError, match=r"younger than 3600 s.*known for none"):
        plan_merges(
            scenario=CHAIN, demands=[want("a", "d", max_age_s=3600.0)], stock={}, served={},
            now=NOW,
        )  # fmt: skip
    with pytest.raises(PlanError, match=r"younger than 3600 s.*known for 60 s"):
        plan_merges(
            scenario=CHAIN, demands=[want("a", "d", max_age_s=3600.0)], stock={}, served={},
            now=NOW, young={60.0: {}},
        )  # fmt: skip


@pytest.mark.parametrize("limit", [0.0, -1.0, inf, float("nan"), 1e12])
def test_a_limit_that_means_nothing_is_refused(limit: float) -> None:
    with pytest.raises(FactError, match=r"max_age_s .*; allowed: above 0"):
        want("a", "d", max_age_s=limit)


AGES = (30.0, 300.0, 3000.0, 30_000.0)
LIMITS = (None, 60.0, 600.0, 6000.0)
PAIRS = (("a", "b"), ("a", "c"), ("b", "d"), ("a", "d"))


@settings(max_examples=200, deadline=None)
@given(
    held=st.lists(
        st.tuples(*[st.integers(0, 12).map(lambda n: n * 128)] * len(AGES)), min_size=6, max_size=6
    ),
    limits=st.tuples(*[st.sampled_from(LIMITS)] * len(PAIRS)),
    priorities=st.tuples(*[st.integers(0, 1)] * len(PAIRS)),
    parallel=st.integers(1, 2),
    reserve_bits=st.sampled_from([0, 300]),
    tagged=st.booleans(),
    proved=st.booleans(),
)
def test_no_plan_takes_key_of_an_age_that_is_not_there(
    held: list[tuple[int, ...]],
    limits: tuple[float | None, ...],
    priorities: tuple[int, ...],
    parallel: int,
    reserve_bits: int,
    tagged: bool,
    proved: bool,
) -> None:
    scenario = network(
        ("a", "b"), ("b", "c"), ("c", "d"), parallel=parallel, reserve_bits=reserve_bits
    )
    blocks = {
        link.pool.pool_id: list(zip(AGES, bits, strict=True))
        for link, bits in zip(scenario.links, held, strict=False)
    }
    demands = [
        want(*pair, 4096, max_age_s=limit, priority=priority)
        for pair, limit, priority in zip(PAIRS, limits, priorities, strict=True)
    ]

    decided = plan(scenario, demands, blocks, tagged=tagged, proved=proved)

    left = spend(decided, blocks)
    for link, rest in left.items():
        before = sum(bits for _, bits in blocks[link])
        after = sum(bits for _, bits in rest)
        assert after >= min(before, reserve_bits)
    for demand in demands:
        got = merged(decided).get(demand.demand_id, 0)
        assert got % 256 == 0
        assert got <= demand.bits_per_day
        if got < demand.bits_per_day and not proved and not tagged and parallel == 1:
            assert _is_tight(demand, demands, merged(decided), blocks, reserve_bits)


def _hops(demand: Demand) -> list[str]:
    nodes = "abcd"
    first, last = nodes.index(demand.node_a), nodes.index(demand.node_b)
    return [f"link:{nodes[at]}--{nodes[at + 1]}" for at in range(first, last)]


def _limit(demand: Demand) -> float:
    return inf if demand.max_age_s is None else demand.max_age_s


def _is_tight(
    demand: Demand,
    demands: Sequence[Demand],
    got: Mapping[str, int],
    blocks: Blocks,
    reserve_bits: int,
) -> bool:
    """Whether some hop has not a grain more: of all key, or of an age that the demand counts to."""
    for link in _hops(demand):
        spare = max(0, sum(bits for _, bits in blocks[link]) - reserve_bits) // 256
        for limit in sorted({inf, *map(_limit, demands)}):
            room = min(spare, sum(bits for age, bits in blocks[link] if age < limit) // 256)
            users = [one for one in demands if link in _hops(one) and _limit(one) <= limit]
            used = sum(got.get(one.demand_id, 0) // 256 for one in users)
            if limit >= _limit(demand) and used == room:
                return True
    return False
