"""The Merkle tree of RFC 6962, section 2.1 (RFC 9162, section 2.1): hashes and proofs, no store.

A tree is addressed by complete subtrees: (level, index) covers the leaves from
index * 2^level on. Those alone are stored; every root and proof is folded from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from scheduler.errors import ProofInvalid

Subtree = tuple[int, int]
"""(level, index) of a complete subtree."""

Lookup = Callable[[Subtree], bytes]

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash a leaf: SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash an inner node: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def position(subtree: Subtree) -> int:
    """Number of a complete subtree in post-order: appended nodes only ever get higher numbers."""
    level, index = subtree
    last_leaf = ((index + 1) << level) - 1
    return 2 * last_leaf - last_leaf.bit_count() + level


def cover(start: int, end: int) -> list[Subtree]:
    """The complete subtrees that make up leaves [start, end), largest first.

    `start` must be a multiple of the largest power of two in `end - start`, as it is for
    every range that a proof asks for.
    """
    parts: list[Subtree] = []
    while start < end:
        level = (end - start).bit_length() - 1
        parts.append((level, start >> level))
        start += 1 << level
    return parts


def kept(start: int, end: int) -> list[Subtree]:
    """The complete subtrees that proofs need when leaves [start, end) lie elsewhere.

    Of those that these leaves complete, all but what is inside a larger one of them alone: to
    every hash of a proof about any other leaf belongs one of these, or one that other leaves
    complete. Some 2 log2(end), however many leaves there are.
    """
    parts: list[Subtree] = []
    at = start
    while at < end:
        level = (end - at).bit_length() - 1
        if at:
            level = min(level, (at & -at).bit_length() - 1)
        parts.append((level, at >> level))
        at += 1 << level
    for level in range(1, end.bit_length()):
        index = start >> level
        if index << level < start and (index + 1) << level <= end:
            parts.append((level, index))
    return parts


def fold(hashes: Sequence[bytes]) -> bytes:
    """Hash of a range from the hashes of its `cover`."""
    if not hashes:
        return EMPTY_ROOT
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = node_hash(left, result)
    return result


def grow(frontier: list[bytes], size: int, leaf: bytes) -> list[tuple[Subtree, bytes]]:
    """Append a leaf's hash to a tree of `size` leaves and return the subtrees it completes.

    `frontier` holds the hashes of `cover(0, size)` and is brought up to date in place.
    """
    done: list[tuple[Subtree, bytes]] = [((0, size), leaf)]
    frontier.append(leaf)
    index = size
    level = 0
    while index & 1:
        right, left = frontier.pop(), frontier.pop()
        index, level = index >> 1, level + 1
        frontier.append(node_hash(left, right))
        done.append(((level, index), frontier[-1]))
    return done


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_ranges(leaf: int, size: int) -> list[tuple[int, int]]:
    """Leaf ranges whose hashes prove that a leaf is in a tree, nearest first (section 2.1.1)."""
    if not 0 <= leaf < size:
        raise ProofInvalid(f"leaf {leaf} of a tree of {size} leaves; allowed: 0 to {size - 1}")
    ranges: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if leaf < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old: int, size: int) -> list[tuple[int, int]]:
    """Leaf ranges whose hashes prove that a tree continues an older one (section 2.1.2)."""
    if not 0 < old <= size:
        raise ProofInvalid(f"old size {old}; allowed: 1 to {size}")
    ranges: list[tuple[int, int]] = []
    start, end, whole = 0, size, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, whole = middle, False
    if not whole:
        ranges.append((start, end))
    return ranges[::-1]


def hashes_of(ranges: Iterable[tuple[int, int]], lookup: Lookup) -> list[bytes]:
    """Hash of every range, from the complete subtrees."""
    return [fold([lookup(part) for part in cover(*bounds)]) for bounds in ranges]


def check_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Raise ProofInvalid unless `proof` shows the leaf's hash at `index` under `root`.

    Source: RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        raise ProofInvalid(f"leaf {index} of a tree of {size} leaves")
    place, last, result = index, size - 1, leaf
    for part in proof:
        if last == 0:
            raise ProofInvalid(f"inclusion proof of leaf {index} is too long")
        if place & 1 or place == last:
            result = node_hash(part, result)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            result = node_hash(result, part)
        place, last = place >> 1, last >> 1
    if last or result != root:
        raise ProofInvalid(f"leaf {index} is not in the tree of {size} leaves with this root")


def check_consistency(
    old: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes
) -> None:
    """Raise ProofInvalid unless `proof` shows that the tree continues the older one.

    Source: RFC 9162, section 2.1.4.2.
    """
    if old == size:
        if proof or old_root != root:
            raise ProofInvalid(f"two roots for one size {size}")
        return
    if not 0 < old < size:
        raise ProofInvalid(f"old size {old}; allowed: 1 to {size}")
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise ProofInvalid("consistency proof is empty")
    place, last = old - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old_result = result = path[0]
    for part in path[1:]:
        if last == 0:
            raise ProofInvalid("consistency proof is too long")
        if place & 1 or place == last:
            old_result, result = node_hash(part, old_result), node_hash(part, result)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            result = node_hash(result, part)
        place, last = place >> 1, last >> 1
    if last or old_result != old_root or result != root:
        raise ProofInvalid(f"the tree of {size} leaves does not continue the one of {old}")
