"""The ledger that is only read: opening it, one snapshot of it, its verification, its export."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Self

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from scheduler.domain import VerifyReport
from scheduler.errors import LedgerMissing
from scheduler.ledger.counter import last_count
from scheduler.ledger.db.engine import make_reading_engine, opening_engine, sqlite_file
from scheduler.ledger.db.failures import refused
from scheduler.ledger.db.files import can_hold_still
from scheduler.ledger.db.migrate import has_tables
from scheduler.ledger.db.snapshot import snapshot_of
from scheduler.ledger.log import export
from scheduler.ledger.opening import check_kek, kek_at_hand, kek_id_of, key_folder_of, keyring
from scheduler.ledger.reader import Reader
from scheduler.ledger.vault.keyring import Keyring
from scheduler.ledger.vault.keystore import KeyEncryptionKey, forbid_core_dumps
from scheduler.ledger.verify.parallel import verify_together
from scheduler.ledger.verify.run import count_rows, verify


class LedgerView:
    """What a ledger holds, for questions and audits; get one from `open_view`, or `Ledger.view`."""

    def __init__(
        self,
        engine: Engine,
        ring: Keyring | None = None,
        *,
        key_folder: Path | None = None,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        self.ring = ring  #: None: an audit takes what is at hand
        self._engine = engine
        self._key_folder = key_folder
        self._settle = settle  #: numbers the leaves that wait, where this process may write

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
        is_copy: bool = False,
    ) -> VerifyReport:
        """Recompute every hash, range and balance; `progress` hears of entries looked at.

        With an `executor` of processes so many `helpers` of it work at it beside this process;
        the report does not depend on them. (None does where others write to a file and this
        process may not: all must see one state.) Sealed bytes are opened with the key given, or
        with the one at hand; without any, everything else is verified. What `is_copy` may
        be older than the counter beside the data keys. Raises KeystoreError for a key of another
        ledger, LedgerError if a process ends before its time.
        """
        self._settle()
        with self.read() as reader:
            ring = self.ring or self._ring_at_hand(reader)
        # Before the snapshot, which it must not be ahead of.
        last = None if ring is None or is_copy else last_count(ring)
        if executor is None or not self._can_hold_still():
            with self.read() as reader:
                return verify(reader.connection, ring, progress, last=last)
        try:
            return verify_together(
                self._engine, ring, nullcontext, executor, helpers, progress, last
            )
        except DBAPIError as error:
            raise refused(error) from error

    def count_rows(self) -> int:
        """About how many rows an audit has to look at."""
        with self.read() as reader:
            return count_rows(snapshot_of(reader.connection))

    def _can_hold_still(self) -> bool:
        file = sqlite_file(self._engine)
        return file is None or can_hold_still(file)

    def _ring_at_hand(self, reader: Reader) -> Keyring | None:
        found = kek_at_hand(self._engine, kek_id=kek_id_of(reader.connection))
        if found is None:
            return None
        check_kek(reader.connection, found)
        return keyring(reader.connection, found, key_folder_of(self._engine, self._key_folder))

    def export_lines(self) -> Iterator[str]:
        """The ledger as canonical JSON, one object a line; no key, nonce or wall time in it."""
        self._settle()
        with self.read() as reader:
            yield from export.lines(reader.connection)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_view(
    url: str, *, kek: KeyEncryptionKey | None = None, key_folder: Path | None = None
) -> LedgerView:
    """Open the ledger behind a database URL for reading: nothing is made, written or migrated.

    No key is needed; with `kek`, or one at hand, an audit opens the sealed bytes too, by data keys
    in `key_folder`, or where `open_ledger` would look for them. An SQLite file opens on a read-only
    file system as well. Raises LedgerMissing if no ledger is there, SettingsError for a URL that is
    none of ours, LedgerMismatch for a database of something else or of another build, LedgerError
    if the database cannot be opened at all.
    """
    with opening_engine(make_reading_engine(url)) as engine:
        forbid_core_dumps()
        file = sqlite_file(engine)
        if file is not None and not file.exists():
            raise _no_ledger_at(engine)
        with engine.connect() as connection, connection.begin():
            if not has_tables(connection):
                raise _no_ledger_at(engine)
            ring = None
            if kek is not None:
                check_kek(connection, kek)
                ring = keyring(connection, kek, key_folder_of(engine, key_folder))
    return LedgerView(engine, ring, key_folder=key_folder)


def _no_ledger_at(engine: Engine) -> LedgerMissing:
    return LedgerMissing(
        f"there is no ledger at {engine.url.render_as_string(hide_password=True)};"
        " allowed: a database that a replay, `run` or `serve` has made"
    )
