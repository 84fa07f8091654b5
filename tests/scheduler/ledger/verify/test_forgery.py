"""Changes by somebody who knows how rows are hashed, and hashes them anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from scheduler.ledger import Ledger
from scheduler.ledger.log import merkle
from scheduler.ledger.log.canonical import canonical_json, leaf_data
from scheduler.ledger.log.tables import row_digest
from scheduler.ledger.schema import Account, PoolRow
from scheduler.ledger.verify import log as verify_log
from scheduler.ledger.verify import run as verify
from scheduler.ledger.verify import shards as verify_shards
from scheduler.ledger.verify.export import verify_lines
from tests.scheduler.ledger.builders import NOON
from tests.scheduler.ledger.filled import fill, fill_all, fill_more
from tests.scheduler.ledger.verify.changes import tampered

Rows = list[dict[str, Any]]


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    """A ledger with some of everything."""
    fill(ledger)
    fill_more(ledger)
    return ledger


def _rehash(connection: Connection, table: Any) -> None:
    columns = table.__table__.c
    for row in connection.execute(select(*columns)).mappings().all():
        digest = row_digest(table.__tablename__, row)
        connection.execute(update(table).where(table.id == row["id"]).values(sha256=digest))


def _audit(connection: Connection, ledger: Ledger) -> tuple[str, ...]:
    """What an audit says, with the key-encryption key and without, whole and in many parts."""
    whole = verify.verify(connection, None).problems
    assert set(whole) <= set(verify.verify(connection, ledger._ring).problems)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify_shards, "ROWS_PER_SHARD", 2)
        patch.setattr(verify_shards, "SAMPLES_PER_SHARD", 1)
        patch.setattr(verify_log, "LEVEL", 1)
        assert verify.verify(connection, None).problems == whole
    return whole


# Swaps that keep names unique at every step.
SWAPS = [
    (
        PoolRow,
        "UPDATE pool SET pool_id = 'aside' WHERE id = 1",
        "UPDATE pool SET pool_id = 'link:a--b', node_a = 'a', node_b = 'b' WHERE id = 2",
        "UPDATE pool SET pool_id = 'link:b--c', node_a = 'b', node_b = 'c' WHERE id = 1",
        "pool 1",
    ),
    (
        PoolRow,
        "UPDATE pool SET node_a = 'honest' WHERE id = 1",
        "UPDATE pool SET pool_id = 'link:honest--b' WHERE id = 1",
        "UPDATE pool SET parallel = 0 WHERE id = 1",
        "pool 1",
    ),
    (
        Account,
        "UPDATE account SET kind = 'aside' WHERE id = 2",
        "UPDATE account SET kind = 'pool' WHERE kind = 'received' AND pool_ref = 1",
        "UPDATE account SET kind = 'received' WHERE kind = 'aside'",
        "pool 1",
    ),
]


@pytest.mark.parametrize(("table", "first", "second", "third", "named"), SWAPS)
def test_pools_and_accounts_hashed_anew_are_found_without_the_key(
    filled: Ledger, table: Any, first: str, second: str, third: str, named: str
) -> None:
    with tampered(filled, first) as connection:
        connection.exec_driver_sql(second)
        connection.exec_driver_sql(third)
        _rehash(connection, table)
        problems = _audit(connection, filled)
    said = f"{named} "
    assert any(
        problem.startswith(said) and "not as the audit log has them" in problem
        for problem in problems
    ), problems


def test_pools_that_come_or_go_are_found(filled: Ledger) -> None:
    for statement, named in (
        ("DELETE FROM pool WHERE id = 3", "pool 3 is missing"),
        ("DELETE FROM account WHERE id = 9", "not as the audit log has them"),
        ("UPDATE account SET pool_ref = 99 WHERE id = 9", "account: names pool 99"),
        ("DELETE FROM audit_leaf WHERE kind = 'pool'", "pool 1 (link:a--b): is not in the audit"),
    ):
        with tampered(filled, statement) as connection:
            problems = _audit(connection, filled)
        assert any(named in problem for problem in problems), (statement, problems)


def _rows(ledger: Ledger) -> Rows:
    return [json.loads(line) for line in ledger.view.export_lines()]


def _lines(rows: Rows) -> list[str]:
    return [canonical_json(row) for row in rows]


def _rename_pool(rows: Rows) -> None:
    row = next(row for row in rows if row["table"] == "pool")
    row |= {"pool_id": "link:honest--b", "node_a": "honest"}
    row["sha256"] = row_digest("pool", row)


def _move_account(rows: Rows) -> None:
    row = next(row for row in rows if row["table"] == "account")
    row["pool_ref"] = 2
    row["sha256"] = row_digest("account", row)


def _drop_pool(rows: Rows) -> None:
    rows.remove(next(row for row in rows if row["table"] == "pool"))


def _drop_leaf(rows: Rows) -> None:
    rows.remove(next(row for row in rows if row.get("kind") == "pool" and "seq" in row))


@pytest.mark.parametrize(
    ("forge", "named"),
    [
        (_rename_pool, "not as the audit log has them"),
        (_move_account, "not as the audit log has them"),
        (_drop_pool, "pool 1"),
        (_drop_leaf, "audit_leaf"),
    ],
)
def test_pools_of_an_export_hashed_anew_are_found(
    filled: Ledger, forge: Callable[[Rows], None], named: str
) -> None:
    rows = _rows(filled)
    assert verify_lines(_lines(rows), checkpoint=filled.checkpoint(NOON)).problems == ()
    forge(rows)
    problems = verify_lines(_lines(rows)).problems
    assert any(named in problem for problem in problems), problems


FIRST_PART = "(SELECT min(entry_id) FROM reservation_part)"
PART_CHANGES = [
    (f"UPDATE reservation_part SET reservation_ref = 3 WHERE entry_id = {FIRST_PART}", "parts"),
    (f"UPDATE reservation_part SET reservation_ref = 99 WHERE entry_id = {FIRST_PART}", "99"),
    ("UPDATE reservation_part SET entry_id = 9999 WHERE reservation_ref = 1", "is not there"),
    ("UPDATE reservation_part SET entry_id = 1 WHERE reservation_ref = 1", "of command 2 and"),
    ("DELETE FROM reservation_part WHERE reservation_ref = 2", "parts"),
    ("INSERT INTO reservation_part VALUES (1, 4)", "parts"),
]


def test_a_part_of_a_reservation_moved_is_found(filled: Ledger) -> None:
    """Reservations 2 and 3 are of one command and one pool; that helps nobody."""
    for statement, named in PART_CHANGES:
        with tampered(filled, statement) as connection:
            problems = _audit(connection, filled)
        assert any(
            problem.startswith("reservation") and named in problem for problem in problems
        ), (statement, problems)
    with tampered(
        filled,
        "UPDATE reservation_part SET reservation_ref = 7 - reservation_ref"
        " WHERE reservation_ref IN (3, 4)",
    ) as connection:
        problems = _audit(connection, filled)
    assert sum("or its parts were changed" in problem for problem in problems) == 2, problems


def test_a_part_of_a_reservation_moved_in_an_export_is_found(filled: Ledger) -> None:
    rows = _rows(filled)
    parts = [row for row in rows if row["table"] == "reservation_part"]
    for field, value in (("reservation_ref", 3), ("reservation_ref", 99), ("entry_id", 1)):
        kept = parts[0][field]
        parts[0][field] = value
        problems = verify_lines(_lines(rows)).problems
        assert any(problem.startswith("reservation") for problem in problems), problems
        parts[0][field] = kept
    assert verify_lines(_lines(rows)).problems == ()
    rows.remove(parts[0])
    assert any("parts were changed" in problem for problem in verify_lines(_lines(rows)).problems)


def _append(rows: Rows, **leaf: str) -> None:
    """Put a leaf at the end of the log, and the root that follows from it."""
    *_, root = rows
    (segment,) = [row for row in rows if row["table"] == "segment"]
    closed = segment["size"]
    leaves = [row for row in rows if row["table"] == "audit_leaf" and row["seq"] >= closed]
    size = closed + len(leaves)
    made = {"seq": size, "row_sha256": "ab" * 32, **leaf}
    rows[-1:] = [{"table": "audit_leaf", **made}, root]
    frontier = [bytes.fromhex(part) for part in segment["frontier"].split()]
    for number, row in enumerate([*leaves, made], start=closed):
        data = leaf_data(number, row["kind"], row["subject"], row["row_sha256"])
        merkle.grow(frontier, number, merkle.leaf_hash(data))
    root |= {"size": size + 1, "root": merkle.fold(frontier).hex()}


@pytest.mark.parametrize(
    ("leaf", "named"),
    [
        ({"kind": "bribe", "subject": "1"}, "of kind 'bribe', which is none"),
        ({"kind": "epoch", "subject": "link:x--y"}, "pool link:x--y: is in epoch 1, the audit"),
        ({"kind": "epoch", "subject": "link:eve--y"}, "pool link:eve--y is not there"),
        ({"kind": "checkpoint", "subject": "9"}, "audit_checkpoint 3 is not in the audit log"),
        ({"kind": "command", "subject": "1"}, "command 1: is not as the audit log has it"),
    ],
)
def test_a_leaf_more_at_the_end_of_an_export_is_found(
    sqlite_ledger: Ledger, leaf: dict[str, str], named: str
) -> None:
    fill_all(sqlite_ledger)
    rows = _rows(sqlite_ledger)
    _append(rows, **leaf)
    problems = verify_lines(_lines(rows)).problems
    assert len(problems) == 1
    assert named in problems[0]


@pytest.mark.parametrize("epoch", [0, 2, -1, 2**62])
def test_the_epochs_of_an_export_are_those_of_its_log(sqlite_ledger: Ledger, epoch: int) -> None:
    fill_all(sqlite_ledger)
    rows = _rows(sqlite_ledger)
    (pool,) = [row for row in rows if row["table"] == "pool" and row["epoch"] == 1]
    pool["epoch"] = epoch
    problem, *others = verify_lines(_lines(rows)).problems
    assert problem.startswith(f"pool {pool['pool_id']}: is in epoch {epoch}")
    assert all(one.startswith("data_key ") for one in others)  # of an epoch that is not there


def test_leaves_that_no_row_stands_behind_are_found(filled: Ledger) -> None:
    """Also where their nodes were made to fit: the kind alone says it."""
    for change, named in (
        ("UPDATE audit_leaf SET kind = 'bribe' WHERE seq = 3", "audit_leaf 3: of kind 'bribe'"),
        (
            "INSERT INTO audit_leaf VALUES (999, 'epoch', 'link:eve--y', 'x')",
            "pool link:eve--y is not there",
        ),
        ("UPDATE pool SET epoch = 2147483647 WHERE id = 1", "is in epoch 2147483647, the audit"),
    ):
        with tampered(filled, change) as connection:
            problems = _audit(connection, filled)
        assert any(named in problem for problem in problems), (change, problems)
