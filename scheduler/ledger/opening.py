"""What happens when a ledger is opened: its key is found, and old rows are brought up to date."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, exists, func, insert, select, true, update

from scheduler.errors import KeystoreError, LedgerError
from scheduler.ledger.db.engine import sqlite_file
from scheduler.ledger.db.snapshot import snapshot_of
from scheduler.ledger.log.canonical import instant_text, pool_digest
from scheduler.ledger.log.checkpoints import key_id_of, signing_context
from scheduler.ledger.log.command_rows import CommandRows
from scheduler.ledger.log.tables import FORMS, row_digest
from scheduler.ledger.log.trail import AuditTrail
from scheduler.ledger.schema import (
    Account,
    AuditCheckpoint,
    AuditKey,
    AuditLeaf,
    BookingEventRow,
    BookingRow,
    Command,
    DataKey,
    ElementSetRow,
    JobRun,
    PlanRow,
    PoolRow,
    RunFact,
)
from scheduler.ledger.vault.datakeys import DataKeys, SharedKeys
from scheduler.ledger.vault.keystore import (
    KEK_FILE_VARIABLE,
    KEK_VARIABLE,
    KeyEncryptionKey,
    NoKek,
    kek_from_environment,
    kek_from_file,
    make_kek_file,
)
from scheduler.ledger.vault.material import seal_first_release

KEK_SUFFIX = ".kek"
"""A ledger in an SQLite file that is given no key makes one, mode 0600, beside itself."""


def find_kek(
    engine: Engine, given: KeyEncryptionKey | None, *, audit: bool = False
) -> KeyEncryptionKey:
    """The key-encryption key of a database: given, named by the environment, or beside it.

    For an `audit` it may be missing: all but the sealed bytes can be checked. Raises
    KeystoreError if there is none, or if it is not the one that the database knows.
    """
    with engine.connect() as connection, connection.begin():
        wrapped_by = _wrapping_keys(connection)
        kek = given or kek_from_environment(os.environ)
        if kek is None and audit and wrapped_by and not _is_beside(engine):
            return NoKek()
        kek = kek or _kek_beside(engine, bool(wrapped_by))
        name = engine.url.render_as_string(hide_password=True)
        if wrapped_by - {kek.kek_id}:
            sealers = ", ".join(sorted(map(str, wrapped_by)))
            raise KeystoreError(
                f"{name} is sealed under key-encryption key {sealers};"
                f" the one at hand is {kek.kek_id}. The ledger stays shut"
            )
        for row in connection.execute(select(*AuditKey.__table__.c)):
            kek.unwrap(row.wrapped, signing_context(row.key_id))
    return kek


def _wrapping_keys(connection: Connection) -> set[str]:
    data = select(DataKey.kek_id).where(DataKey.wrapped.is_not(None)).distinct()
    return set(connection.execute(data).scalars()) | set(
        connection.execute(select(AuditKey.kek_id)).scalars()
    )


def _is_beside(engine: Engine) -> bool:
    file = sqlite_file(engine)
    return file is not None and file.with_name(file.name + KEK_SUFFIX).exists()


def _kek_beside(engine: Engine, sealed: bool) -> KeyEncryptionKey:
    file = sqlite_file(engine)
    if file is None:
        raise KeystoreError(
            "a PostgreSQL ledger needs a key-encryption key of its own:"
            f" set {KEK_FILE_VARIABLE} or {KEK_VARIABLE}"
        )
    path = file.with_name(file.name + KEK_SUFFIX)
    # A new key is made for a new ledger only; an old one without its key must stay shut.
    return kek_from_file(path) if sealed or path.exists() else make_kek_file(path)


def is_adopted(connection: Connection) -> bool:
    """True once the ledger has its signing key, the last thing that `adopt` makes."""
    return connection.execute(select(func.count()).select_from(AuditKey)).scalar_one() > 0


def refuse_second_adoption(connection: Connection) -> None:
    """Raise LedgerError if a ledger lost its signing key: nothing of it is signed anew.

    A ledger of the first release has no data keys and no hashes over what its commands wrote.
    """
    for table, condition in (
        (DataKey, true()),
        (AuditLeaf, true()),
        (AuditCheckpoint, true()),
        (Command, Command.rows_sha256.is_not(None)),
    ):
        if connection.execute(select(exists().where(condition).select_from(table))).scalar():
            raise LedgerError(
                "audit_key is empty, though the ledger had a signing key before: its audit tables"
                f" were emptied, its rows of {table.__tablename__} are still there. It stays shut;"
                " restore it from a copy"
            )


def adopt(connection: Connection, kek: KeyEncryptionKey) -> None:
    """Seal and log what the first release left in clear and unlogged; make the signing key."""
    keys = DataKeys(kek, SharedKeys())
    seal_first_release(connection, keys)
    _hash_command_rows(connection)
    trail = AuditTrail()
    for kind, subject, digest in _rows_to_log(connection):
        trail.record(kind, subject, digest)
    trail.append(connection)
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


def _hash_command_rows(connection: Connection) -> None:
    """Take the rows that each old command wrote under its hash."""
    digests = CommandRows(snapshot_of(connection), FORMS.values())
    commands = connection.execute(select(*Command.__table__.c).order_by(Command.id)).mappings()
    for command in commands.all():
        row = dict(command) | {"rows_sha256": digests.of(command["id"])}
        connection.execute(
            update(Command)
            .where(Command.id == row["id"])
            .values(rows_sha256=row["rows_sha256"], sha256=row_digest("command", row))
        )


def _rows_to_log(connection: Connection) -> Iterator[tuple[str, str, str]]:
    """Every row of the first release that a leaf stands for."""
    accounts: dict[int, list[str]] = {}
    for row in _ordered(connection, Account):
        accounts.setdefault(row.pool_ref, []).append(row.sha256)
    for row in _ordered(connection, PoolRow):
        yield "pool", str(row.id), pool_digest(row.sha256, accounts.get(row.id, ()))
    for row in _ordered(connection, Command):
        yield "command", str(row.id), row.sha256
    for row in _ordered(connection, RunFact):
        yield "run_fact", row.name, row.sha256
    for row in _ordered(connection, ElementSetRow):
        yield "element_set", row.sha256, row.row_sha256
    for row in _ordered(connection, PlanRow):
        yield "plan", row.plan_id, row.sha256
    for row in _ordered(connection, JobRun):
        yield "job_run", f"{row.job_key}@{instant_text(row.scheduled_for)}", row.sha256
    for row in _ordered(connection, BookingRow):
        yield "booking", row.booking_id, row.sha256
    for row in _ordered(connection, BookingEventRow):
        yield "booking_event", f"{row.booking_id}/{row.position}", row.sha256


def _ordered(connection: Connection, table: Any) -> Any:
    columns, keys = table.__table__.c, table.__table__.primary_key
    return connection.execute(select(*columns).order_by(*keys)).all()
