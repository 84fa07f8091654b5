"""Wrapped data keys, kept apart from the database so that each can be destroyed for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from scheduler.errors import KeystoreError
from scheduler.ledger.vault.files import add_file, destroy_file, failures, sync_folder
from scheduler.ledger.vault.keystore import KeyEncryptionKey, new_data_key

DIGITS = 24
"""Hex digits of the hash that stands for a pool in a name: 96 bits, so that no two meet."""


class WrappedKeys(Protocol):
    """Where wrapped data keys are kept: a folder, one that several hosts mount, a module."""

    def get(self, name: str) -> bytes | None:
        """What is kept under a name; None if nothing is."""

    def put(self, name: str, wrapped: bytes) -> bytes:
        """Keep bytes under a name, durably once it returns, and return what is kept there.

        What was there before stays and is returned: of two that put at once, one is kept.
        """

    def destroy(self, names: Iterable[str]) -> None:
        """Destroy what is kept under these names; nobody can read it ever after."""

    def names(self, prefix: str) -> list[str]:
        """The names that begin so, in order."""


class KeyFolder:
    """A folder with one file for each pool and epoch. All raise LedgerUnavailable if it fails."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> bytes | None:
        """The content of a file; None if it is not there."""
        with failures(self._folder):
            try:
                return (self._folder / name).read_bytes()
            except FileNotFoundError:
                return None

    def put(self, name: str, wrapped: bytes) -> bytes:
        """Make a file; it and the folder are synced before this returns."""
        path = self._folder / name
        with failures(self._folder):
            if not self._folder.exists():
                self._folder.mkdir(mode=0o700, exist_ok=True)
                sync_folder(self._folder.parent)
            add_file(path, wrapped)
            return path.read_bytes()

    def destroy(self, names: Iterable[str]) -> None:
        """Overwrite files, sync them, take them away, sync the folder."""
        with failures(self._folder):
            for name in names:
                destroy_file(self._folder / name)
            if self._folder.exists():
                sync_folder(self._folder)

    def names(self, prefix: str) -> list[str]:
        """Names of files, drafts left aside."""
        with failures(self._folder):
            if not self._folder.exists():
                return []
            names = sorted(path.name for path in self._folder.iterdir())
        return [name for name in names if name.startswith(prefix) and name[0] != "."]

    def __str__(self) -> str:
        return f"key folder {self._folder}"


class Epoch(NamedTuple):
    """What a data key is for."""

    pool_id: str
    epoch: int

    @property
    def context(self) -> bytes:
        """What the wrapped key is bound to."""
        return f"data key of {self.pool_id}, epoch {self.epoch}".encode()


@dataclass(frozen=True, slots=True)
class Keyring:
    """The data keys of one ledger under one key-encryption key."""

    kek: KeyEncryptionKey
    files: WrappedKeys
    ledger_id: str  #: of the key that signs its checkpoints; several ledgers may share a folder

    def name(self, of: Epoch) -> str:
        """Where a data key lies wrapped under this ring's key-encryption key.

        Every key-encryption key has places of its own: during a rotation both are kept, and
        whichever the ledger names in the end finds all of its own.
        """
        pool = hashlib.sha256(of.pool_id.encode()).hexdigest()[:DIGITS]
        return f"{self.ledger_id}.{pool}.{of.epoch}.{self.kek.kek_id}"

    def log_key(self) -> bytes:
        """The key under which this ledger's audit log is authenticated."""
        return self.kek.derive(f"audit log of ledger {self.ledger_id}".encode())

    def find(self, of: Epoch) -> bytes | None:
        """A data key in clear; None if it is not there. Raises KeystoreError if it is another's."""
        wrapped = self.files.get(self.name(of))
        return None if wrapped is None else self.kek.unwrap(wrapped, of.context)

    def open(self, of: Epoch) -> bytes:
        """A data key in clear. Raises KeystoreError if it does not open or is not there."""
        key = self.find(of)
        if key is None:
            raise KeystoreError(
                f"{self.files} lacks {self.name(of)}, the {of.context.decode()};"
                " what it sealed stays shut"
            )
        return key

    def make(self, of: Epoch) -> bytes:
        """A new data key, kept before this returns.

        One that is there was made for a transaction that was undone, or is being made for another
        one now: nothing of any other epoch is under it, so it is taken.
        """
        known = self.files.get(self.name(of))
        wrapped = known or self.files.put(self.name(of), self.kek.wrap(new_data_key(), of.context))
        return self.kek.unwrap(wrapped, of.context)

    def rewrap(self, of: Epoch, new: Keyring) -> None:
        """Keep a data key under another key-encryption key besides."""
        new.files.put(new.name(of), new.kek.wrap(self.open(of), of.context))

    def destroy(self, epochs: Iterable[Epoch]) -> None:
        """Destroy data keys; what they sealed, here or in a copy of the database, is gone."""
        self.files.destroy([self.name(of) for of in epochs])

    def names(self) -> list[str]:
        """The names of all of this ledger's data keys, under whichever key-encryption key."""
        return self.files.names(f"{self.ledger_id}.")
