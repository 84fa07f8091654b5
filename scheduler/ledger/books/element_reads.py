"""Element sets of an SQLite ledger and the verdicts on them, read by the driver alone.

SQLAlchemy, cryptography and the ledger's own tables take 0.6 s to import. A question about
passes needs two tables of them all, so they are read here first; whatever is out of the ordinary
(PostgreSQL, another schema, a failure of the file) is left to the ledger and its errors.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from orbits import Standing, Verdict
from scheduler.domain import ElementBinding
from scheduler.ledger.db.files import connect_to_read
from scheduler.ledger.db.revision import HEAD
from scheduler.ledger.records import ElementRow

_ROWS = """
    SELECT norad_id, name, epoch, text, sha256, source, arrived_at FROM element_set AS one
    WHERE (:norad_id IS NULL OR norad_id = :norad_id) AND (
        NOT :latest OR epoch = (SELECT max(epoch) FROM element_set WHERE norad_id = one.norad_id)
    ) ORDER BY norad_id, epoch, sha256
"""
_VERDICTS = """
    SELECT set_sha256, standing, since, reason FROM element_verdict ORDER BY set_sha256, position
"""
_BINDINGS = """
    SELECT norad_id, satellite_norad_id, since, reason FROM element_binding ORDER BY command_id
"""
# Rows of all three are only ever added, so their sum tells whether there are new ones.
_COUNT = """
    SELECT (SELECT count(*) FROM element_set) + (SELECT count(*) FROM element_verdict)
         + (SELECT count(*) FROM element_binding)
"""


def element_rows(
    url: str, norad_id: int | None = None, *, latest: bool = False
) -> list[ElementRow] | None:
    """The element sets, of one satellite or of all; None if the ledger itself must be read.

    With `latest` those of each satellite's last epoch alone.
    """
    asked = {"norad_id": norad_id, "latest": latest}
    if is_missing(url):
        return []
    with suppress(sqlite3.Error), opened_file(url) as connection:
        if connection is not None:
            return [_row(*values) for values in connection.execute(_ROWS, asked)]
    return None


def element_verdicts(url: str) -> list[Verdict] | None:
    """The verdicts on element sets; None if the ledger itself must be read."""
    if is_missing(url):
        return []
    with suppress(sqlite3.Error), opened_file(url) as connection:
        if connection is not None:
            return [_verdict(*values) for values in connection.execute(_VERDICTS)]
    return None


def element_bindings(url: str) -> list[ElementBinding] | None:
    """The bindings of catalogue numbers; None if the ledger itself must be read."""
    if is_missing(url):
        return []
    with suppress(sqlite3.Error), opened_file(url) as connection:
        if connection is not None:
            return [_binding(*values) for values in connection.execute(_BINDINGS)]
    return None


def element_count(url: str) -> int | None:
    """How many element sets, verdicts and bindings; None if the ledger itself must be read."""
    if is_missing(url):
        return 0
    with suppress(sqlite3.Error), opened_file(url) as connection:
        if connection is not None:
            (count,) = connection.execute(_COUNT).fetchone()
            return int(count)
    return None


def _file_of(url: str) -> Path | None:
    """The file of a plain SQLite URL; None for any other."""
    prefix, _, path = url.partition(":///")
    return Path(path) if prefix == "sqlite" and path and "?" not in path else None


def is_missing(url: str) -> bool:
    """Whether a URL names a file, and that is not there, or empty."""
    file = _file_of(url)
    return file is not None and not (file.exists() and file.stat().st_size)


@contextmanager
def opened_file(url: str) -> Iterator[sqlite3.Connection | None]:
    """A connection to a ledger file of this build's schema; None for anything else."""
    file = _file_of(url)
    if file is None:
        yield None
        return
    with closing(connect_to_read(file)) as connection:
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


def _verdict(sha256: str, standing: str, since: str | None, reason: str) -> Verdict:
    return Verdict(
        sha256=sha256,
        standing=Standing(standing),
        since=None if since is None else _instant(since),
        reason=reason,
    )


def _binding(norad_id: int, satellite_norad_id: int, since: str, reason: str) -> ElementBinding:
    return ElementBinding(
        norad_id=norad_id,
        satellite_norad_id=satellite_norad_id,
        since=_instant(since),
        reason=reason,
    )


def _instant(text: str) -> datetime:
    # SQLite keeps no zone; the ledger writes UTC.
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
