"""Checking what is signed: the checkpoints in the ledger, and one that was kept elsewhere."""

from __future__ import annotations

from scheduler.errors import LedgerError, ProofInvalid
from scheduler.ledger.counter import Count, contradiction
from scheduler.ledger.db.snapshot import Row, Snapshot
from scheduler.ledger.log import checkpoints, merkle
from scheduler.ledger.log.carried import LEAVES, Base, read_base
from scheduler.ledger.log.rows import stored_instant
from scheduler.ledger.records import Checkpoint
from scheduler.ledger.verify.context import Findings
from scheduler.ledger.verify.log import NODES, data_of

CHECKPOINTS = """
    SELECT signed.id, signed.size, signed.root, signed.at, signed.key_id, signed.signature,
        signer.public_key
    FROM audit_checkpoint AS signed LEFT JOIN audit_key AS signer ON signer.key_id = signed.key_id
    ORDER BY signed.id
"""
SIGNED_LEAVES = """
    SELECT subject, seq, row_sha256 FROM audit_leaf WHERE kind = 'checkpoint' ORDER BY seq
"""
KEYS = "SELECT count(*) FROM audit_key"


def check_checkpoints(snapshot: Snapshot, found: Findings) -> None:
    """No checkpoint is missing; each is signed, lies on the log, and has the leaf behind it."""
    with snapshot.failures():
        leaves = {subject: (seq, digest) for subject, seq, digest in snapshot.rows(SIGNED_LEAVES)}
        rows = list(snapshot.rows(CHECKPOINTS))
        (keys,) = snapshot.one(KEYS)
    if not keys:
        found.add("audit_key: no signing key is there")
    for expected, row in enumerate(rows, start=1):
        number = row[0]
        if number != expected:
            found.add(f"audit_checkpoint {expected} is missing")
        try:
            _check_checkpoint(snapshot, row, leaves.pop(str(number), None))
        except LedgerError as error:
            found.add(f"audit_checkpoint {number}: {error}")
        except (TypeError, ValueError, AttributeError):
            found.add(f"audit_checkpoint {number}: a column of it holds what it cannot")
    for subject in leaves:
        found.add(f"audit_checkpoint {subject} is missing, the audit log has it")


def check_count(snapshot: Snapshot, last: Count, size: int, found: Findings) -> None:
    """The log goes on from where the counter beside the data keys says that it was."""
    try:
        with snapshot.failures():
            wrong = contradiction(last, size, lambda before: _root_at(snapshot, before))
    except ProofInvalid as error:
        wrong = str(error)
    if wrong:
        found.add(f"counter: {wrong}")


def _check_checkpoint(snapshot: Snapshot, row: Row, leaf: tuple[int, str] | None) -> None:
    """Raise ProofInvalid naming what is wrong with a checkpoint, or what a bad column raises."""
    number, size, root, at, key_id, signature, public_key = row
    if public_key is None:
        raise ProofInvalid(f"its key {key_id} is not there")
    signed = Checkpoint(
        size=size,
        root=root,
        at=stored_instant(at),
        key_id=key_id,
        public_key=public_key,
        signature=signature,
    )
    checkpoints.check_signature(signed)
    digest = checkpoints.checkpoint_digest(number, size=size, root=root, at=signed.at)
    if leaf != (size, digest):
        raise ProofInvalid(f"of size {size}: leaf {size} of the audit log is not about it")
    if (stands := _root_at(snapshot, size)) != root:
        raise ProofInvalid(f"of size {size}: signed root {root}, the log has {stands}")


def _root_at(snapshot: Snapshot, size: int) -> str:
    """The root that the log had at a size, in hex, by its stored nodes. Raises ProofInvalid."""
    hashes = []
    for place in map(merkle.position, merkle.cover(0, size)):
        ((_, node),) = list(snapshot.rows(NODES, first=place, last=place)) or [(place, None)]
        if not isinstance(node, bytes) or len(node) != merkle.HASH_BYTES:
            raise ProofInvalid(f"audit_node {place} is missing or holds no hash")
        hashes.append(node)
    return merkle.fold(hashes).hex()


def check_signed(
    snapshot: Snapshot, signed: Checkpoint, public_key: str | None, *, whose: str = "the ledger's"
) -> list[str]:
    """What speaks against a log's having been as it was signed, its leaves taken afresh.

    `public_key` is the key you trust, in hex; without it the checkpoint's own is taken.
    """
    found = Findings()
    try:
        checkpoints.check_signature(signed, public_key=public_key)
    except ProofInvalid as error:
        found.add(str(error))
    name = f"checkpoint of size {signed.size}"
    try:
        with snapshot.failures():
            base = read_base(snapshot)
            if signed.size < base.size:
                size, root = signed.size, _root_at(snapshot, signed.size)
            else:
                size, root = _grown(snapshot, base, signed.size)
    except (ProofInvalid, ValueError, TypeError) as error:
        found.add(f"{name}: {error}; the leaves of closed periods are in their segments")
        return found.problems
    if size != signed.size:
        found.add(f"{name}, {whose} log has {size} leaves of it")
    elif root != signed.root:
        found.add(f"{name}: signed root {signed.root}, {whose} log had {root}; it was rewritten")
    return found.problems


def _grown(snapshot: Snapshot, base: Base, wanted: int) -> tuple[int, str]:
    """How many leaves of a log there are up to a size, and their root, from the leaves anew."""
    frontier, size = list(base.frontier), base.size
    for seq, kind, subject, digest in snapshot.rows(LEAVES, first=size, last=wanted - 1):
        if seq != size:
            break
        merkle.grow(frontier, size, merkle.leaf_hash(data_of(seq, kind, subject, digest)))
        size += 1
    return size, merkle.fold(frontier).hex()
