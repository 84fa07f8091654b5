"""Auditing the audit log: its tree, what it stands for, its checkpoints, the wrapped keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, func, select

from scheduler.errors import LedgerError
from scheduler.ledger import audit, checkpoints, merkle
from scheduler.ledger.canonical import instant_text, leaf_data
from scheduler.ledger.datakeys import context_of
from scheduler.ledger.keystore import KeyEncryptionKey
from scheduler.ledger.models import (
    AuditKey,
    AuditLeaf,
    AuditNode,
    Base,
    BookingEventRow,
    BookingRow,
    Command,
    DataKey,
    ElementSetRow,
    JobRun,
    PlanRow,
    PoolRow,
    RunFact,
)
from scheduler.ledger.opening import signing_context
from scheduler.ledger.streams import tuples
from scheduler.ledger.transitions import epoch_digest
from scheduler.ledger.verify_notes import Findings, all_rows

SUBJECTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class _Logged:
    """A table whose rows have a leaf each, and the name a leaf knows them by."""

    kind: str
    table: type[Base]
    columns: tuple[str, ...]  #: those that the name is made of
    subject: Callable[[Any], str]
    digest: str = "sha256"


LOGGED = (
    _Logged("command", Command, ("id",), lambda row: str(row["id"])),
    _Logged("run_fact", RunFact, ("name",), lambda row: str(row["name"])),
    _Logged(
        "element_set", ElementSetRow, ("sha256",), lambda row: str(row["sha256"]), "row_sha256"
    ),
    _Logged("plan", PlanRow, ("plan_id",), lambda row: str(row["plan_id"])),
    _Logged(
        "job_run",
        JobRun,
        ("job_key", "scheduled_for"),
        lambda row: f"{row['job_key']}@{instant_text(row['scheduled_for'])}",
    ),
    _Logged("booking", BookingRow, ("booking_id",), lambda row: str(row["booking_id"])),
    _Logged(
        "booking_event",
        BookingEventRow,
        ("booking_id", "position"),
        lambda row: f"{row['booking_id']}/{row['position']}",
    ),
)


def check_log(connection: Connection, found: Findings) -> tuple[int, str]:
    """Build the tree anew and compare every node; return the log's size and root (I7)."""
    leaf = AuditLeaf
    leaves = tuples(
        connection, select(leaf.seq, leaf.kind, leaf.subject, leaf.row_sha256).order_by(leaf.seq)
    )
    nodes = tuples(
        connection, select(AuditNode.position, AuditNode.hash).order_by(AuditNode.position)
    )
    with closing(leaves), closing(nodes):
        return _compare_tree(leaves, nodes, found)


def _compare_tree(leaves: Iterable[Any], nodes: Iterator[Any], found: Findings) -> tuple[int, str]:
    frontier: list[bytes] = []
    size = 0
    for seq, kind, subject, row_sha256 in leaves:
        if seq != size:
            found.add(f"audit_leaf {size} is missing")
            return size, merkle.fold(frontier).hex()
        hashed = merkle.leaf_hash(leaf_data(seq, kind, subject, row_sha256))
        for part, done in merkle.grow(frontier, seq, hashed):
            node = next(nodes, None)
            if node is None or node[0] != merkle.position(part):
                found.add(f"audit_node {merkle.position(part)} is missing")
                return size, merkle.fold(frontier).hex()
            if bytes(node[1]) != done:
                found.add(
                    f"audit_leaf {seq} ({kind} {subject}) or audit_node {node[0]} was changed"
                )
        size += 1
    if next(nodes, None) is not None:
        found.add(f"audit_node: more nodes than {size} leaves make")
    return size, merkle.fold(frontier).hex()


def check_coverage(connection: Connection, found: Findings) -> None:
    """Every logged row has its leaf with its hash, and every leaf its row."""
    for logged in LOGGED:
        count = 0
        rows = all_rows(connection, logged.table, (*logged.columns, logged.digest))
        while batch := list(islice(rows, SUBJECTS_AT_ONCE)):
            count += len(batch)
            digests = {logged.subject(row): row[logged.digest] for row in batch}
            known = dict(
                connection.execute(
                    select(AuditLeaf.subject, AuditLeaf.row_sha256).where(
                        AuditLeaf.kind == logged.kind, AuditLeaf.subject.in_(list(digests))
                    )
                ).all()
            )
            for subject, digest in digests.items():
                if subject not in known:
                    found.add(f"{logged.kind} {subject}: is not in the audit log")
                elif known[subject] != digest:
                    found.add(f"{logged.kind} {subject}: is not as the audit log has it")
        leaves = connection.execute(
            select(func.count()).select_from(AuditLeaf).where(AuditLeaf.kind == logged.kind)
        ).scalar_one()
        if leaves != count:
            found.add(f"{logged.kind}: {leaves} leaves in the audit log, {count} rows")
    _check_epochs(connection, found)


def _check_epochs(connection: Connection, found: Findings) -> None:
    """A pool's epoch is the number of times that the log says a new one began."""
    logged: dict[str, list[str]] = {}
    leaves = select(AuditLeaf.subject, AuditLeaf.row_sha256).where(AuditLeaf.kind == "epoch")
    for pool_id, digest in connection.execute(leaves.order_by(AuditLeaf.seq)):
        logged.setdefault(pool_id, []).append(digest)
    for pool_id, epoch in connection.execute(select(PoolRow.pool_id, PoolRow.epoch)):
        expected = [epoch_digest(pool_id, number + 1) for number in range(epoch)]
        if logged.get(pool_id, []) != expected:
            found.add(f"pool {pool_id}: is in epoch {epoch}, the audit log says otherwise")


def check_checkpoints(connection: Connection, found: Findings) -> None:
    """Every stored checkpoint is signed and lies on the log as it is now."""
    for checkpoint in audit.checkpoints(connection):
        try:
            checkpoints.check_signature(checkpoint)
            root = audit.root(connection, checkpoint.size).hex()
        except LedgerError as error:
            found.add(f"audit_checkpoint: {error}")
            continue
        if root != checkpoint.root:
            found.add(
                f"audit_checkpoint of size {checkpoint.size}: signed root {checkpoint.root},"
                f" the log has {root}"
            )


def check_wrapping(connection: Connection, kek: KeyEncryptionKey, found: Findings) -> None:
    """Every data key opens, and the signing key's two halves belong together."""
    for number, wrapped, context in _wrapped_keys(connection):
        try:
            kek.unwrap(wrapped, context)
        except LedgerError as error:
            found.add(f"data_key {number}: {error}")
    for row in connection.execute(select(*AuditKey.__table__.c)):
        try:
            private = kek.unwrap(row.wrapped, signing_context(row.key_id))
        except LedgerError as error:
            found.add(f"audit_key {row.key_id}: {error}")
            continue
        public = Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
        if public.hex() != row.public_key or checkpoints.key_id_of(public) != row.key_id:
            found.add(f"audit_key {row.key_id}: its public half is another's")


def _wrapped_keys(connection: Connection) -> Iterator[tuple[int, bytes, bytes]]:
    rows = connection.execute(
        select(DataKey.id, DataKey.wrapped, DataKey.epoch, PoolRow.pool_id)
        .join(PoolRow, DataKey.pool_ref == PoolRow.id)
        .where(DataKey.wrapped.is_not(None))
    )
    for number, wrapped, epoch, pool_id in rows:
        yield number, bytes(wrapped or b""), context_of(pool_id, epoch)
