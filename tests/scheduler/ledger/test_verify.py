"""`verify` finds a change in any single row, and names it."""

from __future__ import annotations

import pytest

from scheduler.ledger import Ledger, verify
from tests.scheduler.ledger.builders import NOON, booking, chain, deposit, relay, spend
from tests.scheduler.ledger.test_books import _elements

NODES = ["a", "b", "c"]

# A change, and what the report must name.
CHANGES = [
    ("UPDATE ledger_entry SET amount_bits = 8, end_bit = start_bit + 8 WHERE id = 4", "entry 4"),
    ("UPDATE ledger_entry SET target_id = target_id + 1 WHERE id = 3", "entry 3"),
    ("UPDATE ledger_entry SET enters = 'combined' WHERE id = 3", "entry 3"),
    ("DELETE FROM ledger_entry WHERE id = 4", "rows are missing"),
    ("UPDATE account SET balance_bits = balance_bits + 8 WHERE id = 2", "account 2"),
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
]


def _fill(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        tx.bind_run({"seed": 1})
        tx.add_booking(booking("one", 0, 300))
        tx.claim_job("merge", NOON)
        tx.add_elements([_elements("aa")])
        tx.add_plan("plan-1", NOON, NOON, NOON, "highs", 1.0, None, None, {})
        for link in chain(NODES):
            deposit(tx, link.pool_id, 10_003, pool=link)
    with ledger.begin() as tx:
        relay(tx, "tick", NODES, 2560)
    spend(ledger, "draw", 256, pool=chain(NODES)[0])


@pytest.mark.parametrize(("statement", "named"), CHANGES)
def test_a_changed_row_is_named(ledger: Ledger, statement: str, named: str) -> None:
    _fill(ledger)
    assert ledger.verify().problems == ()
    with ledger._engine.connect().execution_options(ledger_writes=True) as connection:
        if connection.dialect.name == "sqlite":
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        else:
            connection.exec_driver_sql("SET session_replication_role = replica")
        changed = connection.exec_driver_sql(statement)
        assert changed.rowcount >= 1
        connection.commit()
    problems = ledger.verify().problems
    assert any(named in problem for problem in problems), problems


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
