"""Routes are node-disjoint, the cheapest first, and a refusal names who is in the way."""

from dataclasses import replace
from itertools import combinations, pairwise

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.paths import (
    DemandGraph,
    find_routes,
    graphs_of,
    parallel_pools,
    sum_parallel,
)
from tests.scheduler.paths.networks import Ends, network, want

NODES = "abcdefg"
GRAPHS = st.lists(
    st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)).filter(
        lambda pair: pair[0] < pair[1]
    ),
    min_size=1,
    max_size=14,
    unique=True,
)


def most_disjoint(links: list[Ends], one: str, other: str) -> int:
    """Count node-disjoint paths by trying all sets of simple paths."""
    graph = nx.Graph(links)
    paths = list(nx.all_simple_paths(graph, one, other))
    inner = [frozenset(path[1:-1]) for path in paths]
    best = 0
    for size in range(1, min(graph.degree(one), graph.degree(other)) + 1):
        if any(
            len({paths[i][1] if len(paths[i]) > 2 else "" for i in chosen}) == size
            and all(not inner[i] & inner[j] for i, j in combinations(chosen, 2))
            for chosen in combinations(range(len(paths)), size)
        ):
            best = size
    return best


@given(links=GRAPHS)
def test_as_many_disjoint_paths_are_found_as_there_are(links: list[Ends]) -> None:
    if not {"a", "b"} <= {name for link in links for name in link}:
        links = [*links, ("a", "z"), ("b", "y")]
    scenario, expected = network(*links), most_disjoint(links, "a", "b")

    for count in (1, 2, 3):
        found = find_routes(scenario, want("a", "b", min_disjoint_paths=count))

        assert bool(found.routes) == (count <= expected)
        assert bool(found.refusal) == (count > expected)
        for route in found.routes:
            inner = [node for path in route.paths for node in path[1:-1]]
            assert len(route.paths) == route.threshold == count
            assert len(inner) == len(set(inner))
            for path, hops in zip(route.paths, route.hops, strict=True):
                assert (path[0], path[-1]) == ("a", "b")
                assert [tuple(sorted(pair)) for pair in pairwise(path)] == [
                    tuple(hop.removeprefix("link:").split("--")) for hop in hops
                ]
        assert [r.cost for r in found.routes] == sorted(r.cost for r in found.routes)


@given(links=GRAPHS)
def test_the_first_route_is_the_shortest(links: list[Ends]) -> None:
    links = [*links, ("a", "z"), ("b", "z")] if ("a", "z") not in links else links
    routes = find_routes(network(*links), want("a", "b")).routes

    assert len(routes[0].paths[0]) == len(nx.shortest_path(nx.Graph(links), "a", "b"))


@given(links=GRAPHS, weights=st.lists(st.integers(1, 9), min_size=9, max_size=9))
def test_the_first_pair_of_paths_is_the_cheapest_there_is(
    links: list[Ends], weights: list[int]
) -> None:
    links = sorted({*links, ("a", "y"), ("b", "y"), ("a", "z"), ("b", "z")})
    trust = dict(zip("abcdefgyz", map(float, weights), strict=True))
    scenario = network(*links)
    nodes = tuple(replace(node, trust_weight=trust[node.node_id]) for node in scenario.nodes)

    found = find_routes(replace(scenario, nodes=nodes), want("a", "b", min_disjoint_paths=2))

    paths = list(nx.all_simple_paths(nx.Graph(links), "a", "b"))
    costs = [
        sum(trust[node] for path in pair for node in path[1:-1]) + sum(len(p) - 1 for p in pair)
        for pair in combinations(paths, 2)
        if not set(pair[0][1:-1]) & set(pair[1][1:-1])
    ]
    assert found.routes[0].cost == min(costs)


SHARED = (("a", "c"), ("c", "d"), ("d", "e"), ("d", "f"), ("e", "g"), ("f", "g"), ("g", "b"))


def test_a_refusal_names_the_nodes_that_every_path_shares_in_their_order() -> None:
    found = find_routes(network(*SHARED), want("a", "b", min_disjoint_paths=2))

    assert found.routes == ()
    assert found.refusal == (
        "2 node-disjoint paths from a to b are wanted, but every path shares c, d, g"
    )


def test_a_refusal_of_three_paths_names_the_two_in_the_way() -> None:
    links = (("a", "c"), ("a", "d"), ("c", "e"), ("d", "e"), ("c", "f"), ("e", "b"), ("f", "b"))

    found = find_routes(network(*links), want("a", "b", min_disjoint_paths=3))

    assert found.refusal.startswith("3 node-disjoint paths from a to b are wanted, but there are 2")
    assert found.refusal.endswith(("one of c, d", "one of e, f", "one of c, e"))


def test_a_direct_link_is_one_path_and_is_named_where_it_is_all_there_is() -> None:
    assert find_routes(network(("a", "b"), parallel=3), want("a", "b")).routes[0].paths == (
        ("a", "b"),
    )
    found = find_routes(network(("a", "b"), parallel=3), want("a", "b", min_disjoint_paths=2))
    assert found.refusal.endswith("every path shares the direct link")
    beside = network(("a", "b"), ("a", "c"), ("b", "c"))
    found = find_routes(beside, want("a", "b", min_disjoint_paths=3))
    assert found.refusal.endswith("there are 2: every path goes through one of c, the direct link")


