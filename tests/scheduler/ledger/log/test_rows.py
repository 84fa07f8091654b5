"""Rows as the stores give them hash to what was written, and to nothing else."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Boolean, Column, Float, Integer

from scheduler.ledger import Ledger
from scheduler.ledger.log.canonical import canonical_json, canonical_parts, plain
from scheduler.ledger.log.rows import checker, hasher
from scheduler.ledger.log.tables import FORMS, row_digest
from scheduler.ledger.schema import Base
from scheduler.ledger.schema.columns import UtcDateTime
from tests.scheduler.ledger.filled import fill, fill_all, fill_more
from tests.scheduler.ledger.verify.changes import problems_after

HASHED = {form.table: form.hashed for form in FORMS.values() if form.hash}
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
    table = draw(st.sampled_from(sorted(HASHED)))
    return table, {name: draw(_values_of(TABLES[table].c[name])) for name in FORMS[table].hashed}


def _as_in_sqlite(value: Any) -> Any:
    """What the driver gives back of a value: an instant as text, a truth value as a number."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return int(value) if isinstance(value, bool) else value


def _expected(table: str, row: dict[str, Any], **more: str) -> str:
    body = {name: plain(value) for name, value in row.items() if value is not None}
    return hashlib.sha256(canonical_json({"row": table, **body, **more}).encode()).hexdigest()


def test_a_column_is_under_the_hash_unless_its_table_says_later() -> None:
    assert HASHED["pool"] == ("id", "pool_id", "kind", "node_a", "node_b", "parallel")
    assert {"next_bit", "state", "sha256"} == set(FORMS["block"].columns) - set(HASHED["block"])
    assert set(FORMS["element_set"].columns) - set(HASHED["element_set"]) == {"row_sha256"}
    assert sum(map(len, HASHED.values())) == 204


@given(made=_rows(), order=st.randoms(use_true_random=False))
def test_a_row_has_one_hash_whoever_takes_it(
    made: tuple[str, dict[str, Any]], order: random.Random
) -> None:
    """That of its canonical JSON, as it is written and as either store gives it back."""
    table, row = made
    expected = _expected(table, row)
    assert row_digest(table, row | {"not_hashed": 7}) == expected
    columns = list(row)
    order.shuffle(columns)
    digest = hasher(FORMS[table], tuple(columns))
    assert digest([row[name] for name in columns]) == expected  # as PostgreSQL gives it
    stored = [_as_in_sqlite(row[name]) for name in columns]
    assert digest(stored) == expected
    assert digest((*stored, "another column")) == expected
    whole = dict.fromkeys(FORMS[table].columns) | row | {FORMS[table].hash: expected}
    is_sound = checker(FORMS[table])
    assert is_sound(list(map(_as_in_sqlite, whole.values())))
    assert not is_sound(list((whole | {FORMS[table].hash: ""}).values()))


@given(relay=st.text(), parts=st.lists(st.lists(st.integers(), min_size=5, max_size=5)))
def test_the_parts_of_a_row_are_under_its_hash(relay: str, parts: list[list[int]]) -> None:
    row: dict[str, Any] = dict.fromkeys(HASHED["announcement"], "x") | {"relay": relay}
    row |= {name: 3 for name in row if name in FORMS["announcement"].numbers}
    spans = canonical_parts(parts)
    assert spans == canonical_json(parts)
    assert row_digest("announcement", row, parts=spans) == _expected(
        "announcement", row, parts=spans
    )


@given(text=st.text(min_size=1), kind=st.text(min_size=1))
def test_a_text_cannot_pass_for_two_columns(text: str, kind: str) -> None:
    """Whatever quotes and commas a value holds, it stays inside its own column."""
    columns = FORMS["booking_event"].hashed
    digest = hasher(FORMS["booking_event"], columns)
    rows = [
        ("b", 1, "2016-12-19 12:00:00.000000", None, kind, text),
        ("b", 1, "2016-12-19 12:00:00.000000", text, kind, ""),
        ("b", 1, "2016-12-19 12:00:00.000000", None, f'{kind}","reason":"{text}', ""),
        ("b", 1, f'2016-12-19 12:00:00.000000","x":"{text}', None, kind, text),
    ]
    assert len({digest((*row, None, None, None)) for row in rows}) == len(rows)


