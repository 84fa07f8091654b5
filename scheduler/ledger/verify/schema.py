"""Holding a database's own definitions to those of a fresh ledger: a trigger is content too."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import create_mock_engine

from scheduler.ledger.schema import Base


@lru_cache
def definitions(dialect: str) -> tuple[str, ...]:
    """The statements that make the tables and indexes of a fresh ledger."""
    made: list[str] = []

    def note(statement: Any, *_: object, **__: object) -> None:
        made.append(str(statement.compile(dialect=engine.dialect)))

    engine = create_mock_engine(f"{dialect}://", note)
    Base.metadata.create_all(engine, checkfirst=False)
    return tuple(made)
