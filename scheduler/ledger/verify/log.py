"""Auditing the audit log: its tree, built anew in parts, and what it stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from scheduler.ledger.db.snapshot import HIGHEST, LOWEST, Grouped, Row, Snapshot
from scheduler.ledger.log import merkle
from scheduler.ledger.log.canonical import leaf_data, pool_digest
from scheduler.ledger.log.carried import LEAVES, Base
from scheduler.ledger.log.macs import LogMac
from scheduler.ledger.log.rows import Form
from scheduler.ledger.verify.context import PROBLEMS_MAX, AuditContext, Findings, Outcome, Shard

LEVEL = 13
"""Subtrees of this level are built apart, 8,192 leaves each."""

STRETCHES_MAX = 1 << 14
"""More parts than this have larger subtrees; a forged number must not make a part for each."""

NODES_ABOVE_MAX = 64
"""Nodes that one leaf can complete at most, in a log of 2^63."""

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


def log_spans(size: int, closed: int = 0) -> list[tuple[int, int]]:
    """The live leaves of a log in spans that end where its subtrees of that level do."""
    level = level_of(size)
    begins = (closed >> level) + 1 << level
    starts = [closed or LOWEST, *range(begins, max(size, 1), 1 << level)]
    ends = [*(start - 1 for start in starts[1:]), HIGHEST]
    return list(zip(starts, ends, strict=True))


def check_log(snapshot: Snapshot, context: AuditContext, part: Shard) -> Outcome:
    """Build a part of the tree anew and compare its every node (I7)."""
    found = Findings()
    start = max(part.first, 0)
    leaves = snapshot.rows(LEAVES, first=part.first, last=part.last)
    place = merkle.position((0, start))
    behind = HIGHEST if part.last == HIGHEST else merkle.position((0, part.last + 1)) - 1
    nodes = snapshot.rows(
        NODES, first=min(place, HIGHEST) if start else LOWEST, last=min(behind, HIGHEST)
    )
    # What closed periods hold of the subtree that this part is of.
    frontier = context.base.frontier_below(part.level) if start == context.base.size else []
    return Outcome(
        found.problems, _build(leaves, nodes, start, frontier, start % (1 << part.level), found)
    )


def _build(
    leaves: Iterable[Row],
    nodes: Iterator[Row],
    start: int,
    frontier: list[bytes],
    before: int,
    found: Findings,
) -> Stretch:
    """Build the tree from leaf `start` on, of which `before` leaves lie in closed periods."""
    place = merkle.position((0, start))
    start -= before
    size = before
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
    parts: Sequence[Shard],
    stretches: Iterable[Stretch],
    problems: Mapping[int, list[str]],
    base: Base,
) -> tuple[int, str, list[str]]:
    """Put the parts of the tree together: the log's size, its root, and what is wrong with it.

    `problems` are those that the parts found, by their place in the order of the log.
    """
    found = Findings()
    level = parts[0].level
    first = base.size >> level
    frontier = base.frontier_from(level)
    size = first << level
    for place, (part, stretch) in enumerate(zip(parts, stretches, strict=True)):
        begins = max(part.first, 0) if place else size
        if (stretch.leaves or stretch.broken) and size != begins:
            found.add(f"audit_leaf {size} is missing")
            break
        found.extend(problems.get(place, ()))
        size += stretch.leaves
        above = iter(stretch.above)
        if stretch.leaves == 1 << level and not stretch.broken:
            grown = merkle.grow(frontier, first + place, stretch.frontier[0])
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


WAITING = "SELECT count(*) FROM audit_waiting"
WITH_WAITING = f"""(
    SELECT kind, subject, row_sha256, seq FROM audit_leaf
    UNION ALL SELECT kind, subject, row_sha256, {HIGHEST} FROM audit_waiting
)"""
HEADS = "SELECT id, size, mac FROM audit_head ORDER BY id"
WAITING_LEAVES = "SELECT id, kind, subject, row_sha256, mac FROM audit_waiting ORDER BY id"
END = "SELECT coalesce(max(seq) + 1, 0) FROM audit_leaf"
UNCOVERED = """
    SELECT {subject}, leaf.row_sha256 FROM "{table}" AS mine
    LEFT JOIN {leaves} AS leaf ON leaf.kind = :kind AND leaf.subject = {subject}
    WHERE (leaf.row_sha256 IS NULL OR leaf.row_sha256 <> mine."{digest}") AND {among}
    ORDER BY {order}
"""
COUNTS = """
    SELECT (SELECT count(*) FROM {leaves} AS leaf WHERE kind = :kind),
        (SELECT count(*) FROM "{table}")
"""
KINDS_WITHOUT_ROW = frozenset({"pool", "epoch", "checkpoint", "erased", "rewrapped"})
"""Leaves that stand for more than a row, or for less."""

STRANGE = """
    SELECT kind, min(seq), count(*) FROM {leaves} AS leaf WHERE kind NOT IN ({kinds})
    GROUP BY kind ORDER BY min(seq) LIMIT :most
"""
ERASED = """
    SELECT count(*), count(block.id) FROM {leaves} AS leaf
    LEFT JOIN block ON block.block_id = leaf.subject AND block.state = 'destroyed'
    WHERE leaf.kind = 'erased'
"""
POOLS = "SELECT id, pool_id, sha256 FROM pool ORDER BY id"
POOL_ACCOUNTS = """
    SELECT pool_ref, sha256 FROM account WHERE pool_ref BETWEEN :first AND :last
    ORDER BY pool_ref, id
