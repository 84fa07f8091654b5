"""Rows as the stores give them hash to what was written, and to nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Boolean, Column, Float, Integer

from scheduler.ledger import Ledger
from scheduler.ledger.log.canonical import DIGESTED, row_digest
from scheduler.ledger.log.stored import (
    BLOCK_COLUMNS,
    COMMAND_COLUMNS,
    INSTANTS,
    NO_HASH,
    block_digest,
    command_digest,
    stored_hasher,
)
from scheduler.ledger.schema import Base
from scheduler.ledger.schema.columns import UtcDateTime
from tests.scheduler.ledger.test_verify import fill, fill_more, problems_after

TABLES = {table.name: table for table in Base.metadata.sorted_tables}
# Before the year 1000, `strftime` leaves zeros out and SQLite's text does not.
INSTANT = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


def _values_of(column: Column[Any]) -> st.SearchStrategy[Any]:
    """Values that a column can hold."""
    values: st.SearchStrategy[Any]
    if isinstance(column.type, UtcDateTime):
        values = INSTANT
    elif isinstance(column.type, Boolean):
        values = st.booleans()
    elif isinstance(column.type, Float):
        values = st.floats(allow_nan=False, allow_infinity=False)
    elif isinstance(column.type, Integer):
        values = st.integers(min_value=-(2**63), max_value=2**63 - 1)
    else:
        values = st.text()
    return st.one_of(st.none(), values) if column.nullable else values


@st.composite
def _rows(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    table = draw(st.sampled_from(sorted(DIGESTED)))
    return table, {name: draw(_values_of(TABLES[table].c[name])) for name in DIGESTED[table]}


def _as_in_sqlite(value: Any) -> Any:
    """What the driver gives back of a value: an instant as text, a truth value as a number."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return int(value) if isinstance(value, bool) else value


def test_the_instants_are_those_of_the_tables() -> None:
    for table, names in DIGESTED.items():
        instants = {name for name in names if isinstance(TABLES[table].c[name].type, UtcDateTime)}
        assert instants == INSTANTS.get(table, frozenset()), table


@given(made=_rows(), order=st.randoms(use_true_random=False))
def test_a_stored_row_has_the_hash_of_the_row_that_was_written(
    made: tuple[str, dict[str, Any]], order: random.Random
) -> None:
    table, row = made
    columns = list(row)
    order.shuffle(columns)
    digest = stored_hasher(table, columns)
    expected = row_digest(table, row)
    assert digest([row[name] for name in columns]) == expected  # as PostgreSQL gives it
    stored = [_as_in_sqlite(row[name]) for name in columns]
    assert digest(stored) == expected
    assert digest((*stored, "another column")) == expected
    if table == "block":
        whole = row | {"next_bit": 0, "state": "available", "sha256": ""}
        assert block_digest([_as_in_sqlite(whole[name]) for name in BLOCK_COLUMNS]) == expected
        assert block_digest([whole[name] for name in BLOCK_COLUMNS]) == expected
    if table == "command":
        whole = row | {"sha256": ""}
        assert command_digest([_as_in_sqlite(whole[name]) for name in COMMAND_COLUMNS]) == expected
        assert command_digest([whole[name] for name in COMMAND_COLUMNS]) == expected


@given(text=st.text(min_size=1), kind=st.text(min_size=1))
def test_a_text_cannot_pass_for_two_columns(text: str, kind: str) -> None:
    """Whatever quotes and commas a value holds, it stays inside its own column."""
    columns = ("booking_id", "position", "at", "from_state", "to_state", "reason")
    digest = stored_hasher("booking_event", columns)
    rows = [
        ("b", 1, "2016-12-19 12:00:00.000000", None, kind, text),
        ("b", 1, "2016-12-19 12:00:00.000000", text, kind, ""),
        ("b", 1, "2016-12-19 12:00:00.000000", None, f'{kind}","reason":"{text}', ""),
        ("b", 1, f'2016-12-19 12:00:00.000000","x":"{text}', None, kind, text),
    ]
    assert len({digest(row) for row in rows}) == len(rows)


def test_an_instant_is_taken_as_it_is_written_and_no_other_way() -> None:
    columns = ("booking_id", "position", "at", "from_state", "to_state", "reason")
    digest = stored_hasher("booking_event", columns)
    noon = datetime(2016, 12, 19, 12, tzinfo=UTC)
    written = digest(("b", 1, "2016-12-19 12:00:00.000000", None, "booked", ""))
    row = dict(zip(columns, ("b", 1, noon, None, "booked", ""), strict=True))
    assert written == row_digest("booking_event", row)
    later = noon.astimezone(tz=None) + timedelta(microseconds=1)
    for other in ("2016-12-19 12:00:00", "2016-12-19  12:00:00.000000", "noon", b"noon", 5, later):
        assert digest(("b", 1, other, None, "booked", "")) != written


