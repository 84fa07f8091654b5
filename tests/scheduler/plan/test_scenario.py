"""The planner on a scenario that ships, with the routes that merges take."""

from __future__ import annotations

from datetime import timedelta
from importlib.resources import files

from scheduler.domain import LinkSupply
from scheduler.network import parse_scenario
from scheduler.paths import routes_of
from scheduler.plan import PlanProblem, make_plan
from tests.scheduler.plan.small import START, candidate

DAY_S = 86_400


def test_demands_of_the_campaign_bring_key_to_every_pair() -> None:
    text = files("scheduler").joinpath("scenarios", "micius-2016.toml").read_text("utf-8")
    scenario = parse_scenario(text)
    routes = routes_of(scenario, scenario.demands)
    path_sets = tuple(path for found in routes.values() for path in found.path_sets)
    fibre = {link for path in path_sets for link, _ in path.uses if "micius" not in link}
    nights = [
        candidate("micius", station, night * DAY_S + after_s, 300, bits)
        for night in range(3)
        for station, after_s, bits in (
            ("xinglong", 0, 90_000), ("delingha", 200, 80_000), ("nanshan", 6000, 50_000),
            ("delingha", 5900, 60_000),
        )
    ]  # fmt: skip
    problem = PlanProblem(
        candidates=tuple(nights),
        demands=scenario.demands,
        path_sets=path_sets,
        supplies=tuple(LinkSupply(pool_id=link, refill_bits_per_day=5e6) for link in sorted(fibre)),
        station_nodes={station.station_id: station.node for station in scenario.stations},
        now=START - timedelta(hours=1),
    )

    demand = make_plan(problem)
    total = make_plan(problem, objective="total")

    assert demand.objective == "demand"
    assert min(demand.served_share.values()) > 0.0
    # The most key books Delingha against Nanshan's every pass, and serves two pairs nothing.
    assert min(total.served_share.values()) == 0.0
    assert total.expected_bits > demand.expected_bits
    assert {flow.demand_id for flow in demand.flows} == {d.demand_id for d in scenario.demands}
