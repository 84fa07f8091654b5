"""No column of an export can change unseen, not even those outside every hash."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scheduler.ledger import Ledger, open_ledger
from scheduler.ledger.log.canonical import canonical_json
from scheduler.ledger.log.export import EXPORTED
from scheduler.ledger.log.tables import row_digest
from scheduler.ledger.vault.keystore import LocalKek
from scheduler.ledger.verify.export import verify_lines
from tests.scheduler.ledger.filled import fill, fill_all, fill_more

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
    ("key_recipient", "doubted_by", lambda _: 1, "the rows it wrote"),
    ("key_recipient", "settled_by", lambda _: 1, "the rows it wrote"),
    ("sae", "removed_by", lambda _: 1, "the rows it wrote"),
]


@pytest.mark.parametrize(("table", "column", "altered", "said"), UNHASHED)
def test_a_column_outside_every_hash_is_held_against_the_entries(
    sqlite_ledger: Ledger, table: str, column: str, altered: Callable[[Any], Any], said: str
) -> None:
    fill(sqlite_ledger)
    fill_more(sqlite_ledger)
    rows = [json.loads(line) for line in sqlite_ledger.view.export_lines()]
    assert verify_lines(map(canonical_json, rows)).problems == ()
    row = next(row for row in rows if row["table"] == table)
    row[column] = altered(row[column])
    problems = verify_lines(map(canonical_json, rows)).problems
    assert any(said in problem for problem in problems), problems


def test_a_block_that_no_command_made_is_found(sqlite_ledger: Ledger) -> None:
    fill(sqlite_ledger)
    rows = [json.loads(line) for line in sqlite_ledger.view.export_lines()]
    block = next(row for row in rows if row["table"] == "block")
    forged = block | {"id": 99, "block_id": "x", "natural_key": "forged"}
    for command_id in (None, 1):
        forged["command_id"] = command_id
        forged["sha256"] = row_digest("block", forged | {"command_id": command_id or 0})
        assert not verify_lines(map(canonical_json, [*rows[:-1], forged, rows[-1]])).ok


COLUMNS = [(table.name, column.name) for table in EXPORTED for column in table.c]


@pytest.fixture(scope="module")
def exported(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, kek: LocalKek
) -> list[dict[str, Any]]:
    """The rows of a ledger with some of everything."""
    path = tmp_path_factory.mktemp("exported") / "ledger.db"
    shutil.copy(sqlite_template, path)
    with open_ledger(f"sqlite:///{path}", kek=kek) as ledger:
        fill_all(ledger)
        return [json.loads(line) for line in ledger.view.export_lines()]


def _others(value: Any) -> list[Any]:
    if value is None:
        return [1, 9999, "x", "2016-12-19T12:00:00.000000Z"]
    return [value + 1, value + 8, None] if isinstance(value, int) else [value + "x", None]


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_no_column_of_an_export_changes_unseen(
    exported: list[dict[str, Any]], table: str, column: str
) -> None:
    """Whatever the models hold: a row without a value there, and one with it."""
    mine = [place for place, row in enumerate(exported) if row["table"] == table]
    for place in {exported[place][column] is None: place for place in mine}.values():
        for other in _others(exported[place][column]):
            rows = exported.copy()
            rows[place] = exported[place] | {column: other}
            assert verify_lines(map(canonical_json, rows)).problems, other


# A ledger at rest has no leaf that waits: `test_sequencer` takes one away.
@pytest.mark.parametrize("table", sorted({table for table, _ in COLUMNS} - {"audit_waiting"}))
def test_no_row_of_an_export_goes_unseen(exported: list[dict[str, Any]], table: str) -> None:
    mine = [place for place, row in enumerate(exported) if row["table"] == table]
    for place in (mine[0], mine[-1]):
        rows = exported[:place] + exported[place + 1 :]
        assert verify_lines(map(canonical_json, rows)).problems
