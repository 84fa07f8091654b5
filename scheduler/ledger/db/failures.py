"""What a database's failure means to us; its own message may name tables, never values."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from scheduler.errors import LedgerError, LedgerUnavailable

CONFLICTS = frozenset({"40001", "40P01", "23505"})
"""PostgreSQL's serialization failure, deadlock, and a name that another session took meanwhile.

Nothing was done; the work may be redone, and finds then what is there.
"""


def refused(error: DBAPIError, *, opening: str | None = None) -> LedgerError:
    """The error to raise instead of a driver's."""
    # The first line only: PostgreSQL adds a DETAIL line, which holds values.
    words = str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__
    if opening is not None:
        return LedgerError(f"cannot open {opening}: {words}")
    if isinstance(error, IntegrityError):
        return LedgerError(f"the database refused a row: {words}")
    if isinstance(error, OperationalError) or error.connection_invalidated:
        return LedgerUnavailable(f"the database could not: {words}")
    return LedgerError(f"the database refused: {words}")


def is_conflict(error: LedgerError) -> bool:
    """True if nothing was done because another session was in the way."""
    cause = error.__cause__
    state = getattr(cause.orig, "sqlstate", None) if isinstance(cause, DBAPIError) else None
    return state in CONFLICTS
