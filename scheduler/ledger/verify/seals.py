"""Auditing what needs the key, or a signature: data keys, checkpoints; and pools and accounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, select

from scheduler.errors import LedgerError, ProofInvalid
from scheduler.ledger.db.snapshot import Row, Snapshot, snapshot_of
from scheduler.ledger.keys.transitions import epoch_digest
from scheduler.ledger.log import checkpoints
from scheduler.ledger.log import trail as audit
from scheduler.ledger.log.canonical import DIGESTED
from scheduler.ledger.log.stored import stored_hasher, stored_instant
from scheduler.ledger.records import Checkpoint
from scheduler.ledger.schema import AuditKey, AuditLeaf, DataKey, PoolRow
from scheduler.ledger.states import AccountKind, KeyState
from scheduler.ledger.vault.datakeys import context_of
from scheduler.ledger.vault.keystore import KeyEncryptionKey, NoKek, signing_context
from scheduler.ledger.vault.pieces import Ciphers
from scheduler.ledger.verify.context import AuditContext, Findings

KIND_OF_WORD = {kind.value: kind for kind in AccountKind}

POOL_COLUMNS = (*DIGESTED["pool"], "sha256")
POOLS = f"SELECT {', '.join(POOL_COLUMNS)} FROM pool ORDER BY id"
ACCOUNT_COLUMNS = (*DIGESTED["account"], "sha256")
ACCOUNTS = f"SELECT {', '.join(ACCOUNT_COLUMNS)} FROM account ORDER BY id"
BALANCES = "SELECT id, balance_bits, odd_bits FROM account ORDER BY id"
ODD_SUMS = """
    SELECT number, sum(odd) FROM (
        SELECT target_id AS number, amount_bits & 7 AS odd FROM ledger_entry
        WHERE (amount_bits & 7) <> 0
        UNION ALL
        SELECT source_id, -(amount_bits & 7) FROM ledger_entry WHERE (amount_bits & 7) <> 0
    ) AS moves GROUP BY number
"""

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

DATA_KEYS = """
    SELECT mine.id, mine.pool_ref, mine.epoch, mine.kek_id, mine.wrapped IS NULL, pool.epoch
    FROM data_key AS mine LEFT JOIN pool ON pool.id = mine.pool_ref ORDER BY mine.id
