"""Reading many rows with little memory."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Result, Select

ROWS_AT_ONCE = 1000


def stream(
    connection: Connection, query: Select[*tuple[Any, ...]], at_once: int = ROWS_AT_ONCE
) -> Result[*tuple[Any, ...]]:
    """Run a query whose rows are fetched a few thousand at a time.

    The option belongs to this one statement: set on the connection it would stay there.
    """
    return connection.execute(query, execution_options={"yield_per": at_once})
