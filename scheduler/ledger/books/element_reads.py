"""Element sets of an SQLite ledger, read by the driver alone.

SQLAlchemy, cryptography and the ledger's own tables take 0.6 s to import. A question about
passes needs one table of them all, so it looks here first; whatever is out of the ordinary
(PostgreSQL, another schema, a failure of the file) is left to the ledger and its errors.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from scheduler.ledger.db.revision import HEAD
from scheduler.ledger.records import ElementRow

_BUSY_TIMEOUT_S = 30.0
_ROWS = """
    SELECT norad_id, name, epoch, text, sha256, source, arrived_at FROM element_set
    WHERE :norad_id IS NULL OR norad_id = :norad_id ORDER BY norad_id, epoch, sha256
"""


def element_rows(url: str, norad_id: int | None = None) -> list[ElementRow] | None:
    """The element sets, of one satellite or of all; None if the ledger itself must be asked."""
    with suppress(sqlite3.Error), _opened(url) as connection:
        if connection is not None:
            return [_row(*values) for values in connection.execute(_ROWS, {"norad_id": norad_id})]
    return None


def element_count(url: str) -> int | None:
    """How many element sets there are; None if the ledger itself must be asked."""
    with suppress(sqlite3.Error), _opened(url) as connection:
        if connection is not None:
            (count,) = connection.execute("SELECT count(*) FROM element_set").fetchone()
            return int(count)
    return None


@contextmanager
def _opened(url: str) -> Iterator[sqlite3.Connection | None]:
    """A connection to a ledger file of this release's schema; None for anything else."""
    prefix, _, path = url.partition(":///")
    file = Path(path)
    if prefix != "sqlite" or not path or "?" in path or not file.is_file():
        yield None
        return
    # Not read-only: then the last one to leave could not tidy the write-ahead log away.
    address = f"{file.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_TIMEOUT_S)) as connection:
        connection.execute("PRAGMA query_only=ON")
        known = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        yield connection if known == [(HEAD,)] else None


def _row(
    norad_id: int,
    name: str,
    epoch: str,
    text: str,
    sha256: str,
    source: str,
    arrived_at: str | None,
) -> ElementRow:
    return ElementRow(
        norad_id=norad_id,
        name=name,
        epoch=_instant(epoch),
        text=text,
        sha256=sha256,
        source=source,
        arrived_at=None if arrived_at is None else _instant(arrived_at),
    )


def _instant(text: str) -> datetime:
    # SQLite keeps no zone; the ledger writes UTC.
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
