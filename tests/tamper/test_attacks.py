"""`make tamper`: every attack there is on every table, and by what each is seen."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Connection, Table

from scheduler.errors import LedgerRolledBack
from scheduler.ledger import Ledger, open_ledger, open_view
from scheduler.ledger.db.snapshot import snapshot_of
from scheduler.ledger.records import Checkpoint
from scheduler.ledger.vault.keystore import LocalKek
from scheduler.ledger.verify.context import Findings
from scheduler.ledger.verify.schema import check_schema
from scheduler.ledger.verify.signed import check_signed
from tests.scheduler.ledger.builders import NOON, deposit
from tests.scheduler.ledger.filled import fill, fill_all
from tests.scheduler.ledger.log.test_audit import _rewrite
from tests.scheduler.ledger.postgres import Postgres
from tests.scheduler.ledger.verify.test_schema import BOTH, POSTGRES, SQLITE
from tests.tamper.changes import (
    TABLES,
    Change,
    deletions,
    insertions,
    problems_of,
    swaps,
    unguarded,
    updates,
)

STORES = ("sqlite", "postgresql")
Attack = Callable[[Connection, Table], Iterator[Change]]


def every_column(connection: Connection, table: Table) -> Iterator[Change]:
    """Each column of the table, in rows of every state; a few of them on a server.

    What a check says does not depend on the store, and an audit by a server takes ten times as
    long: there each column has a plausible other value and the one least like it.
    """
    for column in table.c:
        changes = list(updates(connection, table, column))
        if connection.dialect.name != "sqlite":
            changes = list({id(one): one for one in (*changes[:1], *changes[-1:])}.values())
        yield from changes


ATTACKS: dict[str, Attack] = {
    "a column changed": every_column,
    "a row removed": deletions,
    "a row doubled": insertions,
    "two rows swapped": swaps,
}
SMALL = ("data_key", "material")
"""The tables that CI attacks; `make tamper` attacks all of them."""


@dataclass(slots=True)
class Tally:
    """What became of the attacks of one kind."""

    seen: int = 0
    refused: int = 0  #: by the database itself, its foreign keys out of the way
    asked: int = 0  #: again without the key-encryption key
    without_key: int = 0  #: of these, seen
    unseen: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def tallies() -> Iterator[dict[tuple[str, str], Tally]]:
    """What became of the attacks by store and kind; the table is printed at the end (`-s`)."""
    found: dict[tuple[str, str], Tally] = {}
    yield found
    print("\nstore       attack                        seen  of them without KEK  refused  unseen")
    for (store, attack), one in sorted(found.items()):
        without = f"{one.without_key} of {one.asked}"
        print(
            f"{store:<11} {attack:<28} {one.seen:>5} {without:>20}"
            f" {one.refused:>8} {len(one.unseen):>7}"
        )


@pytest.fixture(scope="module", params=STORES)
def attacked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, kek: LocalKek
) -> Iterator[Ledger]:
    """A ledger with some of everything on each store."""
    folder = tmp_path_factory.mktemp("attacked")
    if request.param == "sqlite":
        url = f"sqlite:///{folder / 'ledger.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.create(server.unused_name())
    with open_ledger(url, kek=kek, key_folder=folder / "keys") as ledger:
        fill_all(ledger)
        yield ledger
        assert ledger.view.verify().ok


def _attack(ledger: Ledger, table: str, attack: Attack, tally: Tally) -> None:
    with unguarded(ledger) as connection:
        with connection.begin():
            changes = list(attack(connection, TABLES[table]))
        asked: set[str] = set()
        for change in changes:
            problems = problems_of(connection, ledger, change)
            if problems is None:
                tally.refused += 1
            elif not problems:
                tally.unseen.append(f"{change.statement} {change.values.get('new_')!r}")
            else:
                tally.seen += 1
                if change.statement not in asked:  # once for each column is enough
                    asked.add(change.statement)
                    tally.asked += 1
                    without = problems_of(connection, ledger, change, has_key=False)
                    tally.without_key += bool(without)


@pytest.mark.tamper
@pytest.mark.parametrize("kind", ATTACKS)
@pytest.mark.parametrize("table", TABLES)
def test_no_attack_on_rows_is_unseen(
    attacked: Ledger, tallies: dict[tuple[str, str], Tally], table: str, kind: str
) -> None:
    tally = tallies.setdefault((attacked._engine.dialect.name, kind), Tally())
    _attack(attacked, table, ATTACKS[kind], tally)
    assert tally.unseen == []


@pytest.mark.parametrize("table", SMALL)
def test_no_attack_on_the_rows_of_the_vault_is_unseen(attacked: Ledger, table: str) -> None:
    """A small part of the above that every change of the code has to pass."""
    tally = Tally()
    for attack in ATTACKS.values():
        _attack(attacked, table, attack, tally)
    assert tally.unseen == []
    assert tally.seen > 4


@pytest.mark.tamper
def test_no_change_of_a_definition_is_unseen(
    attacked: Ledger, tallies: dict[tuple[str, str], Tally]
) -> None:
    store = attacked._engine.dialect.name
    tally = tallies.setdefault((store, "a definition changed"), Tally())
    with attacked._engine.connect() as plain:
        drops = [
            f'DROP INDEX "{index.name}"' for table in TABLES.values() for index in table.indexes
        ]
        connection = plain.execution_options(ledger_writes=True)
        others = BOTH + (SQLITE if store == "sqlite" else POSTGRES)
        for statement in [*drops, *(one for one, _ in others)]:
            found = Findings()
            with connection.begin() as transaction:
                connection.exec_driver_sql(statement)
                check_schema(connection, found)
                transaction.rollback()
            tally.seen += bool(found.problems)
            tally.asked += 1
            tally.without_key += bool(found.problems)
            if not found.problems:
                tally.unseen.append(statement)
    assert tally.unseen == []


@pytest.fixture(params=STORES)
def old_copy(
    request: pytest.FixtureRequest, tmp_path: Path, kek: LocalKek
) -> tuple[str, Path, Checkpoint]:
    """A ledger as it was, to be put in the place of the one that it became; a checkpoint of that.

    The URL of the copy, the key folder of both.
    """
    folder = tmp_path / "keys"
    if request.param == "sqlite":
        url, copy = (f"sqlite:///{tmp_path / name}" for name in ("ledger.db", "copy.db"))
    else:
        server: Postgres = request.getfixturevalue("postgres")
        name, copy_name = server.unused_name(), server.unused_name()
        url = server.create(name)
    with open_ledger(url, kek=kek, key_folder=folder) as new, new.begin() as tx:
        deposit(tx, "one", 1024)
    if request.param == "sqlite":
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as database:
            database.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
    else:
        copy = server.create(copy_name, name)
    with open_ledger(url, kek=kek, key_folder=folder) as new:
        with new.begin() as tx:
            deposit(tx, "two", 1024)
        signed = new.checkpoint(NOON)
    return copy, folder, signed


@pytest.mark.tamper
def test_an_old_copy_is_seen_against_a_newer_checkpoint(
    old_copy: tuple[str, Path, Checkpoint],
) -> None:
    url, _, signed = old_copy
    with open_view(url) as view, view.read() as reader:
        assert check_signed(snapshot_of(reader.connection), signed, None)


@pytest.mark.tamper
def test_an_old_copy_is_seen_by_itself(
    old_copy: tuple[str, Path, Checkpoint], kek: LocalKek
) -> None:
    url, folder, _ = old_copy
    with pytest.raises(LedgerRolledBack, match="it is an old copy"):
        open_ledger(url, kek=kek, key_folder=folder)
    with open_view(url, kek=kek, key_folder=folder) as old:
        (problem,) = old.verify().problems
        assert problem.startswith("counter: ")


@pytest.mark.tamper
def test_a_log_made_anew_is_seen_by_itself(ledger: Ledger) -> None:
    fill(ledger)
    _rewrite(ledger)
    assert ledger.view.verify().problems
