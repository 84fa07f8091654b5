"""Relaying for all steps of one merge execution at once: column by column instead of path by path.

Three hundred paths of 33 hops that share a trunk are ten thousand XORs of 64 bytes, path by
path. Here every hop of every path is a row of one table. Key is counted in grains of 256 bits,
the rows of one array; what relays announce is one XOR of two selections of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from scheduler.domain import KEY_GRAIN_BITS, CombinedStep, MergeStep, Pool
from scheduler.errors import FactError
from scheduler.merge.relay_step import join_paths

GRAIN_BYTES = KEY_GRAIN_BITS // 8

_Ints = NDArray[np.int64]
_Flags = NDArray[np.bool_]
_Grains = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkKey:
    """What one merge execution spends of one link, as each of its two nodes holds it."""

    pool: Pool
    at_a: bytes = field(repr=False)  #: node_a's copy
    at_b: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.at_a) != len(self.at_b) or len(self.at_a) % GRAIN_BYTES:
            raise FactError(
                f"copies of {len(self.at_a)} and {len(self.at_b)} bytes of {self.pool.pool_id};"
                f" allowed: equal multiples of {GRAIN_BYTES}"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RelayAnnouncement:
    """What one relay makes public about two of its links: runs laid end to end.

    Public: the XOR of two keys says nothing about either. A run is (first bit, bits), counted
    over what the tick spends of the link; those that touch are one.
    """

    relay: str
    left: str  #: pool_id of the link towards the near ends
    right: str
    left_runs: tuple[tuple[int, int], ...]
    right_runs: tuple[tuple[int, int], ...]
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What one step leaves at its two ends, and where it came from."""

    step: MergeStep | CombinedStep
    runs: tuple[tuple[int, ...], ...]  #: first bit on every hop of every path
    announcements: tuple[
        int, ...
    ]  #: of every relay, path after path: its place in `Relayed.announcements`
    near_run: bytes = field(repr=False)
    far_run: bytes = field(repr=False)
    corrections: tuple[bytes, ...] = ()  #: public; when fewer paths than all suffice


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The runs that were taken of one link, in their order on it."""

    step: _Ints  #: which step took it
    start: _Ints  #: first bit
    bits: _Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayed:
    """What all steps of one merge execution leave."""

    arrived: tuple[Arrived, ...]
    announcements: tuple[RelayAnnouncement, ...]
    drawn: Mapping[str, int]  #: bits taken of each link, from its front
    taken: Mapping[str, Taken]
    #: (link, node that sends) -> places in `announcements` of what travels over the link from there
    travels: Mapping[tuple[str, str], tuple[int, ...]]


def legs_of(step: MergeStep | CombinedStep) -> tuple[MergeStep, ...]:
    """The paths of a step, one or several."""
    return step.legs if isinstance(step, CombinedStep) else (step,)


def relay_steps(steps: Sequence[MergeStep | CombinedStep], keys: Mapping[str, LinkKey]) -> Relayed:
    """Return what `relay_step` gives for each step, and what each relay announces for all of them.

    Parameters
    ----------
    keys : pool_id -> what is spent of it; each step takes the next bits of each of its hops

    A relay announces once for any two of its links. Every relay XORs the copies that it holds
    itself, and each end works from its own copies and from what is public. Raises FactError if
    a link has less than the steps take.
    """
    if not steps:
        drawn = dict.fromkeys(keys, 0)
        return Relayed(arrived=(), announcements=(), drawn=drawn, taken={}, travels={})
    table = _Table(steps, keys)
    drawn = dict(zip(keys, (table.drawn * KEY_GRAIN_BITS).tolist(), strict=True))
    for link, bits in drawn.items():
        if bits > 8 * len(keys[link].at_a):
            raise FactError(f"{bits} bits of {link} to spend; allowed: {8 * len(keys[link].at_a)}")
    copies = _Copies(keys)
    announced = table.announce(copies)
    near, far = table.ends(copies, announced)
    return Relayed(
        arrived=tuple(_arrived(steps, table, near, far)),
        announcements=tuple(table.announcements(announced, list(keys))),
        drawn=drawn,
        taken=table.taken(list(keys)),
        travels=table.travels(keys),
    )


def _arrived(
    steps: Sequence[MergeStep | CombinedStep],
    table: _Table,
    near: Sequence[bytes],
    far: Sequence[bytes],
) -> Iterator[Arrived]:
    starts, meetings = (table.start * KEY_GRAIN_BITS).tolist(), table.meeting.tolist()
    first = 0
    for step in steps:
        legs = range(first, first + len(legs_of(step)))
        first = legs.stop
        near_run, far_run, corrections = join_paths(
            step, near[legs.start : legs.stop], far[legs.start : legs.stop]
        )
        yield Arrived(
            step=step,
            runs=tuple([tuple(starts[table.hops_of(leg)]) for leg in legs]),
            announcements=tuple([m for leg in legs for m in meetings[table.relays_of(leg)]]),
            near_run=near_run,
            far_run=far_run,
            corrections=corrections,
        )


class _Copies:
    """Both nodes' copies of every link in one array of grains."""

    def __init__(self, keys: Mapping[str, LinkKey]) -> None:
        every = [copy for key in keys.values() for copy in (key.at_a, key.at_b)]
        self.grains: _Grains = np.frombuffer(b"".join(every), np.uint64).reshape(-1, 4)
        lengths = np.array([len(copy) // GRAIN_BYTES for copy in every], dtype=np.int64)
        self._first = _before(lengths).reshape(-1, 2)

    def first(self, link: _Ints, at_a: _Flags) -> _Ints:
        """Where one node's copy of each link begins: node_a's where the flag is set."""
        return self._first[link, np.where(at_a, 0, 1)]


class _Table:
    """Every hop of every path as a row, and every relay of every path.

    A relay's row joins a hop's row with the next. `at_a` says whether the node before the hop
    is the link's node_a. Grains throughout.
    """

    def __init__(
        self, steps: Sequence[MergeStep | CombinedStep], keys: Mapping[str, LinkKey]
    ) -> None:
        legs = [leg for step in steps for leg in legs_of(step)]
        place = {link: number for number, link in enumerate(keys)}
        node_a = {link: key.pool.node_a for link, key in keys.items()}
        hops = np.array([len(leg.links) for leg in legs], dtype=np.int64)
        self._ends = np.cumsum(hops)
        self._begins = self._ends - hops
        self.grains: _Ints = np.array([leg.bits // KEY_GRAIN_BITS for leg in legs], dtype=np.int64)
        self.link: _Ints = np.array([place[link] for leg in legs for link in leg.links], np.int64)
        self.at_a: _Flags = np.array(
            [
                node_a[link] == node
                for leg in legs
                for link, node in zip(leg.links, leg.path, strict=False)
            ],
            dtype=np.bool_,
        )
        self._relay_names = [node for leg in legs for node in leg.path[1:-1]]
        size = self._hop_size = np.repeat(self.grains, hops)
        owner = np.repeat(np.arange(len(steps)), [len(legs_of(step)) for step in steps])
        self._step = np.repeat(owner, hops)
        self.start = _laid_end_to_end(self.link, size)
        self.drawn: _Ints = np.bincount(self.link, size, minlength=len(keys)).astype(np.int64)
        # A relay stands behind every hop but the last of a path.
        inner = np.ones(len(self.link), dtype=np.bool_)
        inner[self._ends - 1] = False
        self._left = np.flatnonzero(inner)
        self._size = size[self._left]
        pair = self.link[self._left] * len(keys) + self.link[self._left + 1]
        _, self._example, self.meeting = np.unique(pair, return_index=True, return_inverse=True)
        self._offset = _laid_end_to_end(self.meeting, self._size)
        count = len(self._example)
        self._length = np.bincount(self.meeting, self._size, minlength=count).astype(np.int64)

    def hops_of(self, leg: int) -> slice:
        """The rows of a path's hops."""
        return slice(self._begins[leg], self._ends[leg])

    def relays_of(self, leg: int) -> slice:
        """The rows of a path's relays: each path has one fewer than hops."""
        return slice(self._begins[leg] - leg, self._ends[leg] - leg - 1)

    def taken(self, links: Sequence[str]) -> dict[str, Taken]:
        """What was taken of each link, in order."""
        order = np.argsort(self.link, kind="stable")
        cuts = np.searchsorted(self.link[order], np.arange(len(links) + 1))
        rows = (order[low:high] for low, high in pairwise(cuts.tolist()))
        return {
            link: Taken(
                step=self._step[mine],
                start=self.start[mine] * KEY_GRAIN_BITS,
                bits=self._hop_size[mine] * KEY_GRAIN_BITS,
            )
            for link, mine in zip(links, rows, strict=True)
        }

    def announce(self, copies: _Copies) -> _Grains:
        """What all relays announce, meeting after meeting: the XOR of their own two copies."""
        left, right = self._left, self._left + 1
        # Behind the left hop, so the other end's copy; before the right hop.
        one = copies.first(self.link[left], ~self.at_a[left]) + self.start[left]
        two = copies.first(self.link[right], self.at_a[right]) + self.start[right]
        announced = np.empty((int(self._length.sum()), 4), dtype=np.uint64)
        to = _spread(_before(self._length)[self.meeting] + self._offset, self._size)
        announced[to] = (
            copies.grains[_spread(one, self._size)] ^ copies.grains[_spread(two, self._size)]
        )
        return announced

    def ends(self, copies: _Copies, announced: _Grains) -> tuple[list[bytes], list[bytes]]:
        """Each path's key as its near end holds it, and as its far end rebuilds it."""
        first, last = self._begins, self._ends - 1
        near = copies.first(self.link[first], self.at_a[first]) + self.start[first]
        far = copies.first(self.link[last], ~self.at_a[last]) + self.start[last]
        far_keys = copies.grains[_spread(far, self.grains)]
        heard = _before(self._length)[self.meeting] + self._offset
        relays, rows = self._ends - self._begins - 1, _before(self.grains)
        for hop in range(int(relays.max(initial=0))):
            legs = np.flatnonzero(relays > hop)
            size = self.grains[legs]
            from_ = heard[first[legs] - legs + hop]
            far_keys[_spread(rows[legs], size)] ^= announced[_spread(from_, size)]
        near_keys = copies.grains[_spread(near, self.grains)]
        return self._cut(near_keys), self._cut(far_keys)

    def _cut(self, keys: _Grains) -> list[bytes]:
        """Grains laid end to end, path by path."""
        whole, ends = keys.tobytes(), np.cumsum(self.grains) * GRAIN_BYTES
        begins = ends - self.grains * GRAIN_BYTES
        return [whole[a:b] for a, b in zip(begins.tolist(), ends.tolist(), strict=True)]

    def announcements(
        self, announced: _Grains, links: Sequence[str]
    ) -> Iterator[RelayAnnouncement]:
        """What was announced at each meeting, with the runs it is about."""
        left_runs = self._runs(self.start[self._left])
        right_runs = self._runs(self.start[self._left + 1])
        ends = np.cumsum(self._length)
        for number, row in enumerate(self._example.tolist()):
            hop = self._left[row]
            yield RelayAnnouncement(
                relay=self._relay_names[row],
                left=links[self.link[hop]],
                right=links[self.link[hop + 1]],
                left_runs=left_runs[number],
                right_runs=right_runs[number],
                payload=announced[ends[number] - self._length[number] : ends[number]].tobytes(),
            )

    def _runs(self, start: _Ints) -> list[tuple[tuple[int, int], ...]]:
        """For each meeting its runs (first bit, bits) on one side, those that touch made one."""
        order = np.argsort(self.meeting, kind="stable")
        meeting, begin, size = self.meeting[order], start[order], self._size[order]
        apart = (meeting[1:] != meeting[:-1]) | (begin[1:] != begin[:-1] + size[:-1])
        heads = np.concatenate([[0], np.flatnonzero(apart) + 1])[: len(order)]
        sums = np.add.reduceat(size, heads) if len(heads) else size
        found: list[list[tuple[int, int]]] = [[] for _ in self._example]
        for one, first, bits in zip(
            meeting[heads].tolist(),
            (begin[heads] * KEY_GRAIN_BITS).tolist(),
            (sums * KEY_GRAIN_BITS).tolist(),
            strict=True,
        ):
            found[one].append((first, bits))
        return [tuple(runs) for runs in found]

    def travels(self, keys: Mapping[str, LinkKey]) -> dict[tuple[str, str], tuple[int, ...]]:
        """What travels over each link and in which direction: all announced before it on a path."""
        passes = np.zeros((len(keys), 2, len(self._example)), dtype=np.bool_)
        last = np.repeat(self._ends - 1, self._ends - self._begins)[self._left]
        for later in range(1, 1 + int((last - self._left).max(initial=0))):
            rows = np.flatnonzero(self._left + later <= last)
            hop = self._left[rows] + later
            passes[self.link[hop], np.where(self.at_a[hop], 0, 1), self.meeting[rows]] = True
        return {
            (link, node): tuple(np.flatnonzero(row).tolist())
            for (link, key), both in zip(keys.items(), passes, strict=True)
            for node, row in zip((key.pool.node_a, key.pool.node_b), both, strict=True)
            if row.any()
        }


def _before(sizes: _Ints) -> _Ints:
    """The sum of all sizes before each."""
    total: _Ints = np.cumsum(sizes) - sizes
    return total


def _laid_end_to_end(group: _Ints, size: _Ints) -> _Ints:
    """Where each row begins if those of one group are laid end to end in their order."""
    order = np.argsort(group, kind="stable")
    before = _before(size[order])
    heads = np.flatnonzero(np.diff(group[order], prepend=-1))
    counts = np.diff(heads, append=len(order))
    start = np.empty_like(size)
    start[order] = before - np.repeat(before[heads], counts)
    return start


def _spread(first: _Ints, size: _Ints) -> _Ints:
    """The whole ranges [first, first + size), one after another."""
    return np.repeat(first - _before(size), size) + np.arange(int(size.sum()))
