"""The key-encryption key of a ledger, and the signing key that a new one gets."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import ColumnElement, Connection, Engine, insert, select, update

from scheduler.errors import KeystoreError, LedgerError
from scheduler.ledger.db.engine import sqlite_file
from scheduler.ledger.log import merkle
from scheduler.ledger.log.checkpoints import key_id_of
from scheduler.ledger.log.macs import LogMac
from scheduler.ledger.schema import AuditHead, AuditKey, DataKey, PoolRow
from scheduler.ledger.vault.files import destroy_file, drafts_of, failures, put_in_place
from scheduler.ledger.vault.keyring import Epoch, KeyFolder, Keyring
from scheduler.ledger.vault.keystore import (
    KEK_FILE_VARIABLE,
    KEK_VARIABLE,
    KEY_FOLDER_VARIABLE,
    KeyEncryptionKey,
    kek_from_file,
    kek_from_text,
    kek_of_ledger,
    make_kek_file,
    next_file,
    signing_context,
)

KEK_SUFFIX = ".kek"
"""A ledger in an SQLite file that is given no key makes one, mode 0600, beside itself."""

KEYS_SUFFIX = ".keys"
"""The folder of the wrapped data keys stands beside the key file, or where that would be."""

_LOCKED = select(AuditKey.kek_id).with_for_update()


def kek_file(engine: Engine) -> Path | None:
    """Where the key-encryption key is or would be; None if the environment holds it."""
    if os.environ.get(KEK_VARIABLE):
        return None
    if name := os.environ.get(KEK_FILE_VARIABLE):
        return Path(name)
    file = sqlite_file(engine)
    return None if file is None else file.with_name(file.name + KEK_SUFFIX)


def kek_at_hand(
    engine: Engine, *, kek_id: str | None = None, new: bool = False
) -> KeyEncryptionKey | None:
    """The key that the environment names, or the one beside an SQLite file; None without any.

    `kek_id` names the key that the ledger is kept under: of a rotation cut short it tells which
    of two files is meant. A `new` SQLite ledger gets a key file; an old one without its key must
    stay shut.
    """
    if text := os.environ.get(KEK_VARIABLE):
        return kek_from_text(text, origin=KEK_VARIABLE)
    path = kek_file(engine)
    if path is None:
        return None
    if not os.environ.get(KEK_FILE_VARIABLE) and not path.exists():
        return make_kek_file(path) if new else None
    return kek_of_ledger(path, kek_id)


def key_folder_of(engine: Engine, named: Path | None) -> Path:
    """Where the wrapped data keys are: where it is named, or beside the key file.

    Raises KeystoreError where neither is known.
    """
    if given := named or os.environ.get(KEY_FOLDER_VARIABLE):
        return Path(given)
    beside = kek_file(engine) or sqlite_file(engine)
    if beside is None:
        raise KeystoreError(
            "a PostgreSQL ledger whose key-encryption key is in no file needs a folder for its"
            f" data keys: set {KEY_FOLDER_VARIABLE}"
        )
    return beside.with_name(beside.name.removesuffix(KEK_SUFFIX) + KEYS_SUFFIX)


def keyring(connection: Connection, kek: KeyEncryptionKey, folder: Path) -> Keyring:
    """The data keys of a ledger. Raises KeystoreError if a folder holds none of those it has."""
    ring = Keyring(kek, KeyFolder(folder), ledger_id_of(connection))
    due = {ring.name(of) for of in open_epochs(connection)}
    if due and ring.ledger_id and not due.intersection(ring.names()):
        raise KeystoreError(
            f"{ring.files} holds none of the {len(due)} data keys of this ledger;"
            f" set {KEY_FOLDER_VARIABLE} to where they are. The ledger stays shut"
        )
    return ring


def log_mac(ring: Keyring) -> LogMac:
    """What authenticates a ledger's audit log."""
    return LogMac(ring.log_key(), ring.kek.kek_id)


def ledger_id_of(connection: Connection) -> str:
    """What tells this ledger's key files from those of others: its first signing key.

    Nothing if that was taken away: then no key file is its own.
    """
    return min((str(row.key_id) for row in _signing_keys(connection)), default="")


def kek_id_of(connection: Connection) -> str | None:
    """The key-encryption key that the ledger is kept under; None if its signing key is gone."""
    return next((row.kek_id for row in _signing_keys(connection)), None)


def _signing_keys(connection: Connection) -> list[Any]:
    # All columns: the rows themselves are read, for an index may lack them.
    return list(connection.execute(select(*AuditKey.__table__.c)))


def signing_key(connection: Connection, ring: Keyring) -> bytes:
    """The private key that signs what the ledger says of itself."""
    row = _signing_keys(connection)[0]
    return ring.kek.unwrap(row.wrapped, signing_context(row.key_id))


def open_epochs(connection: Connection) -> list[Epoch]:
    """The epochs whose data keys are not shredded."""
    return _epochs(connection, DataKey.shredded_by.is_(None))


