"""What a write to PostgreSQL answers is in its flushed log by then, of whatever kind it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from scheduler.ledger import Ledger, ReservationState, Transaction
from scheduler.ledger.db.background import Background
from scheduler.ledger.keys.epochs import begin_epoch, shred_epoch
from scheduler.ledger.keys.reservations import reserve_key, resolve_reservation
from scheduler.ledger.vault.keystore import NONCE_BYTES, TAG_BYTES
from scheduler.ledger.vault.material import PIECE_BYTES
from tests.scheduler.ledger.builders import (
    NANSHAN_XINGLONG,
    NOON,
    chain,
    deposit,
    relay,
    take_job,
    uuid_of,
)
from tests.scheduler.ledger.postgres import Postgres
from tests.scheduler.ledger.segments.periods import NODES, close, live_through

pytestmark = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)

POOL_ID = NANSHAN_XINGLONG.pool_id
LONGER_S = 10.0
"""The server's own flushes are this far apart: none of them can stand in for a write's."""


def reserve(tx: Transaction, name: str) -> None:
    handle = tx.command(f"reserve/{name}", kind="reserve", at=NOON, digest="")
    reserve_key(
        tx, handle, POOL_ID, 256, reservation_id=uuid_of(name), purpose="test",
        expires_at=NOON + timedelta(hours=1),
    )  # fmt: skip
    handle.finish({})


def deliver(tx: Transaction, name: str) -> None:
    handle = tx.command(f"deliver/{name}", kind="deliver", at=NOON, digest="")
    resolve_reservation(tx, handle, uuid_of(name), ReservationState.DELIVERED)
    handle.finish({})


def shred(tx: Transaction) -> None:
    handle = tx.command("shred", kind="shred", at=NOON, digest="")
    handle.finish({})
    shred_epoch(tx, handle, POOL_ID, 0)


def begin_next(tx: Transaction) -> None:
    handle = tx.command("epoch", kind="epoch", at=NOON, digest="")
    handle.finish({})
    begin_epoch(tx, handle, POOL_ID)


def alone(ledger: Ledger, work: Callable[[Transaction], object]) -> None:
    with ledger.begin() as tx:
        work(tx)


def submit(ledger: Ledger, work: Callable[[Transaction], object]) -> None:
    ledger.submit(work).result(timeout=60)


Write = Callable[[Ledger, Path], object]

WRITES: dict[str, Write] = {
    "deposit": lambda ledger, _: alone(ledger, lambda tx: deposit(tx, "new", 2560)),
    "deposit beside others": lambda ledger, _: ledger.run(lambda tx: deposit(tx, "new", 2560)),
    "reserve": lambda ledger, _: ledger.run(lambda tx: reserve(tx, "new")),
    "reserve, handed in": lambda ledger, _: submit(ledger, lambda tx: reserve(tx, "new")),
    "deliver": lambda ledger, _: ledger.run(lambda tx: deliver(tx, "held")),
    "merge": lambda ledger, _: alone(ledger, lambda tx: relay(tx, "new", NODES, 256)),
    "merge beside others": lambda ledger, _: ledger.run(lambda tx: relay(tx, "new", NODES, 256)),
    "shred": lambda ledger, _: alone(ledger, shred),
    "close": lambda ledger, folder: close(ledger, folder, NOON + timedelta(hours=1)),
    "checkpoint": lambda ledger, _: ledger.checkpoint(NOON),
    "job": lambda ledger, _: alone(ledger, lambda tx: take_job(tx, "merge", NOON)),
}


@pytest.fixture
def server(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection]:
    """A session beside the ledger's, on a server that flushes nothing unless a commit asks."""
    # Who numbers leaves behind the writers flushes too, and would hide that one of them did not.
    monkeypatch.setattr(Background, "nudge", lambda _: None)
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as session:
        for setting in (f"wal_writer_delay = '{LONGER_S:g}s'", "autovacuum = off"):
            session.execute(f"ALTER SYSTEM SET {setting}".encode())
        session.execute("SELECT pg_reload_conf()")
        yield session
        for name in ("wal_writer_delay", "autovacuum"):
            session.execute(f"ALTER SYSTEM RESET {name}".encode())
        session.execute("SELECT pg_reload_conf()")


def is_flushed(session: psycopg.Connection) -> bool:
    """Whether all is flushed that was written to the log by now."""
    (held,) = session.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or ()
    query = "SELECT pg_current_wal_flush_lsn() >= %s::pg_lsn"
    (done,) = session.execute(query, (held,)).fetchone() or ()
    return bool(done)


@pytest.mark.parametrize("kind", WRITES)
def test_what_is_answered_is_in_the_flushed_log(
    server: psycopg.Connection, ledger: Ledger, tmp_path: Path, kind: str
) -> None:
    live_through(ledger, 0)
    with ledger.begin() as tx:
        deposit(tx, "one", 25_600)
        for link in chain(NODES):
            deposit(tx, f"more {link.pool_id}", 2560, pool=link)
        reserve(tx, "held")
    if kind == "shred":
        alone(ledger, begin_next)
    WRITES[kind](ledger, tmp_path / "archive")
    assert is_flushed(server)


def test_a_commit_that_waits_for_no_disk_is_seen(
    server: psycopg.Connection, ledger: Ledger
) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 2560)
        tx.connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
    assert not is_flushed(server)


def test_the_largest_piece_stays_in_its_row(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", PIECE_BYTES * 8 * 2)
    with ledger.view.read() as reader:
        storage, outside = reader.connection.exec_driver_sql(
            "SELECT attstorage::text, pg_relation_size(NULLIF(reltoastrelid, 0)) FROM pg_attribute"
            " JOIN pg_class ON pg_class.oid = attrelid"
            " WHERE relname = 'material' AND attname = 'data'"
        ).one()
        sizes = reader.connection.exec_driver_sql(
            "SELECT DISTINCT octet_length(data) FROM material"
        ).scalars()
        assert list(sizes) == [NONCE_BYTES + PIECE_BYTES + TAG_BYTES]
    assert (storage, outside or 0) == ("p", 0)
