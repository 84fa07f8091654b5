"""Keeping key at rest: data keys per pool and epoch, wrapped by one key-encryption key.

Stored key is computationally protected only: AES-256-GCM stands between the disk and the
key, whatever made the key. Python cannot promise to wipe memory; this module keeps no key
longer than its transaction or, for data keys, than the open ledger, and forbids core dumps.
"""

from __future__ import annotations

import hashlib
import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from scheduler.errors import KeystoreError
from scheduler.ledger.vault.files import add_file, failures

KEY_BYTES = 32  # AES-256
NONCE_BYTES = 12  # 96 bits, as NIST SP 800-38D asks of GCM
TAG_BYTES = 16
OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES

KEK_VARIABLE = "SKYTRUNK_KEK"
KEK_FILE_VARIABLE = "SKYTRUNK_KEK_FILE"
KEY_FOLDER_VARIABLE = "SKYTRUNK_KEY_FOLDER"


def signing_context(key_id: str) -> bytes:
    """What a wrapped signing key is bound to."""
    return f"audit signing key {key_id}".encode()


class KeyEncryptionKey(Protocol):
    """What wraps data keys; a hardware module can stand behind it."""

    @property
    def kek_id(self) -> str:
        """Fingerprint by which a wrapped key names its wrapping key; at most 32 characters."""

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Encrypt and authenticate a key together with its context."""

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Undo `wrap`. Raises KeystoreError if key or context is another."""

    def derive(self, context: bytes) -> bytes:
        """A key for another purpose (HKDF-SHA256, RFC 5869); neither tells anything of the other.

        32 bytes, always the same for one context.
        """


class LocalKek:
    """A key-encryption key held in this process."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise KeystoreError(f"key-encryption key of {len(key)} bytes; allowed: {KEY_BYTES}")
        self._cipher = AESGCM(key)
        self._key = key
        self._kek_id = hashlib.sha256(b"skytrunk kek fingerprint" + key).hexdigest()[:16]

    @property
    def kek_id(self) -> str:
        """Fingerprint of the key."""
        return self._kek_id

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Encrypt under a fresh nonce, which comes first in the result."""
        return seal(self._cipher, key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Decrypt what `wrap` made. Raises KeystoreError if it was not made by this key."""
        try:
            return unseal(self._cipher, wrapped, context)
        except (InvalidTag, TypeError, ValueError):  # the last two: no bytes, or too few
            raise KeystoreError(
                f"key-encryption key {self._kek_id} does not open {context.decode()}"
            ) from None

    def derive(self, context: bytes) -> bytes:
        """The key of a purpose."""
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=context).derive(self._key)

    def __repr__(self) -> str:
        return f"LocalKek({self._kek_id})"


def new_nonces(count: int) -> Iterator[bytes]:
    """Fresh random nonces; one call to the operating system for all of them."""
    drawn = os.urandom(NONCE_BYTES * count)
    return (drawn[at : at + NONCE_BYTES] for at in range(0, len(drawn), NONCE_BYTES))


def seal(cipher: AESGCM, plain: bytes, context: bytes, nonce: bytes | None = None) -> bytes:
    """Nonce, ciphertext and tag of `plain`, bound to its context.

    A nonce that is given comes from `new_nonces` and is never used again.
    """
    nonce = nonce or os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, context)


def unseal(cipher: AESGCM, sealed: bytes, context: bytes) -> bytes:
    """Undo `seal`. Raises InvalidTag if anything was changed or moved."""
    return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)


def new_data_key() -> bytes:
    """A fresh data key from the operating system."""
    return os.urandom(KEY_BYTES)


def kek_from_text(text: str, *, origin: str) -> LocalKek:
    """Read a key-encryption key written as 64 hex digits. Raises KeystoreError otherwise."""
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeystoreError(
            f"{origin} holds no key-encryption key; allowed: {2 * KEY_BYTES} hex digits"
        )
    return LocalKek(key)


def kek_from_file(path: Path) -> LocalKek:
    """Read a key file. Raises KeystoreError if it is missing, open to others, or no key."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="ascii")
    except OSError as error:
        raise KeystoreError(f"key file {path}: {error.strerror}; the ledger stays shut") from None
    except UnicodeDecodeError:  # whose message would show a byte of it
        text = ""
    if mode & 0o077:
        raise KeystoreError(f"key file {path} has mode {mode:04o}; allowed: 0600")
    return kek_from_text(text, origin=f"key file {path}")


def make_kek_file(path: Path) -> LocalKek:
    """Make a new key file, mode 0600; if another process was faster, read its file."""
    with failures(path.parent):
        add_file(path, os.urandom(KEY_BYTES).hex().encode() + b"\n")
    return kek_from_file(path)


def next_file(path: Path) -> Path:
    """Where a rotation keeps the new key until the ledger is under it."""
    return path.with_name(f"{path.name}.next")


def kek_of_ledger(path: Path, kek_id: str | None) -> LocalKek:
    """The key of a key file; the next one if a rotation to it was cut short behind its commit.

    `kek_id` names the key that the ledger is kept under. Raises KeystoreError as `kek_from_file`.
    """
    found, later = kek_from_file(path), next_file(path)
    if found.kek_id != kek_id and later.exists():
        newer = kek_from_file(later)
        return newer if newer.kek_id == kek_id else found
    return found


def forbid_core_dumps() -> None:
    """Keep this process's memory out of core files."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
