"""Holding a ledger to a checkpoint that was kept elsewhere: a full rewrite shows there."""

from __future__ import annotations

from scheduler.errors import ProofInvalid
from scheduler.ledger.db.snapshot import Snapshot
from scheduler.ledger.log import merkle
from scheduler.ledger.log.checkpoints import check_signature
from scheduler.ledger.records import Checkpoint
from scheduler.ledger.verify.context import Findings
from scheduler.ledger.verify.log import LEAVES, data_of


def check_signed(snapshot: Snapshot, signed: Checkpoint, public_key: str | None) -> list[str]:
    """What speaks against a log's having been as it was signed, its leaves taken afresh.

    `public_key` is the key you trust, in hex; without it the checkpoint's own is taken.
    """
    found = Findings()
    name = f"checkpoint of size {signed.size}"
    try:
        check_signature(signed, public_key=public_key)
    except ProofInvalid as error:
        found.add(str(error))
    frontier: list[bytes] = []
    size = 0
    with snapshot.failures():
        for seq, kind, subject, row_sha256 in snapshot.rows(LEAVES, first=0, last=signed.size - 1):
            if seq != size:
                break
            hashed = merkle.leaf_hash(data_of(seq, kind, subject, row_sha256))
            merkle.grow(frontier, size, hashed)
            size += 1
    root = merkle.fold(frontier).hex()
    if size != signed.size:
        found.add(f"{name}, the ledger's log has {size} leaves of it")
    elif root != signed.root:
        found.add(
            f"{name}: signed root {signed.root}, the ledger's log had {root}; it was rewritten"
        )
    return found.problems
