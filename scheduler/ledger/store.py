"""The ledger that is written to: opening it, its transactions, its signatures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from orbits import as_utc
from scheduler.errors import LedgerError
from scheduler.ledger.db.engine import make_engine, opening_engine, sqlite_file
from scheduler.ledger.db.failures import is_conflict, refused
from scheduler.ledger.db.migrate import has_tables, make_tables
from scheduler.ledger.db.wal import WalCheckpointer
from scheduler.ledger.db.write_queue import WriteQueue
from scheduler.ledger.log import checkpoints
from scheduler.ledger.log import trail as audit
from scheduler.ledger.log.canonical import marker_digest
from scheduler.ledger.opening import (
    check_kek,
    kek_at_hand,
    make_signing_key,
    missing_kek,
    refuse_emptied,
)
from scheduler.ledger.pools import PoolBook, PoolNumbers
from scheduler.ledger.records import Checkpoint
from scheduler.ledger.schema import AuditCheckpoint, AuditKey
from scheduler.ledger.transaction import Transaction
from scheduler.ledger.vault.datakeys import DataKeys, SharedKeys, rewrap
from scheduler.ledger.vault.keystore import KeyEncryptionKey, forbid_core_dumps, signing_context
from scheduler.ledger.view import LedgerView

ATTEMPTS_MAX = 10
"""Times that `run` begins anew after a serialization failure before it gives up."""

T = TypeVar("T")


class Ledger:
    """One database of key, bookings and everything that happened; get one from `open_ledger`."""

    def __init__(self, engine: Engine, kek: KeyEncryptionKey) -> None:
        self.view = LedgerView(engine, kek)
        self._engine = engine
        self._kek = kek
        self._pools: dict[str, PoolNumbers] = {}
        self._shared_keys = SharedKeys()
        file = sqlite_file(engine)
        self._wal = None if file is None else WalCheckpointer(file)
        self._queue = WriteQueue(self._writing, self._transaction)

    def _transaction(self, connection: Connection) -> Transaction:
        keys = DataKeys(self._kek, self._shared_keys)
        return Transaction(connection, PoolBook(self._pools), keys, self._wal)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One database transaction that may write; its failures in our own words."""
        try:
            with self._engine.connect() as plain:
                connection = plain.execution_options(ledger_writes=True)
                with connection.begin():
                    yield connection
        except DBAPIError as error:
            raise refused(error) from error
        if self._wal is not None:
            self._wal.nudge()

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """One write transaction: committed at the end, undone by any exception.

        Raises LedgerUnavailable if the database is away, full or too busy, LedgerError if it
        refuses a row; no message holds a row's values.
        """
        with self._queue.alone(), self._writing() as connection:
            transaction = self._transaction(connection)
            yield transaction
            transaction.complete()
        transaction.publish()

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Do some work in a transaction and return its result after the commit.

        On SQLite, work that several threads hand in at once shares one durable commit, each
        undone on its own if it fails. On PostgreSQL, work that lost against a foreign session
        is done again, up to ATTEMPTS_MAX times; it must therefore touch nothing but the ledger.
        """
        if self._engine.dialect.name == "sqlite":
            return self._queue.run(work)

        def attempt() -> T:
            with self.begin() as transaction:
                return work(transaction)

        return _insisting(attempt)

    def checkpoint(self, at: datetime) -> Checkpoint:
        """Sign the audit log as it stands and store the signature; keep a copy elsewhere.

        The log's next leaf is about it, so that it cannot be lost unseen.
        """
        return _insisting(lambda: self._checkpoint(as_utc(at)))

    def _checkpoint(self, at: datetime) -> Checkpoint:
        with self._queue.alone(), self._writing() as connection:
            key = connection.execute(
                select(*AuditKey.__table__.c).order_by(AuditKey.key_id).limit(1)
            ).one()
            private = self._kek.unwrap(key.wrapped, signing_context(key.key_id))
            size = audit.tree_size(connection)
            signed = checkpoints.sign(private, size=size, root=audit.root(connection, size), at=at)
            last = connection.execute(select(func.max(AuditCheckpoint.id))).scalar() or 0
            row = {
                "id": last + 1,
                "size": signed.size,
                "root": signed.root,
                "at": signed.at,
                "key_id": signed.key_id,
                "signature": signed.signature,
            }
            connection.execute(insert(AuditCheckpoint), [row])
            trail = audit.AuditTrail()
            digest = checkpoints.checkpoint_digest(last + 1, size=size, root=signed.root, at=at)
            trail.record("checkpoint", str(last + 1), digest)
            trail.append(connection)
        return signed

    def rotate_kek(self, kek: KeyEncryptionKey) -> int:
        """Wrap every data key, and the signing key, under another key-encryption key.

        Returns how many data keys there were. Other processes must be started anew with it.
        """
        with self._queue.alone(), self._writing() as connection:
            count = rewrap(connection, self._kek, kek)
            for row in connection.execute(select(*AuditKey.__table__.c)).all():
                context = signing_context(row.key_id)
                wrapped = kek.wrap(self._kek.unwrap(row.wrapped, context), context)
                connection.execute(
                    update(AuditKey)
                    .where(AuditKey.key_id == row.key_id)
                    .values(wrapped=wrapped, kek_id=kek.kek_id)
                )
            trail = audit.AuditTrail()
            trail.record("rewrapped", kek.kek_id, marker_digest(kek.kek_id))
            trail.append(connection)
        self._kek = self.view.kek = kek
        return count

    def close(self) -> None:
        """Let go of the database."""
        if self._wal is not None:
            self._wal.close()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _insisting(work: Callable[[], T]) -> T:
    """Do a transaction again, up to ATTEMPTS_MAX times, if it lost against a foreign session."""
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            return work()
        except LedgerError as error:
            if attempt == ATTEMPTS_MAX or not is_conflict(error):
                raise
    raise AssertionError("the last attempt returns or raises")


def open_ledger(url: str, *, kek: KeyEncryptionKey | None = None) -> Ledger:
    """Open the ledger behind a database URL for writing; make it if nothing is there.

    The key-encryption key is `kek`, or what SKYTRUNK_KEK or SKYTRUNK_KEK_FILE name; an SQLite
    ledger without either keeps one in FILE.kek, mode 0600, beside itself. Raises SettingsError
    for a URL that is none of ours, LedgerMismatch for a database of something else or of
    another build, KeystoreError for a missing or wrong key, LedgerError if its audit log was
    emptied or the database cannot be opened at all.
    """
    with opening_engine(make_engine(url)) as engine:
        forbid_core_dumps()
        with engine.connect() as connection:
            is_new = not has_tables(connection)
        found = kek or kek_at_hand(engine, new=is_new)
        if found is None:
            raise missing_kek(engine)
        if is_new:
            make_tables(engine, partial(make_signing_key, kek=found))
        with engine.connect() as connection, connection.begin():
            refuse_emptied(connection)
            check_kek(connection, found)
    return Ledger(engine, found)
