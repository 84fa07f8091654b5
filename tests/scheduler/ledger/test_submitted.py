"""Work that nobody waits for in a thread: done in the order it came, answered after its commit."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scheduler.errors import NotEnoughKey
from scheduler.ledger import Ledger, Transaction
from scheduler.ledger.keys.spending import spend_pool
from tests.scheduler.ledger.builders import NANSHAN_XINGLONG, NOON, deposit

POOL_ID = NANSHAN_XINGLONG.pool_id


def spend(name: str, bits: int) -> Callable[[Transaction], bytes]:
    def work(tx: Transaction) -> bytes:
        handle = tx.command(name, kind="spend", at=NOON, digest="")
        chunks = spend_pool(tx, handle, POOL_ID, bits)
        handle.finish({})
        return b"".join(chunk.material_a for chunk in chunks)

    return work


def test_submitted_work_is_done_once_and_whoever_fails_fails_alone(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        key = deposit(tx, "one", 64 * 20)
    sizes = [6400 if number % 5 == 3 else 64 for number in range(20)]
    found = [ledger.submit(spend(f"spend/{nr}", bits)) for nr, bits in enumerate(sizes)]
    got = []
    for one, bits in zip(found, sizes, strict=True):
        if bits == 64:
            got.append(one.result(timeout=60))
        else:
            with pytest.raises(NotEnoughKey):
                one.result(timeout=60)
    assert sorted(got) == sorted(key[at : at + 8] for at in range(0, 8 * len(got), 8))
    assert ledger.view.verify().problems == ()


def test_closing_answers_what_was_submitted(sqlite_ledger: Ledger) -> None:
    with sqlite_ledger.begin() as tx:
        deposit(tx, "one", 64 * 20)
    found = [sqlite_ledger.submit(spend(f"spend/{number}", 64)) for number in range(20)]
    sqlite_ledger.close()
    assert all(len(one.result(timeout=0)) == 8 for one in found)
