"""How fast plans are made, how near they come to the best, and what each objective gives."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from orbits import Elements, GroundStation, find_passes, read_elements
from scheduler.domain import Booking, BookingState, Candidate
from scheduler.plan import (
    Limits,
    LinearProgram,
    PlanDecision,
    PlanProblem,
    Solution,
    demand_served,
    make_plan,
)
from scheduler.solver import solve
from tests.benchmarks.constellation import START, Constellation, candidates
from tests.benchmarks.demand_scenario import large_problem
from tests.benchmarks.demand_scenario import problem as demand_problem

pytestmark = pytest.mark.bench
SMOKE = os.environ.get("SKYTRUNK_BENCH_SMOKE") == "1"
ELEMENTS = os.environ.get("SKYTRUNK_BENCH_ELEMENTS", "")
NIGHT = Constellation(satellites=10, stations=8, nights=2) if SMOKE else Constellation()
ALL_DAY = replace(NIGHT, night_only=False)
SIZE = f"{NIGHT.satellites} satellites x {NIGHT.stations} stations x {NIGHT.nights} d"


def worst(decision: PlanDecision) -> float:
    return min(decision.station_bits.values())


def compare(what: str, options: tuple[Candidate, ...]) -> None:
    """Print greedy, LP and max-min over the same options."""
    problem = PlanProblem(candidates=options)
    greedy = make_plan(problem, solver="greedy")
    total = make_plan(problem, solver="lp", objective="total")
    print(
        f"\n{what}: {len(options):,} options; greedy {greedy.wall_s:.2f} s,"
        f" {len(greedy.chosen):,} sessions"
        f"\n  total:   {total.wall_s:.2f} s, gap {100 * total.gap:.4f} %,"
        f" {total.value / greedy.value:.4f} of greedy in total,"
        f" {worst(total) / max(1.0, worst(greedy)):.2f} in the worst station's share"
    )
    fair = make_plan(problem, solver="lp", objective="max-min")
    print(
        f"  max-min: {fair.wall_s:.2f} s, gap {100 * fair.gap:.3f} %,"
        f" {fair.expected_bits / greedy.value:.4f} of greedy in total,"
        f" {worst(fair) / max(1.0, worst(greedy)):.2f} in the worst station's share"
    )
    assert total.fallback == fair.fallback == ""


def test_a_week_of_nights() -> None:
    compare(f"{SIZE}, night", candidates(NIGHT))


def test_a_week_of_whole_days() -> None:
    compare(f"{SIZE}, all day", candidates(ALL_DAY))


def test_planning_again_after_losing_a_sixth_of_the_sessions() -> None:
    options = candidates(NIGHT)
    before = make_plan(PlanProblem(candidates=options), objective="total")
    order = np.random.default_rng(5).permutation(len(before.chosen)).tolist()
    lost = set(order[: len(order) // 6])
    locked = set(order[len(order) // 6 :][: len(order) // 10])
    standing = tuple(
        Booking(
            booking_id=UUID(int=number),
            candidate=candidate,
            state=BookingState.BOOKED,
            reason="planned before",
            booked_at=START,
            changed_at=START,
            locked=number in locked,
        )
        for number, candidate in enumerate(before.chosen)
        if number not in lost
    )
    problem = PlanProblem(
        candidates=options,
        bookings=standing,
        vetoes=frozenset(before.chosen[number].candidate_id for number in lost),
        now=START,
    )

    again = make_plan(problem, objective="total")

    kept = 1.0 - len(again.dropped) / len(problem.movable())
    print(
        f"\nre-plan of {len(options):,} options after losing {len(lost):,} of"
        f" {len(before.chosen):,} sessions, {len(problem.locked()):,} locked: {again.wall_s:.2f} s,"
        f" {100 * kept:.1f} % of the untouched kept, gap {100 * again.gap:.4f} %"
    )


def test_demand_against_the_other_objectives() -> None:
    problem = demand_problem()
    print(f"\n{len(problem.candidates)} passes, {len(problem.demands)} demands, exact plans:")
    for objective in ("demand", "max-min", "total"):
        decision = make_plan(problem, objective=objective, solver="milp")
        found = demand_served(problem, decision.chosen)
        shares = ", ".join(f"{name} {100 * part:.1f} %" for name, part in found.share.items())
        print(
            f"  {objective:8} worst pair {100 * min(found.share.values()):5.1f} %, weighed demand"
            f" served {found.measures[1]:9,.0f} bits, booked {decision.expected_bits:9,.0f} bits"
            f" ({shares}), {decision.wall_s:.2f} s"
        )


@pytest.mark.parametrize(
    ("satellites", "stations", "nights"), [(10, 10, 3), (12, 10, 4), (16, 10, 4), (31, 21, 7)]
)
def test_demand_of_larger_networks(satellites: int, stations: int, nights: int) -> None:
    of = Constellation(satellites=satellites, stations=stations, nights=nights)
    problem = large_problem(NIGHT if SMOKE else of)
    greedy = make_plan(problem, objective="demand", solver="greedy")
    began_s = time.process_time()
    found = make_plan(problem, objective="demand")
    spent_s = time.process_time() - began_s
    print(
        f"\n{len(problem.candidates):,} options, {len(problem.demands)} demands: {spent_s:.2f} s of"
        f" processor, worst share {found.value:.4f}, gap {100 * found.gap:.3f} %,"
        f" {found.value / greedy.value:.2f} of greedy ({greedy.wall_s:.2f} s)"
    )


def test_a_week_of_330_satellites() -> None:
    """Time in the solver and outside, and what the process held at most."""
    options = candidates(ALL_DAY if SMOKE else replace(ALL_DAY, satellites=330))
    solving_s = 0.0

    def engine(program: LinearProgram, limits: Limits) -> Solution:
        nonlocal solving_s
        began_s = time.process_time()
        try:
            return solve(program, limits)
        finally:
            solving_s += time.process_time() - began_s

    began_s = time.process_time()
    found = make_plan(PlanProblem(candidates=options), objective="total", engine=engine)
    spent_s = time.process_time() - began_s
    most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"\n{len(options):,} options, total: {spent_s:.1f} s of processor, {solving_s:.1f} s of it"
        f" in the solver, gap {100 * found.gap:.3f} %, at most {most_mb:,.0f} MB"
    )


def test_a_week_of_real_element_sets() -> None:
    if not ELEMENTS:
        print("\nreal element sets: SKYTRUNK_BENCH_ELEMENTS names no file")
        return
    found = read_elements(Path(ELEMENTS).read_text("utf-8"), source=ELEMENTS)
    newest = {item.norad_id: item for item in sorted(found, key=lambda item: item.epoch)}
    fresh = max(item.epoch for item in found) - timedelta(days=14)
    low = [
        item for item in newest.values()
        if 14.5 < item.mean_motion_rev_per_day < 15.6 and item.epoch > fresh
    ]  # fmt: skip
    sets = low[:: max(1, len(low) // NIGHT.satellites)][: NIGHT.satellites]
    what = f"{Path(ELEMENTS).name}: {len(sets)} satellites x {NIGHT.stations} stations"
    compare(f"{what} x {NIGHT.nights} d, all day", real_candidates(sets))


def real_candidates(sets: list[Elements]) -> tuple[Candidate, ...]:
    """Passes above 20 degrees by SGP4, with a yield in duration and elevation as a stand-in."""
    rng = np.random.default_rng(NIGHT.seed)
    stations = [
        GroundStation(
            station_id=f"gs{number:02d}",
            lat_deg=float(rng.uniform(-55.0, 55.0)),
            lon_deg=float(rng.uniform(-180.0, 180.0)),
        )
        for number in range(NIGHT.stations)
    ]
    start = max(item.epoch for item in sets)
    found = []
    for item in find_passes(
        sets, stations, start, start + timedelta(days=NIGHT.nights), mask_deg=20.0
    ):
        length_s = (item.sets_at - item.rises_at).total_seconds()
        secret = 200.0 * length_s * np.sin(np.radians(item.max_elevation_deg))
        name = f"{item.norad_id}/{item.station_id}/{item.rises_at.isoformat()}"
        if length_s > 0.0:
            found.append(
                Candidate(
                    candidate_id=name,
                    pass_id=name,
                    satellite_id=str(item.norad_id),
                    station_id=item.station_id,
                    acquires_at=item.rises_at,
                    loses_at=item.sets_at,
                    max_elevation_deg=item.max_elevation_deg,
                    range_km_min=600.0,
                    elements_epoch=start,
                    sifted_bits=5.0 * secret,
                    secret_bits=secret,
                    qber=0.012,
                )
            )
    return tuple(found)