def test_bytes_in_place_of_a_text_have_no_hash() -> None:
    block: dict[str, Any] = dict.fromkeys(BLOCK_COLUMNS, 1)
    assert block_digest(list(block.values())) == NO_HASH
    assert command_digest([1, b"id", "kind", "digest", "at", "{}", None, ""]) == NO_HASH
    assert stored_hasher("run_fact", ("name", "value"))((b"seed", "1")) != NO_HASH


WHERE = {
    ("account", "kind"): " WHERE kind <> 'generated'",  # which alone may be below zero
    ("key_recipient", "recipient"): " WHERE recipient = 'm'",  # two must not become one
}


def _changes() -> Iterator[str]:
    """One change for every hashed column of every table."""
    for table, names in DIGESTED.items():
        for name in names:
            kind = TABLES[table].c[name].type
            if isinstance(kind, UtcDateTime):
                year = 2101 if name in ("loses_at", "ends_at") else 2001
                value = f"'{year}-01-01 00:00:00.000000'"
            elif isinstance(kind, Boolean):
                value = f"NOT {name}"
            elif isinstance(kind, (Float, Integer)):
                sign = "-" if name == "start_bit" else "+"  # a range must not be turned round
                value = f"coalesce({name}, 0) {sign} 100000"
            else:
                value = f"coalesce(substr({name}, 2), '') || 'x'"
            yield f'UPDATE "{table}" SET {name} = {value}{WHERE.get((table, name), "")}'


def test_a_change_of_any_hashed_column_is_found(ledger: Ledger) -> None:
    fill(ledger)
    fill_more(ledger)
    changes = list(_changes())
    assert len(changes) > 70
    for statement in changes:
        table = statement.split('"')[1]
        problems = problems_after(ledger, statement)
        assert any(table in problem for problem in problems), (statement, problems)
    assert ledger.verify().problems == ()


OUT_OF_PLACE = [
    ("UPDATE block SET source = x'00' WHERE id = 1", "its row was changed"),
    ("UPDATE block SET simulated = 'no' WHERE id = 1", "its row was changed"),
    ("UPDATE block SET length_bits = 'many' WHERE id = 1", "its row was changed"),
    ("UPDATE block SET eps_total = 'low' WHERE id = 1", "its row was changed"),
    ("UPDATE block SET received_at = 'noon' WHERE id = 1", "its row was changed"),
    ("UPDATE freed_range SET end_bit = 'x'", "freed ranges"),
    ("UPDATE ledger_entry SET line = 'x' WHERE id = 1", "ledger_entry 1: its row was changed"),
    ("UPDATE material SET data = 'text' WHERE block_ref = 1", "does not open"),
    ("UPDATE material SET data = x'00' WHERE block_ref = 1", "does not open"),
    ("UPDATE material SET data = 7 WHERE block_ref = 1", "does not open"),
    ("UPDATE command SET at = 'noon' WHERE id = 1", "command 1"),
    ("UPDATE command SET answer = x'7b7d' WHERE id = 1", "command 1"),
    ("UPDATE announcement SET relay = x'00' WHERE id = 1", "announcement"),
    ("UPDATE audit_leaf SET subject = x'00' WHERE seq = 3", "audit_leaf 3"),
    ("UPDATE audit_node SET hash = 'text' WHERE position = 2", "audit_node 2"),
    ("UPDATE pool SET node_a = x'00' WHERE id = 1", "pool 1"),
    ("UPDATE reservation SET purpose = x'00'", "its row or its parts were changed"),
    ("UPDATE booking SET candidate = x'00'", "its row was changed"),
    ("UPDATE account SET balance_bits = 'x' WHERE id = 2", "account 2 ("),
    ("UPDATE pool SET epoch = 'x' WHERE id = 1", "is in epoch 'x', which is none"),
    ("UPDATE pool SET epoch = -1 WHERE id = 1", "is in epoch -1, which is none"),
    ("UPDATE pool SET sha256 = x'00' WHERE id = 1", "pool 1 ("),
    ("UPDATE account SET sha256 = x'00' WHERE id = 1", "account 1 ("),
    ("UPDATE block SET sha256 = x'00' WHERE id = 1", "its row was changed"),
    ("UPDATE reservation SET sha256 = 7 WHERE id = 1", "parts were changed"),
    ("UPDATE audit_checkpoint SET at = 'noon'", "audit_checkpoint 1: a column"),
    ("UPDATE audit_checkpoint SET size = 'x'", "audit_checkpoint 1: "),
]


def test_a_value_of_another_kind_is_named_too(sqlite_ledger: Ledger) -> None:
    """SQLite keeps bytes in a column of texts, and a text in one of numbers."""
    fill(sqlite_ledger)
    fill_more(sqlite_ledger)
    for statement, named in OUT_OF_PLACE:
        problems = problems_after(sqlite_ledger, statement)
        assert any(named in problem for problem in problems), (statement, problems)
