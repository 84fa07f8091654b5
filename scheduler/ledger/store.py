"""The ledger that is written to: opening it, its transactions, its signatures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import DBAPIError

from orbits import as_utc
from scheduler.errors import KeystoreError, LedgerError, LedgerUnavailable, RequestConflict
from scheduler.ledger import counter
from scheduler.ledger.db.background import Background
from scheduler.ledger.db.durable import SharedSync
from scheduler.ledger.db.engine import (
    make_engine,
    numbering,
    opening_engine,
    sqlite_file,
    writing,
)
from scheduler.ledger.db.failures import is_conflict, refused
from scheduler.ledger.db.migrate import has_tables, make_tables
from scheduler.ledger.db.tickets import TicketQueue
from scheduler.ledger.db.wal import WalCheckpointer
from scheduler.ledger.db.write_queue import WriteQueue
from scheduler.ledger.log import checkpoints, sequencer
from scheduler.ledger.log import trail as audit
from scheduler.ledger.log.canonical import marker_digest
from scheduler.ledger.opening import (
    begin_log,
    check_kek,
    kek_at_hand,
    kek_file,
    kek_id_of,
    key_folder_of,
    keyring,
    left_behind,
    log_mac,
    missing_kek,
    open_epochs,
    refuse_emptied,
    refuse_shared,
    rewrap,
    signing_key,
    tidy_keys,
    was_cut_short,
)
from scheduler.ledger.pools import PoolBook, PoolNumbers
from scheduler.ledger.reader import Reader
from scheduler.ledger.records import Checkpoint
from scheduler.ledger.schema import AuditCheckpoint
from scheduler.ledger.transaction import Transaction
from scheduler.ledger.vault.datakeys import DataKeys, SharedKeys
from scheduler.ledger.vault.files import destroy_file, failures
from scheduler.ledger.vault.keyring import Keyring
from scheduler.ledger.vault.keystore import (
    KeyEncryptionKey,
    forbid_core_dumps,
    make_kek_file,
    next_file,
)
from scheduler.ledger.view import LedgerView

WORKERS = 8
"""Pieces of submitted work that go on side by side on PostgreSQL."""

ATTEMPTS_MAX = 10
"""Times that `run` begins anew after a serialization failure before it gives up."""

T = TypeVar("T")

Rider = Callable[[Transaction], AbstractContextManager[None]]
"""What goes along with every transaction of somebody's: it may refuse one, and add to it."""

_RIDER: ContextVar[Rider | None] = ContextVar("rider", default=None)


