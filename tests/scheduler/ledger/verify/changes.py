"""Changes behind a ledger's back, and what an audit says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from scheduler.domain import VerifyReport
from scheduler.ledger import Ledger, LedgerView
from scheduler.ledger.verify import run as verify
from scheduler.process import worker_pool

# A change, and what the report must name.
CHANGES = [
    ("UPDATE ledger_entry SET amount_bits = 8, end_bit = start_bit + 8 WHERE id = 4", "entry 4"),
    ("UPDATE ledger_entry SET target_id = target_id + 1 WHERE id = 3", "entry 3"),
    ("UPDATE ledger_entry SET enters = 'combined' WHERE id = 3", "entry 3"),
    ("DELETE FROM ledger_entry WHERE id = 4", "the rows it wrote are not those it has now"),
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
    ("UPDATE plan SET objective = 99", "(plan-1): its row was changed"),
    ("UPDATE job SET job_key = 'other'", "job other"),
    ("UPDATE job SET state = 'missed' WHERE state = 'done'", "is missed"),
    ("UPDATE job SET attempts = 9", "attempt 9"),
    ("UPDATE job_event SET reason = 'bribe'", "job_event"),
    ("UPDATE job_pause SET reason = 'bribe'", "job_pause"),
    ("UPDATE element_set SET text = 'other'", "element_set"),
    ("UPDATE element_binding SET satellite_norad_id = 7", "element_binding"),
    ("UPDATE element_verdict SET standing = 'accepted'", "element_verdict"),
    ("UPDATE alert SET words = 'all is well'", "alert"),
    ("UPDATE forecast SET hours = '[]'", "forecast"),
    ("UPDATE run_fact SET value = '2'", "run_fact seed"),
    ("DELETE FROM material WHERE block_ref = 1 AND side = 1", "bytes"),
    ("UPDATE material SET data_key_id = 2 WHERE block_ref = 1", "does not open"),
    ("UPDATE data_key SET open_id = NULL WHERE id = 1", "data_key 1: is open under number None"),
    ("UPDATE data_key SET shredded_by = 1, open_id = NULL WHERE id = 1", "data_key 1: is shredded"),
    ("UPDATE data_key SET epoch = 7 WHERE id = 2", "data_key 2"),
    ("UPDATE pool SET epoch = 1 WHERE id = 1", "is in epoch 1"),
    ("UPDATE audit_leaf SET subject = 'other' WHERE seq = 3", "audit_leaf 3"),
    ("DELETE FROM audit_leaf WHERE seq = 9", "audit_leaf 9 is missing"),
    ("DELETE FROM audit_node WHERE position = 4", "audit_node 4 is missing"),
    ("UPDATE audit_node SET hash = zeroblob(32) WHERE position = 2", "audit_node 2"),
    ("UPDATE audit_checkpoint SET size = 3", "audit_checkpoint"),
    ("UPDATE audit_head SET size = size - 1", "audit_head"),
    ("UPDATE settled_session SET sifted_bits = sifted_bits + 1", "settled_session"),
    ("UPDATE audit_checkpoint SET root = substr(signature, 1, 64)", "audit_checkpoint"),
    ("UPDATE audit_key SET public_key = 'aa'", "audit_key"),
    ("UPDATE reservation SET state = 'released'", "is released"),
    ("UPDATE reservation SET purpose = 'other'", "reservation"),
    ("DELETE FROM reservation_part", "has no part"),
    ("UPDATE reservation SET intended_by = 1", "says it was intended"),
    ("UPDATE freed_range SET end_bit = end_bit - 8", "freed ranges"),
    ("UPDATE key SET end_bit = end_bit + 8", "key"),
    ("UPDATE key SET closed_by = 1", "bytes in the store"),
    ("UPDATE key_recipient SET settled_by = NULL WHERE recipient = 'm'", "bytes in the store"),
    ("UPDATE key_recipient SET delivered_by = NULL WHERE recipient = 'm'", "the rows it wrote"),
    ("UPDATE key_recipient SET recipient = 'eve' WHERE recipient = 's'", "key_recipient"),
    ("UPDATE sae SET node = 'eve' WHERE sae_id = 'm'", "sae"),
    ("DELETE FROM booking_event", "booking"),
    ("UPDATE plan SET gap = 0.0", "plan"),
    ("UPDATE plan_pass SET station_id = 'x'", "plan_pass"),
    ("DELETE FROM plan_pass WHERE position = 2", "the rows it wrote"),
    ("UPDATE plan_option SET booked = NOT booked", "plan_option"),
    ("DELETE FROM plan_option", "the rows it wrote"),
    ("UPDATE outage SET lifted_by = NULL", "the rows it wrote"),
    ("DELETE FROM outage", "outage"),
    ("UPDATE access_token SET role = 'admin'", "access_token"),
    ("UPDATE access_token SET revoked_by = NULL", "the rows it wrote"),
    ("DELETE FROM access_token", "access_token"),
    ("UPDATE directive SET kind = 'none'", "directive"),
    ("DELETE FROM directive", "directive"),
    ("DELETE FROM job", "job"),
    ("DELETE FROM job_event", "job_event"),
    ("DELETE FROM job_pause", "the rows it wrote"),
    ("DELETE FROM element_set", "element_set"),
    ("DELETE FROM element_binding", "element_binding"),
    ("DELETE FROM element_verdict", "element_verdict"),
    ("DELETE FROM command WHERE id = (SELECT max(id) FROM command)", "command"),
]


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
        return verify.verify(connection, ledger._ring).problems


def verify_with(
    view: LedgerView, workers: int, progress: Callable[[int], None] | None = None
) -> VerifyReport:
    """What an audit by so many processes says."""
    if workers == 1:
        return view.verify(progress)
    with worker_pool(workers - 1) as executor:
        return view.verify(progress, executor=executor, helpers=workers - 1)
