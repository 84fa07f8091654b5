"""The ranges of one block as its entries leave them, built anew for an audit."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from scheduler.ledger.states import AccountKind

Spans = list[tuple[int, int]]

REST = frozenset(
    {
        AccountKind.SIFTED,
        AccountKind.POOL,
        AccountKind.RECEIVED,
        AccountKind.QUARANTINED,
        AccountKind.HELD,
    }
)
"""Accounts of what nobody has been given yet."""

TAGGED = frozenset({AccountKind.RESERVED, AccountKind.UNCERTAIN})
"""Ranges in these are resolved whole, by an entry that points at the one that put them there."""

SET_ASIDE = frozenset({AccountKind.EXPIRED, AccountKind.WITHDRAWN})
"""Ends whose bytes stay in the store until the block is destroyed, when they come from REST."""


class Piece(NamedTuple):
    """A stretch of a block that has had one history."""

    start: int
    end: int
    kind: AccountKind
    entry: int | None  #: the entry that put a tagged range there
    stored: bool  #: its bytes should be in the store


class RangeMap:
    """Every bit of a block in exactly one account."""

    def __init__(self, length_bits: int, first: AccountKind) -> None:
        self._starts = [0]
        self._pieces = [Piece(0, length_bits, first, None, True)]

    def move(
        self,
        start: int,
        end: int,
        source: AccountKind,
        target: AccountKind,
        entry: int,
        resolves: int | None,
    ) -> str | None:
        """Apply one entry; return what is wrong with it, or None."""
        at = bisect_right(self._starts, start) - 1
        old = self._pieces[at]
        if end > old.end or old.kind is not source:
            return f"moves bits {start} to {end} from {source}, they are in {old.kind}"
        if source in TAGGED:
            if resolves != old.entry or (old.start, old.end) != (start, end):
                return f"resolves {resolves}, bits {start} to {end} hang from entry {old.entry}"
        elif resolves is not None:
            return f"resolves {resolves}, which reserved nothing"
        tag = entry if target in TAGGED else None
        stored = target in REST or target in TAGGED or (target in SET_ASIDE and source in REST)
        if at and old.start == start and end < old.end and tag is None:
            left = self._pieces[at - 1]
            if left[2:] == (target, None, stored):
                # By far the most common step: a cursor moves on, two pieces stay two.
                self._pieces[at - 1] = Piece(left.start, end, target, None, stored)
                self._pieces[at] = Piece(end, old.end, *old[2:])
                self._starts[at] = end
                return None
        parts = [Piece(start, end, target, tag, stored)]
        if old.start < start:
            parts.insert(0, Piece(old.start, start, *old[2:]))
        if end < old.end:
            parts.append(Piece(end, old.end, *old[2:]))
        self._replace(at, parts)
        return None

    def _replace(self, at: int, parts: list[Piece]) -> None:
        """Put pieces in place of one, joined with their like on either side."""
        first, last = max(0, at - 1), at + 2
        merged: list[Piece] = []
        for piece in (*self._pieces[first:at], *parts, *self._pieces[at + 1 : last]):
            if merged and piece.entry is None and merged[-1][2:] == piece[2:]:
                merged[-1] = Piece(merged[-1].start, piece.end, *piece[2:])
            else:
                merged.append(piece)
        self._pieces[first:last] = merged
        self._starts[first:last] = [piece.start for piece in merged]

    def covered(self) -> dict[AccountKind, Spans]:
        """The stretches in each account that has any, joined where they touch."""
        result: dict[AccountKind, Spans] = {}
        for start, end, kind, _, _ in self._pieces:  # in order, so only the last can touch
            spans = result.setdefault(kind, [])
            if spans and spans[-1][1] == start:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))
        return result

    def stored_bytes(self) -> Spans:
        """Ranges of bytes that each end should have in the store.

        Only the block's last piece may end inside a byte.
        """
        return [(piece.start // 8, -(-piece.end // 8)) for piece in self._pieces if piece.stored]


def joined(spans: Iterable[tuple[int, int]]) -> Spans:
    """Sorted spans, joined where they touch; those that overlap stay two."""
    result: Spans = []
    for start, end in sorted(spans):
        if result and result[-1][1] == start:
            result[-1] = (result[-1][0], end)
        else:
            result.append((start, end))
    return result
