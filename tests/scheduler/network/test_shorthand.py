"""`[[trunk]]`, `[[metro]]` and `[[traffic]]` stand for many nodes, links and demands."""

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.errors import ScenarioError
from scheduler.network import LinkKind, NodeKind, Scenario, parse_scenario
from scheduler.network.places import distance_km
from scheduler.paths import find_routes

HEAD = """
name = "drawn"
title = "Drawn by a test"
"""
CITY = """
[[nodes]]
id = "{id}"
kind = "backbone"
name = "{id}"
lat_deg = {lat}
lon_deg = {lon}
synthetic = true
"""
TRUNK = """
[[trunk]]
id = "t"
through = ["a", "b", "c"]
length_km = {km}
relays = {relays}
{more}
preset = "trunk-span"
synthetic = true
"""
METRO = """
[[metro]]
id = "{id}"
center = "{center}"
users = {users}
radius_km = 20.0
preset = "trunk-span"
source = "synthetic"
{more}
"""
TRAFFIC = '[[traffic]]\nfrom = "{0}"\nto = "{1}"\npairs = {2}\nbits_per_day = 1000\n'
CITIES = (
    CITY.format(id="a", lat=39.9, lon=116.4)
    + CITY.format(id="b", lat=36.7, lon=117.1)
    + CITY.format(id="c", lat=31.2, lon=121.5)
)


def read(*parts: str) -> Scenario:
    return parse_scenario(HEAD + CITIES + "".join(parts))


def trunk(km: float, relays: int, more: str = "") -> str:
    return TRUNK.format(km=km, relays=relays, more=more)


def metro(name: str, center: str, users: int, more: str = "") -> str:
    return METRO.format(id=name, center=center, users=users, more=more)


def test_a_trunk_keeps_its_totals_and_shares_them_out() -> None:
    scenario = read(trunk(1000.0, 17, "links = 40"))

    spans = {(x.pool.node_a, x.pool.node_b): x.length_km or 0.0 for x in scenario.links}
    assert (len(scenario.nodes), len(spans), len(scenario.links)) == (17, 16, 40)
    assert sum(spans.values()) == pytest.approx(1000.0)
    assert set(Counter(x.pool.node_a + x.pool.node_b for x in scenario.links).values()) == {2, 3}
    one, two = (
        distance_km(scenario.node(x), scenario.node(y)) for x, y in (("a", "b"), ("b", "c"))
    )
    lengths = sorted(set(spans.values()))
    assert len(lengths) == 2  # a length for each of its two legs
    counts = Counter(round(km, 6) for km in spans.values())
    legs_km = sorted(round(km * count, 6) for km, count in counts.items())
    assert legs_km == pytest.approx(sorted(1000.0 * leg / (one + two) for leg in (one, two)))
    assert [n.node_id for n in scenario.nodes if n.synthetic][3:] == [
        f"t-{n}" for n in range(1, 15)
    ]


@settings(max_examples=40)
@given(st.floats(700.0, 3000.0), st.integers(3, 60), st.integers(0, 150))
def test_any_trunk_is_right_or_refused(km: float, relays: int, more_links: int) -> None:
    links = relays - 1 + more_links
    text = trunk(km, relays, f"links = {links}")
    try:
        scenario = read(text)
    except ScenarioError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert "which makes a span of" in refusal or "one and more for each" in refusal
        return
    spans = {(x.pool.node_a, x.pool.node_b): x.length_km or 0.0 for x in scenario.links}
    assert (len(scenario.nodes), len(spans)) == (relays, relays - 1)
    assert len(scenario.links) == links
    assert all(30.0 <= span <= 90.0 for span in spans.values())
    assert sum(spans.values()) == pytest.approx(km)


def test_a_metro_has_the_parts_it_counts() -> None:
    scenario = read(
        metro("m", "b", 40, "relays = 3\nreach = 2\nswitches = 3\nat_once = 11\nrelay_links = 4")
    )

    kinds = Counter(node.kind for node in scenario.nodes)
    links = Counter(link.kind for link in scenario.links)
    assert (kinds[NodeKind.USER], kinds[NodeKind.RELAY]) == (40, 3)
    assert (links[LinkKind.METRO], links[LinkKind.ACCESS]) == (12, 80)
    assert [one.switch_id for one in scenario.switches] == [
        "m-switch-1",
        "m-switch-2",
        "m-switch-3",
    ]
    users = Counter(link.switch for link in scenario.links if link.kind is LinkKind.ACCESS)
    assert users == {"m-switch-1": 28, "m-switch-2": 26, "m-switch-3": 26}
    assert [one.at_once for one in scenario.switches] == [3, 4, 4]
    assert {x.share for x in scenario.links if x.switch == "m-switch-1"} == {3 / 28}
    center = scenario.node("b")
    for node in scenario.nodes[3:]:
        assert node.synthetic
        assert distance_km(center, node) <= 20.01
    for link in scenario.links:
        straight = distance_km(
            *(scenario.node(end) for end in (link.pool.node_a, link.pool.node_b))
        )
        assert link.length_km is not None
        assert 1.3 * straight <= link.length_km <= max(1.0, 1.3 * straight + 1.0)


