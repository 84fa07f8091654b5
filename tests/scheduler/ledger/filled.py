"""A ledger with a row in every table, and blocks, reservations and keys in every state."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from scheduler.domain import BookingState, NewBlock, Pool
from scheduler.ledger import ElementRow, KeyState, Ledger, ReservationState, Transaction
from scheduler.ledger.schema import Base
from tests.scheduler.ledger.builders import (
    NOON,
    booking,
    bytes_of,
    chain,
    decide,
    deposit,
    relay,
    spend,
    uuid_of,
)
from tests.scheduler.ledger.test_books import _elements

NODES = ["a", "b", "c"]
OTHER = Pool.link("x", "y")
SOON = NOON + timedelta(minutes=1)
LATER = NOON + timedelta(hours=2)


def fill(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        tx.bind_run({"seed": 1})
        tx.add_booking(booking("one", 0, 300))
        tx.claim_job("merge", NOON)
        tx.add_elements([_elements("aa")])
        for link in chain(NODES):
            deposit(tx, link.pool_id, 10_003, pool=link)
    with ledger.begin() as tx:
        relay(tx, "tick", NODES, 2560)
    spend(ledger, "draw", 256, pool=chain(NODES)[0])
    with ledger.begin() as tx:
        decide(tx, "1", booking_id=uuid_of("one"), lifted=True)


def fill_more(ledger: Ledger) -> None:
    """On top of that: a reservation, a freed range, a key half collected, a checkpoint."""
    pool_id = chain(NODES)[1].pool_id
    with ledger.begin() as tx:
        for name in ("kept", "given back", "in between"):
            handle = tx.command(name, kind="reserve", at=NOON)
            tx.reserve(
                handle,
                pool_id,
                512,
                reservation_id=uuid_of(name),
                purpose="test",
                expires_at=NOON + timedelta(hours=1),
            )
            if name == "given back":
                tx.resolve(handle, uuid_of("given back"), ReservationState.RELEASED)
                tx.reserve(
                    handle,
                    pool_id,
                    512,
                    reservation_id=uuid_of("again"),
                    purpose="test",
                    expires_at=NOON + timedelta(hours=1),
                )
            handle.finish({})
        handle = tx.command("back", kind="release", at=NOON)
        tx.resolve(handle, uuid_of("again"), ReservationState.RELEASED)
        handle.finish({})
        handle = tx.command("keys", kind="draw", at=NOON)
        keys = [uuid_of("key")]
        tx.draw(handle, pool_id, key_ids=keys, size_bits=256, recipients={"m": 0, "s": 1})
        tx.collect(handle, keys, "m")
        handle.finish({})
    ledger.checkpoint(NOON)


def fill_all(ledger: Ledger) -> None:
    """Some of everything, and sound."""
    fill(ledger)
    fill_more(ledger)
    fill_rest(ledger)
    assert ledger.verify().problems == ()
    with ledger.read() as reader:
        for table in Base.metadata.sorted_tables:
            count = text(f'SELECT count(*) FROM "{table.name}"')
            assert reader.connection.execute(count).scalar_one(), f"{table.name} is empty"


def fill_rest(ledger: Ledger) -> None:
    """On top of that: blocks, keys and reservations in every state, an epoch shredded."""
    with ledger.begin() as tx:
        tx.claim_job("plan", NOON)
        tx.add_elements(
            [
                ElementRow(
                    norad_id=41731,
                    name="micius",
                    epoch=NOON,
                    text="1 41731U",
                    sha256="cc",
                    source="feed",
                    arrived_at=NOON,
                )
            ]
        )
        tx.move_booking(
            uuid_of("one"),
            expected=BookingState.BOOKED,
            to=BookingState.CANCELLED,
            reason="cloud",
            at=SOON,
        )
        tx.add_booking(booking("two", 400, 700))
        decide(tx, "2", booking_id=uuid_of("two"), lifted=False)
        _deposit_others(tx)
    _reserve_others(ledger)
    spend(ledger, "all of it", 256, pool=OTHER)
    with ledger.begin() as tx:
        handle = tx.command("epoch", kind="epoch", at=NOON)
        tx.new_epoch(handle, OTHER.pool_id)
        handle.finish({})
    _end_some(ledger)
    ledger.checkpoint(LATER)


def _deposit_others(tx: Transaction) -> None:
    """A real pool, and a block in each state that a rest can have."""
    deposit(tx, "real", 256, pool=OTHER, simulated=False)
    handle = tx.command("others", kind="deposit", at=NOON)
    for name, unequal, received, until in (
        ("unequal", True, False, None),
        ("received", False, True, None),
        ("held", False, False, None),
        ("short-lived", False, False, SOON),
        ("long-lived", False, False, LATER + timedelta(hours=9)),
        ("compromised", False, False, None),
    ):
        block = NewBlock(
            block_id=uuid_of(name),
            pool=Pool.link("p", "q"),
            natural_key=name,
            length_bits=128,
            source="device",
            simulated=False,
        )
        key = bytes_of(name, 128)
        tx.deposit(
            handle,
            block,
            material_a=key,
            material_b=key[::-1] if unequal else key,
            received_only=received,
            expires_at=until,
        )
    for name in ("held", "compromised"):
        tx.move_block(handle, uuid_of(name), expected=KeyState.AVAILABLE, to=KeyState.HELD)
    tx.move_block(handle, uuid_of("compromised"), expected=KeyState.HELD, to=KeyState.COMPROMISED)
    handle.finish({})


def _reserve_others(ledger: Ledger) -> None:
    """Reservations delivered, intended, and uncertain; a key that nobody collects."""
    pool_id = chain(NODES)[1].pool_id
    for name, to in (
        ("delivered", ReservationState.DELIVERED),
        ("intended", None),
        ("lost", ReservationState.UNCERTAIN),
        ("voided", ReservationState.VOIDED),
    ):
        with ledger.begin() as tx:
            handle = tx.command(f"reserve {name}", kind="reserve", at=NOON)
            tx.reserve(
                handle,
                pool_id,
                128,
                reservation_id=uuid_of(name),
                purpose=name,
                expires_at=LATER + timedelta(hours=1),
            )
            handle.finish({})
            handle = tx.command(f"intend {name}", kind="intend", at=NOON)
            tx.intend(handle, uuid_of(name))
            if to is ReservationState.VOIDED:
                tx.resolve(handle, uuid_of(name), ReservationState.UNCERTAIN)
            handle.finish({})
            if to is not None:
                handle = tx.command(f"resolve {name}", kind="resolve", at=NOON)
                tx.resolve(handle, uuid_of(name), to)
                handle.finish({})
    with ledger.begin() as tx:
        handle = tx.command("uncollected", kind="draw", at=NOON)
        for name, until in (("late", SOON), ("waiting", LATER + timedelta(hours=9))):
            tx.draw(
                handle,
                pool_id,
                key_ids=[uuid_of(name)],
                size_bits=128,
                recipients={"m": 0, "s": 1},
                expires_at=until,
            )
        tx.collect(handle, [uuid_of("late")], "m")
        handle.finish({})


def _end_some(ledger: Ledger) -> None:
    """Time passes: what is due ends, is erased, and an epoch with it."""
    with ledger.begin() as tx:
        handle = tx.command("expire", kind="expire", at=LATER)
        tx.expire_due(handle)
        handle.finish({})
        handle = tx.command("erase", kind="erase", at=LATER)
        tx.erase_expired(handle)
        tx.shred_epoch(handle, OTHER.pool_id, 0)
        handle.finish({})
        deposit(tx, "next epoch", 128, pool=OTHER, simulated=False)
