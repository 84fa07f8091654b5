"""The networks of the world: their totals are those that were published, and each of them runs."""

from __future__ import annotations

import runpy
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import fsum
from pathlib import Path

import pytest

from orbits import Elements, NoElementsError, read_elements
from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.domain import Provenance
from scheduler.fibre import link_rate_bps
from scheduler.merge import CompromiseStructure, plan_merges
from scheduler.network import LinkKind, NodeKind, Scenario
from scheduler.paths import find_routes, graphs_of
from scheduler.replay import run_replay
from scheduler.services.context import Context
from scheduler.settings import Settings
from scheduler.sources.scenarios import load_scenario, scenario_names

SettingsOf = Callable[..., Settings]
ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2017, 1, 1, tzinfo=UTC)

# name: satellites, stations, trusted relays on the ground (cities among them), users, fibre links,
# kilometres of long-distance fibre.
TOTALS = {
    # Chen et al., Nature 589, 214 (2021): 32 relays, 2,032 km; 135 links and two users a city.
    "beijing-shanghai": (0, 0, 32, 8, 143, 2032.0),
    # The same: Xinglong - Beijing 280 km, more than 700 links, 157 users; Jinan 95, Hefei 40.
    "integrated-4600km": (1, 2, 45, 157, 739, 2032.0 + 280.0),
    # And State Grid's Beijing-Xinjiang channel: 2,600 km.
    "integrated-4600km-xinjiang": (1, 2, 80, 157, 775, 2032.0 + 280.0 + 2600.0),
    # 280 km of fibre; the rest synthetic.
    "micius-2016": (1, 3, 21, 0, 21, 1660.0),
    "micius-2016-fibre": (1, 3, 103, 0, 105, 1660.0 + 2600.0 + 3600.0),
    # Liao et al., PRL 120, 030501 (2018): three stations, 280 km; Graz - Vienna synthetic.
    "intercontinental": (1, 3, 7, 0, 7, 280.0 + 186.0),
    # A load scenario: 2,072 km, 32 relay nodes, three clients.
    "quantum-mesh": (0, 0, 32, 3, 34, 2072.0),
    "quantum-mesh-extended": (1, 3, 41, 3, 41, 2072.0 + 140.0 + 345.0),
    # 32 relays and 2,032 km with seven of eight major nodes among them; Ningbo synthetic.
    "ports": (0, 0, 35, 8, 155, 2032.0 + 213.0),
    "portable-stations": (1, 4, 0, 0, 0, 0.0),
    "jinan-1": (1, 4, 0, 0, 0, 0.0),
    # npj Quantum Information: 10,103 km, 145 backbone nodes, 144 links, 20 metros, six stations.
    "cn-qcn-2025": (1, 6, 145, 40, 144 + 40, 10103.0),
    # The plan past today: 20 satellites, 50 stations, 50 cities.
    "constellation-2030": (20, 50, 50, 0, 0, 0.0),
    "spoqc-2026": (1, 2, 0, 0, 0, 0.0),
    "speqtre-2026": (1, 2, 0, 0, 0, 0.0),
    "qube-ii-2026": (1, 2, 0, 0, 0, 0.0),
    "qeyssat-2026": (1, 2, 0, 0, 0, 0.0),
}


@pytest.mark.parametrize("name", scenario_names())
def test_totals_are_those_that_were_published(name: str) -> None:
    scenario = load_scenario(name)

    kinds = Counter(node.kind for node in scenario.nodes)
    fibre = [link for link in scenario.links if link.is_fibre]
    spans = {
        (link.pool.node_a, link.pool.node_b): link.length_km or 0.0
        for link in fibre
        if link.kind is LinkKind.FIBRE
    }
    *counts, km = TOTALS[name]
    assert counts == [
        len(scenario.satellites),
        len(scenario.stations),
        kinds[NodeKind.RELAY] + kinds[NodeKind.BACKBONE],
        kinds[NodeKind.USER],
        len(fibre),
    ]
    assert fsum(spans.values()) == pytest.approx(km)


def test_the_integrated_network_has_the_metropolitan_networks_that_were_published() -> None:
    scenario = load_scenario("integrated-4600km")

    users = Counter(n.domain for n in scenario.nodes if n.kind is NodeKind.USER)
    relays = Counter(n.domain for n in scenario.nodes if n.kind is NodeKind.RELAY)
    switches = {s.switch_id: s.at_once for s in scenario.switches}
    # Jinan: 95 users. Hefei: 40 users, 3 relays, 3 switches, 11 at once (npj QI 7, 134).
    assert (users["jinan"], users["hefei"], relays["hefei"]) == (95, 40, 3)
    assert sum(users.values()) == 157
    hefei = [at_once for name, at_once in switches.items() if name.startswith("qman-hefei")]
    assert (len(hefei), sum(hefei)) == (3, 11)
    on = fsum(link.share for link in scenario.links if link.switch.startswith("qman-hefei"))
    assert on == pytest.approx(11.0)
    assert len(scenario.demands) >= 150
    assert all(find_routes(scenario, demand).routes for demand in scenario.demands[::20])


