"""Two phases, and states of blocks: every allowed step and no other."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler.domain import NewBlock, Pool
from scheduler.errors import FactError, NotEnoughKey, UnknownName, WrongState
from scheduler.ledger import KeyState, Ledger, ReservationState, Transaction
from scheduler.ledger.keys.blocks import get_blocks
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.expiry import let_expire
from scheduler.ledger.keys.reservation_reads import get_open_reservations, get_reservation
from scheduler.ledger.keys.reservations import intend_reservation, reserve_key, resolve_reservation
from scheduler.ledger.keys.stock import get_balances, get_stock
from scheduler.ledger.keys.transitions import destroy_block, move_block
from scheduler.ledger.records import Expiry, SpentChunk
from tests.scheduler.ledger.builders import (
    NANSHAN_XINGLONG,
    NOON,
    bytes_of,
    deposit,
    spend,
    uuid_of,
)

POOL_ID = NANSHAN_XINGLONG.pool_id
R = ReservationState
LATER = NOON + timedelta(minutes=10)


def reserve(tx: Transaction, name: str, bits: int) -> None:
    handle = tx.command(f"reserve/{name}", kind="reserve", at=NOON, digest="")
    reserve_key(
        tx, handle, POOL_ID, bits, reservation_id=uuid_of(name), purpose="test", expires_at=LATER
    )
    handle.finish({})


def resolve(
    tx: Transaction, name: str, to: ReservationState, *, minutes: float = 1
) -> list[SpentChunk]:
    at = NOON + timedelta(minutes=minutes)
    handle = tx.command(f"{to.value}/{name}/{minutes}", kind="resolve", at=at, digest="")
    chunks = resolve_reservation(tx, handle, uuid_of(name), to)
    handle.finish({})
    return chunks


def intend(tx: Transaction, name: str, *, minutes: float = 1) -> None:
    handle = tx.command(
        f"intend/{name}", kind="intend", at=NOON + timedelta(minutes=minutes), digest=""
    )
    intend_reservation(tx, handle, uuid_of(name))
    handle.finish({})


def expire(tx: Transaction, minutes: float) -> Expiry:
    at = NOON + timedelta(minutes=minutes)
    handle = tx.command(f"expire/{minutes}", kind="expire", at=at, digest="")
    found = let_expire(tx, handle)
    handle.finish({})
    return found


@pytest.mark.parametrize(
    ("end", "account"),
    [(R.DELIVERED, "delivered"), (R.RELAY_CONSUMED, "spent"), (R.COMBINED, "spent")],
)
def test_reserved_key_is_handed_out_once(
    ledger: Ledger, end: ReservationState, account: str
) -> None:
    with ledger.begin() as tx:
        key = deposit(tx, "one", 1024)
        reserve(tx, "r", 256)
        assert get_balances(tx)[POOL_ID]["reserved"] == 256
        assert get_stock(tx) == {POOL_ID: 768}
    with ledger.begin() as tx:
        (chunk,) = resolve(tx, "r", end)
        assert chunk.material_a == chunk.material_b == key[:32]
        assert get_balances(tx)[POOL_ID][account] == 256
        assert get_reservation(tx, uuid_of("r")).state is end
        assert get_open_reservations(tx) == []
        with pytest.raises(UnknownName, match=str(uuid_of("s"))):
            get_reservation(tx, uuid_of("s"))

    def again() -> None:
        with ledger.begin() as tx:
            resolve(tx, "r", end, minutes=2)

    with pytest.raises(WrongState, match=f"is {end.value}"):
        again()
    assert ledger.view.verify().problems == ()


def test_released_key_is_spent_again_and_first(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        key = deposit(tx, "one", 2048)
        for name in "abc":
            reserve(tx, name, 512)
    with ledger.begin() as tx:
        resolve(tx, "a", R.RELEASED)  # becomes a freed range behind the cursor
        resolve(tx, "c", R.RELEASED)  # the cursor goes back
        assert get_stock(tx) == {POOL_ID: 1536}
    assert ledger.view.verify().problems == ()
    first = spend(ledger, "part of the freed range", 256)
    rest = spend(ledger, "the rest of it and more", 1280)
    got = b"".join(chunk.material_a for chunk in [*first, *rest])
    assert got == key[:64] + key[128:]
    with ledger.begin() as tx:
        (chunk,) = resolve(tx, "b", R.DELIVERED)
        assert chunk.material_a == key[64:128]
        (block,) = get_blocks(tx)
        assert block.state is KeyState.DESTROYED
    assert ledger.view.verify().problems == ()


STEPS = [
    (R.OPEN, R.RELEASED, True),
    (R.OPEN, R.DELIVERED, True),
    (R.OPEN, R.UNCERTAIN, True),
    (R.OPEN, R.VOIDED, False),
    (R.OPEN, R.INTENDED, False),
    (R.INTENDED, R.RELEASED, False),
    (R.INTENDED, R.DELIVERED, True),
    (R.INTENDED, R.RELAY_CONSUMED, True),
    (R.INTENDED, R.COMBINED, True),
    (R.INTENDED, R.UNCERTAIN, True),
    (R.UNCERTAIN, R.DELIVERED, True),
    (R.UNCERTAIN, R.RELAY_CONSUMED, True),
    (R.UNCERTAIN, R.VOIDED, True),
    (R.UNCERTAIN, R.RELEASED, False),
    (R.UNCERTAIN, R.COMBINED, False),
]


@pytest.mark.parametrize(("was", "to", "allowed"), STEPS)
def test_a_reservation_takes_only_the_allowed_steps(
    ledger: Ledger, was: ReservationState, to: ReservationState, allowed: bool
) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
        reserve(tx, "r", 256)
        if was is not R.OPEN:
            intend(tx, "r")
        if was is R.UNCERTAIN:
            resolve(tx, "r", R.UNCERTAIN)

    def step() -> list[SpentChunk]:
        with ledger.begin() as tx:
            return resolve(tx, "r", to, minutes=2)

    if not allowed:
        with pytest.raises(WrongState, match=f"is {was.value}, asked for {to.value}"):
            step()
    else:
        chunks = step()
        handed_out = to in (R.DELIVERED, R.RELAY_CONSUMED, R.COMBINED) and was is not R.UNCERTAIN
        assert bool(chunks) == handed_out
    assert ledger.view.verify().problems == ()


def test_time_releases_what_is_open_and_doubts_what_may_have_left(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
        reserve(tx, "open", 256)
        reserve(tx, "intended", 256)
        intend(tx, "intended")
        assert expire(tx, 9.9).reservations_released == 0
    with ledger.begin() as tx:
        found = expire(tx, 10)
        assert (found.reservations_released, found.reservations_uncertain) == (1, 1)
        assert get_stock(tx) == {POOL_ID: 768}
        assert get_balances(tx)[POOL_ID]["uncertain"] == 256
    assert ledger.view.verify().problems == ()


def test_a_late_claim_on_a_reservation_is_refused(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
        reserve(tx, "r", 256)

    def late(step: str) -> None:
        with ledger.begin() as tx:
            if step == "intend":
                intend(tx, "r", minutes=10)
            else:
                resolve(tx, "r", R.DELIVERED, minutes=10)

    for step in ("intend", "deliver"):
        with pytest.raises(WrongState, match="timed out"):
            late(step)
    with ledger.begin() as tx:
        resolve(tx, "r", R.RELEASED, minutes=30)


def test_a_clock_that_steps_back_revives_nothing(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
        reserve(tx, "r", 256)
    with ledger.begin() as tx:
        assert expire(tx, 11).reservations_released == 1
    with ledger.begin() as tx:
        assert expire(tx, 1).reservations_released == 0
        handle = tx.command("back in time", kind="resolve", at=NOON, digest="")
        with pytest.raises(WrongState, match="is released"):
            resolve_reservation(tx, handle, uuid_of("r"), R.DELIVERED)
        handle.finish({})
    assert ledger.view.verify().problems == ()


@pytest.mark.parametrize(
    ("state", "back"),
    [(KeyState.EXPIRED, "expired"), (KeyState.COMPROMISED, "withdrawn"), (KeyState.HELD, "held")],
)
def test_a_block_that_ends_while_reserved_takes_the_release_along(
    ledger: Ledger, state: KeyState, back: str
) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
        reserve(tx, "r", 256)
        handle = tx.command("end", kind="end", at=NOON, digest="")
        moved = move_block(tx, handle, uuid_of("one"), expected=KeyState.AVAILABLE, to=state)
        assert moved == 768
        handle.finish({})
    assert ledger.view.verify().problems == ()
    if state is not KeyState.EXPIRED:

        def deliver() -> None:
            with ledger.begin() as tx:
                resolve(tx, "r", R.DELIVERED)

        with pytest.raises(WrongState, match=state.value):
            deliver()
    with ledger.begin() as tx:
        resolve(tx, "r", R.RELEASED)
        assert get_balances(tx)[POOL_ID][back] == 1024
    assert ledger.view.verify().problems == ()


MOVES = [
    (was, to, to in allowed)
    for was, allowed in {
        KeyState.RECEIVED: {KeyState.AVAILABLE, KeyState.VOIDED, KeyState.QUARANTINED},
        KeyState.AVAILABLE: {KeyState.HELD, KeyState.EXPIRED, KeyState.COMPROMISED},
        KeyState.HELD: {KeyState.AVAILABLE, KeyState.EXPIRED, KeyState.COMPROMISED},
        KeyState.QUARANTINED: {KeyState.VOIDED, KeyState.COMPROMISED},
    }.items()
    for to in KeyState
]


def test_a_block_takes_only_the_allowed_steps(ledger: Ledger) -> None:
    for was, to, allowed in MOVES:
        name = f"{was.value}-{to.value}"
        with ledger.begin() as tx:
            _block_in(tx, name, was)
            handle = tx.command(name, kind="move", at=NOON, digest="")
            if allowed:
                assert move_block(tx, handle, uuid_of(name), expected=was, to=to) == 264
            else:
                with pytest.raises(WrongState, match="a block goes from"):
                    move_block(tx, handle, uuid_of(name), expected=was, to=to)
            handle.finish({})
    assert ledger.view.verify().problems == ()


def _block_in(tx: Transaction, name: str, state: KeyState) -> None:
    handle = tx.command(f"deposit/{name}", kind="deposit", at=NOON, digest="")
    block = NewBlock(
        block_id=uuid_of(name),
        pool=NANSHAN_XINGLONG,
        natural_key=name,
        length_bits=264,
        source="device",
        simulated=False,
    )
    one = bytes_of(name, 264)
    other = one[:-1] + bytes([one[-1] ^ 1]) if state is KeyState.QUARANTINED else one
    reached = deposit_block(
        tx,
        handle,
        block,
        material_a=one,
        material_b=other,
        received_only=state is KeyState.RECEIVED,
    )
    if state is KeyState.HELD:
        move_block(tx, handle, block.block_id, expected=KeyState.AVAILABLE, to=KeyState.HELD)
    else:
        assert reached is state
    handle.finish({})


def test_two_ends_that_differ_are_quarantined_and_give_nothing(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        _block_in(tx, "one", KeyState.QUARANTINED)
        assert get_stock(tx) == {POOL_ID: 0}
    with pytest.raises(NotEnoughKey, match="holds 0"):
        spend(ledger, "s", 8)


def test_a_guard_on_the_wrong_state_changes_nothing(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
        handle = tx.command("move", kind="move", at=NOON, digest="")
        with pytest.raises(WrongState, match="is available, was to be held"):
            move_block(tx, handle, uuid_of("one"), expected=KeyState.HELD, to=KeyState.AVAILABLE)
        with pytest.raises(UnknownName):
            move_block(tx, handle, uuid_of("no"), expected=KeyState.HELD, to=KeyState.AVAILABLE)
        handle.finish({})


def test_old_blocks_expire_and_leave_a_tombstone(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        handle = tx.command("deposit", kind="deposit", at=NOON, digest="")
        block = NewBlock(
            block_id=uuid_of("one"),
            pool=NANSHAN_XINGLONG,
            natural_key="one",
            length_bits=1001,
            source="device",
            simulated=False,
        )
        key = bytes_of("one", 1001)
        deposit_block(tx, handle, block, material_a=key, material_b=key, expires_at=LATER)
        handle.finish({})
        reserve(tx, "r", 256)
    with ledger.begin() as tx:
        found = expire(tx, 10)
        assert (found.blocks_expired, found.reservations_released) == (1, 1)
        assert get_balances(tx)[POOL_ID]["expired"] == 1001
    assert ledger.view.verify().problems == ()
    with ledger.begin() as tx:
        handle = tx.command("destroy", kind="destroy", at=LATER, digest="")
        destroy_block(tx, uuid_of("one"))
        with pytest.raises(WrongState, match="is destroyed"):
            destroy_block(tx, uuid_of("one"))
        handle.finish({})
        assert get_blocks(tx)[0].state is KeyState.DESTROYED
    assert ledger.view.verify().problems == ()


def test_a_block_is_not_destroyed_under_a_reservation(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
        reserve(tx, "r", 256)
        handle = tx.command("end", kind="end", at=NOON, digest="")
        move_block(tx, handle, uuid_of("one"), expected=KeyState.AVAILABLE, to=KeyState.COMPROMISED)
        with pytest.raises(WrongState, match="1 of its ranges"):
            destroy_block(tx, uuid_of("one"))
        handle.finish({})


# -- keys of applications -------------------------------------------------------------------
def test_simulated_key_that_was_reserved_first_is_simulated_for_ever(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "made-up", 256, simulated=True)
    with ledger.begin() as tx:
        handle = tx.command("reserve", kind="test", at=NOON, digest="")
        reserve_key(tx, handle, NANSHAN_XINGLONG.pool_id, 256, reservation_id=uuid_of("r"),
                   purpose="relay", expires_at=NOON + timedelta(hours=1))  # fmt: skip
        handle.finish({})
    block = NewBlock(
        block_id=uuid_of("real"), pool=Pool.pair("a", "b"), natural_key="real",
        length_bits=256, source="relayed", simulated=False,
    )  # fmt: skip
    with ledger.begin() as tx:
        handle = tx.command("consume", kind="test", at=NOON, digest="")
        (chunk,) = resolve_reservation(tx, handle, uuid_of("r"), ReservationState.RELAY_CONSUMED)
        with pytest.raises(FactError, match="must say so"):
            deposit_block(
                tx, handle, block, material_a=chunk.material_a, material_b=chunk.material_b
            )
        handle.finish({})
