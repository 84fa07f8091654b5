"""All merges of a tick at once give what each of them gives alone."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain import CombinedStep, MergeStep, Pool
from scheduler.errors import FactError
from scheduler.merge import (
    LinkKey,
    Relayed,
    legs_of,
    prove_all,
    prove_equality,
    relay_step,
    relay_steps,
    xor,
)
from scheduler.merge.field import MANY

NODES = ("a", "b", "c", "d", "e", "f")
SIZES = (512, 768, 1024, 2048)
Step = MergeStep | CombinedStep


def leg(path: tuple[str, ...], bits: int, parallel: int = 1) -> MergeStep:
    links = tuple(Pool.link(one, other, parallel).pool_id for one, other in pairwise(path))
    return MergeStep(demand_id="demand", path=path, links=links, bits=bits)


@st.composite
def ticks(draw: st.DrawFn) -> list[Step]:
    """Relays along random paths of one small network, and combinations of disjoint ones."""
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, 8))):
        nodes = draw(st.permutations(NODES))
        bits = draw(st.sampled_from(SIZES))
        near, far, *inner = nodes
        cut = draw(st.integers(0, len(inner)))
        one = leg((near, *inner[:cut], far), bits, draw(st.integers(1, 2)))
        if draw(st.booleans()) and 0 < cut < len(inner):
            other = leg((near, *inner[cut:], far), bits)
            threshold = draw(st.integers(1, 2))
            steps.append(CombinedStep(demand_id="demand", legs=(one, other), threshold=threshold))
        else:
            steps.append(one)
    return steps


def keys_for(steps: list[Step], spare_bits: int = 0) -> dict[str, LinkKey]:
    """Fixed key on each link, as much as the steps take of it."""
    needs: dict[str, int] = {}
    for one in (one for step in steps for one in legs_of(step)):
        for link in one.links:
            needs[link] = needs.get(link, spare_bits) + one.bits
    keys = {link: hashlib.shake_256(link.encode()).digest(n // 8) for link, n in needs.items()}
    return {link: LinkKey(pool=Pool.parse(link), at_a=k, at_b=k) for link, k in keys.items()}


def held_by(key: LinkKey, node: str) -> bytes:
    return key.at_a if node == key.pool.node_a else key.at_b


def copies_of(
    step: Step, relayed: Relayed, index: int, keys: dict[str, LinkKey]
) -> list[list[tuple[bytes, ...]]]:
    """The runs that a step took, as `relay_step` wants them."""
    size = step.bits // 8
    return [
        [
            tuple(
                held_by(keys[link], node)[start // 8 : start // 8 + size]
                for node in leg.path[hop : hop + 2]
            )
            for hop, (link, start) in enumerate(zip(leg.links, starts, strict=True))
        ]
        for leg, starts in zip(legs_of(step), relayed.arrived[index].runs, strict=True)
    ]


@given(steps=ticks(), flip=st.none() | st.integers(0, 10**6))
def test_a_tick_gives_what_its_steps_give_one_by_one(steps: list[Step], flip: int | None) -> None:
    keys = keys_for(steps)
    if flip is not None:  # one end of one link holds another bit
        link, key = sorted(keys.items())[flip % len(keys)]
        other = bytearray(key.at_b)
        other[flip % len(other)] ^= 1 << flip % 8
        keys[link] = LinkKey(pool=key.pool, at_a=key.at_a, at_b=bytes(other))

    try:
        relayed = relay_steps(steps, keys)
    except FactError:  # shares of a combination that do not fit each other
        assert flip is not None
        assert any(isinstance(step, CombinedStep) for step in steps)
        return

    for index, (step, arrived) in enumerate(zip(steps, relayed.arrived, strict=True)):
        alone = relay_step(step, copies_of(step, relayed, index, keys))
        assert (arrived.near_run, arrived.far_run) == (alone.near_run, alone.far_run)
        assert arrived.corrections == alone.corrections
        relays = [relay for leg in legs_of(step) for relay in leg.path[1:-1]]
        assert [relayed.announcements[place].relay for place in arrived.announcements] == relays


@given(steps=ticks())
def test_every_bit_is_drawn_once_and_said_once_at_each_relay(steps: list[Step]) -> None:
    keys = keys_for(steps, spare_bits=256)

    relayed = relay_steps(steps, keys)

    for link, key in keys.items():
        runs = sorted(
            (start, start + one.step.bits)
            for one in relayed.arrived
            for leg, starts in zip(legs_of(one.step), one.runs, strict=True)
            for name, start in zip(leg.links, starts, strict=True)
            if name == link
        )
        ends = [0, *(end for _, end in runs)]
        assert [start for start, _ in runs] == ends[:-1]
        assert relayed.drawn[link] == ends[-1] == 8 * len(key.at_a) - 256
    for announced in relayed.announcements:
        for runs in (announced.left_runs, announced.right_runs):
            assert sum(bits for _, bits in runs) == 8 * len(announced.payload)
            assert all(a + b != c for (a, b), (c, _) in pairwise(runs))  # joined where they touch


@given(steps=ticks())
def test_an_announcement_travels_over_every_later_hop_its_way_and_no_other(
    steps: list[Step],
) -> None:
    relayed = relay_steps(steps, keys_for(steps))

    expected: dict[tuple[str, str], set[tuple[str, str, str]]] = {}
    for leg in (leg for step in steps for leg in legs_of(step)):
        for hop, relay in enumerate(leg.path[1:-1]):
            for later in range(hop + 1, len(leg.links)):
                announced = (relay, leg.links[hop], leg.links[hop + 1])
                expected.setdefault((leg.links[later], leg.path[later]), set()).add(announced)
    assert relayed.travels.keys() == expected.keys()
    for way, meetings in expected.items():
        over = [relayed.announcements[place] for place in relayed.travels[way]]
        found = [(announced.relay, announced.left, announced.right) for announced in over]
        assert (set(found), len(found)) == (meetings, len(meetings))


def test_a_tick_without_steps_leaves_everything_where_it_is() -> None:
    step = leg(("a", "b"), 512)

    relayed = relay_steps([], keys_for([step]))

    assert (relayed.arrived, relayed.announcements) == ((), ())
    assert (relayed.drawn, relayed.travels) == ({"link:a--b": 0}, {})
    assert relay_steps([], {}).drawn == {}


def test_a_link_with_too_little_key_is_named_with_lengths_only() -> None:
    step = leg(("a", "b", "c"), 512)
    keys = keys_for([step])

    with pytest.raises(FactError, match=r"1024 bits of link:a--b to spend; allowed: 512"):
        relay_steps([step, step], keys)


def test_copies_of_unequal_length_are_refused_without_showing_them() -> None:
    pool, key = Pool.link("a", "b"), b"z" * 32
    for one, other in ((key, 2 * key), (key[:31], key[:31])):
        with pytest.raises(FactError, match="bytes of link:a--b; allowed") as caught:
            LinkKey(pool=pool, at_a=one, at_b=other)
        assert "zz" not in str(caught.value)
    assert "zz" not in repr(LinkKey(pool=pool, at_a=key, at_b=key))


@given(
    seeds=st.lists(st.binary(max_size=4), min_size=1, max_size=3),
    count=st.sampled_from([1, MANY - 1, MANY, MANY + 9]),
    grains=st.sampled_from([1, 2, 3, 4, 40, 700]),
)
def test_many_proofs_are_what_each_would_be_alone(
    seeds: list[bytes], count: int, grains: int
) -> None:
    runs = [
        hashlib.shake_256(bytes([index]) + seed).digest(32 * (1 + grains))
        for index in range(count)
        for seed in seeds
    ]
    runs.append(hashlib.shake_256(seeds[0]).digest(64))

    for run, proof in zip(runs, prove_all(runs), strict=True):
        (alone,) = prove_all([run])
        assert (proof.tag, proof.key) == (alone.tag, alone.key)
        assert prove_equality(run) == alone
        assert proof.key == run[32:]


@given(offset=st.integers(0, 64 * 8 - 1), seed=st.binary(max_size=4))
def test_a_flipped_bit_shows_among_many_proofs(offset: int, seed: bytes) -> None:
    runs = [hashlib.shake_256(bytes([n]) + seed).digest(64) for n in range(MANY)]
    flipped = xor(runs[7], (1 << offset).to_bytes(64, "big"))

    assert prove_all(runs)[7].tag != prove_all([*runs[:7], flipped, *runs[8:]])[7].tag
