"""Auditing the audit log: its tree, built anew in parts, and what it stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from scheduler.ledger.db.snapshot import HIGHEST, LOWEST, Row, Snapshot
from scheduler.ledger.log import merkle
from scheduler.ledger.log.canonical import leaf_data, pool_digest
from scheduler.ledger.verify.context import (
    PROBLEMS_MAX,
    AuditContext,
    Findings,
    Grouped,
    Outcome,
    Part,
)

LEVEL = 13
"""Subtrees of this level are built apart, 8,192 leaves each."""

STRETCHES_MAX = 1 << 14
"""More parts than this have larger subtrees; a forged number must not make a part for each."""

NODES_ABOVE_MAX = 64
"""Nodes that one leaf can complete at most, in a log of 2^63."""

LEAVES = """
    SELECT seq, kind, subject, row_sha256 FROM audit_leaf
    WHERE seq BETWEEN :first AND :last ORDER BY seq
"""
NODES = """
    SELECT "position", hash FROM audit_node
    WHERE "position" BETWEEN :first AND :last ORDER BY "position"
"""


class Stretch(NamedTuple):
    """What a part of the log holds: its leaves, and the subtrees that cover them."""

    leaves: int
    frontier: list[bytes]
    last: str  #: kind and subject of the last leaf
    above: list[Row]  #: stored nodes behind those that the stretch completes by itself
    broken: bool  #: something is missing, so nothing behind it can be told


def level_of(size: int) -> int:
    """Level of the subtrees in which a log of this size is built anew."""
    return max(LEVEL, (size // STRETCHES_MAX).bit_length())


def log_parts(size: int) -> list[Part]:
    """A log in parts, each but the last a complete subtree."""
    starts = [*range(0, max(size, 1), 1 << level_of(size))]
    ends = [*(start - 1 for start in starts[1:]), HIGHEST]
    return [Part("log", start or LOWEST, last) for start, last in zip(starts, ends, strict=True)]


def check_log(snapshot: Snapshot, _: AuditContext, part: Part) -> Outcome:
    """Build a part of the tree anew and compare its every node (I7)."""
    found = Findings()
    start = max(part.first, 0)
    leaves = snapshot.rows(LEAVES, first=part.first, last=part.last)
    place = merkle.position((0, start))
    behind = HIGHEST if part.last == HIGHEST else merkle.position((0, part.last + 1)) - 1
    nodes = snapshot.rows(
        NODES, first=min(place, HIGHEST) if start else LOWEST, last=min(behind, HIGHEST)
    )
    return Outcome(found.problems, _build(leaves, nodes, start, place, found))


def _build(
    leaves: Iterable[Row], nodes: Iterator[Row], start: int, place: int, found: Findings
) -> Stretch:
    frontier: list[bytes] = []
    size = 0
    last = ""
    for seq, kind, subject, row_sha256 in leaves:
        if seq != start + size:
            found.add(f"audit_leaf {start + size} is missing")
            return Stretch(size, frontier, last, [], True)
        last = f"{kind} {subject}"
        hashed = merkle.leaf_hash(data_of(seq, kind, subject, row_sha256))
        for _, done in merkle.grow(frontier, size, hashed):
            node = next(nodes, None)
            if node is None or node[0] != place:
                found.add(f"audit_node {place} is missing")
                return Stretch(size + 1, frontier, last, [], True)
            if node[1] != done:
                found.add(f"audit_leaf {seq} ({last}) or audit_node {place} was changed")
            place += 1  # post-order: the nodes of a log are numbered as they are completed
        size += 1
    return Stretch(size, frontier, last, list(islice(nodes, NODES_ABOVE_MAX)), False)


def join_log(
    parts: Sequence[Part], stretches: Iterable[Stretch], problems: Mapping[int, list[str]]
) -> tuple[int, str, list[str]]:
    """Put the parts of the tree together: the log's size, its root, and what is wrong with it.

    `problems` are those that the parts found, by their place in the order of the log.
    """
    found = Findings()
    frontier: list[bytes] = []
    size = 0
    level = parts[1].first.bit_length() - 1 if len(parts) > 1 else LEVEL
    for place, (part, stretch) in enumerate(zip(parts, stretches, strict=True)):
        if (stretch.leaves or stretch.broken) and size != max(part.first, 0):
            found.add(f"audit_leaf {size} is missing")
            break
        found.extend(problems.get(place, ()))
        size += stretch.leaves
        above = iter(stretch.above)
        if stretch.leaves == 1 << level and not stretch.broken:
            grown = merkle.grow(frontier, place, stretch.frontier[0])
            whole = _compare_above(grown[1:], above, level, size - 1, stretch.last, found)
        else:
            frontier += stretch.frontier
            whole = not stretch.broken
        if not whole:
            break
        if part.last == HIGHEST and next(above, None) is not None:
            found.add(f"audit_node: more nodes than {size} leaves make")
    return size, merkle.fold(frontier).hex(), found.problems


def _compare_above(
    grown: list[tuple[merkle.Subtree, bytes]],
    stored: Iterator[Row],
    level: int,
    seq: int,
    leaf: str,
    found: Findings,
) -> bool:
    """The nodes over a complete part, which its last leaf completed; False if one is missing."""
    for (higher, index), done in grown:
        place = merkle.position((level + higher, index))
        node = next(stored, None)
        if node is None or node[0] != place:
            found.add(f"audit_node {place} is missing")
            return False
        if node[1] != done:
            found.add(f"audit_leaf {seq} ({leaf}) or audit_node {place} was changed")
    return True


def data_of(seq: int, kind: Any, subject: Any, row_sha256: Any) -> bytes:
    """A leaf's data; none where bytes stand in place of a text, which is no leaf's data."""
    try:
        return leaf_data(seq, kind, subject, row_sha256)
    except TypeError:
        return b""


class Logged(NamedTuple):
    """A table whose rows have a leaf each, the name a leaf knows them by, and their order."""

    table: str
    subject: str  #: SQL; {instant} stands for the canonical text of `scheduled_for`
    order: str
    digest: str = "sha256"


LOGGED = (
    Logged("run_fact", "mine.name", "mine.name"),
    Logged("element_set", "mine.sha256", "mine.sha256", "row_sha256"),
    Logged("plan", "mine.plan_id", "mine.command_id"),
    Logged("outage", "mine.outage_id", "mine.command_id"),
    Logged(
        "directive",
        "mine.command_id || '/' || mine.\"position\"",
        'mine.command_id, mine."position"',
    ),
    Logged("job_run", "mine.job_key || '@' || {instant}", "mine.job_key, mine.scheduled_for"),
    Logged("booking", "mine.booking_id", "mine.booking_id"),
    Logged(
        "booking_event",
        "mine.booking_id || '/' || mine.\"position\"",
        'mine.booking_id, mine."position"',
    ),
)
COMMANDS = Logged("command", "CAST(mine.id AS TEXT)", "mine.id")

KINDS = frozenset({COMMANDS.table, *(each.table for each in LOGGED), "pool", "epoch", "checkpoint"})
"""What a leaf can be about."""

STRANGE = f"""
    SELECT kind, min(seq), count(*) FROM audit_leaf
    WHERE kind NOT IN ({", ".join(f"'{kind}'" for kind in sorted(KINDS))})
    GROUP BY kind ORDER BY min(seq) LIMIT :most
