"""The key-encryption key of a ledger, and the signing key that a new one gets."""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, insert, select

from scheduler.errors import KeystoreError, LedgerError
from scheduler.ledger.db.engine import sqlite_file
from scheduler.ledger.log.checkpoints import key_id_of
from scheduler.ledger.schema import AuditKey, DataKey
from scheduler.ledger.vault.keystore import (
    KEK_FILE_VARIABLE,
    KEK_VARIABLE,
    KeyEncryptionKey,
    kek_from_environment,
    kek_from_file,
    make_kek_file,
    signing_context,
)

KEK_SUFFIX = ".kek"
"""A ledger in an SQLite file that is given no key makes one, mode 0600, beside itself."""


def kek_at_hand(engine: Engine, *, new: bool = False) -> KeyEncryptionKey | None:
    """The key that the environment names, or the one beside an SQLite file; None without any.

    A `new` SQLite ledger gets a key file; an old one without its key must stay shut.
    """
    named = kek_from_environment(os.environ)
    file = sqlite_file(engine)
    if named is not None or file is None:
        return named
    path = file.with_name(file.name + KEK_SUFFIX)
    if new and not path.exists():
        return make_kek_file(path)
    return kek_from_file(path) if path.exists() else None


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
    signing = connection.execute(select(*AuditKey.__table__.c)).all()
    sealed = select(DataKey.kek_id).where(DataKey.wrapped.is_not(None)).distinct()
    sealers = {*connection.execute(sealed).scalars(), *(row.kek_id for row in signing)}
    if sealers - {kek.kek_id}:
        raise KeystoreError(
            f"{name} is sealed under key-encryption key {', '.join(sorted(map(str, sealers)))};"
            f" the one at hand is {kek.kek_id}. The ledger stays shut"
        )
    for row in signing:
        kek.unwrap(row.wrapped, signing_context(row.key_id))


def refuse_emptied(connection: Connection) -> None:
    """Raise LedgerError if a ledger lost its signing key: nothing of it is signed anew."""
    # All columns: the rows themselves are read, for an index may lack them.
    if connection.execute(select(*AuditKey.__table__.c)).first() is None:
        raise LedgerError(
            "audit_key holds no signing key: the ledger's audit tables were emptied."
            " It stays shut; restore it from a copy"
        )


def make_signing_key(connection: Connection, kek: KeyEncryptionKey) -> None:
    """Give a new ledger the key that signs its checkpoints."""
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
