"""Auditing what needs the key: data keys and the signing key; and the balances of accounts."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from scheduler.errors import LedgerError
from scheduler.ledger.db.snapshot import Snapshot
from scheduler.ledger.log.canonical import marker_digest
from scheduler.ledger.log.carried import NOTHING_CLOSED, Base, read_base
from scheduler.ledger.log.checkpoints import key_id_of
from scheduler.ledger.log.rows import Form
from scheduler.ledger.states import AccountKind
from scheduler.ledger.vault.keyring import Epoch, Keyring
from scheduler.ledger.vault.keystore import KeyEncryptionKey, signing_context
from scheduler.ledger.vault.pieces import Ciphers
from scheduler.ledger.verify.context import AuditContext, Findings
from scheduler.ledger.verify.log import OF_KIND, leaves_in, leaves_of

KINDS = {kind.value: kind for kind in AccountKind}

POOLS = "SELECT id, pool_id, node_a, node_b FROM pool"
ACCOUNTS = "SELECT id, pool_ref, kind FROM account"
BALANCES = "SELECT id, balance_bits, odd_bits FROM account ORDER BY id"
ODD_SUMS = """
    SELECT number, sum(odd) FROM (
        SELECT target_id AS number, amount_bits & 7 AS odd FROM ledger_entry
        WHERE (amount_bits & 7) <> 0
        UNION ALL
        SELECT source_id, -(amount_bits & 7) FROM ledger_entry WHERE (amount_bits & 7) <> 0
    ) AS moves GROUP BY number
"""
EPOCHS = "SELECT pool_id, epoch FROM pool ORDER BY id"
OPEN_KEYS = """
    SELECT mine.id, pool.pool_id, mine.epoch
    FROM data_key AS mine JOIN pool ON pool.id = mine.pool_ref
    WHERE mine.shredded_by IS NULL ORDER BY mine.id
"""
DATA_KEYS = """
    SELECT mine.id, mine.epoch, mine.open_id, mine.shredded_by, pool.epoch, pool.pool_id
    FROM data_key AS mine JOIN pool ON pool.id = mine.pool_ref ORDER BY mine.id
"""
SIGNERS = "SELECT key_id, public_key, kek_id, wrapped FROM audit_key ORDER BY key_id"


def read_context(
    snapshot: Snapshot, forms: Mapping[str, Form], ring: Keyring | None, *, has_bytes: bool = True
) -> AuditContext:
    """Pools, accounts and opened data keys.

    Data keys are opened afresh: what this process remembers proves nothing.
    """
    with snapshot.failures():
        return AuditContext(
            forms=forms,
            base=_base_of(snapshot),
            accounts={
                number: (pool, KINDS[kind])
                for number, pool, kind in snapshot.rows(ACCOUNTS)
                if kind in KINDS
            },
            pools={number: (name, *ends) for number, name, *ends in snapshot.rows(POOLS)},
            ciphers=None if ring is None else Ciphers(_data_keys(snapshot, ring)),
            has_bytes=has_bytes,
        )


def _base_of(snapshot: Snapshot) -> Base:
    try:
        return read_base(snapshot)
    except (ValueError, TypeError):
        return NOTHING_CLOSED  # the checks of the segments say so


def _data_keys(snapshot: Snapshot, ring: Keyring) -> dict[int, bytes | str]:
    """Every data key that was not shredded, or why it does not open."""
    keys: dict[int, bytes | str] = {}
    for number, pool_id, epoch in snapshot.rows(OPEN_KEYS):
        try:
            # SQLite keeps bytes in a column of texts; they are no pool's name.
            keys[number] = ring.open(Epoch(str(pool_id), epoch))
        except LedgerError as error:
            keys[number] = str(error)
    return keys


def check_balances(
    snapshot: Snapshot, context: AuditContext, sums: Mapping[int, int], found: Findings
) -> None:
    """Running figures against their sums, and nothing but `generated` below zero (I2)."""
    totals: dict[int, int] = {}
    with snapshot.failures():
        balances = list(snapshot.rows(BALANCES))
        odd_sums: dict[int, int] = dict(snapshot.rows(ODD_SUMS))
    for number, running, odd in balances:
        if number not in context.accounts:
            continue
        pool, kind = context.accounts[number]
        name = f"account {number} ({kind.value} of pool {pool})"
        if not isinstance(running, int):  # SQLite keeps a word in a column of numbers
            found.add(f"{name}: balance is no number")
            continue
        brought, odd_brought = context.base.openings.get(number, (0, 0))
        summed, odd_sum = sums.get(number, 0) + brought, odd_sums.get(number, 0) + odd_brought
        totals[pool] = totals.get(pool, 0) + running
        if running != summed:
            found.add(f"{name}: balance {running}, its entries sum to {summed}")
        if odd != odd_sum:
            found.add(f"{name}: {odd} odd bits, its entries sum to {odd_sum}")
        if summed < 0 and kind is not AccountKind.GENERATED:
            found.add(f"{name}: {summed} below zero")
    for pool, total in totals.items():
        if total:
            found.add(f"pool {pool}: its accounts sum to {total}, not to zero")


def check_epochs(snapshot: Snapshot, found: Findings) -> None:
    """A pool's epoch is the number of times that the log says a new one began."""
    with snapshot.failures():
        logged = leaves_of(snapshot, "epoch")
        pools = list(snapshot.rows(EPOCHS))
    for pool_id, epoch in pools:
        told = logged.pop(pool_id, [])
        if not isinstance(epoch, int) or epoch < 0:
            found.add(f"pool {pool_id}: is in epoch {epoch!r}, which is none")
        # By their number first: a forged epoch can be beyond all counting.
        elif len(told) != epoch or any(
            digest != marker_digest(pool_id, number) for number, digest in enumerate(told, start=1)
        ):
            found.add(f"pool {pool_id}: is in epoch {epoch}, the audit log says otherwise")
    for pool_id in logged:
        found.add(f"pool {pool_id} is not there, the audit log has an epoch of it")


