"""No column of an export can change unseen, not even those outside every hash."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from scheduler.ledger import Ledger
from scheduler.ledger.canonical import canonical_json, row_digest
from scheduler.ledger.verify_export import verify_lines
from tests.scheduler.ledger.test_verify import fill, fill_more

UNHASHED: list[tuple[str, str, Callable[[Any], Any], str]] = [
    ("block", "next_bit", lambda value: value + 8, "with cursor"),
    ("block", "state", lambda _: "held", "is held with cursor"),
    ("block", "state", lambda _: "destroyed", "is destroyed"),
    ("freed_range", "end_bit", lambda value: value - 8, "freed ranges"),
    ("freed_range", "start_bit", lambda value: value - 8, "freed ranges"),
    ("reservation", "state", lambda _: "delivered", "is delivered, by entry"),
    ("reservation", "intended_by", lambda _: 1, "says it was intended"),
    ("reservation_part", "entry_id", lambda _: 1, "reserved nothing"),
    ("reservation_part", "reservation_ref", lambda _: 2, "parts were changed"),
    ("booking", "state", lambda _: "settled", "is settled, its events end in"),
    ("booking", "reason", lambda _: "bribe", "its events end in"),
    ("booking", "changed_at", lambda _: "2030-01-01T00:00:00.000000Z", "its last event at"),
    ("announcement_part", "relay", lambda _: "eve", "a part names another relay"),
    ("pool", "simulated", lambda _: 0, "is not marked simulated"),
    ("account", "balance_bits", lambda value: value + 8, "its entries sum to"),
    ("account", "odd_bits", lambda value: value + 1, "its entries sum to"),
    ("key", "closed_by", lambda _: 1, "the rows it wrote"),
    ("key_recipient", "delivered_by", lambda _: 1, "the rows it wrote"),
]


@pytest.mark.parametrize(("table", "column", "altered", "said"), UNHASHED)
def test_a_column_outside_every_hash_is_held_against_the_entries(
    sqlite_ledger: Ledger, table: str, column: str, altered: Callable[[Any], Any], said: str
) -> None:
    fill(sqlite_ledger)
    fill_more(sqlite_ledger)
    rows = [json.loads(line) for line in sqlite_ledger.export_lines()]
    assert verify_lines(map(canonical_json, rows)).problems == ()
    row = next(row for row in rows if row["table"] == table)
    row[column] = altered(row[column])
    problems = verify_lines(map(canonical_json, rows)).problems
    assert any(said in problem for problem in problems), problems


def test_a_block_that_no_command_made_is_found(sqlite_ledger: Ledger) -> None:
    fill(sqlite_ledger)
    rows = [json.loads(line) for line in sqlite_ledger.export_lines()]
    block = next(row for row in rows if row["table"] == "block")
    forged = block | {"id": 99, "block_id": "x", "natural_key": "forged"}
    for command_id in (None, 1):
        forged["command_id"] = command_id
        forged["sha256"] = row_digest("block", forged)
        assert not verify_lines(map(canonical_json, [*rows[:-1], forged, rows[-1]])).ok
