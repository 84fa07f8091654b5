"""Keyed fingerprints of key from outside, so that the same bytes never come in twice."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import select

from scheduler.errors import DuplicateBlock
from scheduler.ledger.log.canonical import request_digest
from scheduler.ledger.reader import known_answer
from scheduler.ledger.schema import AuditKey
from scheduler.ledger.transaction import Transaction
from scheduler.ledger.vault.keystore import signing_context

KIND = "fingerprint"
PURPOSE = b"skytrunk fingerprint of key bytes, 1"
KEY_BYTES = 32


def refuse_known_key(tx: Transaction, material: Mapping[str, bytes], *, at: datetime) -> None:
    """Remember key bytes, given by the natural key of their block, as taken in once and for all.

    A fingerprint is the name of a command of its own, without entries: the database keeps such
    names apart, the audit log holds them, and they stay when the bytes are long spent. It is an
    HMAC, never a plain hash, and opens to no guess without the ledger's key-encryption key.

    Raises DuplicateBlock, naming both blocks, if any of the bytes were taken in before.
    """
    secret = _secret(tx)
    for natural_key, held in material.items():
        name = f"{KIND}/{hmac.new(secret, held, hashlib.sha256).hexdigest()}"
        known = known_answer(tx.raw, name, kind=KIND, digest=request_digest(name))
        if known is not None:
            raise DuplicateBlock(
                f"block {natural_key} holds the key material of {known['natural_key']}, which was"
                " deposited before; nothing is added"
            )
        command = tx.command(name, kind=KIND, at=at, digest=request_digest(name))
        command.finish({"natural_key": natural_key})


def _secret(tx: Transaction) -> bytes:
    """The fingerprints' own key, the same for the ledger's whole life.

    Derived from the wrapped signing key, the one secret that neither a new epoch nor a new
    key-encryption key changes; HKDF keeps the two uses apart (RFC 5869, section 3.2).
    """
    row = tx.raw.execute(
        select(AuditKey.key_id, AuditKey.wrapped).order_by(AuditKey.key_id).limit(1)
    ).one()
    private = tx.keys.unwrap(row.wrapped, signing_context(row.key_id))
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=PURPOSE).derive(private)
