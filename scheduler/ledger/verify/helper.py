"""What a process does that lends an audit a hand: it is sent shards, and sends what it found.

Over a pipe comes everything it needs, data keys included. It imports no SQLAlchemy, so that it
is at work in a fifth of a second.
"""

from __future__ import annotations

import gc
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from scheduler.errors import SchedulerError
from scheduler.ledger.db.snapshot import Address, Snapshot, begin, connect
from scheduler.ledger.vault.keystore import forbid_core_dumps
from scheduler.ledger.verify.context import AuditContext, Shard
from scheduler.ledger.verify.shards import check_shard

READY = "ready"
BEGUN = "begun"


class Begin(NamedTuple):
    """Asks for a read transaction that begins now."""

    exported: str | None  #: the name of PostgreSQL's snapshot to see


def help_audit(pipe: Connection[Any, Any], address: Address) -> None:
    """Serve the audit at the other end of a pipe until it hangs up."""
    forbid_core_dumps()
    # What an audit makes by the million refers to nothing; looking it through costs 5 %.
    gc.disable()
    try:
        with pipe, suppress(EOFError, ConnectionError):  # the audit is over
            try:
                with closing(connect(address)) as connection:
                    pipe.send(READY)
                    _serve(pipe, connection)
            except SchedulerError as error:
                pipe.send(error)
    finally:
        gc.enable()


def _serve(pipe: Connection[Any, Any], connection: Any) -> None:
    snapshot: Snapshot | None = None
    context: AuditContext | None = None
    while True:
        match pipe.recv():
            case Begin(exported):
                snapshot = begin(connection, exported)
                pipe.send(BEGUN)
            case AuditContext() as context:
                pass
            case Shard() as shard:
                assert snapshot is not None
                assert context is not None
                pipe.send(check_shard(snapshot, context, shard))
