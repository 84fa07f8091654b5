"""Whoever made himself a key's recipient in the database does not get it."""

from __future__ import annotations

import pytest

from scheduler.errors import LedgerBroken
from scheduler.ledger import Ledger
from scheduler.ledger.keys.delivery import collect_keys, draw_keys
from tests.scheduler.ledger.builders import NANSHAN_XINGLONG, NOON, deposit, uuid_of
from tests.scheduler.ledger.verify.changes import change


def _collect(ledger: Ledger, recipient: str, request: str) -> int:
    with ledger.begin() as tx:
        handle = tx.command(request, kind="collect", at=NOON, digest="")
        keys = collect_keys(tx, handle, [uuid_of("key")], recipient)
        handle.finish({})
    return len(keys)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE key_recipient SET recipient = 'eve' WHERE recipient = 'slave'",
        "UPDATE key_recipient SET recipient = 'eve', side = 0 WHERE recipient = 'slave'",
    ],
)
def test_no_key_leaves_for_a_redirected_recipient(ledger: Ledger, statement: str) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
        handle = tx.command("draw", kind="draw", at=NOON, digest="")
        recipients = {"master": 0, "slave": 1}
        pool_id = NANSHAN_XINGLONG.pool_id
        draw_keys(
            tx, handle, pool_id, key_ids=[uuid_of("key")], size_bits=256, recipients=recipients
        )
        handle.finish({})
    change(ledger, statement)
    with pytest.raises(LedgerBroken, match="its recipient was changed; no key leaves"):
        _collect(ledger, "eve", "eve's")
    assert _collect(ledger, "master", "master's") == 1  # whose row is as it was
    assert any("key_recipient" in problem for problem in ledger.view.verify().problems)
