"""Sealed bytes are held to the ranges that the books say are left: places, not sums."""

from __future__ import annotations

import pytest

from scheduler.ledger import Ledger, open_ledger
from scheduler.ledger.vault.keystore import LocalKek
from scheduler.ledger.vault.material import PIECE_BYTES
from scheduler.ledger.verify import run as verify
from tests.scheduler.ledger.builders import deposit, spend
from tests.scheduler.ledger.filled import fill, fill_more

PIECES = "SELECT block_ref, side, start_byte, data, data_key_id FROM material"
ADD = "INSERT INTO material (block_ref, side, start_byte, data, data_key_id) VALUES"


def _swap(ledger: Ledger) -> None:
    """Put a piece that was spent back into the place of an equally long one that was not."""
    with ledger.begin() as tx:
        deposit(tx, "one", 3 * PIECE_BYTES * 8)
    with ledger._engine.connect() as connection:
        kept = connection.exec_driver_sql(f"{PIECES} WHERE start_byte = 0").all()
    assert len(kept) == 2
    spend(ledger, "first piece", PIECE_BYTES * 8)
    assert ledger.view.verify().problems == ()
    with ledger._engine.connect().execution_options(ledger_writes=True) as connection:
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        gone = f"DELETE FROM material WHERE start_byte = {PIECE_BYTES}"
        assert connection.exec_driver_sql(gone).rowcount == 2
        for row in kept:
            connection.exec_driver_sql(f"{ADD} ({', '.join([mark] * 5)})", tuple(row))
        connection.commit()


@pytest.mark.parametrize("has_key", [True, False])
def test_a_spent_piece_put_back_for_an_unspent_one_is_seen(ledger: Ledger, has_key: bool) -> None:
    _swap(ledger)
    with ledger._engine.connect() as connection, connection.begin():
        problems = verify.verify(connection, ledger._ring if has_key else None).problems
    assert len(problems) == 2  # at either end
    for end, problem in enumerate(problems):
        assert f"bytes in the store at end {end} are 0 to 3840, 7680 to 11520;" in problem
        assert problem.endswith("3840 to 11520 are due")


def test_every_place_of_a_ledger_with_some_of_everything_is_known(
    store_url: str, kek: LocalKek
) -> None:
    """Move any sealed piece by a byte, with its bytes as they are: it does not open there."""
    with open_ledger(store_url, kek=kek) as ledger:
        fill(ledger)
        fill_more(ledger)
        with ledger._engine.connect() as connection:
            places = connection.exec_driver_sql(PIECES).all()
        for block_ref, side, start, *_ in places:
            with ledger._engine.connect().execution_options(ledger_writes=True) as connection:
                transaction = connection.begin()
                connection.exec_driver_sql(
                    f"UPDATE material SET start_byte = {start + 1} WHERE block_ref = {block_ref}"
                    f" AND side = {side} AND start_byte = {start}"
                )
                shut = verify.verify(connection, None).problems
                opened = verify.verify(connection, ledger._ring).problems
                transaction.rollback()
            assert any(f"in the store at end {side}" in problem for problem in shut)
            assert any("does not open" in problem for problem in opened)
