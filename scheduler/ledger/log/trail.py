"""The audit log in the database: one leaf for every change, in the change's own transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from sqlalchemy import Connection, TextClause, bindparam, func, insert, select, text, update

from scheduler.errors import LedgerBroken, LedgerError, ProofInvalid
from scheduler.ledger.db.bulk import execute_many, query, rows_json, wanted
from scheduler.ledger.log import merkle
from scheduler.ledger.log.canonical import leaf_data
from scheduler.ledger.log.macs import LogMac
from scheduler.ledger.records import Checkpoint, ConsistencyProof, InclusionProof, record_of
from scheduler.ledger.schema import AuditCheckpoint, AuditHead, AuditKey, AuditLeaf, AuditNode

Leaf = tuple[str, str, str]
"""The kind of row that changed, its natural key, the row's hash."""

_ADD_LEAF, _ADD_NODE = insert(AuditLeaf), insert(AuditNode)
# A process that missed a rotation has the wrong key: its leaves would wait for ever. They get
# no MAC, which the column refuses.
_WAIT = text(
    "INSERT INTO audit_waiting (kind, subject, row_sha256, mac) VALUES (:kind, :subject,"
    " :row_sha256, CASE WHEN EXISTS (SELECT 1 FROM audit_key WHERE kek_id = :kek_id) THEN :mac END)"
)
_HEAD = select(AuditHead.size, AuditHead.mac).with_for_update()
_MOVE_HEAD = (
    update(AuditHead)
    .where(AuditHead.size == bindparam("from_"))
    .values(size=bindparam("to_"), mac=bindparam("mac_"))
)


class Head(NamedTuple):
    """Where the log ends, as its head says."""

    size: int
    mac: str


class AuditTrail:
    """Changes of one transaction, appended to the log when it completes."""

    def __init__(self, mac: LogMac) -> None:
        self._mac = mac
        self._pending: list[Leaf] = []

    def record(self, kind: str, subject: str, row_sha256: str) -> None:
        """Note a change: the kind of row, its natural key, the row's hash."""
        self._pending.append((kind, subject, row_sha256))

    def append(self, connection: Connection) -> None:
        """Append what was noted; the last thing that a transaction does before its commit.

        SQLite has one writer at a time, which numbers its leaves itself. On PostgreSQL they wait
        for whoever numbers them (`sequencer`), or one transaction would keep all others waiting.
        """
        leaves, self._pending = self._pending, []
        if connection.dialect.name == "sqlite":
            if leaves:
                add_leaves(connection, lock_head(connection), leaves, self._mac)
        elif leaves:
            names = ("kind", "subject", "row_sha256")
            rows = [
                {
                    **dict(zip(names, leaf, strict=True)),
                    "mac": self._mac.leaf(*leaf),
                    "kek_id": self._mac.kek_id,
                }
                for leaf in leaves
            ]
            execute_many(connection, _WAIT, rows)


def lock_head(connection: Connection) -> Head:
    """Where the log ends; nobody else numbers any leaf before this transaction ends."""
    rows = query(connection, _HEAD)
    if not rows:
        raise LedgerBroken("audit_head has no row; `skytrunk ledger verify` says more")
    return Head(*rows[0])


def add_leaves(
    connection: Connection,
    head: Head,
    leaves: Sequence[Leaf],
    mac: LogMac,
    *,
    later: LogMac | None = None,
) -> None:
    """Number leaves from the head on, and add the subtrees that they complete.

    The new head is authenticated by `later` where a rotation has another key from here on. Raises
    LedgerBroken if the head is not one that this key wrote for this log (an altered log must not
    become a good one by going on), LedgerError if it moved meanwhile.
    """
    if not leaves:
        return
    size = head.size
    frontier = hashes(connection, merkle.cover(0, size))
    if not mac.is_head(head.mac, size, merkle.fold(frontier)):
        raise LedgerBroken(
            f"audit_head: the log of {size} leaves was not written under key-encryption key"
            f" {mac.kek_id}: it was altered, or the key replaced and this process not started"
            " again; `skytrunk ledger verify` says more"
        )
    rows, nodes = [], []
    for seq, (kind, subject, row_sha256) in enumerate(leaves, start=size):
        rows.append({"seq": seq, "kind": kind, "subject": subject, "row_sha256": row_sha256})
        hashed = merkle.leaf_hash(leaf_data(seq, kind, subject, row_sha256))
        nodes += [
            {"position": merkle.position(part), "hash": done}
            for part, done in merkle.grow(frontier, seq, hashed)
        ]
    execute_many(connection, _ADD_LEAF, rows)
    execute_many(connection, _ADD_NODE, nodes)
    # The fence: whoever locks the head may lose the lock with its connection, unnoticed.
    end = size + len(leaves)
    moved = execute_many(
        connection,
        _MOVE_HEAD,
        [{"from_": size, "to_": end, "mac_": (later or mac).head(end, merkle.fold(frontier))}],
    )
    if moved.rowcount != 1:
        raise LedgerError(f"the audit log was to end at leaf {size}; nothing was added to it")


def tree_size(connection: Connection) -> int:
    """Leaves in the log."""
    last = connection.execute(select(func.max(AuditLeaf.seq))).scalar()
    return 0 if last is None else last + 1


