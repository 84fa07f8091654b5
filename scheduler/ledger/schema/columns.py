"""Column types that SQLite and PostgreSQL must treat alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect
from sqlalchemy.types import TypeDecorator

from orbits import as_utc
from scheduler.errors import LedgerBroken


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC instant; a naive one is refused on the way in.

    SQLite keeps no zone and gives datetimes back naive, so the zone is put back here.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware instant into what the store keeps."""
        if value is None:
            return None
        instant = as_utc(value)
        return instant.replace(tzinfo=None) if dialect.name == "sqlite" else instant

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[Any], datetime | None] | None:
        """What reads the column; SQLite may hold anything there that somebody put in."""
        read = super().result_processor(dialect, coltype)
        if read is None:
            return None

        def read_or_refuse(value: Any) -> datetime | None:
            try:
                return read(value)
            except (TypeError, ValueError):
                raise LedgerBroken(
                    f"a row holds {str(value)[:40]!r} in place of an instant;"
                    " `skytrunk ledger verify` names it"
                ) from None

        return read_or_refuse

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Give the instant its zone back."""
        if value is None:
            return None
        assert isinstance(value, datetime)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
