"""How often PostgreSQL is waited for: a transaction's statements go to it in few trips."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from scheduler.ledger import Ledger, ReservationState, Transaction
from scheduler.ledger.keys.reservations import reserve_key, resolve_reservation
from tests.scheduler.ledger.builders import NANSHAN_XINGLONG, NOON, deposit, uuid_of

TRIPS_MAX = 8


def reserve(tx: Transaction, name: str) -> None:
    handle = tx.command(f"reserve/{name}", kind="reserve", at=NOON, digest="")
    reserve_key(
        tx, handle, NANSHAN_XINGLONG.pool_id, 256, reservation_id=uuid_of(name), purpose="test",
        expires_at=NOON + timedelta(hours=1),
    )  # fmt: skip
    handle.finish({})


def deliver(tx: Transaction, name: str) -> bytes:
    handle = tx.command(f"deliver/{name}", kind="deliver", at=NOON, digest="")
    chunks = resolve_reservation(tx, handle, uuid_of(name), ReservationState.DELIVERED)
    handle.finish({})
    return b"".join(chunk.material_a for chunk in chunks)


def test_a_key_is_reserved_and_delivered_in_eight_trips(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ledger._engine.dialect.name != "postgresql":
        pytest.skip("SQLite is no server")
    with ledger.begin() as tx:
        key = deposit(tx, "one", 256 * 8)
    trips, me, wait = [], threading.get_ident(), psycopg.Connection.wait

    def counted(connection: psycopg.Connection[Any], step: Any, *more: Any, **words: Any) -> Any:
        # In a pipeline nothing is waited for before its end.
        name, outside = step.__name__, connection.pgconn.pipeline_status == 0
        if threading.get_ident() == me and (name == "_exit_gen" or (outside and "exec" in name)):
            trips.append(name)
        return wait(connection, step, *more, **words)

    monkeypatch.setattr(psycopg.Connection, "wait", counted)
    for name in ("first", "then"):
        trips.clear()
        ledger.run(lambda tx, name=name: reserve(tx, name))  # type: ignore[misc]
        got = ledger.run(lambda tx, name=name: deliver(tx, name))  # type: ignore[misc]
        assert got in (key[:32], key[32:64])
    assert 0 < len(trips) <= TRIPS_MAX
    assert ledger.view.verify().problems == ()