def test_switches_and_metros_make_key_on_every_link() -> None:
    scenario = load_scenario("integrated-4600km")

    rates = [link_rate_bps(x) for x in scenario.links if x.kind is LinkKind.ACCESS]
    assert min(rates) > 1000.0  # a day of its busiest user is less than a minute of it


def test_beside_the_fibre_channel_no_single_relay_knows_nanshans_key() -> None:
    scenario = load_scenario("integrated-4600km-xinjiang")
    demand = scenario.demand("nanshan--beijing")
    stock = {link.pool.pool_id: 10**6 for link in scenario.links}

    decided = plan_merges(
        scenario=replace(scenario, demands=(demand,)), demands=[demand], stock=stock, served={},
        now=NOW,
    )  # fmt: skip

    (step,) = decided.combined
    structure = CompromiseStructure.of(Provenance.of(step))
    assert structure.single_points() == frozenset()
    assert any("micius" in nodes for nodes in structure.minimal_sets())


@pytest.mark.parametrize(
    ("user", "through", "never"),
    [
        ("qman-beijing-user-11", "state-grid", "space"),
        ("qman-beijing-user-12", "space", "state-grid"),
    ],
)
def test_demands_of_the_integrated_network_keep_to_their_domains(
    user: str, through: str, never: str
) -> None:
    scenario = load_scenario("integrated-4600km-xinjiang")
    domain = {node.node_id: node.domain for node in scenario.nodes}

    routes = find_routes(scenario, scenario.demand(f"nanshan--{user}")).routes

    passed = {domain[node] for route in routes for path in route.paths for node in path[1:-1]}
    assert through in passed
    assert never not in passed


def test_the_national_network_is_a_tree_of_twenty_cities() -> None:
    scenario = load_scenario("cn-qcn-2025")

    cities = [node for node in scenario.nodes if node.kind is NodeKind.BACKBONE]
    assert len(cities) == 20
    for demand in scenario.demands[:4]:  # the four routes of the one-time pad, 8 to 25 kbit/s
        assert 8_000 <= demand.bits_per_day / 86_400 <= 25_000
    graph = graphs_of(scenario).of(scenario.demands[0])
    assert graph.most_disjoint_paths == 1


def test_a_mesh_link_carries_at_most_390_pairs() -> None:
    scenario = load_scenario("quantum-mesh")

    rates = {link_rate_bps(link) for link in scenario.links}
    assert rates == {100_000.0}
    assert int(min(rates) // 256) == 390
    (route,) = find_routes(scenario, scenario.demand("central-bank--stock-exchange")).routes
    assert len(route.links) == 33


# Minutes that are replayed: a merge at least, where there is fibre.
MINUTES = {
    "beijing-shanghai": 61, "integrated-4600km": 61, "integrated-4600km-xinjiang": 61,
    "ports": 61, "quantum-mesh": 0.2, "quantum-mesh-extended": 3, "cn-qcn-2025": 1.1,
    "micius-2016": 1440, "micius-2016-fibre": 361, "intercontinental": 1440,
    "portable-stations": 1440, "jinan-1": 60, "spoqc-2026": 60, "speqtre-2026": 60,
    "qube-ii-2026": 60, "qeyssat-2026": 60,
}  # fmt: skip
MERGING = {name for name, total in TOTALS.items() if total[4] and name != "intercontinental"}
SLOW = {"integrated-4600km", "integrated-4600km-xinjiang", "cn-qcn-2025", "micius-2016-fibre"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in MINUTES],
)
def test_every_network_runs(name: str, settings_of: SettingsOf) -> None:
    start = datetime(2016, 12, 19, tzinfo=UTC)

    summary = run_replay(
        settings_of(name, scenario=name),
        start=start,
        end=start + timedelta(minutes=MINUTES[name]),
        seed=1,
    )

    assert summary.ledger_problems == ()
    assert summary.refusals == {}
    if name in MERGING - {"micius-2016", "micius-2016-fibre"}:
        assert sum(pair.merged_bits for pair in summary.pairs) > 0
    if name == "quantum-mesh":  # a key of 256 bits for every pair and second
        assert [(one.merges, one.merged_bits) for one in summary.pairs] == [(12, 12 * 256)] * 3
    if name in {"micius-2016", "portable-stations", "intercontinental"}:
        assert sum(one.secret_bits for one in summary.settled) > 0


