"""Periods of a small network, for tests that close them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from scheduler.domain import JobState, Pool
from scheduler.ledger import Ledger, ReservationState
from scheduler.ledger.books.jobs import end_job
from scheduler.ledger.keys.answers import deliver_keys, settle_answers
from scheduler.ledger.keys.delivery import Draw, collect_keys
from scheduler.ledger.keys.reservations import reserve_key, resolve_reservation
from scheduler.services.segments import close_period_of
from tests.scheduler.ledger.builders import NOON, chain, deposit, relay, spend, take_job, uuid_of

NODES = ("u", "v", "w")
PAIR = Pool.pair("u", "w")
BITS = 2560


def live_through(ledger: Ledger, day: int) -> datetime:
    """Fibre key relayed, the key of it drawn and reserved; some of each left. Returns the end."""
    at = NOON + timedelta(days=day)
    with ledger.begin() as tx:
        for link in chain(NODES):
            for part in range(2):
                name = f"span/{link.pool_id}/{day}/{part}"
                deposit(tx, name, BITS + part * 3, pool=link, at=at)
    for part in range(3):
        with ledger.begin() as tx:
            relay(tx, f"{day}/{part}", NODES, BITS // 2, at=at)
    _hand_out(ledger, day, at)
    with ledger.begin() as tx:
        for part in range(2):
            when = at + timedelta(minutes=part)
            end_job(tx, take_job(tx, "expire", when, at=at), JobState.DONE, at=at)
    return at + timedelta(hours=1)


def _hand_out(ledger: Ledger, day: int, at: datetime) -> None:
    keys = [uuid_of(f"key {day} {part}") for part in range(3)]
    with ledger.begin() as tx:
        handle = tx.command(f"keys/{day}", kind="enc-keys", at=at, digest="")
        draw = Draw(handle=handle, key_ids=keys, recipients={"m": 0, "s": 1}, given_to="m")
        until = at + timedelta(hours=1)
        deliver_keys(tx, PAIR.pool_id, [draw], size_bits=256, expires_at=until)
        handle.finish({})
        handle = tx.command(f"settled/{day}", kind="keys-settled", at=at, digest="")
        settle_answers(tx, handle, [f"keys/{day}"])
        handle.finish({})
    _collect(ledger, day, at, keys)
    with ledger.begin() as tx:
        handle = tx.command(f"reserve/{day}", kind="reserve", at=at, digest="")
        reserve_key(
            tx, handle, PAIR.pool_id, 256, reservation_id=uuid_of(f"reserved {day}"),
            purpose="test", expires_at=at + timedelta(hours=1),
        )  # fmt: skip
        handle.finish({})
        handle = tx.command(f"release/{day}", kind="release", at=at, digest="")
        resolve_reservation(tx, handle, uuid_of(f"reserved {day}"), ReservationState.RELEASED)
        handle.finish({})
    spend(ledger, f"rest/{day}", BITS, pool=PAIR, at=at)


def _collect(ledger: Ledger, day: int, at: datetime, keys: list[UUID]) -> None:
    with ledger.begin() as tx:
        handle = tx.command(f"collected/{day}", kind="dec-keys", at=at, digest="")
        collect_keys(tx, handle, keys, "s")
        handle.finish({})


def close(ledger: Ledger, folder: Path, cutoff: datetime) -> dict[str, Any]:
    """Close a period; what was finished by an instant leaves."""
    return close_period_of(ledger, folder, cutoff=cutoff, at=cutoff + timedelta(days=1))
