"""The compromise structure, against every subset of nodes tried one by one."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain import CombinedStep, MergeStep, Provenance
from scheduler.errors import FactError
from scheduler.merge import CompromiseStructure

RELAY_SETS = st.lists(st.frozensets(st.sampled_from("abcdefg"), max_size=4), min_size=1, max_size=4)


def brute_force(structure: CompromiseStructure) -> set[frozenset[str]]:
    nodes = sorted(frozenset().union(*structure.relay_sets))
    knowing = [
        frozenset(chosen)
        for size in range(len(nodes) + 1)
        for chosen in combinations(nodes, size)
        if structure.is_known_to(chosen)
    ]
    return {one for one in knowing if not any(other < one for other in knowing)}


@given(relay_sets=RELAY_SETS, data=st.data())
def test_the_minimal_sets_are_those_found_by_trying_all(
    relay_sets: list[frozenset[str]], data: st.DataObject
) -> None:
    threshold = data.draw(st.integers(1, len(relay_sets)))
    structure = CompromiseStructure(threshold=threshold, relay_sets=tuple(relay_sets))

    minimal = structure.minimal_sets()

    assert len(set(minimal)) == len(minimal)
    assert set(minimal) == brute_force(structure)
    assert structure.single_points() == {next(iter(s)) for s in minimal if len(s) == 1}


def test_two_disjoint_paths_need_a_relay_of_each() -> None:
    structure = CompromiseStructure(
        threshold=2, relay_sets=(frozenset({"micius", "xinglong"}), frozenset({"lanzhou"}))
    )

    assert structure.minimal_sets() == (
        frozenset({"lanzhou", "micius"}),
        frozenset({"lanzhou", "xinglong"}),
    )
    assert not structure.is_known_to({"micius", "xinglong"})
    assert structure.describe() == (
        "known to those who corrupt 2 of 2 paths, one relay of each:"
        " any of micius, xinglong; lanzhou (no node alone suffices)"
    )


def test_a_relayed_key_is_known_to_each_relay() -> None:
    structure = CompromiseStructure(threshold=1, relay_sets=(frozenset({"r1", "r2"}),))

    assert structure.single_points() == {"r1", "r2"}
    assert structure.describe() == "known to any of r1, r2"


def test_a_path_without_a_relay_cannot_be_corrupted() -> None:
    structure = CompromiseStructure(threshold=2, relay_sets=(frozenset(), frozenset({"r"})))

    assert structure.minimal_sets() == ()
    assert not structure.is_known_to({"r"})


def test_a_long_list_of_minimal_sets_is_cut() -> None:
    relays = [frozenset(f"{path}{i}" for i in range(100)) for path in "ab"]
    structure = CompromiseStructure(threshold=2, relay_sets=tuple(relays))

    assert len(structure.minimal_sets(limit=50)) == 50
    assert len(structure.minimal_sets()) == 10_000


@pytest.mark.parametrize("threshold", [0, 3])
def test_a_threshold_beyond_the_paths_is_refused(threshold: int) -> None:
    with pytest.raises(FactError, match=f"threshold {threshold}; allowed: 1 to the 2 paths"):
        CompromiseStructure(threshold=threshold, relay_sets=(frozenset(), frozenset()))


def leg(*path: str, bits: int = 512) -> MergeStep:
    links = tuple(f"link:{min(pair)}--{max(pair)}" for pair in pairwise(path))
    return MergeStep(demand_id="a--d", path=path, links=links, bits=bits)


def test_provenance_names_the_paths_and_survives_json() -> None:
    step = CombinedStep(
        demand_id="a--d", legs=(leg("a", "b", "d"), leg("a", "c", "d")), threshold=2
    )

    provenance = Provenance.of(step)

    assert provenance.relay_sets == (frozenset({"b"}), frozenset({"c"}))
    assert Provenance.from_dict(provenance.as_dict()) == provenance
    assert CompromiseStructure.of(provenance).minimal_sets() == (frozenset({"b", "c"}),)
    assert CompromiseStructure.of(Provenance.of(leg("a", "b", "d"))).single_points() == {"b"}


@pytest.mark.parametrize(
    "legs",
    [
        (leg("a", "b", "d"),),
        (leg("a", "b", "d"), leg("a", "b", "d")),
        (leg("a", "b", "d"), leg("a", "c", "e")),
        (leg("a", "b", "d"), leg("a", "c", "d", bits=256)),
    ],
)
def test_paths_that_cannot_be_combined_are_refused(legs: tuple[MergeStep, ...]) -> None:
    with pytest.raises(FactError, match="allowed"):
        CombinedStep(demand_id="a--d", legs=legs, threshold=2)


@pytest.mark.parametrize(
    "data", [{}, {"threshold": 1, "paths": 3, "links": [], "announcements": []}]
)
def test_a_provenance_of_another_form_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(FactError, match="provenance"):
        Provenance.from_dict(data)
