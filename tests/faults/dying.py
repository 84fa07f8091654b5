"""A process that dies at a statement: SQLAlchemy's, or one that goes to the driver by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, event

from scheduler.ledger import Ledger
from scheduler.ledger.db import bulk


def die_after(ledger: Ledger, step: str) -> None:
    """Have this process killed right after the first statement that begins so."""

    def look(statement: str) -> None:
        if statement.startswith(step):
            os.kill(os.getpid(), signal.SIGKILL)

    @event.listens_for(ledger._engine, "after_cursor_execute")
    def _seen(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        look(statement)

    run: Callable[..., Any] = bulk._run

    def watched(connection: Connection, statement: str, values: Any) -> Any:
        done = run(connection, statement, values)
        look(statement)
        return done

    bulk._run = watched