class Ledger:
    """One database of key, bookings and everything that happened; get one from `open_ledger`."""

    def __init__(self, engine: Engine, ring: Keyring, kek_file: Path | None = None) -> None:
        self.view = LedgerView(engine, ring, settle=self._settle)
        self._engine = engine
        self._ring = ring
        self._mac = log_mac(ring)
        self.is_new = False  #: whether opening it made it
        self.kek_file = kek_file  #: where its key-encryption key comes from, if from a file
        self._pools: dict[str, PoolNumbers] = {}
        self._shared_keys = SharedKeys()
        file = sqlite_file(engine)
        self._wal = None if file is None else WalCheckpointer(file)
        self._tickets = None if file is None else TicketQueue(file)
        self._shared_sync = None if file is None else SharedSync(file, self._tickets)
        self._queue = WriteQueue(
            partial(self._writing, side_by_side=True), self._transaction, self._on_disk
        )
        # SQLite's writers number their leaves themselves.
        self._sequencer = (
            None
            if file is not None
            else sequencer.Sequencer(
                partial(numbering, engine),
                lambda connection: sequencer.number_waiting(connection, self._mac),
            )
        )
        self._counter = Background(
            self.count, name="skytrunk-counter", every_s=counter.COUNTED_EVERY_S
        )

    def _transaction(self, connection: Connection) -> Transaction:
        keys = DataKeys(self._ring, self._shared_keys)
        return Transaction(connection, PoolBook(self._pools), keys, self._mac, self._wal)

    @contextmanager
    def _writing(self, *, side_by_side: bool = False) -> Iterator[Connection]:
        """One database transaction that may write; its failures in our own words."""
        try:
            opened = writing(self._engine, side_by_side=side_by_side)
            with self._turn(), opened as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            raise refused(error) from error
        if self._wal is not None:
            self._wal.nudge()
        if self._sequencer is not None:
            self._sequencer.nudge()
        self._counter.nudge()

    def _turn(self) -> AbstractContextManager[None]:
        """This process's turn among those that write to one file; a server sees to it itself."""
        return nullcontext() if self._tickets is None else self._tickets.turn()

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """One write transaction, alone: committed at the end, undone by any exception.

        Raises LedgerUnavailable if the database is away, full or too busy, LedgerError if it
        refuses a row; no message holds a row's values.
        """
        with self._queue.alone(), self._writing() as connection:
            transaction = self._transaction(connection)
            rider = _RIDER.get()
            with rider(transaction) if rider else nullcontext():
                yield transaction
            transaction.complete()
        transaction.publish()

    @contextmanager
    def riding(self, rider: Rider) -> Iterator[None]:
        """Have `rider` go along with every transaction that this thread begins alone meanwhile."""
        before = _RIDER.set(rider)
        try:
            yield
        finally:
            _RIDER.reset(before)

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Do some work in a transaction and return its result after the commit.

        On SQLite, work that several threads hand in at once shares one durable commit, each
        undone on its own if it fails. On PostgreSQL it is done beside the work of others: what
        `keys` does to key locks the blocks that it touches, everything else belongs into
        `begin`. Work that lost against another session is done again, up to ATTEMPTS_MAX times;
        it must therefore touch nothing but the ledger.
        """
        if self._engine.dialect.name == "sqlite":
            return self._queue.run(work)

        def attempt() -> T:
            with self._writing(side_by_side=True) as connection:
                transaction = self._transaction(connection)
                result = work(transaction)
                transaction.complete(commit=True)
            transaction.publish()
            return result

        try:
            return _insisting(attempt)
        except RequestConflict:
            # Answered by another session between the question and the command: it asks again.
            return _insisting(attempt)

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        """As `run`, without a thread that waits for it."""
        if self._engine.dialect.name == "sqlite":
            return self._queue.submit(work)
        return self._workers.submit(self.run, work)

    @cached_property
    def _workers(self) -> ThreadPoolExecutor:
        """Threads that write side by side to PostgreSQL."""
        return ThreadPoolExecutor(WORKERS, thread_name_prefix="skytrunk-writer")

    def number_leaves(self) -> None:
        """Number every leaf that waits now; only on PostgreSQL any does."""
        if self._sequencer is not None:
            with self._numbering() as connection:
                self._number_all(connection)

    def _number_all(self, connection: Connection) -> None:
        """Number every leaf that is committed by now."""
        if connection.dialect.name == "postgresql":
            while sequencer.number_waiting(connection, self._mac) == sequencer.LEAVES_AT_ONCE:
                pass

    def _on_disk(self) -> Callable[[], None]:
        """What returns once all is on disk that is committed by now."""
        sync = self._shared_sync
        return _at_once if sync is None else partial(sync.wait, sync.point())

    def _settle(self) -> None:
        """Number what can be numbered; of the rest an audit says that it waits."""
        with suppress(LedgerError):
            self.number_leaves()

    @contextmanager
    def _numbering(self) -> Iterator[Connection]:
        """One database transaction that numbers leaves; its failures in our own words."""
        try:
            with self._turn(), numbering(self._engine) as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            raise refused(error) from error

    def checkpoint(self, at: datetime) -> Checkpoint:
        """Sign the audit log as it stands and store the signature; keep a copy elsewhere.

        All leaves that are there are numbered first. The log's next leaf is about it, so that it
        cannot be lost unseen.
        """
        return _insisting(lambda: self._checkpoint(as_utc(at)))

    def _checkpoint(self, at: datetime) -> Checkpoint:
        with self._queue.alone(), self._numbering() as connection:
            self._number_all(connection)
            private = signing_key(connection, self._ring)
            head = audit.lock_head(connection)
            size = head.size
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
            digest = checkpoints.checkpoint_digest(last + 1, size=size, root=signed.root, at=at)
            audit.add_leaves(connection, head, [("checkpoint", str(last + 1), digest)], self._mac)
        self._counter.nudge()
        with suppress(LedgerError):  # else the thread goes on trying
            self.count()
        return signed

    @contextmanager
    def held_still(self) -> Iterator[Reader]:
        """A snapshot in which no leaf waits for its number; writers go on beside it."""
        with self.view.read() as reader:
            with self._queue.alone(), self._writing():
                self.number_leaves()
                reader.hold()
            yield reader

    def signing_key(self, reader: Reader) -> bytes:
        """The private key that signs checkpoints and segments."""
        return signing_key(reader.connection, self._ring)

    def count(self) -> bool:
        """Count on, beside the data keys, to where the log ends by now; True once that is done."""
        with self.view.read() as reader:
            counter.count(reader.connection, self._ring, on_disk=self._on_disk)
        return True

    def contradicted_by_counter(self) -> str | None:
        """What the counter beside the data keys says against this ledger; None if nothing."""
        last = counter.last_count(self._ring)
        with self.view.read() as reader:
            return counter.contradiction_of(reader.connection, last)

    def count_anew(self) -> None:
        """Let the counter begin where the log ends by now: an old copy was put back deliberately.

        All key that may have been delivered since must be withdrawn before.
        """
        self.number_leaves()
        with self.view.read() as reader:
            counter.count_anew(reader.connection, self._ring)

    def rotate_kek(self, kek: KeyEncryptionKey | None = None) -> int:
        """Wrap every data key, and the signing key, under another key-encryption key.

        Without one a new key is made and takes the place of the old one in the key file, together
        with its ledger: whenever this is cut short, the next opening finishes or undoes it. The
        old key is destroyed. Returns how many data keys there are. Other processes must be started
        anew. Raises KeystoreError if the key at hand came from no file, or others need it.
        """
        path, old = self.kek_file, self._ring
        if kek is None and path is None:
            raise KeystoreError(
                "the key-encryption key at hand came from no file, so none can be put in its place"
            )

        def make() -> KeyEncryptionKey:
            if kek is not None or path is None:
                assert kek is not None
                return kek
            refuse_shared(old)
            with failures(path.parent):
                destroy_file(next_file(path))  # of a rotation that was undone
            return make_kek_file(next_file(path))

        with self._queue.alone(), self._writing() as connection:
            new = rewrap(connection, old, make)
            counter.carry_over(old, new)
            self._number_all(connection)
            leaf = ("rewrapped", new.kek.kek_id, marker_digest(new.kek.kek_id))
            head = audit.lock_head(connection)
            audit.add_leaves(connection, head, [leaf], self._mac, later=log_mac(new))
        self._ring = self.view.ring = new
        self._mac = log_mac(new)
        self.tidy_keys()
        counter.forget_others(new)
        with self.view.read() as reader:
            return len(open_epochs(reader.connection))

    def tidy_keys(self) -> int:
        """Destroy the key files that nothing is kept under any more; return how many there were.

        They are destroyed at once when an epoch is shredded or a key rotated: this makes up for
        what was cut short, or could not be done then. Raises LedgerUnavailable if it still cannot.
        """
        with self.view.read() as reader:
            stale = left_behind(reader.connection, self._ring)
        if not stale and not was_cut_short(self.kek_file):
            return 0
        with self._queue.alone(), self._writing() as connection:
            return tidy_keys(connection, self._ring, self.kek_file)

    @property
    def kek_id(self) -> str:
        """Fingerprint of the key-encryption key."""
        return self._ring.kek.kek_id

    @property
    def keys_place(self) -> str:
        """Where the wrapped data keys are, in words."""
        return str(self._ring.files)

    def undestroyed_keys(self) -> int:
        """How many key files are still there that nothing is kept under any more."""
        with self.view.read() as reader:
            return len(left_behind(reader.connection, self._ring))

    def close(self) -> None:
        """Let go of the database; what this process left to number or to count is done before."""
        self._queue.close()
        if "_workers" in self.__dict__:
            self._workers.shutdown()
        if self._sequencer is not None and self._sequencer.close():
            self._settle()
        if self._counter.close():
            with suppress(LedgerError):
                self.count()
        if self._wal is not None:
            self._wal.close()
        for line in (self._tickets, self._shared_sync):
            if line is not None:
                line.close()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _at_once() -> None:
    """PostgreSQL's commits are on disk when they return."""