"""
EPOCHS = "SELECT DISTINCT pool_ref, epoch, state = :word FROM block"
SIGNERS = "SELECT DISTINCT kek_id FROM audit_key"


def read_context(connection: Connection, kek: KeyEncryptionKey, found: Findings) -> AuditContext:
    """Pools, accounts and opened data keys; the rows of the first two checked.

    Data keys are opened afresh: what this process remembers proves nothing.
    """
    snapshot = snapshot_of(connection)
    with snapshot.failures():
        pools = _pools(snapshot, found)
        accounts = _accounts(snapshot, found)
    ciphers = None if isinstance(kek, NoKek) else Ciphers(_data_keys(connection, kek))
    return AuditContext(accounts=accounts, pools=pools, ciphers=ciphers)


def _pools(snapshot: Snapshot, found: Findings) -> dict[int, tuple[str, str, str]]:
    """Name and ends of every pool, by number."""
    pools: dict[int, tuple[str, str, str]] = {}
    digest = stored_hasher("pool", POOL_COLUMNS)
    for row in snapshot.rows(POOLS):
        number, pool_id, _, node_a, node_b, _, sha256 = row
        if sha256 != digest(row):
            found.add(f"pool {number} ({pool_id}): its row was changed")
        pools[number] = (pool_id, node_a, node_b)
    return pools


def _accounts(snapshot: Snapshot, found: Findings) -> dict[int, tuple[int, AccountKind]]:
    """Pool and kind of every account, by number."""
    accounts: dict[int, tuple[int, AccountKind]] = {}
    digest = stored_hasher("account", ACCOUNT_COLUMNS)
    for row in snapshot.rows(ACCOUNTS):
        number, pool, kind, sha256 = row
        if sha256 != digest(row):
            found.add(f"account {number} ({kind}): its row was changed")
        if kind in KIND_OF_WORD:
            accounts[number] = (pool, KIND_OF_WORD[kind])
    return accounts


def _data_keys(connection: Connection, kek: KeyEncryptionKey) -> dict[int, bytes | str]:
    """Every data key that was not destroyed, or why it does not open."""
    keys: dict[int, bytes | str] = {}
    for number, wrapped, context in _wrapped_keys(connection):
        try:
            keys[number] = kek.unwrap(wrapped, context)
        except LedgerError as error:
            keys[number] = str(error)
    return keys


def _wrapped_keys(connection: Connection) -> Iterator[tuple[int, bytes, bytes]]:
    rows = connection.execute(
        select(DataKey.id, DataKey.wrapped, DataKey.epoch, PoolRow.pool_id)
        .join(PoolRow, DataKey.pool_ref == PoolRow.id)
        .where(DataKey.wrapped.is_not(None))
        .order_by(DataKey.id)
    )
    for number, wrapped, epoch, pool_id in rows:
        yield number, wrapped or b"", context_of(pool_id, epoch)


def check_balances(
    connection: Connection, context: AuditContext, sums: dict[int, int], found: Findings
) -> None:
    """Running figures against their sums, and nothing but `generated` below zero (I2)."""
    snapshot = snapshot_of(connection)
    totals: dict[int, int] = {}
    with snapshot.failures():
        balances = list(snapshot.rows(BALANCES))
        odd_sums: dict[int, int] = dict(snapshot.rows(ODD_SUMS))
    for number, running, odd in balances:
        if number not in context.accounts:
            continue
        pool, kind = context.accounts[number]
        if not isinstance(running, int):  # SQLite keeps a word in a column of numbers
            found.add(f"account {number} ({kind.value} of pool {pool}): balance is no number")
            continue
        summed = sums.get(number, 0)
        totals[pool] = totals.get(pool, 0) + running
        if running != summed:
            found.add(
                f"account {number} ({kind.value} of pool {pool}): balance {running},"
                f" its entries sum to {summed}"
            )
        if odd != odd_sums.get(number, 0):
            found.add(
                f"account {number} ({kind.value} of pool {pool}): {odd} odd bits,"
                f" its entries sum to {odd_sums.get(number, 0)}"
            )
        if summed < 0 and kind is not AccountKind.GENERATED:
            found.add(f"account {number} ({kind.value} of pool {pool}): {summed} below zero")
    for pool, total in totals.items():
        if total:
            found.add(f"pool {pool}: its accounts sum to {total}, not to zero")


def check_epochs(connection: Connection, found: Findings) -> None:
    """A pool's epoch is the number of times that the log says a new one began."""
    logged: dict[str, list[str]] = {}
    leaves = select(AuditLeaf.subject, AuditLeaf.row_sha256).where(AuditLeaf.kind == "epoch")
    for pool_id, digest in connection.execute(leaves.order_by(AuditLeaf.seq)):
        logged.setdefault(pool_id, []).append(digest)
    pools = connection.execute(select(PoolRow.pool_id, PoolRow.epoch).order_by(PoolRow.id))
    compare_epochs(((pool_id, epoch) for pool_id, epoch in pools), logged, found)


def compare_epochs(
    pools: Iterable[tuple[str, Any]], logged: dict[str, list[str]], found: Findings
) -> None:
    """Compare pools and their epochs with what the log tells of each, in its order."""
    for pool_id, epoch in pools:
        told = logged.pop(pool_id, [])
        if not isinstance(epoch, int) or epoch < 0:
            found.add(f"pool {pool_id}: is in epoch {epoch!r}, which is none")
        # By their number first: a forged epoch can be beyond all counting.
        elif len(told) != epoch or any(
            digest != epoch_digest(pool_id, number) for number, digest in enumerate(told, start=1)
        ):
            found.add(f"pool {pool_id}: is in epoch {epoch}, the audit log says otherwise")
    for pool_id in logged:
        found.add(f"pool {pool_id} is not there, the audit log has an epoch of it")