def check_data_keys(snapshot: Snapshot, found: Findings) -> None:
    """Data keys are of epochs that began, and those that are shredded of epochs that are over.

    Who made and who shredded them is under the hashes of commands; that no piece is left under a
    shredded one, the references say.
    """
    with snapshot.failures():
        keys = list(snapshot.rows(DATA_KEYS))
        signers = {kek_id for _, _, kek_id, _ in snapshot.rows(SIGNERS)}
        every = OF_KIND.format(leaves=leaves_in(snapshot))
        rewrapped = list(snapshot.rows(every, kind="rewrapped"))
    for number, epoch, open_id, shredded_by, present, pool_id in keys:
        name = f"data_key {number}"
        if open_id != (number if shredded_by is None else None):
            found.add(f"{name}: is open under number {open_id}, shredded by {shredded_by}")
        if not isinstance(epoch, int) or not isinstance(present, int) or epoch > present:
            found.add(f"{name}: of epoch {epoch!r}, pool {pool_id} is in {present!r}")
        elif shredded_by is not None and epoch == present:
            found.add(f"{name}: is shredded, pool {pool_id} is in its epoch {epoch}")
    for kek_id, digest in rewrapped[-1:]:
        if signers - {kek_id} or digest != marker_digest(kek_id):
            found.add(f"audit_key: is under another key-encryption key than {kek_id} of the log")


def check_wrapping(
    snapshot: Snapshot, kek: KeyEncryptionKey, ciphers: Ciphers, found: Findings
) -> None:
    """Every data key opened, and the signing key's two halves belong together."""
    for number, why in ciphers.unopened().items():
        found.add(f"data_key {number}: {why}")
    with snapshot.failures():
        signers = list(snapshot.rows(SIGNERS))
    for key_id, public_key, kek_id, wrapped in signers:
        name = f"audit_key {key_id}"
        try:
            private = kek.unwrap(wrapped, signing_context(key_id))
        except LedgerError as error:
            found.add(f"{name}: {error}")
            continue
        public = Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
        if kek_id != kek.kek_id:
            found.add(f"{name}: opens, but names key-encryption key {kek_id}")
        if public.hex() != public_key or key_id_of(public) != key_id:
            found.add(f"{name}: its public half is another's")
