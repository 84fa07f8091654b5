"""Keeping key at rest: data keys per pool and epoch, wrapped by one key-encryption key.

Stored key is computationally protected only: AES-256-GCM stands between the disk and the
key, whatever made the key. Python cannot promise to wipe memory; this module keeps no key
longer than its transaction or, for data keys, than the open ledger, and forbids core dumps.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from scheduler.errors import KeystoreError

KEY_BYTES = 32  # AES-256
NONCE_BYTES = 12  # 96 bits, as NIST SP 800-38D asks of GCM
TAG_BYTES = 16
OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES

KEK_VARIABLE = "SKYTRUNK_KEK"
KEK_FILE_VARIABLE = "SKYTRUNK_KEK_FILE"


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


class LocalKek:
    """A key-encryption key held in this process."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise KeystoreError(f"key-encryption key of {len(key)} bytes; allowed: {KEY_BYTES}")
        self._cipher = AESGCM(key)
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

    def __repr__(self) -> str:
        return f"LocalKek({self._kek_id})"


class NoKek:
    """Stands where a key-encryption key is not at hand: the ledger can be looked at, no more."""

    @property
    def kek_id(self) -> str:
        """No fingerprint."""
        return "none"

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Raise KeystoreError."""
        raise self._refusal(context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Raise KeystoreError."""
        raise self._refusal(context)

    @staticmethod
    def _refusal(context: bytes) -> KeystoreError:
        return KeystoreError(
            f"{context.decode()} stays shut: the ledger was opened to be audited, without its key"
        )


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


def kek_from_environment(environment: Mapping[str, str]) -> LocalKek | None:
    """The key that the environment names, by value or by file; None if it names none."""
    if text := environment.get(KEK_VARIABLE):
        return kek_from_text(text, origin=KEK_VARIABLE)
    if name := environment.get(KEK_FILE_VARIABLE):
        return kek_from_file(Path(name))
    return None


def make_kek_file(path: Path) -> LocalKek:
    """Make a new key file, mode 0600; if another process was faster, read its file."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(os.urandom(KEY_BYTES).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link appears whole or not at all, and never replaces a key that is there.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    return kek_from_file(path)


def forbid_core_dumps() -> None:
    """Keep this process's memory out of core files."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