@pytest.mark.slow
def test_the_constellation_merges(settings_of: SettingsOf) -> None:
    scenario = load_scenario("constellation-2030")
    stock = {link.pool.pool_id: 10**6 for link in scenario.links}
    few = scenario.demands[:5]

    decided = plan_merges(scenario=scenario, demands=few, stock=stock, served={}, now=NOW)

    assert decided.bits == sum(demand.bits_per_day // 256 * 256 for demand in few)


WALKER = runpy.run_path(str(ROOT / "examples" / "constellation.py"))["walker"]
EPOCH = datetime(2026, 12, 1, tzinfo=UTC)
FLYING = [
    ("spoqc-2026", "spoqc", "skytrunk elements fetch 68423"),
    ("speqtre-2026", "speqtre", "skytrunk elements fetch 66769"),
    ("qube-ii-2026", "qube-ii", "skytrunk elements fetch 69023"),
    ("qeyssat-2026", "qeyssat", "skytrunk elements bind NUMBER qeyssat"),
    ("jinan-1", "jinan-1", "takes an archive of its time"),
    ("constellation-2030", "sat-01", "python examples/constellation.py > sats.json"),
    ("quantum-mesh-extended", "mesh-sat", "examples/constellation.py --count 1 --planes 1 --first"),
]


def synthetic_sets(scenario: Scenario) -> tuple[Elements, ...]:
    """Sets of a made-up orbit under a satellite's number; no set of the real one ships here."""
    text = WALKER(
        count=1, planes=1, phasing=0, altitude_km=510.0, inclination_deg=97.45, epoch=EPOCH,
        first=scenario.satellites[0].norad_id,
    )  # fmt: skip
    return tuple(read_elements(text))


@pytest.mark.parametrize(("name", "satellite", "how"), FLYING)
def test_without_an_element_set_one_sentence_says_how_it_comes(
    name: str, satellite: str, how: str, settings_of: SettingsOf
) -> None:
    with Context(settings_of(scenario=name), clock=SimulatedClock(EPOCH)) as context:
        with pytest.raises(NoElementsError) as caught:
            services.upcoming_passes(
                context, satellite=satellite, start=EPOCH, end=EPOCH + timedelta(days=1)
            )

        number = context.scenario.satellites[0].norad_id
        assert f"({number}) is known: " in str(caught.value)
        assert how in str(caught.value)


@pytest.mark.parametrize(("name", "satellite"), [row[:2] for row in FLYING])
def test_with_a_set_its_passes_have_a_forecast(
    name: str, satellite: str, settings_of: SettingsOf
) -> None:
    sets = synthetic_sets(load_scenario(name))
    settings = settings_of(scenario=name)
    with Context(settings, clock=SimulatedClock(EPOCH), extra_elements=sets) as context:
        station = context.scenario.stations[0].station_id
        answer = services.upcoming_passes(
            context, satellite=satellite, stations=[station], start=EPOCH,
            end=EPOCH + timedelta(days=1), forecast=True,
        )  # fmt: skip

    assert answer.rows
    assert all(row.secret_bits is not None and row.secret_bits >= 0 for row in answer.rows)


def test_an_uplink_has_key_in_eclipse_and_says_why_else(settings_of: SettingsOf) -> None:
    """A synthetic orbit of 510 km: some passes of a week give key, and those in light say so."""
    sets = synthetic_sets(load_scenario("qeyssat-2026"))
    settings = settings_of(scenario="qeyssat-2026")
    with Context(settings, clock=SimulatedClock(EPOCH), extra_elements=sets) as context:
        answer = services.upcoming_passes(
            context, satellite="qeyssat", start=EPOCH, end=EPOCH + timedelta(days=7), forecast=True
        )

    assert max(row.secret_bits or 0 for row in answer.rows) > 10_000
    lit = [row for row in answer.rows if not row.dark]
    assert lit
    assert all("eclipse" in (row.why_not or "") for row in lit)


def test_numbers_of_the_missions_of_2026_have_a_source_or_are_assumed() -> None:
    for name in ("spoqc-2026", "speqtre-2026", "qube-ii-2026", "qeyssat-2026"):
        scenario = load_scenario(name)
        for satellite in scenario.satellites:
            assert satellite.source
            for number in satellite.transmitter.numbers:
                assert "secondary" in number.source or number.source == "assumed"
        assert all("assumed" in station.source for station in scenario.stations)
        assert any("assumed" in note for note in scenario.notes)