def _epochs(connection: Connection, which: ColumnElement[bool]) -> list[Epoch]:
    rows = connection.execute(
        select(PoolRow.pool_id, DataKey.epoch)
        .join(PoolRow, DataKey.pool_ref == PoolRow.id)
        .where(which)
        .order_by(DataKey.id)
    )
    return [Epoch(pool_id, epoch) for pool_id, epoch in rows]


def missing_kek(engine: Engine) -> KeystoreError:
    """What to raise where a key-encryption key is needed and none is at hand."""
    file = sqlite_file(engine)
    if file is None:
        return KeystoreError(
            "a PostgreSQL ledger needs a key-encryption key of its own:"
            f" set {KEK_FILE_VARIABLE} or {KEK_VARIABLE}"
        )
    return KeystoreError(f"key file {file}{KEK_SUFFIX}: No such file; the ledger stays shut")


def check_kek(connection: Connection, kek: KeyEncryptionKey) -> None:
    """Raise KeystoreError unless a key is the one that this ledger is sealed under."""
    name = connection.engine.url.render_as_string(hide_password=True)
    signing = _signing_keys(connection)
    sealers = {row.kek_id for row in signing}
    if sealers - {kek.kek_id}:
        raise KeystoreError(
            f"{name} is sealed under key-encryption key {', '.join(sorted(map(str, sealers)))};"
            f" the one at hand is {kek.kek_id}. The ledger stays shut"
        )
    for row in signing:
        kek.unwrap(row.wrapped, signing_context(row.key_id))


def rewrap(connection: Connection, ring: Keyring, make: Callable[[], KeyEncryptionKey]) -> Keyring:
    """Wrap every data key and the signing key anew; the old wrappings stay for the time being.

    Nobody else makes a data key meanwhile. `make` gives the new key once that is sure.
    """
    connection.execute(_LOCKED)
    new = replace(ring, kek=make())
    for of in open_epochs(connection):
        ring.rewrap(of, new)
    for row in _signing_keys(connection):
        context = signing_context(row.key_id)
        wrapped = new.kek.wrap(ring.kek.unwrap(row.wrapped, context), context)
        connection.execute(
            update(AuditKey)
            .where(AuditKey.key_id == row.key_id)
            .values(wrapped=wrapped, kek_id=new.kek.kek_id)
        )
    return new


def refuse_shared(ring: Keyring) -> None:
    """Raise KeystoreError if data keys of another ledger are wrapped by the same key."""
    for name in ring.files.names(""):
        ledger_id, kek_id = name.partition(".")[0], name.rpartition(".")[2]
        if ledger_id != ring.ledger_id and kek_id == ring.kek.kek_id:
            raise KeystoreError(
                f"{ring.files} holds data keys of ledger {ledger_id} under the same key-encryption"
                " key; give each a key file of its own before it is rotated"
            )


def left_behind(connection: Connection, ring: Keyring) -> list[str]:
    """Names of key files that nothing is kept under any more: shredded, or of another rotation."""
    shredded = {ring.name(of) for of in _epochs(connection, DataKey.shredded_by.is_not(None))}
    mine = f".{ring.kek.kek_id}"
    return [name for name in ring.names() if name in shredded or not name.endswith(mine)]


def was_cut_short(path: Path | None) -> bool:
    """Whether a rotation of that key file left anything behind."""
    return path is not None and (next_file(path).exists() or bool(drafts_of(next_file(path))))


def tidy_keys(connection: Connection, ring: Keyring, path: Path | None) -> int:
    """Finish or undo a rotation that was cut short, destroy what was shredded; return how much.

    For a transaction that may write: whoever rotates meanwhile must not have begun.
    """
    connection.execute(_LOCKED)
    if path is not None:
        with failures(path.parent):
            for draft in drafts_of(next_file(path)):
                destroy_file(draft)
    if path is not None and next_file(path).exists():
        with failures(path.parent):
            if kek_of_ledger(path, kek_id_of(connection)).kek_id == kek_from_file(path).kek_id:
                destroy_file(next_file(path))
            else:
                put_in_place(next_file(path), path)
    names = left_behind(connection, ring)
    ring.files.destroy(names)
    return len(names)


def refuse_emptied(connection: Connection) -> None:
    """Raise LedgerError if a ledger lost its signing key: nothing of it is signed anew."""
    if not _signing_keys(connection):
        raise LedgerError(
            "audit_key holds no signing key: the ledger's audit tables were emptied."
            " It stays shut; restore it from a copy"
        )


def begin_log(connection: Connection, kek: KeyEncryptionKey, folder: Path) -> None:
    """Give a new ledger its empty log, and the key that signs its checkpoints."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    key_id = key_id_of(public)
    row = {
        "key_id": key_id,
        "public_key": public.hex(),
        "kek_id": kek.kek_id,
        "wrapped": kek.wrap(private.private_bytes_raw(), signing_context(key_id)),
    }
    connection.execute(insert(AuditKey), [row])
    mac = log_mac(Keyring(kek, KeyFolder(folder), key_id))
    head = {"id": 1, "size": 0, "mac": mac.head(0, merkle.EMPTY_ROOT)}
    connection.execute(insert(AuditHead), [head])
