"""`verify` finds a change in any single row, and names it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from scheduler.ledger import Ledger, ReservationState, open_ledger
from scheduler.ledger.vault.keystore import LocalKek
from scheduler.ledger.verify import run as verify
from tests.scheduler.ledger.builders import (
    NOON,
    booking,
    chain,
    decide,
    deposit,
    relay,
    spend,
    uuid_of,
)
from tests.scheduler.ledger.test_books import _elements

NODES = ["a", "b", "c"]

# A change, and what the report must name.
CHANGES = [
    ("UPDATE ledger_entry SET amount_bits = 8, end_bit = start_bit + 8 WHERE id = 4", "entry 4"),
    ("UPDATE ledger_entry SET target_id = target_id + 1 WHERE id = 3", "entry 3"),
    ("UPDATE ledger_entry SET enters = 'combined' WHERE id = 3", "entry 3"),
    ("DELETE FROM ledger_entry WHERE id = 4", "rows are missing"),
    ("UPDATE account SET balance_bits = balance_bits + 8 WHERE id = 2", "account 2"),
    ("UPDATE account SET odd_bits = odd_bits + 1 WHERE id = 2", "account 2"),
    ("UPDATE account SET kind = 'pond' WHERE id = 2", "account 2"),
    ("UPDATE pool SET node_a = 'eve' WHERE id = 1", "pool 1"),
    ("UPDATE pool SET simulated = false WHERE id = 1", "pool 1"),
    ("UPDATE block SET next_bit = next_bit - 8 WHERE id = 1", "cursor"),
    ("UPDATE block SET state = 'destroyed' WHERE id = 1", "is destroyed"),
    ("UPDATE block SET source = 'device' WHERE id = 2", "its row was changed"),
    ("UPDATE command SET answer = '{}' WHERE id = 1", "command 1"),
    ("DELETE FROM command WHERE id = 3", "command 3 is missing"),
    ("UPDATE announcement SET relay = 'eve' WHERE id = 1", "announcement"),
    ("UPDATE announcement_part SET start_bit = 8 WHERE side = 0", "announcement"),
    ("DELETE FROM announcement_part WHERE side = 1", "announcement"),
    ("UPDATE booking SET state = 'settled'", "is settled"),
    ("UPDATE booking SET station_id = 'eve'", "its row was changed"),
    ("UPDATE booking_event SET reason = 'bribe'", "booking_event"),
    ("UPDATE plan SET objective = 99", "plan plan-1"),
    ("UPDATE job_run SET job_key = 'other'", "job_run other"),
    ("UPDATE element_set SET text = 'other'", "element_set"),
    ("UPDATE run_fact SET value = '2'", "run_fact seed"),
    ("DELETE FROM material WHERE block_ref = 1 AND side = 1", "bytes"),
    ("UPDATE material SET data_key_id = 2 WHERE block_ref = 1", "does not open"),
    ("UPDATE data_key SET wrapped = NULL WHERE id = 1", "data key 1 is destroyed"),
    ("UPDATE data_key SET epoch = 7 WHERE id = 2", "data_key 2"),
    ("UPDATE pool SET epoch = 1 WHERE id = 1", "is in epoch 1"),
    ("UPDATE audit_leaf SET subject = 'other' WHERE seq = 3", "audit_leaf 3"),
    ("DELETE FROM audit_leaf WHERE seq = 9", "audit_leaf 9 is missing"),
    ("DELETE FROM audit_node WHERE position = 4", "audit_node 4 is missing"),
    ("UPDATE audit_node SET hash = zeroblob(32) WHERE position = 2", "audit_node 2"),
    ("UPDATE audit_checkpoint SET size = 3", "audit_checkpoint"),
    ("UPDATE audit_checkpoint SET root = substr(signature, 1, 64)", "audit_checkpoint"),
    ("UPDATE audit_key SET public_key = 'aa'", "audit_key"),
    ("UPDATE reservation SET state = 'released'", "is released"),
    ("UPDATE reservation SET purpose = 'other'", "reservation"),
    ("DELETE FROM reservation_part", "has no part"),
    ("UPDATE reservation SET intended_by = 1", "says it was intended"),
    ("UPDATE freed_range SET end_bit = end_bit - 8", "freed ranges"),
    ("UPDATE key SET end_bit = end_bit + 8", "key"),
    ("UPDATE key SET closed_by = 1", "bytes in the store"),
    ("UPDATE key_recipient SET delivered_by = NULL WHERE recipient = 'm'", "bytes in the store"),
    ("UPDATE key_recipient SET recipient = 'eve' WHERE recipient = 's'", "key_recipient"),
    ("DELETE FROM booking_event", "booking"),
    ("UPDATE plan SET gap = 0.0", "plan"),
    ("UPDATE plan_pass SET station_id = 'x'", "plan_pass"),
    ("DELETE FROM plan_pass WHERE position = 2", "the rows it wrote"),
    ("UPDATE plan_option SET booked = NOT booked", "plan_option"),
    ("DELETE FROM plan_option", "the rows it wrote"),
    ("UPDATE outage SET lifted_by = NULL", "the rows it wrote"),
    ("DELETE FROM outage", "outage"),
    ("UPDATE directive SET kind = 'none'", "directive"),
    ("DELETE FROM directive", "directive"),
    ("DELETE FROM job_run", "job_run"),
    ("DELETE FROM element_set", "element_set"),
    ("DELETE FROM command WHERE id = (SELECT max(id) FROM command)", "command"),
]


def fill(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        tx.bind_run({"seed": 1})
        tx.add_booking(booking("one", 0, 300))
        tx.claim_job("merge", NOON)
        tx.add_elements([_elements("aa")])
        for link in chain(NODES):
            deposit(tx, link.pool_id, 10_003, pool=link)
    with ledger.begin() as tx:
        relay(tx, "tick", NODES, 2560)
    spend(ledger, "draw", 256, pool=chain(NODES)[0])
    with ledger.begin() as tx:
        decide(tx, "1", booking_id=uuid_of("one"), lifted=True)


def fill_more(ledger: Ledger) -> None:
    """On top of that: a reservation, a freed range, a key half collected, a checkpoint."""
    pool_id = chain(NODES)[1].pool_id
    with ledger.begin() as tx:
        for name in ("kept", "given back", "in between"):
            handle = tx.command(name, kind="reserve", at=NOON)
            tx.reserve(
                handle,
                pool_id,
                512,
                reservation_id=uuid_of(name),
                purpose="test",
                expires_at=NOON + timedelta(hours=1),
            )
            if name == "given back":
                tx.resolve(handle, uuid_of("given back"), ReservationState.RELEASED)
                tx.reserve(
                    handle,
                    pool_id,
                    512,
                    reservation_id=uuid_of("again"),
                    purpose="test",
                    expires_at=NOON + timedelta(hours=1),
                )
            handle.finish({})
        handle = tx.command("back", kind="release", at=NOON)
        tx.resolve(handle, uuid_of("again"), ReservationState.RELEASED)
        handle.finish({})
        handle = tx.command("keys", kind="draw", at=NOON)
        keys = [uuid_of("key")]
        tx.draw(handle, pool_id, key_ids=keys, size_bits=256, recipients={"m": 0, "s": 1})
        tx.collect(handle, keys, "m")
        handle.finish({})
    ledger.checkpoint(NOON)


def change(ledger: Ledger, statement: str) -> None:
    """Change the database behind the ledger's back, foreign keys out of the way."""
    with ledger._engine.connect().execution_options(ledger_writes=True) as connection:
        if connection.dialect.name == "sqlite":
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        else:
            connection.exec_driver_sql("SET session_replication_role = replica")
            statement = statement.replace("zeroblob(32)", "'\\x00'")
        assert connection.exec_driver_sql(statement).rowcount >= 1
        connection.commit()


