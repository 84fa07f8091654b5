"""Signed checkpoints of the audit log: made here, checked anywhere, no database needed."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from scheduler.errors import ProofInvalid
from scheduler.ledger import merkle
from scheduler.ledger.canonical import canonical_json, instant_text, leaf_data
from scheduler.ledger.records import Checkpoint, ConsistencyProof, InclusionProof

FORMAT = "skytrunk-checkpoint/1"

_PUBLIC_KEY = re.compile("[0-9a-fA-F]{64}")


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


def _key_bytes(name: str, public_key: str) -> bytes:
    """A public key's bytes. Raises ProofInvalid for anything but 64 hex digits, spaces too."""
    if not _PUBLIC_KEY.fullmatch(public_key):
        raise ProofInvalid(f"{name} is {public_key[:80]!r}; allowed: 64 hex digits")
    return bytes.fromhex(public_key)


def check_signature(checkpoint: Checkpoint, *, public_key: str | None = None) -> None:
    """Raise ProofInvalid unless the signature is good.

    `public_key` is the key you trust, in hex; without it the checkpoint's own is taken,
    which shows that it was not damaged but not who made it.
    """
    name = f"checkpoint of size {checkpoint.size}"
    if public_key is None:
        trusted, raw = checkpoint.public_key, _key_bytes(f"{name}: its key", checkpoint.public_key)
    else:
        trusted, raw = public_key, _key_bytes("the trusted public key", public_key)
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
        body: dict[str, Any] = json.loads(text)
        if body.pop("format") != FORMAT:
            raise ValueError("format")
        return Checkpoint(**(body | {"at": datetime.fromisoformat(body["at"])}))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProofInvalid(f"not a checkpoint of {FORMAT}: {error}") from None