def _insisting(work: Callable[[], T]) -> T:
    """Do a transaction again, up to ATTEMPTS_MAX times, if it lost against a foreign session."""
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            return work()
        except LedgerError as error:
            if attempt == ATTEMPTS_MAX or not is_conflict(error):
                raise
    raise AssertionError("the last attempt returns or raises")


def open_ledger(
    url: str,
    *,
    kek: KeyEncryptionKey | None = None,
    key_folder: Path | None = None,
    old_copy: bool = False,
) -> Ledger:
    """Open the ledger behind a database URL for writing; make it if nothing is there.

    The key-encryption key is `kek`, or what SKYTRUNK_KEK or SKYTRUNK_KEK_FILE name; an SQLite
    ledger without either keeps one in FILE.kek, mode 0600, beside itself. Data keys are in
    `key_folder`, or what SKYTRUNK_KEY_FOLDER names, or beside the key file. Raises SettingsError
    for a URL that is none of ours, LedgerMismatch for a database of something else or of
    another build, KeystoreError for a missing or wrong key, LedgerError if its audit log was
    emptied or the database cannot be opened at all, LedgerRolledBack for one that is behind the
    counter beside its data keys: but not if an `old_copy` is to be restored.
    """
    with opening_engine(make_engine(url)) as engine:
        forbid_core_dumps()
        with engine.connect() as connection:
            is_new = not has_tables(connection)
            kek_id = None if is_new else kek_id_of(connection)
        found = kek or kek_at_hand(engine, kek_id=kek_id, new=is_new)
        if found is None:
            raise missing_kek(engine)
        folder = key_folder_of(engine, key_folder)
        if is_new:
            make_tables(engine, partial(begin_log, kek=found, folder=folder))
        with engine.connect() as connection, connection.begin():
            refuse_emptied(connection)
            check_kek(connection, found)
            ring = keyring(connection, found, folder)
        last = counter.last_count(ring)
        with engine.connect() as connection, connection.begin():
            if not old_copy:
                counter.refuse_old_copy(connection, ring, last)
            if last == counter.NEVER and not old_copy:
                counter.count(connection, ring)
    ledger = Ledger(engine, ring, None if kek else kek_file(engine))
    ledger.is_new = is_new
    # A folder that can be read but not written to is for the first deposit to complain of.
    with suppress(LedgerUnavailable):
        ledger.tidy_keys()
    return ledger
