"""Auditing what closed periods left here, and any of them alone, in its file."""

from __future__ import annotations

from typing import Any

from scheduler.ledger.db.snapshot import HIGHEST, LOWEST, Snapshot
from scheduler.ledger.log import merkle
from scheduler.ledger.log.carried import (
    CARRIED,
    OPENINGS,
    Base,
    digest_of,
    leaves_digest,
    read_base,
)
from scheduler.ledger.verify.context import AuditContext, Findings, Outcome, Shard

SEGMENTS = """
    SELECT id, first_leaf, size, content_sha256, previous_sha256, root FROM segment ORDER BY id
"""
BELOW = 'SELECT "position", hash FROM audit_node WHERE "position" < :place ORDER BY "position"'
SIGNED = "SELECT size FROM audit_checkpoint WHERE size < :size"


def check_segments(snapshot: Snapshot, _: AuditContext, __: Shard) -> Outcome:
    """Segments follow each other; what was carried over from the newest is as it was then."""
    found = Findings()
    end, before = 0, ""
    for expected, row in enumerate(snapshot.rows(SEGMENTS), start=1):
        number, first_leaf, size, content, previous, _root = row
        if (number, first_leaf, previous) != (expected, end, before):
            found.add(f"segment {number}: does not follow segment {expected - 1}")
        end, before = size, content
    try:
        base = read_base(snapshot)
    except (ValueError, TypeError) as error:
        found.add(f"segment: {error}")
        return Outcome(found.problems)
    openings = list(snapshot.rows(OPENINGS))
    wrong = sorted({row[3] for row in openings} - {base.segment}, key=str)
    if wrong:
        found.add(f"opening: is of segment {wrong[0]}, the newest is {base.segment}")
    carried = snapshot.rows(CARRIED, first=LOWEST, last=HIGHEST)
    if not base.segment:
        if next(carried, None) is not None:
            found.add("carried: has rows, and no segment is closed")
        return Outcome(found.problems)
    for name, seen, due in (
        ("opening", digest_of(row[:3] for row in openings), base.opening_sha256),
        ("carried", digest_of(carried), base.carried_sha256),
        ("audit_leaf", leaves_digest(snapshot, base.size), base.leaves_sha256),
    ):
        if seen != due:
            found.add(f"{name}: what stayed of segment {base.segment} is not as it left it")
    return Outcome(found.problems)


def check_kept_nodes(snapshot: Snapshot, base: Base, found: Findings) -> None:
    """Nodes of the log's tree that closed periods left are those that proofs need, and right.

    From the known subtrees downwards: two nodes are right if they make their parent.
    """
    if not base.segment:
        return
    with snapshot.failures():
        there: dict[Any, Any] = dict(snapshot.rows(BELOW, place=merkle.position((0, base.size))))
        bounds = [(row[1], row[2]) for row in snapshot.rows(SEGMENTS)]
        signed = [size for (size,) in snapshot.rows(SIGNED, size=base.size)]
    # Those of a signed size are compared with its root, together.
    due = {part for size in signed if _is_size(size) for part in merkle.cover(0, size)}
    for start, end in bounds:
        if _is_size(start) and _is_size(end):
            due.update(merkle.kept(start, end))
    places = {merkle.position(part): part for part in due}
    for place in sorted(places.keys() ^ there.keys()):
        wrong = "is missing" if place in places else "belongs to no proof"
        found.add(f"audit_node {place}: {wrong}")
    right = dict(zip(merkle.cover(0, base.size), base.frontier, strict=True))
    while right:
        (level, index), known = right.popitem()
        if there.get(merkle.position((level, index))) != known:
            found.add(f"audit_node {merkle.position((level, index))}: was changed")
            continue
        halves = [(level - 1, 2 * index), (level - 1, 2 * index + 1)] if level else []
        nodes = [there.get(merkle.position(half)) for half in halves if half in due]
        if len(nodes) == 2:
            left, other = (node if isinstance(node, bytes) else b"" for node in nodes)
            if merkle.node_hash(left, other) == known:
                right.update(zip(halves, (left, other), strict=True))
            else:
                found.add(f"audit_node {merkle.position((level, index))}: its halves were changed")


def _is_size(value: object) -> bool:
    return type(value) is int and value >= 0