def test_an_instant_is_taken_as_it_is_written_and_no_other_way() -> None:
    columns = FORMS["booking_event"].hashed
    digest = hasher(FORMS["booking_event"], columns)
    noon = datetime(2016, 12, 19, 12, tzinfo=UTC)
    rest = (None, "booked", "", None, None, None)
    written = digest(("b", 1, "2016-12-19 12:00:00.000000", *rest))
    row = dict(zip(columns, ("b", 1, noon, *rest), strict=True))
    assert written == row_digest("booking_event", row)
    later = noon.astimezone(tz=None) + timedelta(microseconds=1)
    for other in ("2016-12-19 12:00:00", "2016-12-19  12:00:00.000000", "noon", b"noon", 5, later):
        assert digest(("b", 1, other, *rest)) != written


@pytest.mark.parametrize("table", sorted(HASHED))
def test_bytes_in_place_of_a_text_fit_no_hash(table: str) -> None:
    form = FORMS[table]
    row: dict[str, Any] = dict.fromkeys(form.columns, "x")
    row |= dict.fromkeys(form.numbers, 7) | dict.fromkeys(form.fractions, 0.5)
    row[form.hash] = row_digest(table, row)
    assert checker(form)(list(row.values()))
    for name in set(form.hashed) - form.instants:
        for digest in ("", row[form.hash]):
            assert not checker(form)([*(row | {name: b"x", form.hash: digest}).values()])


WHERE = {
    ("account", "kind"): " WHERE kind <> 'generated'",  # which alone may be below zero
    ("key_recipient", "recipient"): " WHERE recipient = 'm'",  # two must not become one
    ("ledger_entry", "resolves_id"): " WHERE resolves_id IS NOT NULL",
}


def _changes() -> Iterator[str]:
    """One change for every hashed column of every table."""
    yield 'UPDATE "ledger_entry" SET amount_bits = amount_bits - 8, end_bit = end_bit - 8'
    yield 'UPDATE "ledger_entry" SET amount_bits = amount_bits - 8, start_bit = start_bit + 8'
    for table, names in HASHED.items():
        for name in names:
            if table == "ledger_entry" and name in {"amount_bits", "start_bit", "end_bit"}:
                continue  # the database refuses one of them alone
            kind = TABLES[table].c[name].type
            if isinstance(kind, UtcDateTime):
                year = 2101 if name in ("loses_at", "ends_at", "expires_at") else 2001
                value = f"'{year}-01-01 00:00:00.000000'"
            elif isinstance(kind, Boolean):
                value = f"NOT {name}"
            elif isinstance(kind, (Float, Integer)):
                sign = "-" if name == "start_bit" else "+"  # a range must not be turned round
                value = f"coalesce({name}, 0) {sign} 100000"
            else:
                value = f"coalesce(substr({name}, 2), '') || 'x'"
            yield f'UPDATE "{table}" SET {name} = {value}{WHERE.get((table, name), "")}'


# 174 audits: nine seconds in a file, two minutes on a server.
@pytest.mark.parametrize(
    "store_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.faults)], indirect=True
)
def test_a_change_of_any_hashed_column_is_found(ledger: Ledger) -> None:
    fill_all(ledger)
    changes = list(_changes())
    assert len(changes) > 70
    for statement in changes:
        table = statement.split('"')[1]
        problems = problems_after(ledger, statement)
        assert any(table in problem for problem in problems), (statement, problems)
    assert ledger.view.verify().problems == ()


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
    ("UPDATE booking SET candidate = x'00'", "its link is not that of its events"),
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
