"""The allocation against a slow max-min written apart, and its own rules."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from scheduler.merge.allocate import Ask, allocate
from scheduler.paths import jain_index

HOPS = ("h1", "h2", "h3", "h4")


def ask(
    name: str,
    *routes: tuple[str, ...],
    wanted: int,
    share: float,
    had: int = 0,
    low: int = 0,
    low_share: float = 1.0,
    low_had: int = 0,
    priority: int = 0,
) -> Ask:
    return Ask(
        demand_id=name,
        routes=routes,
        costs=tuple(float(len(route)) for route in routes),
        wanted=wanted,
        share=share,
        had=had,
        low=low,
        low_share=low_share,
        low_had=low_had,
        priority=priority,
    )


@dataclass
class SlowMaxMin:
    """Weighted max-min by raising each ask alone, with SciPy and without duals."""

    asks: list[Ask]
    capacity: dict[str, int]

    def best(self, rising: set[int], fixed: dict[int, float], lone: int | None) -> float:
        """The highest common level of some asks, others fixed; or of `lone` above that level."""
        columns = [(i, route) for i, one in enumerate(self.asks) for route in one.routes]
        rows: list[list[float]] = []
        limits: list[float] = []
        for hop, grains in self.capacity.items():
            rows.append([float(hop in route) for _, route in columns] + [0.0])
            limits.append(grains)
        for i, one in enumerate(self.asks):
            mine = [float(j == i) for j, _ in columns]
            rows.append([*mine, 0.0])
            limits.append(one.wanted)
            if i in fixed:
                rows.append([-x for x in mine] + [0.0])
                limits.append(-fixed[i] * one.share + one.had + 1e-3)
            if i in rising or i == lone:
                rows.append([-x / one.share for x in mine] + [1.0])
                limits.append(one.had / one.share)
        cost = [0.0] * len(columns) + [-1.0]
        bounds = [(0, None)] * len(columns) + [(None, None)]
        answer = linprog(cost, A_ub=np.array(rows), b_ub=limits, bounds=bounds)
        assert answer.status == 0
        return float(answer.x[-1])

    def levels(self) -> list[float]:
        """The level of every ask, from the lowest up."""
        rising, fixed = set(range(len(self.asks))), dict[int, float]()
        while rising:
            level = self.best(rising, fixed, None)
            stuck = set()
            for i in rising:
                others = fixed | {j: max(level, self.least(j)) for j in rising - {i}}
                # Of thousands of grains: what 1e-3 of slack in the rows above may feign, and less
                # than any real rise of these whole thousands.
                if self.best(set(), others, i) < level + 1e-4:
                    stuck.add(i)
            for i in stuck or set(rising):
                fixed[i] = max(level, self.least(i))
            rising -= stuck or set(rising)
        return [fixed[i] for i in range(len(self.asks))]

    def least(self, i: int) -> float:
        return self.asks[i].had / self.asks[i].share


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[Ask], dict[str, int]]:
    routes = st.lists(st.sampled_from(HOPS), min_size=1, max_size=3, unique=True).map(
        lambda hops: tuple(sorted(hops))
    )
    asks = [
        ask(
            f"d{i}",
            *draw(st.lists(routes, min_size=1, max_size=3, unique=True)),
            wanted=draw(st.integers(1, 50)) * 1000,
            share=draw(st.integers(1, 50)) * 1000.0,
            had=draw(st.integers(0, 10)) * 1000,
        )
        for i in range(draw(st.integers(1, 4)))
    ]
    return asks, {hop: draw(st.integers(0, 60)) * 1000 for hop in HOPS}


@settings(max_examples=60)
@given(problem=problems())
def test_the_levels_are_those_of_a_slow_max_min(
    problem: tuple[list[Ask], dict[str, int]],
) -> None:
    asks, capacity = problem

    given_out = allocate(asks, capacity)

    slow = SlowMaxMin(asks, capacity).levels()
    for one, grains, level in zip(asks, given_out.grains, slow, strict=True):
        # Rounding moves a few grains of some thousand.
        assert one.had + sum(grains) == pytest.approx(level * one.share, abs=8.0)


@given(problem=problems())
def test_no_hop_is_overdrawn_and_nothing_usable_is_left(
    problem: tuple[list[Ask], dict[str, int]],
) -> None:
    asks, capacity = problem

    given_out = allocate(asks, capacity)

    used = dict.fromkeys(capacity, 0)
    for one, grains in zip(asks, given_out.grains, strict=True):
        assert min(grains) >= 0
        assert sum(grains) <= one.wanted
        for route, amount in zip(one.routes, grains, strict=True):
            for hop in route:
                used[hop] += amount
        if sum(grains) < one.wanted:
            assert all(any(given_out.left[hop] == 0 for hop in route) for route in one.routes)
    assert {hop: capacity[hop] - used[hop] for hop in capacity} == given_out.left


def test_the_long_pair_is_not_starved_by_the_short_ones() -> None:
    asks = [
        ask("long", ("h1", "h2", "h3"), wanted=100, share=100.0),
        *(ask(f"short{i}", (f"h{i}",), wanted=100, share=100.0) for i in (1, 2, 3)),
    ]

    given_out = allocate(asks, dict.fromkeys(HOPS, 100))

    assert [sum(grains) for grains in given_out.grains] == [50, 50, 50, 50]


def test_those_whom_the_bottleneck_spares_get_the_rest() -> None:
    asks = [
        ask("a", ("h1", "h2"), wanted=100, share=100.0),
        ask("b", ("h1",), wanted=100, share=100.0),
        ask("c", ("h2",), wanted=100, share=100.0),
    ]

    given_out = allocate(asks, {"h1": 20, "h2": 100})

    assert [sum(grains) for grains in given_out.grains] == [10, 10, 90]


def test_two_routes_are_used_together_and_the_cheap_one_first() -> None:
    one = ask("a", ("h1",), ("h2", "h3"), wanted=150, share=150.0)

    assert allocate([one], dict.fromkeys(HOPS, 100)).grains == ((100, 50),)
    assert allocate([one], dict.fromkeys(HOPS, 1000)).grains == ((150, 0),)


def test_who_was_served_before_waits() -> None:
    asks = [
        ask("a", ("h1",), wanted=60, share=100.0, had=40),
        ask("b", ("h1",), wanted=100, share=100.0),
    ]

    assert allocate(asks, {"h1": 50}).grains == ((5,), (45,))


def test_higher_priority_goes_first() -> None:
    asks = [
        ask("a", ("h1",), wanted=60, share=60.0),
        ask("b", ("h1",), wanted=60, share=60.0, priority=1),
    ]

    assert allocate(asks, {"h1": 80}).grains == ((20,), (60,))


def test_who_is_below_the_low_water_mark_is_lifted_to_it_first() -> None:
    asks = [
        ask("a", ("h1",), wanted=100, share=100.0),
        ask("b", ("h1",), wanted=100, share=100.0, had=90, low=30, low_share=40.0, low_had=10),
    ]

    assert allocate(asks, {"h1": 40}).grains == ((10,), (30,))


def test_the_last_grain_goes_to_the_lowest_level() -> None:
    asks = [
        ask("a", ("h1",), wanted=9, share=9.0, had=2),
        ask("b", ("h1",), wanted=9, share=9.0),
    ]

    assert allocate(asks, {"h1": 2}).grains == ((0,), (2,))
    assert allocate(asks, {"h1": 1}).grains == ((0,), (1,))


# From the basis of the round before, HiGHS 1.15 ended these without any status.
def test_wants_of_very_different_sizes_are_served() -> None:
    asks = [
        ask("a", ("h1",), wanted=53, share=53.0),
        ask("b", ("h1",), wanted=565_295, share=565_295.0),
        ask("c", ("h1",), wanted=45_564, share=45_564.0),
    ]

    given = [sum(grains) for grains in allocate(asks, {"h1": 127_451}).grains]

    assert sum(given) == 127_451
    assert [one / item.wanted for one, item in zip(given, asks, strict=True)] == pytest.approx(
        [127_451 / 610_912] * 3, abs=1 / 53
    )


@settings(max_examples=300)
@given(data=st.data())
def test_wants_of_any_size_end_in_an_allocation(data: st.DataObject) -> None:
    """Orders of magnitude apart, on the same hops: nothing idle, nobody above his share."""
    sizes = st.integers(0, 30).flatmap(lambda bits: st.integers(2**bits // 2, 2**bits))
    count = data.draw(st.integers(1, 6))
    hops = st.lists(st.sampled_from(HOPS), min_size=1, max_size=4, unique=True).map(tuple)
    asks = [
        ask(f"d{index}", data.draw(hops), wanted=wanted, share=float(max(wanted, 1)))
        for index, wanted in enumerate(data.draw(st.lists(sizes, min_size=count, max_size=count)))
    ]
    capacity = {hop: data.draw(sizes) for hop in HOPS}

    allocation = allocate(asks, capacity)

    assert all(left >= 0 for left in allocation.left.values())
    for item, (given_,) in zip(asks, allocation.grains, strict=True):
        full = any(allocation.left[hop] == 0 for hop in item.routes[0])
        assert given_ == item.wanted or (0 <= given_ < item.wanted and full)


def test_nothing_to_give_and_nobody_to_serve_are_fine() -> None:
    assert allocate([], {"h1": 5}).grains == ()
    assert allocate([ask("a", wanted=5, share=5.0)], {"h1": 5}).grains == ((),)
    assert allocate([ask("a", ("h1",), wanted=5, share=5.0)], {"h1": 0}).grains == ((0,),)


@pytest.mark.parametrize(
    ("values", "index"), [([1, 1, 1], 1.0), ([1, 0, 0, 0], 0.25), ([], 1.0), ([0, 0], 1.0)]
)
def test_jains_index_runs_from_one_over_n_to_one(values: list[float], index: float) -> None:
    assert jain_index(values) == pytest.approx(index)


# Jain, Chiu and Hawe (1984): if k of n share equally and the rest have nothing, the index is k/n.
@given(n=st.integers(1, 30), k=st.integers(1, 30), x=st.floats(1e-3, 1e6))
def test_jains_index_is_the_part_that_is_served(n: int, k: int, x: float) -> None:
    k = min(k, n)

    assert jain_index([x] * k + [0.0] * (n - k)) == pytest.approx(k / n)


def test_without_key_on_any_route_nothing_is_given_and_no_program_is_solved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dry = dict.fromkeys(HOPS, 100) | {"h2": 1, "h4": 1}
    asks = [
        replace(ask("a", ("h1", "h2"), ("h3", "h4"), wanted=50, share=1.0), price=_no_route),
        ask("b", ("h2",), wanted=9, share=1.0),
        ask("too little", ("h1",), wanted=1, share=1.0),
        ask("no route", wanted=50, share=1.0),
    ]
    monkeypatch.setattr("scheduler.merge.allocate._solve", None)

    found = allocate(asks, dry, least=2)

    assert found.grains == ((0, 0), (0,), (0,), ())
    assert found.left == dry


def test_a_route_that_is_not_listed_is_found_where_those_that_are_have_no_key() -> None:
    def price(
        prices: Mapping[str, float], _cost: float, worth: float
    ) -> tuple[tuple[str, ...], float] | None:
        return (("h3",), 1.0) if prices.get("h3", 0.0) < worth else None

    one = replace(ask("a", ("h1",), wanted=50, share=1.0), price=price)

    found = allocate([one], {"h1": 0, "h3": 30})

    assert dict(zip(found.routes[0], found.grains[0], strict=True)) == {("h1",): 0, ("h3",): 30}


def _no_route(_prices: Mapping[str, float], _cost: float, _worth: float) -> None:
    return None
