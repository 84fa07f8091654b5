"""Whether an SQLite ledger has a token, read by the driver alone: every request asks it."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from scheduler.ledger.books.element_reads import is_missing, opened_file


def any_given(url: str) -> bool | None:
    """Whether there ever was a token; None if the ledger itself must be read."""
    if is_missing(url):
        return False
    with suppress(sqlite3.Error), opened_file(url) as connection:
        if connection is not None:
            query = "SELECT EXISTS (SELECT 1 FROM access_token)"
            return bool(connection.execute(query).fetchone()[0])
    return None
