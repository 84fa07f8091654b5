"""The scenarios that come with Skytrunk are what their notes say."""

from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files

import pytest

from scheduler.domain import Provenance
from scheduler.merge import CompromiseStructure, plan_merges
from scheduler.network import Announces, LinkKind, NodeKind, Scenario
from scheduler.paths import find_routes
from scheduler.sources.scenarios import load_scenario

# Liao et al. (2017) for Xinglong, Yin et al. (2020) for the other two.
PUBLISHED_STATIONS = {
    "xinglong": (40.3958667, 117.5774583, 890.0),
    "nanshan": (43.4754611, 87.1766861, 2028.0),
    "delingha": (37.3790083, 97.7269472, 3153.0),
}
NAMES = sorted(
    path.name.removesuffix(".toml")
    for path in files("scheduler").joinpath("scenarios").iterdir()
    if path.name.endswith(".toml")
)


def load(name: str) -> Scenario:
    return load_scenario(name)


@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_reads_and_carries_its_own_name(name: str) -> None:
    assert load(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_what_is_synthetic_says_so(name: str) -> None:
    scenario = load(name)

    assert all(node.synthetic for node in scenario.nodes if node.kind is NodeKind.RELAY)
    assert any("synthetic" in note for note in scenario.notes)
    for link in scenario.links:
        assert link.source, link.pool.pool_id


@pytest.mark.parametrize("name", NAMES)
def test_every_span_lies_between_30_and_90_km(name: str) -> None:
    spans = [link for link in load(name).links if link.kind is LinkKind.FIBRE]

    assert all(link.length_km is not None and 30.0 <= link.length_km <= 90.0 for link in spans)


def test_the_campaigns_stations_stand_where_they_were_published() -> None:
    scenario = load("micius-2016")

    actual = {s.station_id: (s.lat_deg, s.lon_deg, s.height_m) for s in scenario.stations}
    assert actual == PUBLISHED_STATIONS
    assert scenario.satellite("micius").norad_id == 41731
    assert {s.mask_deg for s in scenario.stations} == {10.0}


def test_xinglong_to_beijing_is_280_km_of_fibre() -> None:
    scenario = load("micius-2016")
    spans = [
        link.length_km
        for link in scenario.links
        if link.length_km and "xinglong-beijing" in link.pool.pool_id
    ]

    assert sum(spans) == pytest.approx(280.0)
    assert len(spans) == 4


@pytest.mark.parametrize("name", NAMES)
def test_micius_announces_at_its_next_contact(name: str) -> None:
    # Liao et al., PRL 120, 030501 (2018): it holds its keys and announces their XOR on command.
    assert all(s.announces is Announces.NEXT_CONTACT for s in load(name).satellites)


COMBINED = ("nanshan--beijing", "nanshan--shanghai")
NOW = datetime(2017, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("demand_id", COMBINED)
def test_with_fibre_neither_micius_nor_any_one_relay_knows_the_combined_key(
    demand_id: str,
) -> None:
    scenario = load("micius-2016-fibre")
    demand = scenario.demand(demand_id)
    stock = {link.pool.pool_id: 10**6 for link in scenario.links}

    decided = plan_merges(
        scenario=scenario, demands=scenario.demands, stock=stock, served={}, now=NOW
    )

    (step,) = [step for step in decided.combined if step.demand_id == demand_id]
    structure = CompromiseStructure.of(Provenance.of(step))
    assert step.bits == demand.bits_per_day // 256 * 256
    assert structure.single_points() == frozenset()
    assert not any(structure.is_known_to({node.node_id}) for node in scenario.nodes)
    assert {len(nodes) for nodes in structure.minimal_sets()} == {2}
    assert any("micius" in nodes for nodes in structure.minimal_sets())


@pytest.mark.parametrize("demand_id", COMBINED)
def test_without_fibre_the_same_request_names_what_every_path_shares(demand_id: str) -> None:
    scenario = load("micius-2016")
    demand = replace(scenario.demand(demand_id), min_disjoint_paths=2)

    refusal = find_routes(scenario, demand).refusal

    assert refusal.startswith("2 node-disjoint paths from ")
    named = refusal.split("every path shares ")[1].split(", ")
    (single,) = find_routes(scenario, scenario.demand(demand_id)).routes
    assert named == list(single.paths[0][1:-1])
    assert "micius" in named


def test_the_fibre_scenario_is_the_campaign_and_two_fibre_paths() -> None:
    base, fibre = load("micius-2016"), load("micius-2016-fibre")

    assert set(base.nodes) < set(fibre.nodes)
    assert set(base.links) < set(fibre.links)
    assert (base.stations, base.satellites) == (fibre.stations, fibre.satellites)
    (path,) = find_routes(
        fibre, replace(fibre.demand("nanshan--beijing"), min_disjoint_paths=3)
    ).routes
    assert len(path.paths) == 3
    added = sum(link.length_km or 0.0 for link in set(fibre.links) - set(base.links))
    assert added == pytest.approx(2600.0 + 3600.0)


def test_the_trunk_has_32_relays_31_spans_135_links_and_2032_km() -> None:
    scenario = load("beijing-shanghai")

    relays = [n for n in scenario.nodes if n.kind in {NodeKind.RELAY, NodeKind.BACKBONE}]
    users = [n for n in scenario.nodes if n.kind is NodeKind.USER]
    links = [link for link in scenario.links if link.kind is LinkKind.FIBRE]
    spans = {
        (link.pool.node_a, link.pool.node_b): link.length_km for link in links if link.length_km
    }
    assert (len(relays), len(users), len(links), len(spans)) == (32, 8, 135, 31)
    assert sum(spans.values()) == pytest.approx(2032.0)
    (route,) = find_routes(scenario, scenario.demand("beijing-bank--shanghai-grid")).routes
    assert len(route.links) == 33


def test_every_two_users_of_different_cities_want_key() -> None:
    scenario = load("beijing-shanghai")

    users = [n.node_id for n in scenario.nodes if n.kind is NodeKind.USER]
    city = {user: user.split("-")[0] for user in users}
    pairs = {(a, b) for a in users for b in users if a < b and city[a] != city[b]}
    assert {(d.node_a, d.node_b) for d in scenario.demands} == pairs
    assert len(pairs) == 24


def test_every_leg_is_asked_for_twice_what_it_serves_and_all_pairs_fare_alike() -> None:
    """A day of hourly merges from full buffers; Jain's index of served/demanded is >= 0.9."""
    scenario = load("beijing-shanghai")
    buffers = {link.pool.pool_id: link.buffer_bits for link in scenario.links}
    asked: dict[str, int] = {}
    for demand in scenario.demands:
        for hop in find_routes(scenario, demand).routes[0].links:
            asked[hop] = asked.get(hop, 0) + demand.bits_per_day
    trunk = {hop: bits for hop, bits in asked.items() if buffers[hop] == 460_800}
    assert set(trunk.values()) == {2 * 24 * 4 * 460_800}

    served = dict.fromkeys((d.demand_id for d in scenario.demands), 0)
    for _ in range(24):
        decided = plan_merges(
            scenario=scenario,
            demands=scenario.demands,
            stock=buffers,
            served=served,
            now=NOW,
            tagged=True,
        )
        for step in decided.steps:
            served[step.demand_id] += step.bits

    print(f"Jain's index of served/demanded bits, 24 pairs: {decided.fairness:.6f}")  # noqa: T201
    assert decided.fairness >= 0.9
    assert min(decided.levels.values()) == pytest.approx(0.5, abs=0.002)
