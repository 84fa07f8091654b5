"""The file of a closed period: its export, compressed, between a header and a signature."""

from __future__ import annotations

import hashlib
import lzma
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from scheduler.errors import ProofInvalid
from scheduler.ledger.log.canonical import canonical_json, read_json
from scheduler.ledger.log.checkpoints import key_bytes, key_id_of

FORMAT = "skytrunk-segment/1"

PRESET = 1
"""Of xz: three times as fast as the default, for some 5 % more bytes; most of them are hashes."""

SYNC = os.O_RDONLY | os.O_DIRECTORY


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What stands at the end of a segment's file, and is signed."""

    number: int
    previous_sha256: str
    content_sha256: str  #: over the lines between
    rows: int
    first_leaf: int
    size: int
    root: str
    key_id: str
    public_key: str
    signature: str


def archive_name(number: int, content_sha256: str) -> str:
    """The name of a segment's file; two attempts at one segment get two names."""
    return f"segment-{number:08d}-{content_sha256[:16]}.jsonl.xz"


def _text(seal: dict[str, Any]) -> bytes:
    names = ("number", "previous_sha256", "content_sha256", "rows", "first_leaf", "size", "root")
    body = {name: seal[name] for name in (*names, "key_id")}
    return canonical_json({"format": FORMAT, **body}).encode()


def write_archive(
    folder: Path,
    lines: Iterable[str],
    private: bytes,
    *,
    number: int,
    previous_sha256: str,
    first_leaf: int,
    size: int,
    root: str,
) -> tuple[Path, Seal]:
    """Write a segment's file, synced, under its own name; nothing half written gets that name."""
    draft = folder / f".segment-{number:08d}.{secrets.token_hex(8)}"
    hashed, rows = hashlib.sha256(), 0
    try:
        with draft.open("xb") as raw:
            os.fchmod(raw.fileno(), 0o600)
            with lzma.open(raw, "wb", preset=PRESET) as file:
                for line in lines:
                    data = f"{line}\n".encode()
                    hashed.update(data)
                    file.write(data)
                    rows += 1
                key = Ed25519PrivateKey.from_private_bytes(private)
                public = key.public_key().public_bytes_raw()
                body: dict[str, Any] = {
                    "number": number,
                    "previous_sha256": previous_sha256,
                    "content_sha256": hashed.hexdigest(),
                    "rows": rows,
                    "first_leaf": first_leaf,
                    "size": size,
                    "root": root,
                    "key_id": key_id_of(public),
                    "public_key": public.hex(),
                }
                body["signature"] = key.sign(_text(body)).hex()
                file.write(
                    f"{canonical_json({'table': 'seal', 'format': FORMAT, **body})}\n".encode()
                )
            raw.flush()
            os.fsync(raw.fileno())
        path = folder / archive_name(number, body["content_sha256"])
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    handle = os.open(folder, SYNC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return path, Seal(**body)


class ArchiveReader:
    """The lines of a segment's file, once; afterwards its seal, and what is wrong with it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seal: Seal | None = None
        self.problems: list[str] = []
        self._hashed = hashlib.sha256()
        self._rows = 0

    def lines(self) -> Iterator[str]:
        """The lines of the export; the seal behind them is kept.

        Raises ProofInvalid if the file is none that can be read to its end.
        """
        held: bytes | None = None
        try:
            with lzma.open(self.path, "rb") as file:
                for data in file:
                    if held is not None:
                        self._hashed.update(held)
                        self._rows += 1
                        yield held.decode()
                    held = data
        except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
            raise ProofInvalid(f"segment {self.path}: {type(error).__name__}: {error}") from None
        self._take_seal(held)

    def _take_seal(self, held: bytes | None) -> None:
        try:
            body = read_json((held or b"").decode())
            if body.pop("table") != "seal" or body.pop("format") != FORMAT:
                raise ValueError("it does not end in a seal")
            self.seal = Seal(**body)
            _check_kinds(self.seal)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self.problems.append(f"segment {self.path.name}: not of {FORMAT}: {error}")
            self.seal = None
            return
        seen = (self._hashed.hexdigest(), self._rows)
        if seen != (self.seal.content_sha256, self.seal.rows):
            self.problems.append(
                f"segment {self.seal.number}: its {self._rows} lines are not those that were sealed"
            )

    def check_signature(self, public_key: str | None) -> None:
        """Note it unless the seal is signed; by the key that you trust, if one is given."""
        if self.seal is None:
            return
        body = {name: getattr(self.seal, name) for name in Seal.__slots__}
        trusted = public_key or self.seal.public_key
        try:
            raw = key_bytes("the trusted public key", trusted)
            body["key_id"] = key_id_of(raw)
            key = Ed25519PublicKey.from_public_bytes(raw)
            key.verify(bytes.fromhex(self.seal.signature), _text(body))
            if (self.seal.key_id, self.seal.public_key) != (body["key_id"], raw.hex()):
                raise ValueError("names another key")
        except (ValueError, InvalidSignature, ProofInvalid):
            self.problems.append(
                f"segment {self.seal.number}: the signature does not hold under {trusted[:80]}"
            )


def _check_kinds(seal: Seal) -> None:
    for name in Seal.__slots__:
        kind = int if name in {"number", "rows", "first_leaf", "size"} else str
        if type(getattr(seal, name)) is not kind:
            raise ValueError(f"{name} is no {kind.__name__}")


def leaves_of(
    path: Path, take: Callable[[int, str, str, str], None], *, from_leaf: int = 0
) -> None:
    """Hand over the leaves of a segment's file from a number on, in the order of the log."""
    for line in ArchiveReader(path).lines():
        if '"table":"audit_leaf"' in line:
            row = read_json(line)
            if row["seq"] >= from_leaf:
                take(row["seq"], row["kind"], row["subject"], row["row_sha256"])