def check_checkpoints(connection: Connection, found: Findings) -> None:
    """No checkpoint is missing; each is signed, lies on the log, and has the leaf behind it."""
    snapshot = snapshot_of(connection)
    with snapshot.failures():
        leaves = {subject: (seq, digest) for subject, seq, digest in snapshot.rows(SIGNED_LEAVES)}
        rows = list(snapshot.rows(CHECKPOINTS))
        ((keys,),) = snapshot.rows(KEYS)
    if not keys:
        found.add("audit_key: no signing key is there")
    for expected, row in enumerate(rows, start=1):
        number = row[0]
        if number != expected:
            found.add(f"audit_checkpoint {expected} is missing")
        leaf = leaves.pop(str(number), None)
        try:
            _check_checkpoint(connection, row, leaf)
        except LedgerError as error:
            found.add(f"audit_checkpoint {number}: {error}")
        except (TypeError, ValueError, AttributeError):
            found.add(f"audit_checkpoint {number}: a column of it holds what it cannot")
    for subject in leaves:
        found.add(f"audit_checkpoint {subject} is missing, the audit log has it")


def _check_checkpoint(connection: Connection, row: Row, leaf: tuple[int, str] | None) -> None:
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
    if (stands := audit.root(connection, size).hex()) != root:
        raise ProofInvalid(f"of size {size}: signed root {root}, the log has {stands}")


def check_data_keys(connection: Connection, found: Findings) -> None:
    """Data keys are numbered without gaps, each is of blocks that are there, and they have it.

    A destroyed one has only destroyed blocks behind it, of an epoch that is over.
    """
    snapshot = snapshot_of(connection)
    with snapshot.failures():
        keys = list(snapshot.rows(DATA_KEYS))
        epochs = list(snapshot.rows(EPOCHS, word=KeyState.DESTROYED.value))
        signers = {kek_id for (kek_id,) in snapshot.rows(SIGNERS)}
    used = {(pool, epoch) for pool, epoch, _ in epochs}
    lacking = {(pool, epoch) for pool, epoch, destroyed in epochs if not destroyed}
    held = lacking.copy()
    for expected, (number, pool, epoch, kek_id, destroyed, present) in enumerate(keys, start=1):
        name = f"data_key {number}"
        lacking.discard((pool, epoch))
        if number != expected:
            found.add(f"data_key {expected} is missing, {number} is there")
        if (pool, epoch) not in used:
            found.add(f"{name}: of pool {pool} and epoch {epoch}, which no block is of")
        if destroyed and ((pool, epoch) in held or epoch == present):
            found.add(f"{name}: is destroyed, epoch {epoch} of pool {pool} is not")
        if not destroyed and kek_id not in signers:
            found.add(f"{name}: names key-encryption key {kek_id}, the signing key another")
    for pool, epoch in sorted(lacking, key=str):
        found.add(f"data_key of pool {pool} and epoch {epoch} is missing, blocks of it are there")


def check_wrapping(
    connection: Connection, kek: KeyEncryptionKey, ciphers: Ciphers, found: Findings
) -> None:
    """Every data key opened, and the signing key's two halves belong together."""
    for number, why in ciphers.unopened().items():
        found.add(f"data_key {number}: {why}")
    for row in connection.execute(select(*AuditKey.__table__.c)):
        try:
            private = kek.unwrap(row.wrapped, signing_context(row.key_id))
        except LedgerError as error:
            found.add(f"audit_key {row.key_id}: {error}")
            continue
        public = Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
        if row.kek_id != kek.kek_id:
            found.add(f"audit_key {row.key_id}: opens, but names key-encryption key {row.kek_id}")
        if public.hex() != row.public_key or checkpoints.key_id_of(public) != row.key_id:
            found.add(f"audit_key {row.key_id}: its public half is another's")