"""

UNCOVERED = """
    SELECT {subject}, leaf.row_sha256 FROM "{table}" AS mine
    LEFT JOIN audit_leaf AS leaf ON leaf.kind = :kind AND leaf.subject = {subject}
    WHERE (leaf.row_sha256 IS NULL OR leaf.row_sha256 <> mine.{digest}) {among}
    ORDER BY {order}
"""
COUNTS = """
    SELECT (SELECT count(*) FROM audit_leaf WHERE kind = :kind), (SELECT count(*) FROM "{table}")
"""

POOLS = "SELECT id, pool_id, sha256 FROM pool ORDER BY id"
POOL_ACCOUNTS = """
    SELECT pool_ref, sha256 FROM account WHERE pool_ref BETWEEN :first AND :last
    ORDER BY pool_ref, id
"""
POOL_LEAVES = "SELECT subject, row_sha256 FROM audit_leaf WHERE kind = 'pool' ORDER BY seq"


def check_commands_logged(snapshot: Snapshot, _: AuditContext, part: Part) -> Outcome:
    """Every command of a range has its leaf with its hash."""
    found = Findings()
    among = "AND mine.id BETWEEN :first AND :last"
    _check_covered(snapshot, COMMANDS, found, among, first=part.first, last=part.last)
    return Outcome(found.problems)


def check_logged(snapshot: Snapshot, _: AuditContext, __: Part) -> Outcome:
    """Every other logged row has its leaf with its hash, and every leaf of any kind its row."""
    found = Findings()
    for logged in LOGGED:
        _check_covered(snapshot, logged, found)
    for logged in (COMMANDS, *LOGGED):
        kind = logged.table
        leaves, rows = snapshot.one(COUNTS.format(table=kind), kind=kind)
        if leaves != rows:
            found.add(f"{kind}: {leaves} leaves in the audit log, {rows} rows")
    for kind, seq, leaves in snapshot.rows(STRANGE, most=PROBLEMS_MAX):
        found.add(f"audit_leaf {seq}: of kind {kind}, which is none ({leaves} such leaves)")
    _check_pools_logged(snapshot, found)
    return Outcome(found.problems)


def _check_pools_logged(snapshot: Snapshot, found: Findings) -> None:
    """Every pool has one leaf, over its row and those of its accounts together."""
    logged: dict[str, list[str]] = {}
    for subject, digest in snapshot.rows(POOL_LEAVES):
        logged.setdefault(subject, []).append(digest)
    accounts = Grouped(snapshot.rows(POOL_ACCOUNTS, first=LOWEST, last=HIGHEST))
    for number, pool_id, sha256 in snapshot.rows(POOLS):
        name = f"pool {number} ({pool_id})"
        # SQLite keeps bytes in a column of texts; they are no row's hash.
        digest = pool_digest(str(sha256), [str(account[1]) for account in accounts.of(number)])
        leaves = logged.pop(str(number), [])
        if not leaves:
            found.add(f"{name}: is not in the audit log")
        elif leaves != [digest]:
            found.add(f"{name}: it or its accounts are not as the audit log has them")
    for number in accounts.finish():
        found.add(f"account: names pool {number}, which is not there")
    for subject in logged:
        found.add(f"pool {subject} is missing, the audit log has it")


def _check_covered(
    snapshot: Snapshot, logged: Logged, found: Findings, among: str = "", **values: int
) -> None:
    query = UNCOVERED.format(
        subject=logged.subject.format(instant=snapshot.instant("mine.scheduled_for")),
        table=logged.table,
        digest=logged.digest,
        order=logged.order,
        among=among,
    )
    for subject, digest in snapshot.rows(query, kind=logged.table, **values):
        missing = "is not in the audit log" if digest is None else "is not as the audit log has it"
        found.add(f"{logged.table} {subject}: {missing}")