"""
OF_KIND = "SELECT subject, row_sha256 FROM {leaves} AS leaf WHERE kind = :kind ORDER BY seq"
LOST = """
    SELECT leaf.subject FROM {leaves} AS leaf LEFT JOIN command ON {number} = leaf.subject
    WHERE leaf.kind = 'command' AND command.id IS NULL ORDER BY leaf.seq LIMIT :most
"""


def waiting(snapshot: Snapshot) -> int:
    """How many leaves wait for their number."""
    count: int = snapshot.one(WAITING)[0]
    return count


def leaves_in(snapshot: Snapshot) -> str:
    """SQL for every leaf, with those that wait for their number behind the others."""
    return WITH_WAITING if waiting(snapshot) else "audit_leaf"


def check_head(snapshot: Snapshot, found: Findings) -> None:
    """The head of the log is where its leaves end; on SQLite none waits."""
    with snapshot.failures():
        heads = [(number, size) for number, size, _ in snapshot.rows(HEADS)]
        (leaves,) = snapshot.one(END)
        if heads != [(1, leaves)]:
            found.add(f"audit_head: has {str(heads[:2])[:80]}; allowed: [(1, {leaves})]")
        if snapshot.is_sqlite and (count := waiting(snapshot)):
            found.add(f"audit_waiting: {count} leaves wait, on SQLite none does")


def check_macs(snapshot: Snapshot, mac: LogMac, size: int, root: str, found: Findings) -> None:
    """The head, and every leaf that waits, were written under the key-encryption key."""
    with snapshot.failures():
        heads, waits = list(snapshot.rows(HEADS)), list(snapshot.rows(WAITING_LEAVES))
    under = f"was not written under key-encryption key {mac.kek_id}"
    if not any(mac.is_head(given, size, bytes.fromhex(root)) for _, _, given in heads):
        found.add(f"audit_head: the log of {size} leaves {under}; it was made anew")
    for number, kind, subject, digest, given in waits:
        if not mac.is_leaf(given, kind, subject, digest):
            found.add(f"audit_waiting {number} ({kind} {subject}): {under}")


def leaves_of(snapshot: Snapshot, kind: str) -> dict[str, list[str]]:
    """The hashes that leaves of one kind hold, by subject, in the order of the log."""
    logged: dict[str, list[str]] = {}
    for subject, digest in snapshot.rows(OF_KIND.format(leaves=leaves_in(snapshot)), kind=kind):
        logged.setdefault(subject, []).append(digest)
    return logged


def check_logged(snapshot: Snapshot, context: AuditContext, shard: Shard) -> Outcome:
    """Every row of a table whose rows have leaves has its leaf, with its hash."""
    found = Findings()
    form = context.forms[shard.table]
    subject = f" || '{form.joint}' || ".join(_text_of(snapshot, form, name) for name in form.leaf)
    query = UNCOVERED.format(
        leaves=leaves_in(snapshot),
        subject=subject,
        table=form.table,
        digest=form.hash,
        among=shard.among(f'mine."{form.numbered}"'),
        order=", ".join(f'mine."{name}"' for name in form.key),
    )
    for name, digest in snapshot.rows(query, kind=form.table):
        missing = "is not in the audit log" if digest is None else "is not as the audit log has it"
        found.add(f"{form.table} {name}: {missing}")
    return Outcome(found.problems)


def _text_of(snapshot: Snapshot, form: Form, name: str) -> str:
    """SQL for a column as the subject of a leaf has it."""
    column = f'mine."{name}"'
    if name in form.instants:
        return snapshot.instant(column)
    return f"CAST({column} AS TEXT)" if name in form.numbers else column


def check_leaves(snapshot: Snapshot, context: AuditContext, _: Shard) -> Outcome:
    """Every leaf is of a known kind; the facts are how many there are, and rows, of each table."""
    found = Findings()
    every = leaves_in(snapshot)
    logged = [form.table for form in context.forms.values() if form.leaf]
    counts = {
        table: snapshot.one(COUNTS.format(leaves=every, table=table), kind=table)
        for table in logged
    }
    kinds = ", ".join(f"'{kind}'" for kind in sorted({*logged, *KINDS_WITHOUT_ROW}))
    strange = STRANGE.format(leaves=every, kinds=kinds)
    for kind, seq, leaves in snapshot.rows(strange, most=PROBLEMS_MAX):
        found.add(f"audit_leaf {seq}: of kind {kind!r}, which is none ({leaves} such leaves)")
    counts["erased"] = snapshot.one(ERASED.format(leaves=every))
    if counts["command"][0] > counts["command"][1]:
        _name_lost(snapshot, every, found)
    _check_pools_logged(snapshot, found)
    signed = OF_KIND.format(leaves=every)
    for expected, (subject, _digest) in enumerate(snapshot.rows(signed, kind="checkpoint"), 1):
        if subject != str(expected):
            found.add(f"audit_checkpoint {expected} is not in the audit log")
    return Outcome(found.problems, counts)


def _name_lost(snapshot: Snapshot, every: str, found: Findings) -> None:
    """Name the commands that the log has and their table lacks."""
    number = "CAST(command.id AS TEXT)"
    for (subject,) in snapshot.rows(LOST.format(leaves=every, number=number), most=PROBLEMS_MAX):
        found.add(f"command {subject} is missing, the audit log has it")


def _check_pools_logged(snapshot: Snapshot, found: Findings) -> None:
    """Every pool has one leaf, over its row and those of its accounts together."""
    logged = leaves_of(snapshot, "pool")
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
    for subject in logged:
        found.add(f"pool {subject} is missing, the audit log has it")
