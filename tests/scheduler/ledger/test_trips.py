"""How often PostgreSQL is waited for: a transaction's statements go to it in few trips."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from scheduler.errors import LedgerError
from scheduler.ledger import Ledger, ReservationState, Transaction
from scheduler.ledger.db.bulk import query
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
        # What is named otherwise finds nothing to do: the commit of what is committed.
        if threading.get_ident() == me and (step.__name__ == "_steps" or "exec" in step.__name__):
            trips.append(step.__name__)
        return wait(connection, step, *more, **words)

    monkeypatch.setattr(psycopg.Connection, "wait", counted)
    for name in ("first", "then"):
        trips.clear()
        ledger.run(lambda tx, name=name: reserve(tx, name))  # type: ignore[misc]
        got = ledger.run(lambda tx, name=name: deliver(tx, name))  # type: ignore[misc]
        assert got in (key[:32], key[32:64])
    assert 0 < len(trips) <= TRIPS_MAX
    assert ledger.view.verify().problems == ()


def test_what_is_answered_is_on_the_disk_though_the_commit_did_not_wait_for_it(
    ledger: Ledger,
) -> None:
    if ledger._engine.dialect.name != "postgresql":
        pytest.skip("SQLite's log is synced by `durable`")
    with ledger.begin() as tx:
        deposit(tx, "one", 256 * 8)
    before_commit: list[str] = []
    at_commit: list[str] = []

    def work(tx: Transaction) -> None:
        reserve(tx, "first")
        (row,) = tx.connection.exec_driver_sql(
            "SELECT pg_current_wal_insert_lsn()::text, current_setting('synchronous_commit')"
        )
        before_commit.append(row[0])
        at_commit.append(row[1])

    ledger.run(work)
    with ledger.view.read() as reader:
        assert reader.connection.exec_driver_sql(
            "SELECT pg_current_wal_flush_lsn() > CAST(%s AS pg_lsn)", (before_commit[0],)
        ).scalar_one()
    assert at_commit == ["off"]
    with ledger.begin() as tx:
        (row,) = tx.connection.exec_driver_sql("SELECT current_setting('synchronous_commit')")
    assert row[0] == "on"


def test_values_of_any_type_are_read_as_the_driver_reads_them(ledger: Ledger) -> None:
    if ledger._engine.dialect.name != "postgresql":
        pytest.skip("SQLite is no server")
    question = (
        "SELECT sum(n) AS sum, avg(n) AS mean, min(n)::smallint AS small, max(n)::float8 / 7 AS x,"
        " count(*) > 2 AS is_many, '\\xfeed'::bytea AS raw, 'Ä'::text AS word,"
        " NULL::bigint AS none, '2016-12-19 16:48:00.123456+08'::timestamptz AS at,"
        " '{\"a\": [1]}'::jsonb AS doc,"
        " 'f5e5b6a0-0000-4000-8000-000000000000'::uuid AS id FROM generate_series(-3, 8) AS of(n)"
    )
    with ledger._engine.connect() as connection:
        (mine,) = query(connection, text(question), {})
        (theirs,) = connection.exec_driver_sql(question).all()

    assert list(mine) == list(theirs)


def test_a_text_with_a_nul_is_refused_and_the_connection_goes_on(ledger: Ledger) -> None:
    if ledger._engine.dialect.name != "postgresql":
        pytest.skip("SQLite takes it")
    with pytest.raises(LedgerError, match="NUL"):
        ledger.run(lambda tx: tx.command("a\0b", kind="try", at=NOON, digest=""))
    with ledger.begin() as tx:
        deposit(tx, "one", 256)
    assert ledger.view.verify().problems == ()
