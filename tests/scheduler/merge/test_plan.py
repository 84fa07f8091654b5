"""What a merge plan gives: fair, within the stock, in whole grains, with reasons."""

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from scheduler.facts import KEY_GRAIN_BITS, Demand, Pool
from scheduler.merge import MergePlan, plan_merges
from scheduler.network import Link, LinkKind, Node, NodeKind, Scenario

NOW = datetime(2017, 1, 1, tzinfo=UTC)


def network(*links: tuple[str, str], users: tuple[str, ...] = ()) -> Scenario:
    names = sorted({name for link in links for name in link})
    return Scenario(
        name="drawn",
        title="Drawn by a test",
        nodes=tuple(
            Node(
                node_id=name,
                kind=NodeKind.USER if name in users else NodeKind.RELAY,
                name=name,
                lat_deg=0.0,
                lon_deg=0.0,
                synthetic=True,
            )
            for name in names
        ),
        links=tuple(
            Link(
                pool=Pool.link(*link),
                kind=LinkKind.FIBRE,
                length_km=50.0,
                preset="trunk-span",
                synthetic=True,
            )
            for link in links
        ),
    )


def want(one: str, other: str, bits_per_day: int = 2560, **more: object) -> Demand:
    return Demand(
        demand_id=f"{one}--{other}",
        node_a=min(one, other),
        node_b=max(one, other),
        bits_per_day=bits_per_day,
        **more,  # type: ignore[arg-type]
    )


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
    for step in decided.steps:
        for pool_id in step.links:
            spending[pool_id] += step.bits
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
