"""Leaves are durable with their change, numbered a moment later, each once and in order."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text

from scheduler.errors import LedgerError
from scheduler.ledger import Ledger, open_ledger, open_view
from scheduler.ledger.log import merkle, sequencer, trail
from scheduler.ledger.log.canonical import leaf_data
from scheduler.ledger.vault.keystore import LocalKek
from scheduler.ledger.verify.export import verify_lines
from tests.scheduler.ledger.builders import NOON, deposit, spend


@pytest.fixture
def unhurried(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger whose leaves nobody numbers before they are asked for."""
    monkeypatch.setattr(sequencer.Sequencer, "nudge", lambda _: None)
    return ledger


def _fill(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 4096)
    spend(ledger, "s", 256)


def _counts(ledger: Ledger) -> tuple[int, int, int]:
    """Leaves that wait, leaves with a number, and where the head says that the log ends."""
    with ledger._engine.connect() as connection:
        return tuple(  # type: ignore[return-value]
            connection.execute(text(query)).scalar_one()
            for query in (
                "SELECT count(*) FROM audit_waiting",
                "SELECT count(*) FROM audit_leaf",
                "SELECT size FROM audit_head",
            )
        )


def test_leaves_wait_on_postgresql_and_are_numbered_at_once_on_sqlite(unhurried: Ledger) -> None:
    _fill(unhurried)
    is_sqlite = unhurried._engine.dialect.name == "sqlite"
    assert _counts(unhurried) == ((0, 3, 3) if is_sqlite else (3, 0, 0))
    unhurried.number_leaves()
    assert _counts(unhurried) == (0, 3, 3)


def test_an_audit_counts_what_waits_and_misses_nothing(
    unhurried: Ledger, store_url: str, kek: object
) -> None:
    _fill(unhurried)
    waiting = _counts(unhurried)[0]
    with open_view(store_url, kek=kek) as view:  # type: ignore[arg-type]
        report = view.verify()
        assert (report.problems, report.figures["audit_waiting"]) == ((), waiting)
        assert verify_lines(view.export_lines()).problems == ()
    unhurried.number_leaves()
    assert unhurried.view.verify().figures["audit_waiting"] == 0


def test_a_leaf_that_waits_cannot_be_left_out(unhurried: Ledger, store_url: str) -> None:
    _fill(unhurried)
    if unhurried._engine.dialect.name == "sqlite":
        pytest.skip("none waits on SQLite")
    with unhurried._engine.connect().execution_options(ledger_writes=True) as connection:
        connection.execute(text("DELETE FROM audit_waiting WHERE kind = 'command'"))
        connection.commit()
    problems = unhurried.view.verify().problems
    assert any("is not in the audit log" in problem for problem in problems)


def test_a_checkpoint_covers_all_that_was_there(unhurried: Ledger) -> None:
    _fill(unhurried)
    signed = unhurried.checkpoint(NOON)
    assert (signed.size, _counts(unhurried)) == (3, (0, 4, 4))
    assert unhurried.view.verify().problems == ()


def test_the_log_is_that_of_its_leaves_in_their_order(unhurried: Ledger) -> None:
    for number in range(5):
        with unhurried.begin() as tx:
            deposit(tx, f"b{number}", 512)
    unhurried.number_leaves()
    with unhurried.view.read() as reader:
        rows = reader.connection.execute(
            text("SELECT seq, kind, subject, row_sha256 FROM audit_leaf ORDER BY seq")
        ).all()
        size, root = trail.head(reader.connection)
    frontier: list[bytes] = []
    for seq, kind, subject, digest in rows:
        merkle.grow(frontier, seq, merkle.leaf_hash(leaf_data(seq, kind, subject, digest)))
    assert (size, root) == (len(rows), merkle.fold(frontier).hex())
    assert [row.subject for row in rows if row.kind == "command"] == ["1", "2", "3", "4", "5"]


def test_the_head_fences_off_whoever_lost_its_lock(ledger: Ledger) -> None:
    _fill(ledger)
    ledger.number_leaves()
    with ledger._engine.connect().execution_options(ledger_writes=True) as connection:
        head = trail.lock_head(connection)
        connection.execute(text("UPDATE audit_head SET size = 2"))
        with pytest.raises(LedgerError):
            trail.add_leaves(connection, head, [("command", "9", "00" * 32)], ledger._mac)
        connection.rollback()
    assert ledger.view.verify().problems == ()


def test_a_head_that_is_elsewhere_is_named(ledger: Ledger) -> None:
    _fill(ledger)
    ledger.number_leaves()
    with ledger._engine.connect().execution_options(ledger_writes=True) as connection:
        connection.execute(text("UPDATE audit_head SET size = 2"))
        connection.commit()
    assert any("audit_head" in problem for problem in ledger.view.verify().problems)


def test_two_that_number_at_once_leave_no_gap_and_no_leaf(unhurried: Ledger) -> None:
    for number in range(8):
        with unhurried.begin() as tx:
            deposit(tx, f"b{number}", 512)
    threads = [threading.Thread(target=unhurried.number_leaves) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert unhurried.view.verify().problems == ()
    assert _counts(unhurried) == (0, 9, 9)


def _numbers_for(ledger: Ledger) -> sequencer.Sequencer:
    assert ledger._sequencer is not None
    return ledger._sequencer


def test_one_process_numbers_for_all_and_another_takes_over(
    unhurried: Ledger, store_url: str, kek: LocalKek, monkeypatch: pytest.MonkeyPatch
) -> None:
    if unhurried._engine.dialect.name == "sqlite":
        pytest.skip("each numbers its own on SQLite")
    with open_ledger(store_url, kek=kek) as second:
        one, other = _numbers_for(unhurried), _numbers_for(second)
        _fill(second)
        assert not one._look()  # there may be more to come
        assert _counts(unhurried) == (0, 3, 3)
        spend(second, "t", 256)
        assert not other._look()
        assert _counts(unhurried) == (1, 3, 3)
        assert not one._look()
        assert _counts(unhurried) == (0, 4, 4)
        # Whoever leads and finds nothing for some time leaves it to the others.
        assert [one._look() for _ in range(sequencer.IDLE_LOOKS)][-2:] == [False, True]
        spend(second, "u", 256)
        assert not other._look()
        assert _counts(unhurried) == (0, 5, 5)
        # A leader that hangs keeps nobody from numbering.
        spend(unhurried, "v", 256)
        assert not one._look()
        assert _counts(unhurried) == (1, 5, 5)
        monkeypatch.setattr(sequencer, "STUCK_S", -1.0)
        assert not one._look()
        assert _counts(unhurried) == (0, 6, 6)
        assert unhurried.view.verify().problems == ()
