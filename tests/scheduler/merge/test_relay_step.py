"""A merge on bytes: both ends come to equal runs, unless somebody holds other bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain import CombinedStep, MergeStep
from scheduler.errors import FactError
from scheduler.merge import prove_equality, relay_step, xor

Hops = list[tuple[bytes, bytes]]
LENGTH = 64


def leg(hops: int, path: int) -> MergeStep:
    nodes = ("near", *(f"r{path}x{i}" for i in range(1, hops)), "zfar")
    return MergeStep(
        demand_id="near--zfar",
        path=nodes,
        links=tuple(f"link:a--b#{i + 2}" for i in range(hops)),
        bits=LENGTH * 8,
    )


@st.composite
def steps(draw: st.DrawFn) -> tuple[MergeStep | CombinedStep, list[Hops]]:
    """A step, with equal copies at both nodes of each hop."""
    lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    key = st.binary(min_size=LENGTH, max_size=LENGTH)
    copies = [[(k, k) for k in draw(st.lists(key, min_size=n, max_size=n))] for n in lengths]
    legs = tuple(leg(hops, path) for path, hops in enumerate(lengths))
    if len(legs) == 1:
        return legs[0], copies
    threshold = draw(st.integers(1, len(legs)))
    return CombinedStep(demand_id="near--zfar", legs=legs, threshold=threshold), copies


@given(case=steps())
def test_both_ends_come_to_equal_runs(case: tuple[MergeStep | CombinedStep, list[Hops]]) -> None:
    step, copies = case

    merged = relay_step(step, copies)

    assert merged.near_run == merged.far_run
    assert len(merged.near_run) * 8 == step.bits
    assert [len(said) for said in merged.announced] == [len(hops) - 1 for hops in copies]
    assert prove_equality(merged.near_run) == prove_equality(merged.far_run)


@given(case=steps(), data=st.data())
def test_a_copy_that_differs_anywhere_shows_at_the_ends(
    case: tuple[MergeStep | CombinedStep, list[Hops]], data: st.DataObject
) -> None:
    step, copies = case
    path = data.draw(st.integers(0, len(copies) - 1))
    hop = data.draw(st.integers(0, len(copies[path]) - 1))
    flip = data.draw(st.binary(min_size=LENGTH, max_size=LENGTH).filter(any))
    left, right = copies[path][hop]
    copies[path][hop] = (left, xor(right, flip))

    if isinstance(step, CombinedStep) and step.threshold < len(step.legs):
        # With spare paths the far end sees for itself that a share does not fit the others.
        with pytest.raises(FactError, match="does not fit"):
            relay_step(step, copies)
    else:
        merged = relay_step(step, copies)
        assert merged.near_run != merged.far_run


def test_hops_and_lengths_that_do_not_fit_the_step_are_refused() -> None:
    key = bytes(LENGTH)

    with pytest.raises(FactError, match=r"keys of \[1\] hops; allowed: \[2\]"):
        relay_step(leg(2, 0), [[(key, key)]])
    with pytest.raises(FactError, match="hop key of 8 bits; allowed: 512"):
        relay_step(leg(1, 0), [[(b"a", b"a")]])


def test_no_key_shows_in_a_repr() -> None:
    key = b"z" * LENGTH

    assert "zzz" not in repr(relay_step(leg(1, 0), [[(key, key)]]))