@contextmanager
def tampered(ledger: Ledger, statement: str) -> Iterator[Connection]:
    """A transaction that sees a change behind the ledger's back, which is then undone."""
    with ledger._engine.connect() as plain:
        sqlite = plain.dialect.name == "sqlite"
        if sqlite:  # before the transaction; inside one the pragma does nothing
            plain.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        connection = plain.execution_options(ledger_writes=True)
        with connection.begin() as transaction:
            if not sqlite:
                connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
                statement = statement.replace("zeroblob(32)", "'\\x00'")
            assert connection.exec_driver_sql(statement).rowcount >= 1, statement
            yield connection
            transaction.rollback()


def problems_after(ledger: Ledger, statement: str) -> tuple[str, ...]:
    """What an audit says after a change, which is then undone."""
    with tampered(ledger, statement) as connection:
        return verify.verify(connection, ledger._kek).problems


def test_a_change_of_any_row_is_named(ledger: Ledger) -> None:
    fill(ledger)
    fill_more(ledger)
    assert ledger.verify().problems == ()
    for statement, named in CHANGES:
        problems = problems_after(ledger, statement)
        assert any(named in problem for problem in problems), (statement, problems)
    assert ledger.verify().problems == ()


def test_progress_hears_of_the_entries(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "PROGRESS_EVERY", 10)
    with ledger.begin() as tx:
        pool_id = chain(["micius", "nanshan"])[0].pool_id
        deposit(tx, "one", 480)
        handle = tx.command("many", kind="spend", at=NOON)
        for _ in range(30):
            tx.spend(handle, pool_id, 16)
        handle.finish({})
    heard: list[int] = []
    report = ledger.verify(heard.append)
    assert (report.ok, report.entries) == (True, 31)
    assert heard == [31]


