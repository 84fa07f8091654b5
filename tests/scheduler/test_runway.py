"""The key runway against a walk through time, draw by draw, that knows none of its arrays."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.errors import FactError
from scheduler.runway import (
    QUANTILES,
    Runway,
    RunwayLink,
    RunwayPair,
    RunwayPass,
    RunwayProblem,
    RunwayWay,
    shares_of,
)

DAY_S = 86_400.0
LOOKS = 3000
NOTICED = 1e-6  # bits
NORTH, SOUTH, FIBRE = "link:micius--north", "link:micius--south", "link:north--city"


def session(name: str, pool_id: str, usable_s: float, *bits: float) -> RunwayPass:
    return RunwayPass(name=name, pool_id=pool_id, usable_s=usable_s, draws_bits=np.array(bits))


def one_pair(
    *passes: RunwayPass, stock_bits: float = 1000.0, draw_bps: float = 0.1
) -> RunwayProblem:
    return RunwayProblem(
        horizon_s=2 * DAY_S,
        links=(
            RunwayLink(pool_id=NORTH),
            RunwayLink(pool_id=SOUTH, stock_bits=500.0),
            RunwayLink(pool_id=FIBRE, refill_bps=1.0),
        ),
        passes=passes,
        ways=(RunwayWay(pair_id="bank", shares={NORTH: 1.0, SOUTH: 1.0, FIBRE: 0.5}),),
        pairs=(RunwayPair(pair_id="bank", stock_bits=stock_bits, draw_bps=draw_bps),),
    )


def test_without_supply_a_pair_lasts_its_stock_over_its_rate() -> None:
    band = Runway(one_pair()).bands["bank"]
    assert band.dry_s == pytest.approx((10_000.0,) * 3)
    assert band.short_bits == pytest.approx((2 * DAY_S * 0.1 - 1000.0,) * 3)
    assert band.bits[1][0] == 1000.0
    assert band.bits[1][-1] == 0.0


def test_a_way_gives_what_its_slowest_link_has() -> None:
    """900 bits in the north, 500 in the south: 500 come through, 5,000 s more."""
    band = Runway(one_pair(session("a", NORTH, 3600.0, 900.0))).bands["bank"]
    assert band.dry_s == pytest.approx((15_000.0,) * 3)


def test_key_that_comes_too_late_does_not_move_the_dry_instant() -> None:
    band = Runway(one_pair(session("a", NORTH, 20_000.0, 900.0))).bands["bank"]
    assert band.dry_s == pytest.approx((10_000.0,) * 3)
    # What nobody could draw between 10,000 and 20,000 s is lost, the 500 bits serve 5,000 s.
    assert band.short_bits == pytest.approx((2 * DAY_S * 0.1 - 1500.0,) * 3)


def test_quantiles_are_those_of_the_draws_not_sums_of_quantiles() -> None:
    """Two passes, each lost in half of the draws: both lost in a quarter."""
    first = session("a", NORTH, 100.0, *([0.0, 0.0, 300.0, 300.0] * 25))
    second = session("b", NORTH, 200.0, *([0.0, 100.0, 0.0, 100.0] * 25))
    runway = Runway(one_pair(first, second))
    assert sorted(set(runway.bands["bank"].draws_dry_s.round())) == [10000, 11000, 13000, 14000]
    assert runway.bands["bank"].dry_s == pytest.approx((10_000.0, 13_000.0, 14_000.0))


def test_losing_a_pass_says_who_runs_dry_earlier_and_by_how_much() -> None:
    runway = Runway(one_pair(session("a", NORTH, 3600.0, 900.0), session("b", SOUTH, 10.0, 10.0)))
    (change,) = runway.changes(frozenset({"a"}))
    assert change.pair_id == "bank"
    assert change.earlier_s == pytest.approx(5100.0)
    assert (change.before_s, change.after_s) == pytest.approx((15_100.0, 10_000.0))
    assert runway.changes(frozenset()) == ()


def test_a_pass_that_is_not_ahead_is_named() -> None:
    with pytest.raises(FactError, match="x is none of the 0 passes ahead"):
        Runway(one_pair()).without(frozenset({"x"}))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RunwayLink(pool_id="l", stock_bits=-1.0), "stock_bits -1.0; allowed: 0 and up"),
        (lambda: RunwayLink(pool_id="l", refill_bps=math.nan), "refill_bps nan"),
        (lambda: session("a", NORTH, 0.0, -5.0), "a: draws_bits"),
        (lambda: session("a", NORTH, 0.0), "a: draws_bits"),
        (lambda: session("a", NORTH, math.inf, 1.0), "usable_s inf"),
        (lambda: RunwayWay(pair_id="d", shares={}), "a way of pair d uses no link"),
        (lambda: one_pair(session("a", "link:q--r", 0.0, 1.0)), "link:q--r is used and not listed"),
        (
            lambda: one_pair(session("a", NORTH, 0.0, 1.0), session("b", NORTH, 0.0, 1.0, 2.0)),
            "differ in their number of draws",
        ),
    ],
)
def test_what_cannot_be_is_refused(make: object, words: str) -> None:
    with pytest.raises(FactError, match=words):
        make()  # type: ignore[operator]


def test_flows_part_a_links_key() -> None:
    ways = shares_of(
        [
            ("a", [("x", 1), ("y", 1)], 300.0),
            ("a", [("y", 1), ("x", 1)], 100.0),  # the same way on another day
            ("b", [("x", 2)], 50.0),
            ("c", [("z", 1)], 0.0),
        ]
    )
    assert [way.pair_id for way in ways] == ["a", "b"]
    assert ways[0].shares == pytest.approx({"x": 0.8, "y": 1.0})
    assert ways[1].shares == pytest.approx({"x": 0.1})  # 100 of 500 bits, two for one served


@st.composite
def problems(draw: st.DrawFn) -> RunwayProblem:
    bits = st.floats(0.0, 1e5)
    pools = [f"link:s--n{i}" for i in range(draw(st.integers(1, 4)))]
    links = [
        RunwayLink(pool_id=p, stock_bits=draw(bits), refill_bps=draw(st.floats(0.0, 2.0)))
        for p in pools
    ]
    count = draw(st.integers(1, 5))
    passes = [
        RunwayPass(
            name=f"p{i}",
            pool_id=draw(st.sampled_from(pools)),
            usable_s=draw(st.floats(0.0, 2.5 * DAY_S)),
            draws_bits=np.array(draw(st.lists(bits, min_size=count, max_size=count))),
        )
        for i in range(draw(st.integers(0, 6)))
    ]
    demands = [
        RunwayPair(pair_id=f"d{i}", stock_bits=draw(bits), draw_bps=draw(st.floats(0.01, 3.0)))
        for i in range(draw(st.integers(1, 3)))
    ]
    flows = [
        (d.pair_id, [(p, 1) for p in draw(st.sets(st.sampled_from(pools), min_size=1))], 1.0)
        for d in demands
        for _ in range(draw(st.integers(0, 2)))
    ]
    return RunwayProblem(
        horizon_s=2 * DAY_S,
        links=tuple(links),
        passes=tuple(passes),
        ways=shares_of(flows),
        pairs=tuple(demands),
    )


def leveller(
    problem: RunwayProblem, pair: RunwayPair, draw: int, without: set[str]
) -> Callable[[float], float]:
    """What a pair has left at an instant of one draw: key drawn up to it, deposits before it."""
    ways = [way for way in problem.ways if way.pair_id == pair.pair_id]

    def level(t: float) -> float:
        total = pair.stock_bits - pair.draw_bps * t
        for way in ways:
            least = math.inf
            for link in problem.links:
                if link.pool_id in way.shares:
                    has = link.stock_bits + link.refill_bps * t
                    has += sum(
                        float(one.draws_bits[draw])
                        for one in problem.passes
                        if one.pool_id == link.pool_id
                        and one.usable_s < t
                        and one.name not in without
                    )
                    least = min(least, has * way.shares[link.pool_id])
            total += least
        return total

    return level


def walked(problem: RunwayProblem, level: Callable[[float], float]) -> float:
    """When a pair runs dry, by many looks at its level; a shortage below NOTICED is not seen."""
    step = problem.horizon_s / LOOKS
    fine = sorted({k * step for k in range(LOOKS + 1)} | {p.usable_s for p in problem.passes})
    times = [t for t in fine if t <= problem.horizon_s]
    return next((t for t in times if level(t) < -NOTICED), math.inf)


def test_a_way_whose_slowest_link_changes_between_two_merges_runs_dry_to_the_second() -> None:
    north, south = "link:s--n0", "link:s--n1"
    problem = RunwayProblem(
        horizon_s=2 * DAY_S,
        links=(
            RunwayLink(pool_id=north, stock_bits=59_293.0, refill_bps=0.828125),
            RunwayLink(pool_id=south, stock_bits=92_310.0, refill_bps=0.0),
        ),
        passes=(),
        ways=(
            RunwayWay(pair_id="d0", shares={north: 0.5}),
            RunwayWay(pair_id="d0", shares={north: 0.5, south: 1.0}),
        ),
        pairs=(RunwayPair(pair_id="d0", stock_bits=0.0, draw_bps=1.2109375),),
    )
    # From 151,338 s on the southern link holds the second way back: 121,956.5 bits and half of the
    # northern refill last until then. A straight line between two merges says 36 s too early.
    dry_s = (0.5 * 59_293.0 + 92_310.0) / (1.2109375 - 0.5 * 0.828125)
    assert Runway(problem).bands["d0"].draws_dry_s == pytest.approx([dry_s], abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(problems(), st.sets(st.integers(0, 5)))
def test_the_runway_is_that_of_a_walk_through_time(problem: RunwayProblem, lost: set[int]) -> None:
    names = {one.name for one in problem.passes}
    without = {f"p{i}" for i in lost} & names
    runway = Runway(problem)
    for bands, gone in ((runway.bands, set()), (runway.without(frozenset(without)), without)):
        for demand in problem.pairs:
            band = bands[demand.pair_id]
            for draw, dry_s in enumerate(band.draws_dry_s):
                level = leveller(problem, demand, draw, gone)
                seen, step = walked(problem, level), problem.horizon_s / LOOKS
                if math.isinf(seen):
                    # A shortage shorter than the walk's step may pass between two looks.
                    assert math.isinf(dry_s) or band.draws_short_bits[draw] < 4 * step
                    continue
                assert dry_s <= seen + 1e-3
                # Earlier only where it touches nothing and then lacks less than the walk sees.
                assert dry_s >= seen - 1.01 * step or abs(level(float(dry_s))) <= NOTICED


@settings(max_examples=40, deadline=None)
@given(problems(), st.sets(st.integers(0, 5)))
def test_a_toggle_is_the_runway_of_the_plan_without_it(
    problem: RunwayProblem, lost: set[int]
) -> None:
    names = frozenset(f"p{i}" for i in lost) & {one.name for one in problem.passes}
    fewer = RunwayProblem(
        horizon_s=problem.horizon_s,
        links=problem.links,
        passes=tuple(
            RunwayPass(
                name=one.name,
                pool_id=one.pool_id,
                usable_s=one.usable_s,
                draws_bits=one.draws_bits * (one.name not in names),
            )
            for one in problem.passes
        ),
        ways=problem.ways,
        pairs=problem.pairs,
    )
    toggled, anew = Runway(problem).without(names), Runway(fewer).bands
    for name, band in anew.items():
        np.testing.assert_allclose(toggled[name].bits, band.bits, rtol=1e-9, atol=1e-6)
        np.testing.assert_allclose(toggled[name].draws_dry_s, band.draws_dry_s, rtol=1e-9)


@settings(max_examples=30, deadline=None)
@given(problems())
def test_bands_are_ordered_and_losing_passes_never_helps(problem: RunwayProblem) -> None:
    runway = Runway(problem)
    for band in runway.bands.values():
        assert band.bits.shape == (len(QUANTILES), band.times_s.size)
        assert (np.diff(band.bits, axis=0) >= 0.0).all()
        assert (band.bits >= 0.0).all()
        assert list(band.dry_s) == sorted(band.dry_s)
    for change in runway.changes(frozenset(one.name for one in problem.passes)):
        assert change.earlier_s >= -1e-6
        assert change.short_bits >= -1e-6
