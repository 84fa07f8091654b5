"""How far a ledger had come, kept beside its data keys: an old copy put back is behind it.

The counter follows the database and is never ahead of it: what is counted was committed before.
It holds the log's root besides its size, so that another history of the same length is seen too,
and a MAC under the key-encryption key: nobody without that can make one for a history of his own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection

from scheduler.errors import LedgerRolledBack, ProofInvalid
from scheduler.ledger.log import trail
from scheduler.ledger.log.macs import LogMac
from scheduler.ledger.vault.keyring import Keyring

COUNTED_EVERY_S = 1.0
"""Time between two counts while a process writes; a copy no older than that may be unseen."""


class Count(NamedTuple):
    """Leaves that a ledger's log had, and their root in hex."""

    size: int
    root: str


NEVER = Count(-1, "")
"""What stands for a counter that is not there; a new ledger gets one before its first leaf."""

FORGED = "forged"
"""What stands for the root of a count that was not written under the key-encryption key."""


def last_count(ring: Keyring) -> Count:
    """The highest count; to be read before what it is compared with."""
    while names := _names(ring):
        newest = max(names)
        held = ring.files.get(names[newest])
        if held is not None:  # else somebody counted further meanwhile
            root, _, mac = held.decode(errors="replace").strip().partition(" ")
            return Count(newest, root if _mac(ring).is_count(mac, newest, root) else FORGED)
    return NEVER


def count(
    connection: Connection,
    ring: Keyring,
    *,
    on_disk: Callable[[], Callable[[], None]] | None = None,
) -> None:
    """Count on to where the log ends; the connection must see only what is committed.

    What `on_disk` gives returns once that is on disk, too.
    """
    known = _names(ring)
    now = Count(*trail.head(connection))
    if now.size > max(known, default=NEVER.size):
        if on_disk is not None:
            on_disk()()
        _put(ring, now)
        # Behind the new one: whoever looks in between finds one of them.
        ring.files.destroy(known.values())


def count_anew(connection: Connection, ring: Keyring) -> None:
    """Count from where the log ends, be it less than before: the ledger was restored."""
    now = Count(*trail.head(connection))
    ring.files.destroy([name for size, name in _names(ring).items() if size == now.size])
    _put(ring, now)
    ring.files.destroy([name for size, name in _names(ring).items() if size != now.size])


def contradiction(last: Count, size: int, root_at: Callable[[int], str]) -> str | None:
    """What a count says against a log of this size and these roots; None if nothing.

    `root_at` gives the root that the log had at a smaller size, in hex.
    """
    if last == NEVER:
        return f"the counter of the log of {size} leaves is missing" if size else None
    if last.root == FORGED:
        return f"the counter of {last.size} leaves was not written under the key-encryption key"
    if last.size > size:
        return f"the log has {size} leaves, had {last.size} before: it is an old copy"
    if root_at(last.size) != last.root:
        return f"the log is another than the one that had {last.size} leaves here"
    return None


def contradiction_of(connection: Connection, last: Count) -> str | None:
    """What a count says against a ledger; None if nothing.

    Raises ProofInvalid if its log lacks what tells.
    """
    return contradiction(
        last, trail.tree_size(connection), lambda size: trail.root(connection, size).hex()
    )


def refuse_old_copy(connection: Connection, ring: Keyring, last: Count) -> None:
    """Raise LedgerRolledBack if a ledger is not the one that was counted: key would go out twice.

    Raises ProofInvalid as `contradiction_of`.
    """
    if wrong := contradiction_of(connection, last):
        raise LedgerRolledBack(
            f"{ring.files} and the database disagree: {wrong}. It would deliver key twice, so it"
            " stays shut. If you put a copy back deliberately: `skytrunk ledger restore --reason"
            " TEXT` withdraws all key that may have been delivered since the copy was made"
        )


def carry_over(old: Keyring, new: Keyring) -> None:
    """Keep the count under another key-encryption key besides, before a ledger names that one."""
    last = last_count(old)
    if last not in (NEVER, Count(last.size, FORGED)):
        _put(new, last)


def forget_others(ring: Keyring) -> None:
    """Destroy the counts under other key-encryption keys, after a rotation."""
    own = set(_names(ring).values())
    ring.files.destroy(name for name in ring.files.names(_prefix(ring)) if name not in own)


def _mac(ring: Keyring) -> LogMac:
    return LogMac(ring.log_key(), ring.kek.kek_id)


def _prefix(ring: Keyring) -> str:
    return f"counter.{ring.ledger_id}."


def _names(ring: Keyring) -> dict[int, str]:
    """The files of a ledger's counter, by how far they counted; mostly one."""
    prefix = f"{_prefix(ring)}{ring.kek.kek_id}."
    found = ((name.removeprefix(prefix), name) for name in ring.files.names(prefix))
    return {int(size): name for size, name in found if size.isdecimal()}


def _put(ring: Keyring, now: Count) -> None:
    text = f"{now.root} {_mac(ring).count(now.size, now.root)}"
    kept = ring.files.put(f"{_prefix(ring)}{ring.kek.kek_id}.{now.size}", text.encode())
    if kept.decode(errors="replace") != text:
        raise ProofInvalid(f"{ring.files}: another log of {now.size} leaves was counted")