def test_a_user_reaches_its_nearest_trusted_nodes() -> None:
    scenario = read(metro("m", "b", 12, "relays = 3\nreach = 2"))

    trusted = [node for node in scenario.nodes if node.node_id == "b" or "relay" in node.node_id]
    for user in (node for node in scenario.nodes if node.kind is NodeKind.USER):
        far = sorted(trusted, key=lambda node, of=user: distance_km(of, node))  # type: ignore[misc]
        ends = [x.pool.node_a for x in scenario.links if x.pool.node_b == user.node_id]
        ends += [x.pool.node_b for x in scenario.links if x.pool.node_a == user.node_id]
        assert set(ends) == {node.node_id for node in far[:2]}


def test_the_same_file_gives_the_same_network() -> None:
    parts = (trunk(1000.0, 17), metro("m", "b", 40, "relays = 3"), TRAFFIC.format("m", "a", 3))

    assert repr(read(*parts)) == repr(read(*parts))


def test_traffic_pairs_the_users_of_two_metros_each_pair_once() -> None:
    scenario = read(
        trunk(1000.0, 17), metro("m", "a", 3), metro("n", "c", 2), TRAFFIC.format("m", "n", 6)
    )

    pairs = [demand.demand_id for demand in scenario.demands]
    assert pairs[:4] == [
        "m-user-1--n-user-1", "m-user-2--n-user-2", "m-user-3--n-user-1", "m-user-1--n-user-2",
    ]  # fmt: skip
    assert len(set(pairs)) == 6
    (route,) = find_routes(scenario, scenario.demands[0]).routes
    assert len(route.links) == 18


def test_traffic_within_a_metro_and_with_a_node() -> None:
    scenario = read(metro("m", "a", 5), TRAFFIC.format("m", "m", 10), TRAFFIC.format("a", "m", 2))

    ends = {frozenset((demand.node_a, demand.node_b)) for demand in scenario.demands}
    assert len(ends) == 12
    assert all(len(pair) == 2 for pair in ends)


REFUSED = [
    (trunk(1000.0, 9), "trunk[0].relays is 9, which makes a span of 109.9 km"),
    (trunk(1000.0, 2), "trunk[0].relays is 2; allowed: 3 and more, the places"),
    (trunk(1000.0, 90), "allowed: 30 to 90, for a longer one gives next to no key"),
    (trunk(1000.0, 17, "links = 15"), "trunk[0].links is 15; allowed: 16 to 1024"),
    (trunk(1000.0, 17).replace('"c"]', '"x"]'), "trunk[0].through is 'x'; allowed: a station or"),
    (
        trunk(1000.0, 17).replace('"c"]', '"a"]'),
        "trunk[0].through is ['a', 'b', 'a']; allowed: two",
    ),
    (trunk(1000.0, 17, "rate_bps = -5"), "trunk[0].rate_bps is -5; allowed: a finite number, 0 to"),
    (metro("m", "x", 4), "metro[0].center is 'x'; allowed: a station or one of [[nodes]]"),
    (metro("m", "b", 4, "reach = 2"), "metro[0].reach is 2; allowed: up to 1, centre and relays"),
    (metro("m", "b", 4, "switches = 5"), "metro[0].switches is 5; allowed: up to 4, a user each"),
    (metro("m", "b", 4, "switches = 3\nat_once = 2"), "metro[0].at_once is 2; allowed: 3 and more"),
    (metro("m", "b", 0), "metro[0].users is 0; allowed: an integer, 1 to"),
    (metro("m", "b", 4) + CITY.format(id="m-user-2", lat=1, lon=2), "'m-user-2' is there twice"),
    (metro("m", "b", 4) + metro("m", "a", 4), "node 'm-user-1' is there twice"),
    (metro("m", "b", 4) + TRAFFIC.format("m", "a", 5), "traffic[0].pairs is 5; allowed: up to 4"),
    (metro("m", "b", 4) + TRAFFIC.format("m", "x", 4), "names node 'x'; known: a, b, c, m-user-1"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_does_not_add_up_is_refused_in_its_line(text: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=r"line [0-9]+: .*" + re.escape(message)):
        read(text)


def test_what_hangs_on_a_broken_metro_is_no_second_mistake() -> None:
    with pytest.raises(ScenarioError) as caught:
        read(metro("m", "b", 4, "relays = -1"), TRAFFIC.format("m", "a", 2))

    assert "metro[0].relays is -1" in str(caught.value)
    assert "\n" not in str(caught.value)
