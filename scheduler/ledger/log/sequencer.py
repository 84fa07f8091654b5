"""Numbering the leaves that wait: one at a time, in an order in which conflicts stand right.

A transaction writes its leaves last, after its row locks, so of two that touch one row the later
has the higher identity. Whoever numbers takes all leaves that it sees, ordered by identity. A
leaf with a low identity that is committed late gets a later number; nothing is left out.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, text

from scheduler.errors import LedgerBroken
from scheduler.ledger.db.background import Background
from scheduler.ledger.log import trail
from scheduler.ledger.log.macs import LogMac

POLL_S = 0.02
"""Time between two looks at what waits, while this process writes."""

LEAVES_AT_ONCE = 5_000
"""Leaves numbered in one transaction; more would keep a checkpoint waiting too long."""

LEADER = 20160817
"""Number of PostgreSQL's advisory lock of whoever numbers; a lost connection gives it up."""

_LEAD = text(f"SELECT pg_try_advisory_xact_lock({LEADER})")
_ANY = text("SELECT EXISTS (SELECT 1 FROM audit_waiting)")
_TAKE = text(
    "DELETE FROM audit_waiting WHERE id IN"
    " (SELECT id FROM audit_waiting ORDER BY id LIMIT :most_)"
    " RETURNING id, kind, subject, row_sha256, mac"
)


def number_waiting(connection: Connection, mac: LogMac, most: int = LEAVES_AT_ONCE) -> int:
    """Number leaves that wait, the oldest `most` of those seen here; return how many.

    The transaction must read what is committed, statement by statement. Raises LedgerBroken if
    one of them was not written under the key-encryption key, LedgerError if the head of the log
    moved meanwhile, which its row lock forbids.
    """
    head = trail.lock_head(connection)
    taken = sorted(connection.execute(_TAKE, {"most_": most}).all())
    for number, *leaf, given in taken:
        if not mac.is_leaf(given, *leaf):
            raise LedgerBroken(
                f"audit_waiting {number} ({leaf[0]} {leaf[1]}): was not written under"
                f" key-encryption key {mac.kek_id}"
            )
    trail.add_leaves(connection, head, [(row[1], row[2], row[3]) for row in taken], mac)
    return len(taken)


def lead(connection: Connection) -> bool:
    """Whether this transaction is the one that numbers; a second would only stand in line."""
    return bool(connection.execute(_LEAD).scalar_one())


def any_waits(connection: Connection) -> bool:
    """Whether any leaf waits for its number."""
    return bool(connection.execute(_ANY).scalar_one())


class Sequencer(Background):
    """A thread that numbers leaves while this process writes any."""

    def __init__(self, work: Callable[[], bool]) -> None:
        """`work` numbers what it can, and returns True if nothing waits any more."""
        super().__init__(work, name="skytrunk-sequencer", every_s=POLL_S)
