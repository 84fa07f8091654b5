"""Signed checkpoints of the audit log: made here, checked anywhere, no database needed."""

from __future__ import annotations

import hashlib
import re
from dataclasses import fields
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from orbits import as_utc
from scheduler.errors import ProofInvalid
from scheduler.ledger.log import merkle
from scheduler.ledger.log.canonical import canonical_json, instant_text, leaf_data, read_json
from scheduler.ledger.records import Checkpoint, ConsistencyProof, InclusionProof

FORMAT = "skytrunk-checkpoint/1"

_32_BYTES = re.compile("[0-9a-fA-F]{64}")
_NUMBERS = frozenset({"size", "old_size", "seq"})


def key_id_of(public_key: bytes) -> str:
    """Fingerprint of a signing key."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def signed_text(size: int, root: str, at: datetime, key_id: str) -> bytes:
    """What a checkpoint's signature covers."""
    body = {
        "at": instant_text(at),
        "format": FORMAT,
        "key_id": key_id,
        "root": root,
        "size": size,
    }
    return canonical_json(body).encode()


def sign(private: bytes, *, size: int, root: bytes, at: datetime) -> Checkpoint:
    """Sign the log's size and root at an instant."""
    key = Ed25519PrivateKey.from_private_bytes(private)
    public = key.public_key().public_bytes_raw()
    key_id = key_id_of(public)
    signature = key.sign(signed_text(size, root.hex(), at, key_id))
    return Checkpoint(
        size=size,
        root=root.hex(),
        at=at,
        key_id=key_id,
        public_key=public.hex(),
        signature=signature.hex(),
    )


def key_bytes(name: str, public_key: str) -> bytes:
    """A public key's bytes. Raises ProofInvalid for anything but 64 hex digits, spaces too."""
    if not _32_BYTES.fullmatch(public_key):
        raise ProofInvalid(f"{name} is {public_key[:80]!r}; allowed: 64 hex digits")
    return bytes.fromhex(public_key)


def check_signature(checkpoint: Checkpoint, *, public_key: str | None = None) -> None:
    """Raise ProofInvalid unless the signature is good.

    `public_key` is the key you trust, in hex; without it the checkpoint's own is taken,
    which shows that it was not damaged but not who made it.
    """
    name = f"checkpoint of size {checkpoint.size}"
    if public_key is None:
        trusted, raw = checkpoint.public_key, key_bytes(f"{name}: its key", checkpoint.public_key)
    else:
        trusted, raw = public_key, key_bytes("the trusted public key", public_key)
    try:
        key = Ed25519PublicKey.from_public_bytes(raw)
        text = signed_text(checkpoint.size, checkpoint.root, checkpoint.at, key_id_of(raw))
        key.verify(bytes.fromhex(checkpoint.signature), text)
    except (ValueError, InvalidSignature):
        raise ProofInvalid(f"{name}: the signature does not hold under {trusted}") from None
    if checkpoint.key_id != key_id_of(raw):
        raise ProofInvalid(f"{name}: names key {checkpoint.key_id}, signed by {key_id_of(raw)}")


def check_inclusion(proof: InclusionProof, checkpoint: Checkpoint) -> None:
    """Raise ProofInvalid unless the proof leads to the checkpoint's root."""
    if proof.size != checkpoint.size:
        raise ProofInvalid(f"proof for size {proof.size}, checkpoint of size {checkpoint.size}")
    leaf = merkle.leaf_hash(leaf_data(proof.seq, proof.kind, proof.subject, proof.row_sha256))
    hashes = [bytes.fromhex(part) for part in proof.hashes]
    merkle.check_inclusion(leaf, proof.seq, proof.size, hashes, bytes.fromhex(checkpoint.root))


def check_consistency(proof: ConsistencyProof, old: Checkpoint, new: Checkpoint) -> None:
    """Raise ProofInvalid unless the newer checkpoint continues the older one."""
    if (proof.old_size, proof.size) != (old.size, new.size):
        raise ProofInvalid(
            f"proof from {proof.old_size} to {proof.size}, checkpoints {old.size} and {new.size}"
        )
    merkle.check_consistency(
        old.size,
        new.size,
        [bytes.fromhex(part) for part in proof.hashes],
        bytes.fromhex(old.root),
        bytes.fromhex(new.root),
    )


def checkpoint_digest(number: int, *, size: int, root: str, at: datetime) -> str:
    """Hash of a stored checkpoint, for the leaf that follows what it signed.

    Neither key nor signature are in it: no seed decides them, and the signature proves itself.
    """
    body = {"at": instant_text(at), "id": number, "root": root, "size": size}
    text = canonical_json({"row": "audit_checkpoint", **body})
    return hashlib.sha256(text.encode()).hexdigest()


def checkpoint_text(checkpoint: Checkpoint) -> str:
    """A checkpoint as one line of JSON, to be kept somewhere else."""
    return canonical_json(
        {
            "at": instant_text(checkpoint.at),
            "format": FORMAT,
            "key_id": checkpoint.key_id,
            "public_key": checkpoint.public_key,
            "root": checkpoint.root,
            "signature": checkpoint.signature,
            "size": checkpoint.size,
        }
    )


def read_checkpoint(text: str) -> Checkpoint:
    """Read what `checkpoint_text` wrote. Raises ProofInvalid if it is something else."""
    try:
        body: dict[str, Any] = read_json(text)
        if body.pop("format") != FORMAT:
            raise ValueError("format")
        check_fields(body, Checkpoint)
        return Checkpoint(**(body | {"at": as_utc(datetime.fromisoformat(body["at"]))}))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProofInvalid(f"not a checkpoint of {FORMAT}: {error}") from None


SIZE_MAX = 2**63 - 1
"""The largest number that a log can give a leaf."""


def check_fields(body: dict[str, Any], record: type) -> None:
    """Raise ValueError naming the first field of a record that is not of its kind.

    Numbers are from 0 to SIZE_MAX, `hashes` is a list of texts in hex, all else is text.
    """
    for name in (field.name for field in fields(record)):
        if name not in body:
            raise ValueError(f"{name} is missing")
        value = body[name]
        if name in _NUMBERS:
            if type(value) is not int or not 0 <= value <= SIZE_MAX:
                raise ValueError(f"{name} is {str(value)[:40]!r}; allowed: 0 to {SIZE_MAX}")
        elif name == "hashes":
            if not isinstance(value, list) or not all(_is_hash(part) for part in value):
                raise ValueError("hashes; allowed: a list of texts of 64 hex digits")
        elif not isinstance(value, str):
            raise ValueError(f"{name} is a {type(value).__name__}; allowed: text")
        elif name == "root" and not _is_hash(value):
            raise ValueError(f"{name} is {value[:80]!r}; allowed: 64 hex digits")


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and _32_BYTES.fullmatch(value) is not None
