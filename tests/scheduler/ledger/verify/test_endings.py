"""No key goes unseen: what is erased, shredded or wrapped anew leaves a leaf in the log."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from scheduler.domain import NewBlock
from scheduler.ledger import Ledger
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.expiry import let_expire
from scheduler.ledger.keys.transitions import erase_expired
from scheduler.ledger.vault.keystore import LocalKek
from scheduler.ledger.verify import run as verify
from tests.scheduler.ledger.builders import NOON, bytes_of, deposit, uuid_of
from tests.scheduler.ledger.filled import OTHER, fill_all
from tests.scheduler.ledger.verify.changes import change, problems_after

COUNTS = "SELECT kind, count(*) FROM audit_leaf GROUP BY kind"
ENDED = "(SELECT max(id) FROM block)"


def _leaves(ledger: Ledger) -> dict[str, int]:
    ledger.number_leaves()
    with ledger.view.read() as reader:
        return dict(map(tuple, reader.connection.exec_driver_sql(COUNTS)))


def _expire(ledger: Ledger, *, erase: bool) -> None:
    block = NewBlock(
        block_id=uuid_of("short"),
        pool=OTHER,
        natural_key="short",
        length_bits=1024,
        source="device",
        simulated=False,
    )
    key = bytes_of("short", 1024)
    with ledger.begin() as tx:
        handle = tx.command("begin", kind="deposit", at=NOON, digest="")
        soon = NOON + timedelta(minutes=1)
        deposit_block(tx, handle, block, material_a=key, material_b=key, expires_at=soon)
        handle.finish({})
    with ledger.begin() as tx:
        handle = tx.command("end", kind="expire", at=NOON + timedelta(hours=1), digest="")
        let_expire(tx, handle)
        if erase:
            assert erase_expired(tx) == 1
        handle.finish({})


@pytest.mark.parametrize("has_key", [True, False])
def test_a_block_does_not_become_destroyed_unseen(ledger: Ledger, has_key: bool) -> None:
    """Somebody with the database, but no key, takes the rest of an expired block away."""
    _expire(ledger, erase=False)
    assert ledger.view.verify().problems == ()
    change(ledger, f"UPDATE block SET state = 'destroyed' WHERE id = {ENDED}")
    change(ledger, f"DELETE FROM material WHERE block_ref = {ENDED}")
    with ledger._engine.connect() as connection, connection.begin():
        problems = verify.verify(connection, ledger._ring if has_key else None).problems
    assert problems == (f"block {uuid_of('short')}: is destroyed, not as the audit log has it",)


def test_an_erased_block_does_not_come_back_unseen(ledger: Ledger) -> None:
    _expire(ledger, erase=True)
    assert ledger.view.verify().problems == ()
    assert _leaves(ledger)["erased"] == 1
    problems = problems_after(ledger, f"UPDATE block SET state = 'expired' WHERE id = {ENDED}")
    assert any(problem.startswith("erased: 1 leaves in the audit log, 0") for problem in problems)


def test_what_ends_in_a_ledger_with_some_of_everything_is_in_its_log(ledger: Ledger) -> None:
    fill_all(ledger)
    leaves = _leaves(ledger)
    assert leaves["erased"] >= 1
    assert "rewrapped" not in leaves
    shredded = "WHERE shredded_by IS NOT NULL"
    for statement, named in (
        (f"UPDATE data_key SET shredded_by = shredded_by - 1 {shredded}", "the rows it wrote"),
        (f"UPDATE data_key SET shredded_by = NULL, open_id = id {shredded}", "the rows it wrote"),
        (f"UPDATE data_key SET open_id = id {shredded}", "is open under number"),
        (f"DELETE FROM data_key {shredded}", "the rows it wrote"),
        ("UPDATE data_key SET shredded_by = 1, open_id = NULL WHERE id = 1", "data_key 1"),
    ):
        problems = problems_after(ledger, statement)
        assert any(named in problem for problem in problems), problems


def test_a_rotation_is_in_the_log(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
    for _ in range(2):
        ledger.rotate_kek(LocalKek(os.urandom(32)))
    assert _leaves(ledger)["rewrapped"] == 2
    assert ledger.view.verify().problems == ()
    problems = problems_after(ledger, "UPDATE audit_key SET kek_id = 'other'")
    assert any(problem.startswith("audit_key") for problem in problems), problems
    assert any("than" in problem and "of the log" in problem for problem in problems)
