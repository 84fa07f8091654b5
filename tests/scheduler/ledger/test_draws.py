"""Keys of applications: drawn once, collected once by each recipient, erased in time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler.errors import FactError, LedgerError, NotEnoughKey, UnknownName, WrongState
from scheduler.ledger import KeyState, Ledger, Transaction
from scheduler.ledger.keys.blocks import get_blocks
from scheduler.ledger.keys.delivery import collect_keys, draw_keys
from scheduler.ledger.keys.delivery_reads import get_drawn_keys
from tests.scheduler.ledger.builders import (
    NANSHAN_XINGLONG,
    NOON,
    deposit,
    uuid_of,
)
from tests.scheduler.ledger.test_reservations import expire

POOL_ID = NANSHAN_XINGLONG.pool_id
LATER = NOON + timedelta(minutes=10)


def draw(tx: Transaction, names: list[str], recipients: dict[str, int], bits: int = 256) -> None:
    handle = tx.command(f"draw/{names}", kind="draw", at=NOON, digest="")
    draw_keys(
        tx,
        handle,
        POOL_ID,
        key_ids=[uuid_of(name) for name in names],
        size_bits=bits,
        recipients=recipients,
        expires_at=LATER,
    )
    handle.finish({})


def collect(tx: Transaction, names: list[str], who: str, *, minutes: float = 0) -> list[bytes]:
    at = NOON + timedelta(minutes=minutes)
    handle = tx.command(f"collect/{names}/{who}/{minutes}", kind="collect", at=at, digest="")
    keys = collect_keys(tx, handle, [uuid_of(name) for name in names], who)
    handle.finish({})
    return [key.material for key in keys]


def test_each_recipient_gets_each_key_once(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        key = deposit(tx, "one", 512) + deposit(tx, "two", 512)
        draw(tx, ["k1", "k2", "k3"], {"master": 0, "slave": 1, "second slave": 1})
        assert collect(tx, ["k3", "k1"], "master") == [key[64:96], key[:32]]
    assert ledger.view.verify().problems == ()
    with ledger.begin() as tx:
        assert collect(tx, ["k1", "k2"], "slave") == [key[:32], key[32:64]]
        assert collect(tx, ["k1", "k2", "k3"], "second slave") == [
            key[:32],
            key[32:64],
            key[64:96],
        ]
        (drawn,) = get_drawn_keys(tx, [uuid_of("k1"), uuid_of("unknown")])
        assert drawn.recipients == {"master": True, "slave": True, "second slave": True}
    assert ledger.view.verify().problems == ()

    def again(names: list[str], who: str) -> None:
        with ledger.begin() as tx:
            collect(tx, names, who, minutes=1)

    for names, who, error in (
        (["k1"], "master", WrongState),
        (["k2", "k1"], "master", WrongState),  # all or nothing: k2 still waits
        (["k1"], "stranger", UnknownName),
        (["k9"], "slave", UnknownName),
        (["k3", "k3"], "slave", FactError),
        ([], "slave", FactError),
    ):
        with pytest.raises(error):
            again(names, who)
    with ledger.begin() as tx:
        assert collect(tx, ["k2"], "master", minutes=2) == [key[32:64]]
        assert collect(tx, ["k3"], "slave", minutes=2) == [key[64:96]]
    with ledger.view.read() as reader:
        assert get_blocks(reader)[0].state is KeyState.DESTROYED
    assert ledger.view.verify().problems == ()


def test_an_uncollected_key_is_erased_in_time(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
        draw(tx, ["k1", "k2"], {"master": 0, "slave": 1})
        collect(tx, ["k1", "k2"], "master")
        collect(tx, ["k1"], "slave")
    with ledger.begin() as tx:
        assert expire(tx, 10).keys_closed == 1
    assert ledger.view.verify().problems == ()
    with ledger.view.read() as reader:
        assert [key.closed for key in get_drawn_keys(reader, [uuid_of("k2")])] == [True]

    def late() -> None:
        with ledger.begin() as tx:
            collect(tx, ["k2"], "slave", minutes=1)

    with pytest.raises(WrongState, match="expired"):
        late()


@pytest.mark.parametrize(
    ("names", "recipients", "bits", "error"),
    [
        (["k1", "k1"], {"m": 0}, 256, FactError),
        ([], {"m": 0}, 256, FactError),
        (["k1"], {}, 256, FactError),
        (["k1"], {"m": -1}, 256, FactError),
        (["k1"], {"m": 0}, 250, FactError),
        (["k1", "k2"], {"m": 0}, 600, NotEnoughKey),
        (["known"], {"m": 0}, 8, LedgerError),
    ],
)
def test_unsound_draws_are_refused(
    ledger: Ledger, names: list[str], recipients: dict[str, int], bits: int, error: type[Exception]
) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1032)
        draw(tx, ["known"], {"m": 0}, 8)

    def attempt() -> None:
        with ledger.begin() as tx:
            draw(tx, names, recipients, bits)

    with pytest.raises(error):
        attempt()
    assert ledger.view.verify().problems == ()
