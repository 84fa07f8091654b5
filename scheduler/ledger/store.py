"""The ledger as a whole: opening it, its transactions, its audit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from orbits import as_utc
from scheduler.domain import VerifyReport
from scheduler.errors import LedgerError
from scheduler.ledger import opening
from scheduler.ledger.db.engine import make_engine, sqlite_file
from scheduler.ledger.db.failures import is_conflict, refused
from scheduler.ledger.db.migrate import has_tables, make_tables
from scheduler.ledger.db.snapshot import snapshot_of
from scheduler.ledger.db.wal import WalCheckpointer
from scheduler.ledger.db.write_queue import WriterQueue
from scheduler.ledger.keys.pools import PoolBook, PoolNumbers
from scheduler.ledger.log import checkpoints, export
from scheduler.ledger.log import trail as audit
from scheduler.ledger.log.canonical import marker_digest
from scheduler.ledger.records import Checkpoint
from scheduler.ledger.schema import AuditCheckpoint, AuditKey
from scheduler.ledger.transaction import Transaction
from scheduler.ledger.vault.datakeys import DataKeys, SharedKeys, rewrap
from scheduler.ledger.vault.keystore import (
    KeyEncryptionKey,
    NoKek,
    forbid_core_dumps,
    signing_context,
)
from scheduler.ledger.verify.parallel import verify_together
from scheduler.ledger.verify.run import count_rows, verify
from scheduler.ledger.view import Reader
from scheduler.ledger.writer import Books

ATTEMPTS_MAX = 10
"""Times that `run` begins anew after a serialization failure before it gives up."""

T = TypeVar("T")


class Ledger:
    """One database of key, bookings and everything that happened; get one from `open_ledger`."""

    def __init__(self, engine: Engine, kek: KeyEncryptionKey) -> None:
        self._engine = engine
        self._kek = kek
        self._pools: dict[str, PoolNumbers] = {}
        self._shared_keys = SharedKeys()
        self._queue = WriterQueue(self._writing, self._books)
        file = sqlite_file(engine)
        self._wal = None if file is None else WalCheckpointer(file)

    def _books(self) -> Books:
        return Books(PoolBook(self._pools), DataKeys(self._kek, self._shared_keys), self._wal)

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
        books = self._books()
        with self._queue.alone(), self._writing() as connection:
            transaction = Transaction(connection, books)
            yield transaction
            transaction.complete()
        books.publish()

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

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """One consistent snapshot to read from; writers go on meanwhile."""
        try:
            with self._engine.connect() as connection, connection.begin():
                yield Reader(connection)
        except DBAPIError as error:
            raise refused(error) from error

    def verify(
        self,
        progress: Callable[[int], None] | None = None,
        *,
        executor: Executor | None = None,
        helpers: int = 1,
    ) -> VerifyReport:
        """Recompute every hash, range and balance; `progress` hears of entries looked at.

        So many processes of an executor's lend a hand, if it is given; the report does not depend
        on it. Raises LedgerError if one of them ends before its time.
        """
        if executor is None:
            with self.read() as reader:
                return verify(reader.connection, self._kek, progress)
        try:
            return verify_together(
                self._engine, self._kek, self._queue.alone, executor, helpers, progress
            )
        except DBAPIError as error:
            raise refused(error) from error

    def count_rows(self) -> int:
        """About how many rows an audit has to look at."""
        with self.read() as reader:
            return count_rows(snapshot_of(reader.connection))

    def export_lines(self) -> Iterator[str]:
        """The ledger as canonical JSON, one object a line; no key, nonce or wall time in it."""
        with self.read() as reader:
            yield from export.lines(reader.connection)

    def checkpoint(self, at: datetime) -> Checkpoint:
        """Sign the audit log as it stands and store the signature; keep a copy elsewhere.

        The log's next leaf tells of it, so that it cannot be lost unseen.
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
        self._kek = kek
        return count

    def close(self) -> None:
        """Let go of the database."""
        if self._wal is not None:
            self._wal.close()
        self._engine.dispose()

    def __enter__(self) -> Ledger:
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


def open_ledger(url: str, *, kek: KeyEncryptionKey | None = None, audit: bool = False) -> Ledger:
    """Open the ledger behind a database URL, making the SQLite file and its tables if need be.

    The key-encryption key is `kek`, or what SKYTRUNK_KEK or SKYTRUNK_KEK_FILE name; an SQLite
    ledger without either keeps one in FILE.kek, mode 0600, beside itself. An `audit` goes
    without, if it must: everything is read and verified but the sealed bytes. Raises SettingsError
    for a URL that is none of ours, LedgerMismatch for a database of something else or of
    another build, KeystoreError for a missing or wrong key, LedgerError if its audit log was
    emptied or the database cannot be opened at all.
    """
    engine = make_engine(url)
    try:
        forbid_core_dumps()
        with engine.connect() as connection:
            is_new = not has_tables(connection)
        found = kek or opening.kek_at_hand(engine, new=is_new)
        if found is None and audit and not is_new:
            found = NoKek()
        elif found is None:
            raise opening.missing_kek(engine)
        elif is_new:
            make_tables(engine, partial(opening.make_signing_key, kek=found))
        if not isinstance(found, NoKek):
            with engine.connect() as connection, connection.begin():
                opening.check_kek(connection, found)
    except DBAPIError as error:
        engine.dispose()
        raise refused(error, opening=engine.url.render_as_string(hide_password=True)) from error
    except BaseException:
        engine.dispose()
        raise
    return Ledger(engine, found)