def root(connection: Connection, size: int | None = None) -> bytes:
    """Root of the log, or the root it had at a smaller size. Raises ProofInvalid if larger."""
    whole = tree_size(connection)
    size = whole if size is None else size
    if not 0 <= size <= whole:
        raise ProofInvalid(f"log of size {size}; allowed: 0 to {whole}")
    return merkle.fold(hashes(connection, merkle.cover(0, size)))


def head(connection: Connection) -> tuple[int, str]:
    """Leaves in the log, and its root in hex."""
    size = tree_size(connection)
    return size, root(connection, size).hex()


def inclusion_of_row(
    connection: Connection, kind: str, subject: str, size: int | None = None
) -> InclusionProof:
    """Proof that the last change of a row (command, booking, ...) is in the log."""
    return inclusion(connection, find_leaf(connection, kind, subject), size)


def inclusion(connection: Connection, seq: int, size: int | None = None) -> InclusionProof:
    """Proof that a leaf is in the log, at cost O(log n). Raises ProofInvalid if it is not there."""
    size = tree_size(connection) if size is None else size
    ranges = merkle.inclusion_ranges(seq, size)
    proof = _fold_all(connection, ranges)
    row = connection.execute(
        select(AuditLeaf.kind, AuditLeaf.subject, AuditLeaf.row_sha256).where(AuditLeaf.seq == seq)
    ).one_or_none()
    if row is None:
        raise ProofInvalid(f"leaf {seq} is missing from the log")
    return InclusionProof(
        seq=seq,
        size=size,
        kind=row.kind,
        subject=row.subject,
        row_sha256=row.row_sha256,
        hashes=tuple(part.hex() for part in proof),
    )


def consistency(connection: Connection, old: int, size: int | None = None) -> ConsistencyProof:
    """Proof that the log continues what it was at a smaller size."""
    size = tree_size(connection) if size is None else size
    proof = _fold_all(connection, merkle.consistency_ranges(old, size))
    return ConsistencyProof(old_size=old, size=size, hashes=tuple(part.hex() for part in proof))


def find_leaf(connection: Connection, kind: str, subject: str) -> int:
    """Number of the last leaf about a row. Raises ProofInvalid if there is none."""
    seq = connection.execute(
        select(func.max(AuditLeaf.seq)).where(AuditLeaf.kind == kind, AuditLeaf.subject == subject)
    ).scalar()
    if seq is None:
        raise ProofInvalid(f"the log has no leaf about {kind} {subject}")
    return seq


def public_key(connection: Connection) -> str:
    """The key that signs checkpoints, in hex. Raises LedgerBroken if it is gone."""
    key = connection.execute(
        select(AuditKey.public_key).order_by(AuditKey.key_id).limit(1)
    ).scalar()
    if key is None:
        raise LedgerBroken("audit_key holds no signing key")
    return key


def leaves(connection: Connection, after: int, limit: int) -> list[tuple[int, str, str]]:
    """Number, kind and subject of the leaves from number `after` on, at most so many."""
    query = select(AuditLeaf.seq, AuditLeaf.kind, AuditLeaf.subject).where(AuditLeaf.seq >= after)
    rows = connection.execute(query.order_by(AuditLeaf.seq).limit(limit))
    return [(row.seq, row.kind, row.subject) for row in rows]


def checkpoints(connection: Connection) -> list[Checkpoint]:
    """Stored checkpoints, oldest first."""
    rows = connection.execute(
        select(*AuditCheckpoint.__table__.c, AuditKey.public_key)
        .join(AuditKey, AuditCheckpoint.key_id == AuditKey.key_id)
        .order_by(AuditCheckpoint.id)
    )
    return [record_of(Checkpoint, row) for row in rows]


def _fold_all(connection: Connection, ranges: Iterable[tuple[int, int]]) -> list[bytes]:
    """Hash of each range, all looked up together."""
    bounds = list(ranges)
    parts = [part for pair in bounds for part in merkle.cover(*pair)]
    known = dict(zip(parts, hashes(connection, parts), strict=True))
    return merkle.hashes_of(bounds, known.__getitem__)


def hashes(connection: Connection, parts: list[merkle.Subtree]) -> list[bytes]:
    """Stored hashes of complete subtrees. Raises ProofInvalid if one is missing or none."""
    known = known_hashes(connection, parts)
    missing = [part for part in parts if part not in known]
    if missing:
        raise ProofInvalid(f"audit_node {merkle.position(missing[0])} is missing from the log")
    return [known[part] for part in parts]


def known_hashes(
    connection: Connection, parts: Iterable[merkle.Subtree]
) -> dict[merkle.Subtree, bytes]:
    """Stored hashes of those subtrees that are here. Raises ProofInvalid if one is none."""
    places = {merkle.position(part): part for part in parts}
    found: dict[merkle.Subtree, bytes] = {}
    given = {"rows_": rows_json((one,) for one in places)}
    for place, hashed in query(connection, _nodes_query(connection.dialect.name), given):
        if not isinstance(hashed, bytes) or len(hashed) != merkle.HASH_BYTES:
            raise ProofInvalid(f"audit_node {place} holds no hash")
        found[places[place]] = hashed
    return found


@cache
def _nodes_query(dialect_name: str) -> TextClause:
    """The stored hashes at places; built once, for every transaction on SQLite asks."""
    return text(
        f"SELECT n.position, n.hash FROM {wanted(dialect_name, ('position',))} AS w"
        " CROSS JOIN audit_node AS n WHERE n.position = w.position"
    )
