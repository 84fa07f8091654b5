"""Carrying out all merges of a tick at once: column by column instead of path by path.

Three hundred paths of 33 hops that share a trunk are ten thousand XORs of 64 bytes each, path
by path. Laid end to end, the runs that a relay joins are one XOR for each two of its links.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from scheduler.errors import FactError
from scheduler.facts import CombinedStep, MergeStep, Pool
from scheduler.merge.carry import join_paths, xor_all
from scheduler.merge.relay import xor

Meeting = tuple[str, str, str]
"""A relay and the two links that it joins, in the direction of the path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkKey:
    """What a tick spends of one link, as each of its two nodes holds it."""

    pool: Pool
    at_a: bytes = field(repr=False)  #: node_a's copy
    at_b: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.at_a) != len(self.at_b):
            raise FactError(
                f"copies of {len(self.at_a)} and {len(self.at_b)} bytes of {self.pool.pool_id};"
                " allowed: equal lengths"
            )

    def held_by(self, node: str) -> bytes:
        """The copy of one of the link's two nodes."""
        return self.at_a if node == self.pool.node_a else self.at_b


@dataclass(slots=True, eq=False)
class Said:
    """What one relay makes public in a tick about two of its links: runs laid end to end.

    Public: the XOR of two keys says nothing about either.
    """

    relay: str
    left: str  #: pool_id of the link towards the near ends
    right: str
    payload: bytes = b""
    left_starts: list[int] = field(default_factory=list)  #: first bit of each run
    right_starts: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)  #: bits of each run
    length_bits: int = 0
    travels: int = 0  #: links on the way to the far ends, a bit each

    def left_runs(self) -> list[tuple[int, int]]:
        """(first bit, bits) of the runs on the left link, those that touch made one."""
        return _joined(self.left_starts, self.sizes)

    def right_runs(self) -> list[tuple[int, int]]:
        """(first bit, bits) of the runs on the right link, those that touch made one."""
        return _joined(self.right_starts, self.sizes)

    def speak(self, keys: Mapping[str, LinkKey]) -> None:
        """XOR the relay's own copies of the two links."""
        left, right = keys[self.left].held_by(self.relay), keys[self.right].held_by(self.relay)
        self.payload = xor(_laid_out(left, self.left_runs()), _laid_out(right, self.right_runs()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What one step leaves at its two ends, and where it came from."""

    step: MergeStep | CombinedStep
    runs: tuple[tuple[int, ...], ...]  #: first bit on every hop of every path
    said: tuple[Said, ...]  #: of every relay, path after path
    near_run: bytes = field(repr=False)
    far_run: bytes = field(repr=False)
    corrections: tuple[bytes, ...] = ()  #: public; when fewer paths than all suffice


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What all steps of a tick leave; `drawn` is the bits taken of each link, from its front."""

    arrived: tuple[Arrived, ...]
    said: tuple[Said, ...]
    drawn: Mapping[str, int]
    places: Mapping[str, int]  #: each link's bit in `Said.travels`

    def travelling(self, link: str) -> Iterator[Said]:
        """The announcements that travel over a link on their way to a far end."""
        place = self.places[link]
        return (said for said in self.said if said.travels >> place & 1)


@dataclass(slots=True)
class _Leg:
    """One path of a step: where its runs start, and where it finds what relays said of them."""

    starts: list[int] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)  #: first bit in what was said


def legs_of(step: MergeStep | CombinedStep) -> tuple[MergeStep, ...]:
    """The paths of a step, one or several."""
    return step.legs if isinstance(step, CombinedStep) else (step,)


def carry_out_all(
    steps: Sequence[MergeStep | CombinedStep], keys: Mapping[str, LinkKey]
) -> Carried:
    """Return what `carry_out` gives for each step, and what each relay says for all of them.

    Parameters
    ----------
    keys : pool_id -> what is spent of it; each step takes the next bits of each of its hops

    A relay announces once for any two of its links. Raises FactError if a link has less than
    the steps take.
    """
    drawn = dict.fromkeys(keys, 0)
    said: dict[Meeting, Said] = {}
    ways: set[tuple[str, ...]] = set()
    places = {link: place for place, link in enumerate(keys)}
    laid = [[_lay_out(leg, drawn, said, ways, places) for leg in legs_of(step)] for step in steps]
    for link, bits in drawn.items():
        if bits > 8 * len(keys[link].at_a):
            raise FactError(f"{bits} bits of {link} to spend; allowed: {8 * len(keys[link].at_a)}")
    for one in said.values():
        one.speak(keys)
    return Carried(
        arrived=tuple(_arrive(step, legs, keys) for step, legs in zip(steps, laid, strict=True)),
        said=tuple(said.values()),
        drawn=drawn,
        places=places,
    )


def _lay_out(
    leg: MergeStep,
    drawn: dict[str, int],
    said: dict[Meeting, Said],
    ways: set[tuple[str, ...]],
    places: Mapping[str, int],
) -> _Leg:
    """Take the next run of every hop, and put it behind what each relay says already."""
    bits, links = leg.bits, leg.links
    laid = _Leg()
    for link in links:
        start = drawn[link]
        drawn[link] = start + bits
        laid.starts.append(start)
    for hop, relay in enumerate(leg.path[1:-1]):
        meeting = relay, links[hop], links[hop + 1]
        one = said.get(meeting)
        if one is None:
            one = said[meeting] = Said(*meeting)
        laid.said.append(one)
        laid.offsets.append(one.length_bits)
        one.left_starts.append(laid.starts[hop])
        one.right_starts.append(laid.starts[hop + 1])
        one.sizes.append(bits)
        one.length_bits += bits
    if links not in ways:
        ways.add(links)
        _let_travel(laid.said, links, places)
    return laid


def _let_travel(said: Sequence[Said], links: Sequence[str], places: Mapping[str, int]) -> None:
    """Note that what each relay said travels over every later hop of this path."""
    ahead = 0
    for one, link in zip(reversed(said), reversed(links), strict=False):
        ahead |= 1 << places[link]
        one.travels |= ahead


def _arrive(
    step: MergeStep | CombinedStep, laid: Sequence[_Leg], keys: Mapping[str, LinkKey]
) -> Arrived:
    """Each end works from its own copies and from what is public."""
    size, near, far = step.bits // 8, [], []
    for leg, mine in zip(legs_of(step), laid, strict=True):
        first, last = mine.starts[0] // 8, mine.starts[-1] // 8
        near.append(keys[leg.links[0]].held_by(leg.path[0])[first : first + size])
        own = keys[leg.links[-1]].held_by(leg.path[-1])[last : last + size]
        heard = [
            one.payload[offset // 8 : offset // 8 + size]
            for one, offset in zip(mine.said, mine.offsets, strict=True)
        ]
        far.append(xor_all([own, *heard]))
    near_run, far_run, corrections = join_paths(step, near, far)
    return Arrived(
        step=step,
        runs=tuple(tuple(mine.starts) for mine in laid),
        said=tuple(one for mine in laid for one in mine.said),
        near_run=near_run,
        far_run=far_run,
        corrections=corrections,
    )


def _joined(starts: Sequence[int], sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Runs (first bit, bits), those made one that follow each other."""
    first, size = np.array(starts), np.array(sizes)
    breaks = np.flatnonzero(first[1:] != first[:-1] + size[:-1]) + 1
    begins = np.concatenate([[0], breaks])
    return list(zip(first[begins].tolist(), np.add.reduceat(size, begins).tolist(), strict=True))


def _laid_out(key: bytes, runs: Iterable[tuple[int, int]]) -> bytes:
    """Runs of a key, given in bits, laid end to end."""
    return b"".join([key[start // 8 : (start + bits) // 8] for start, bits in runs])
