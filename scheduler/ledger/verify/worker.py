"""A process that lends an audit a hand: it is sent parts of it and sends back what it found.

Its standard input is a socket. Over that comes everything it needs, data keys included: nothing
secret is on its command line or in its environment. It ends when the other end of the socket
does. It imports no SQLAlchemy, so that it is at work in a fifth of a second.
"""

from __future__ import annotations

import gc
import os
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from scheduler.errors import SchedulerError
from scheduler.ledger.db.snapshot import Snapshot, begin, connect
from scheduler.ledger.vault.keystore import forbid_core_dumps
from scheduler.ledger.verify.context import AuditContext, Part
from scheduler.ledger.verify.shards import check_part

READY = "ready"
BEGUN = "begun"


class Begin(NamedTuple):
    """Asks a worker to begin a read transaction anew."""

    exported: str | None  #: the name of PostgreSQL's snapshot to see


def main() -> None:
    """Serve the audit at the other end of standard input until it hangs up."""
    # Whoever presses Ctrl-C stops the audit, and that stops its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    forbid_core_dumps()
    # What an audit makes by the million refers to nothing; looking it through costs 5 %.
    gc.disable()
    pipe: Connection[Any, Any] = Connection(os.dup(0))
    with suppress(EOFError, ConnectionError):  # the audit is over
        try:
            _serve(pipe)
        except SchedulerError as error:
            pipe.send(error)


def _serve(pipe: Connection[Any, Any]) -> None:
    connection = connect(pipe.recv())
    pipe.send(READY)
    snapshot: Snapshot | None = None
    context: AuditContext | None = None
    while True:
        match pipe.recv():
            case Begin(exported):
                snapshot = begin(connection, exported)
                pipe.send(BEGUN)
            case AuditContext() as context:
                pass
            case Part() as part:
                assert snapshot is not None
                assert context is not None
                pipe.send(check_part(snapshot, context, part))