@pytest.mark.parametrize("word", ["'x' || id", "CAST('x' AS BLOB)"])
def test_an_account_of_no_pool_is_named(sqlite_ledger: Ledger, word: str) -> None:
    fill(sqlite_ledger)
    which = "WHERE pool_ref = (SELECT max(id) FROM pool)"
    change(sqlite_ledger, f"UPDATE account SET pool_ref = {word} {which}")
    problems = sqlite_ledger.verify().problems
    assert any(
        "account: " in problem and "no number as their pool_ref" in problem for problem in problems
    )


EMPTY_LEAF = bytes([10, 0, 0, 0, 0, 0x10, 0, 0])
"""Header of a page of an index that has no row (SQLite's file format, section 1.6)."""


def test_an_index_that_lost_its_rows_is_named(tmp_path: Path, kek: LocalKek) -> None:
    """Without it the ledger would take the same key a second time, and not see it."""
    file = tmp_path / "ledger.db"
    with open_ledger(f"sqlite:///{file}", kek=kek) as ledger:
        fill(ledger)
        fill_more(ledger)
    whole = file.read_bytes()
    named = 0
    for name, table, page in _indexes(file):
        start = (page - 1) * 4096
        if whole[start : start + 5] == EMPTY_LEAF[:5]:
            continue  # it has no row to lose
        file.write_bytes(whole[:start] + EMPTY_LEAF + whole[start + len(EMPTY_LEAF) :])
        with open_ledger(f"sqlite:///{file}", kek=kek) as damaged:
            problems = damaged.verify().problems
        due = "are due" if table == "material" else f"its index {name} has 0 rows of"
        assert any(due in problem for problem in problems), name
        named += 1
    assert named > 20


def _indexes(file: Path) -> list[tuple[str, str, int]]:
    """Name, table and root page of every index."""
    with closing(sqlite3.connect(file)) as database:
        query = "SELECT name, tbl_name, rootpage FROM sqlite_master WHERE type = 'index'"
        return database.execute(query).fetchall()
