"""The ranges of one block as its entries leave them, built anew for an audit."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from scheduler.ledger.states import AccountKind

REST = frozenset(
    {
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

    @property
    def size_bytes(self) -> int:
        """Bytes it takes up; only the block's last piece may end inside a byte."""
        return -(-self.end // 8) - self.start // 8


class RangeMap:
    """Every bit of a block in exactly one account."""

    def __init__(self, length_bits: int, first: AccountKind) -> None:
        self._starts = [0]
        self._pieces = [Piece(0, length_bits, first, None, True)]

    def __iter__(self) -> Iterator[Piece]:
        return iter(self._pieces)

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
        piece = self._pieces[at]
        if end > piece.end or piece.kind is not source:
            return f"moves bits {start} to {end} from {source}, they are in {piece.kind}"
        if source in TAGGED:
            if resolves != piece.entry or (piece.start, piece.end) != (start, end):
                return f"resolves {resolves}, bits {start} to {end} hang from entry {piece.entry}"
        elif resolves is not None:
            return f"resolves {resolves}, which reserved nothing"
        tag = entry if target in TAGGED else None
        stored = target in REST or target in TAGGED or (target in SET_ASIDE and source in REST)
        if at and piece.start == start and end < piece.end and tag is None:
            left = self._pieces[at - 1]
            if left.kind is target and left.stored == stored and left.entry is None:
                # By far the most common step: a cursor moves on, two pieces stay two.
                self._pieces[at - 1] = Piece(left.start, end, target, None, stored)
                self._pieces[at] = Piece(end, piece.end, source, piece.entry, piece.stored)
                self._starts[at] = end
                return None
        self._replace(at, piece, Piece(start, end, target, tag, stored))
        return None

    def _replace(self, at: int, old: Piece, new: Piece) -> None:
        """Put a piece in place of a part of another, joined with its like on either side."""
        parts = [new]
        if old.start < new.start:
            parts.insert(0, Piece(old.start, new.start, old.kind, old.entry, old.stored))
        if new.end < old.end:
            parts.append(Piece(new.end, old.end, old.kind, old.entry, old.stored))
        first, last = max(0, at - 1), at + 2
        around = [*self._pieces[first:at], *parts, *self._pieces[at + 1 : last]]
        merged = [around[0]]
        for piece in around[1:]:
            if self._joins(merged[-1], piece):
                start = merged[-1].start
                merged[-1] = Piece(start, piece.end, piece.kind, None, piece.stored)
            else:
                merged.append(piece)
        self._pieces[first:last] = merged
        self._starts[first:last] = [piece.start for piece in merged]

    @staticmethod
    def _joins(left: Piece, right: Piece) -> bool:
        return (
            left.kind is right.kind
            and left.stored == right.stored
            and left.entry is None
            and right.entry is None
        )

    def covered(self) -> dict[AccountKind, list[tuple[int, int]]]:
        """The stretches in each account that has any, joined where they touch."""
        result: dict[AccountKind, list[tuple[int, int]]] = {}
        for start, end, kind, _, _ in self._pieces:  # in order, so only the last can touch
            spans = result.setdefault(kind, [])
            if spans and spans[-1][1] == start:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))
        return result

    def stored_bytes(self) -> int:
        """Bytes that each end should have in the store."""
        return sum(piece.size_bytes for piece in self._pieces if piece.stored)


def joined(spans: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted spans, joined where they touch."""
    result: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if result and result[-1][1] == start:
            result[-1] = (result[-1][0], end)
        else:
            result.append((start, end))
    return result