def test_nodes_to_avoid_and_other_users_are_left_out() -> None:
    links = (("a", "u"), ("b", "u"), ("a", "c"), ("b", "c"))
    scenario = network(*links, users=("u",))

    (route,) = find_routes(scenario, want("a", "b")).routes
    assert route.paths == (("a", "c", "b"),)
    avoiding = find_routes(scenario, want("a", "b", avoid_nodes=frozenset({"c"})))
    assert avoiding.refusal == "no path from a to b that avoids c"


def test_a_graph_leaves_out_what_no_path_between_the_ends_passes() -> None:
    way = (("a", "c"), ("b", "c"), ("a", "d"), ("b", "d"))
    elsewhere = (("c", "e"), ("e", "f"), ("f", "g"), ("e", "g"))  # behind c alone

    graph = DemandGraph(network(*way, *elsewhere), want("a", "b"))

    assert set(graph.trust) == set("abcd")
    assert set(graph.hops.values()) == {f"link:{one}--{other}" for one, other in map(sorted, way)}
    assert graph.useful_hops == set(graph.hops.values())


def test_relays_of_other_trust_domains_are_left_out() -> None:
    drawn = network(*((end, middle) for middle in "cde" for end in "ab"))
    domain = {"c": "state", "d": "grid", "a": "grid"}
    scenario = replace(
        drawn, nodes=tuple(replace(n, domain=domain.get(n.node_id, "")) for n in drawn.nodes)
    )

    def middles(**wishes: object) -> list[str]:
        found = find_routes(scenario, want("a", "b", **wishes)).routes
        return sorted(path[1] for route in found for path in route.paths)

    assert middles() == ["c", "d", "e"]
    assert middles(avoid_domains=frozenset({"state"})) == ["d", "e"]
    assert middles(require_domains=frozenset({"state"})) == ["c"]  # the ends may be of any
    assert middles(require_domains=frozenset({"state", "grid"})) == ["c", "d"]
    only = want("a", "b", require_domains=frozenset({"state"}), avoid_nodes=frozenset({"c"}))
    refusal = find_routes(scenario, only).refusal
    assert refusal == "no path from a to b that avoids c and stays in domain state"
    other = want("a", "b", min_disjoint_paths=3, avoid_domains=frozenset({"grid"}))
    assert "every path that avoids domain grid goes through one of" in (
        find_routes(scenario, other).refusal
    )


def test_spare_paths_are_taken_where_there_are_any() -> None:
    scenario = network(*((end, middle) for middle in "cde" for end in "ab"))

    (route,) = find_routes(scenario, want("a", "b", min_disjoint_paths=2, spare_paths=5)).routes

    assert len(route.paths) == 3
    assert route.threshold == 2


def test_an_empty_hop_makes_its_path_dear() -> None:
    links = (("a", "c"), ("b", "c"), ("a", "d"), ("d", "e"), ("b", "e"))
    scenario, demand = network(*links), want("a", "b", 1000)

    full = {f"link:{one}--{other}": 5000.0 for one, other in map(sorted, links)}
    routes = find_routes(scenario, demand, supply=full).routes
    assert [route.paths[0][1] for route in routes] == ["c", "d"]
    routes = find_routes(scenario, demand, supply=full | {"link:a--c": 0.0}).routes
    assert [route.paths[0][1] for route in routes] == ["d", "c"]


def test_parallel_links_are_one_hop() -> None:
    scenario = network(("a", "b"), ("b", "c"), parallel=3)

    (route,) = find_routes(scenario, want("a", "c")).routes

    assert route.links == ("link:a--b", "link:b--c")
    assert sum_parallel(scenario, {"link:a--b": 1, "link:a--b#3": 5}) == {
        "link:a--b": 6,
        "link:b--c": 0,
    }


@pytest.mark.parametrize("paths", [1, 2])
def test_the_planner_is_told_of_every_link_once(paths: int) -> None:
    scenario = network(("a", "c"), ("b", "c"), ("a", "d"), ("b", "d"))

    (first, *_) = find_routes(scenario, want("a", "b", min_disjoint_paths=paths)).path_sets

    assert len(first.uses) == 2 * paths
    assert {times for _, times in first.uses} == {1}


def test_a_network_keeps_its_graphs_whatever_its_demands_become() -> None:
    """A merge of 300 pairs was decided anew on 300 new graphs whenever one demand changed."""
    scenario = network(("a", "r"), ("r", "b"), ("a", "b"))
    more = replace(scenario, demands=(want("a", "b"),))
    less = replace(scenario, links=scenario.links[:2])

    assert graphs_of(more) is graphs_of(scenario)
    assert parallel_pools(more) is parallel_pools(scenario)
    assert graphs_of(less) is not graphs_of(scenario)
    assert len(parallel_pools(less)) == 2
