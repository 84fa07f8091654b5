"""`verify` finds a change in any single row, and names it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from scheduler.ledger import Ledger, open_ledger
from scheduler.ledger.keys.spending import spend_pool
from scheduler.ledger.vault.keystore import LocalKek
from scheduler.ledger.verify import run as verify
from tests.scheduler.ledger.builders import NOON, chain, deposit
from tests.scheduler.ledger.filled import fill, fill_more
from tests.scheduler.ledger.verify.changes import CHANGES, change, problems_after


def test_a_change_of_any_row_is_named(ledger: Ledger) -> None:
    fill(ledger)
    fill_more(ledger)
    assert ledger.view.verify().problems == ()
    for statement, named in CHANGES:
        problems = problems_after(ledger, statement)
        assert any(named in problem for problem in problems), (statement, problems)
    assert ledger.view.verify().problems == ()


def test_progress_hears_of_the_entries(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "PROGRESS_EVERY", 10)
    with ledger.begin() as tx:
        pool_id = chain(["micius", "nanshan"])[0].pool_id
        deposit(tx, "one", 480)
        handle = tx.command("many", kind="spend", at=NOON, digest="")
        for _ in range(30):
            spend_pool(tx, handle, pool_id, 16)
        handle.finish({})
    heard: list[int] = []
    report = ledger.view.verify(heard.append)
    assert (report.ok, report.entries) == (True, 31)
    assert heard == [31]


@pytest.mark.parametrize("word", ["'x' || id", "CAST('x' AS BLOB)"])
def test_an_account_of_no_pool_is_named(sqlite_ledger: Ledger, word: str) -> None:
    fill(sqlite_ledger)
    which = "WHERE pool_ref = (SELECT max(id) FROM pool)"
    change(sqlite_ledger, f"UPDATE account SET pool_ref = {word} {which}")
    problems = sqlite_ledger.view.verify().problems
    assert any(
        "account: names pool " in problem and "not there (pool_ref of 2" in problem
        for problem in problems
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
    for name, _table, page in _indexes(file):
        start = (page - 1) * 4096
        if whole[start : start + 5] == EMPTY_LEAF[:5]:
            continue  # it has no row to lose
        file.write_bytes(whole[:start] + EMPTY_LEAF + whole[start + len(EMPTY_LEAF) :])
        with open_ledger(f"sqlite:///{file}", kek=kek) as damaged:
            problems = damaged.view.verify().problems
        is_by_place = name == "sqlite_autoindex_material_1"
        due = "are due" if is_by_place else f"its index {name} has 0 rows of"
        assert any(due in problem for problem in problems), name
        named += 1
    assert named > 20


def _indexes(file: Path) -> list[tuple[str, str, int]]:
    """Name, table and root page of every index."""
    with closing(sqlite3.connect(file)) as database:
        query = "SELECT name, tbl_name, rootpage FROM sqlite_master WHERE type = 'index'"
        return database.execute(query).fetchall()
