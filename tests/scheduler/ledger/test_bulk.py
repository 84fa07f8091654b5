"""Rows written in bulk stand in the store as SQLAlchemy would have written them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import bindparam, delete, insert, select, text, update

from scheduler.ledger import Ledger
from scheduler.ledger.db.bulk import execute_many
from scheduler.ledger.schema import BookingRow, JobRow

AT = datetime(2016, 12, 19, 12, tzinfo=UTC)
ROWS: list[dict[str, Any]] = [
    {
        "booking_id": f"booking-{number}",
        "satellite_id": "micius",
        "station_id": "xing'long",
        "acquires_at": AT + timedelta(seconds=number),
        "loses_at": AT + timedelta(minutes=5, microseconds=number),
        "candidate": '{"a":"100 % of it"}',
        "state": "booked",
        "reason": "",
        "booked_at": AT,
        "changed_at": AT,
        "locked": bool(number % 2),
        "plan_id": "plan",
        "sha256": "00" * 32,
    }
    for number in range(3)
]


JOB = {
    "job_key": "merge", "scheduled_for": AT, "state": "due", "reason": "", "attempts": 0,
    "holder": "", "lease_until": None, "changed_at": AT, "sha256": "00" * 32,
}  # fmt: skip


def stored(ledger: Ledger, statement: Any) -> list[Any]:
    """What the store itself holds, past the column types."""
    with ledger._engine.connect() as connection:
        return list(connection.exec_driver_sql(statement).all())


def test_rows_stand_in_the_store_as_if_written_one_by_one(ledger: Ledger) -> None:
    every = "SELECT * FROM booking ORDER BY booking_id"
    writing = ledger._engine.connect().execution_options(ledger_writes=True)
    with writing as connection, connection.begin():
        execute_many(connection, insert(BookingRow), ROWS)
    in_bulk = stored(ledger, every)
    with ledger._writing() as connection:
        connection.execute(delete(BookingRow))
        connection.execute(insert(BookingRow), ROWS)

    assert in_bulk == stored(ledger, every)
    assert len(in_bulk) == len(ROWS)


def test_an_instant_is_found_again_by_the_instant_it_was_stored_with(ledger: Ledger) -> None:
    with ledger._writing() as connection:
        execute_many(connection, insert(JobRow), [JOB])
        found = connection.execute(
            select(JobRow.scheduled_for).where(JobRow.scheduled_for >= AT)
        ).all()

    assert [when for (when,) in found] == [AT]


def test_a_naive_instant_is_refused(ledger: Ledger) -> None:
    rows = [JOB | {"scheduled_for": AT.replace(tzinfo=None)}]

    with pytest.raises(ValueError, match="zone"), ledger._writing() as connection:
        execute_many(connection, insert(JobRow), rows)


def test_it_counts_the_rows_it_changed_and_brings_its_own_constants(ledger: Ledger) -> None:
    close = (
        update(BookingRow)
        .where(BookingRow.booking_id == bindparam("name_"), BookingRow.state == "booked")
        .values(state="missed")
    )
    forget = text("DELETE FROM booking WHERE booking_id = :name_ AND reason = ''")
    with ledger._writing() as connection:
        execute_many(connection, insert(BookingRow), ROWS)
        names = [{"name_": "booking-0"}, {"name_": "booking-2"}, {"name_": "nobody"}]

        assert execute_many(connection, close, names).rowcount == 2
        assert execute_many(connection, close, names).rowcount == 0
        assert execute_many(connection, forget, names).rowcount == 2

    assert stored(ledger, "SELECT state FROM booking") == [("booked",)]
