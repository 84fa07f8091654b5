"""Numbering the leaves that wait: one at a time, in an order in which conflicts stand right.

A transaction writes its leaves last, after its row locks, so of two that touch one row the later
has the higher identity. Whoever numbers takes all leaves that it sees, ordered by identity. A
leaf with a low identity that is committed late gets a later number; nothing is left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from scheduler.errors import LedgerBroken
from scheduler.ledger.db.background import Background
from scheduler.ledger.db.failures import refused
from scheduler.ledger.log import trail
from scheduler.ledger.log.macs import LogMac

POLL_S = 0.02
"""Time between two looks at what waits, of the process that numbers."""

AWAY_S = 0.16
"""Longest time between two looks of a process that leaves numbering to another."""

IDLE_LOOKS = 10
"""Looks at which nothing waits before whoever numbers leaves it to others."""

STUCK_S = 2.0
"""Time after which a leaf is numbered whoever has the lock: its holder hangs, or is cut off."""

LEAVES_AT_ONCE = 5_000
"""Leaves numbered in one transaction; more would keep a checkpoint waiting too long."""

LEADER = 20160817
"""Number of PostgreSQL's advisory lock of whoever numbers; a lost connection gives it up."""

_LEAD = text(
    f"SELECT pg_try_advisory_lock({LEADER}) AS leads, (SELECT min(id) FROM audit_waiting) AS oldest"
)
_STEP_DOWN = text(f"SELECT pg_advisory_unlock({LEADER})")
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


class Sequencer(Background):
    """A thread that numbers leaves while this process writes any, unless another process does.

    One numbers for all, and goes on looking as long as anything comes. The others look seldom,
    so that eight of them do not spend their time on asking. The lock only spares work: the log's
    head decides who numbers.
    """

    def __init__(
        self, connect: Callable[[], Connection], number: Callable[[Connection], int]
    ) -> None:
        """`connect` gives a connection whose transactions number; `number` does, some leaves."""
        super().__init__(self._look, name="skytrunk-sequencer", every_s=POLL_S)
        self._connect = connect
        self._number = number
        self._leading: Connection | None = None  #: holds the lock
        self._idle = 0
        self._oldest: int | None = None  #: the leaf that another is to number next
        self._since = 0.0  #: and when it was first seen

    def close(self) -> bool:
        """As any thread's; then another process may number."""
        ran = super().close()
        with suppress(DBAPIError):
            self._step_down()
        return ran

    def _look(self) -> bool:
        """Number what waits if nobody else does; True if nothing is left to look after."""
        try:
            return self._stand_by() if self._leading is None else self._lead(self._leading)
        except DBAPIError as error:
            self._give_up()
            raise refused(error) from error
        except BaseException:
            self._give_up()
            raise

    def _lead(self, connection: Connection) -> bool:
        with connection.begin():
            waits = connection.execute(_ANY).scalar_one()
            numbered = self._number(connection) if waits else 0
        self._idle = 0 if numbered else self._idle + 1
        if self._idle < IDLE_LOOKS:
            return False
        self._step_down()
        return True

    def _stand_by(self) -> bool:
        connection = self._connect()
        try:
            with connection.begin():
                leads, oldest = connection.execute(_LEAD).one()
                if leads:
                    self._leading, self._idle, self._every_s = connection, 0, POLL_S
                elif oldest is not None and self._waits_too_long(oldest):
                    self._number(connection)
        finally:
            if self._leading is None:
                connection.close()
        if self._leading is not None:
            return self._lead(connection)
        self._every_s = min(2 * self._every_s, AWAY_S)
        return oldest is None

    def _waits_too_long(self, oldest: int) -> bool:
        now = time.monotonic()
        if oldest != self._oldest:
            self._oldest, self._since = oldest, now
        return now - self._since > STUCK_S

    def _step_down(self) -> None:
        """Let others number from here on."""
        connection, self._leading = self._leading, None
        if connection is not None:
            with connection, connection.begin():
                connection.execute(_STEP_DOWN)

    def _give_up(self) -> None:
        """Drop the connection, and the lock with it."""
        connection, self._leading = self._leading, None
        if connection is not None:
            connection.invalidate()
            connection.close()
