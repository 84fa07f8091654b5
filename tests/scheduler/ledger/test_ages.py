"""Spending by age, and key whose time is over: on both stores, by the ledger itself."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from scheduler.domain import NewBlock
from scheduler.errors import NotEnoughKey
from scheduler.ledger import KeyState, Ledger, ReservationState, SpentChunk, Transaction
from scheduler.ledger.keys.blocks import get_blocks
from scheduler.ledger.keys.delivery import draw_keys
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.expiry import let_expire
from scheduler.ledger.keys.reservations import reserve_key, resolve_reservation
from scheduler.ledger.keys.spending import spend_pool, spend_pools
from scheduler.ledger.keys.stock import get_expiring_stock, get_stock, get_young_stock
from tests.scheduler.ledger.builders import NANSHAN_XINGLONG, NOON, bytes_of, uuid_of

POOL_ID = NANSHAN_XINGLONG.pool_id
HOUR = timedelta(hours=1)


def _receive(
    tx: Transaction, name: str, bits: int, *, hours: float, until: datetime | None = None
) -> None:
    """A block received so many hours after noon."""
    handle = tx.command(f"deposit/{name}", kind="deposit", at=NOON + hours * HOUR, digest="")
    block = NewBlock(
        block_id=uuid_of(name), pool=NANSHAN_XINGLONG, natural_key=name, length_bits=bits,
        source="device", simulated=False,
    )  # fmt: skip
    key = bytes_of(name, bits)
    deposit_block(tx, handle, block, material_a=key, material_b=key, expires_at=until)
    handle.finish({})


def _spend(
    tx: Transaction, name: str, bits: int, *, hours: float, after: float | None = None
) -> list[SpentChunk]:
    handle = tx.command(f"spend/{name}", kind="spend", at=NOON + hours * HOUR, digest="")
    since = None if after is None else NOON + after * HOUR
    chunks = spend_pools(tx, handle, {POOL_ID: bits}, received_after=since)[POOL_ID]
    handle.finish({})
    return chunks


def _names(chunks: list[SpentChunk]) -> list[tuple[str, int]]:
    names = {uuid_of(name): name for name in ("one", "two", "three", "four")}
    return [(names[one.chunk.block_id], one.chunk.length_bits) for one in chunks]


def test_with_a_limit_the_youngest_go_first_and_old_blocks_are_left_alone(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        for hours, name in enumerate(("one", "two", "three", "four")):
            _receive(tx, name, 512, hours=hours)
    with ledger.begin() as tx:
        young = _spend(tx, "young", 768, hours=4, after=0.5)
        assert _names(young) == [("four", 512), ("three", 256)]
        assert [one.received_at for one in young] == [NOON + 3 * HOUR, NOON + 2 * HOUR]
        assert b"".join(one.material_a for one in young) == (
            bytes_of("four", 512) + bytes_of("three", 512)[:32]
        )
        # Without a limit the oldest go first, and nobody is told an age.
        rest = _spend(tx, "any", 768, hours=4)
        assert _names(rest) == [("one", 512), ("two", 256)]
        assert [one.received_at for one in rest] == [None, None]
        at = NOON + 4 * HOUR
        assert get_young_stock(tx, received_after=NOON + 0.5 * HOUR, at=at) == {POOL_ID: 512}
        assert get_young_stock(tx, received_after=NOON + 1.0 * HOUR, at=at) == {POOL_ID: 256}
        assert get_young_stock(tx, received_after=NOON + 3.0 * HOUR, at=at) == {}
        assert get_stock(tx, at=at) == {POOL_ID: 512}
    assert ledger.view.verify().problems == ()


def test_what_was_received_at_the_very_limit_is_too_old(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        _receive(tx, "one", 512, hours=1)

    def spend_after(after: float) -> list[SpentChunk]:
        with ledger.begin() as tx:
            return _spend(tx, f"after {after}", 8, hours=2, after=after)

    with pytest.raises(NotEnoughKey, match="holds 0 spendable bits received after"):
        spend_after(1.0)
    # A microsecond is 2.8e-10 hours.
    assert _names(spend_after(1.0 - 5e-10)) == [("one", 8)]


def test_more_young_key_than_there_is_takes_nothing(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        _receive(tx, "one", 4096, hours=0)
        _receive(tx, "two", 512, hours=1)

    def greedy() -> None:
        with ledger.begin() as tx:
            _spend(tx, "greedy", 520, hours=2, after=0.5)

    with pytest.raises(NotEnoughKey, match="holds 512 spendable bits received after"):
        greedy()
    with ledger.view.read() as reader:
        assert get_stock(reader) == {POOL_ID: 4608}
    assert ledger.view.verify().problems == ()


def test_many_small_blocks_are_walked_from_the_young_end(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        for number in range(300):
            _receive(tx, f"small {number}", 64, hours=number / 100)
    with ledger.begin() as tx:
        taken = _spend(tx, "all young", 64 * 200, hours=4, after=0.995)
    assert len(taken) == 200
    assert taken[0].chunk.block_id == uuid_of("small 299")
    assert taken[-1].chunk.block_id == uuid_of("small 100")
    assert ledger.view.verify().problems == ()


def test_freed_ranges_count_by_the_age_of_their_block(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        _receive(tx, "one", 512, hours=0)
        handle = tx.command("reserve one", kind="reserve", at=NOON, digest="")
        for number in range(2):
            reserve_key(
                tx, handle, POOL_ID, 128, reservation_id=uuid_of(f"r{number}"), purpose="test",
                expires_at=NOON + 9 * HOUR,
            )  # fmt: skip
        resolve_reservation(tx, handle, uuid_of("r0"), ReservationState.RELEASED)
        handle.finish({})
        _receive(tx, "two", 512, hours=1)
        handle = tx.command("reserve two", kind="reserve", at=NOON + HOUR, digest="")
        assert get_young_stock(tx, received_after=NOON + 0.5 * HOUR, at=NOON + HOUR) == {
            POOL_ID: 512
        }
        assert get_young_stock(tx, received_after=NOON - HOUR, at=NOON + HOUR) == {POOL_ID: 896}
        handle.finish({})
    with ledger.begin() as tx:
        assert _names(_spend(tx, "young", 64, hours=2, after=0.5)) == [("two", 64)]
        any_age = _spend(tx, "any", 192, hours=2)
        assert _names(any_age) == [("one", 128), ("one", 64)]
        assert any_age[0].chunk.start_bit == 0
        wide = _spend(tx, "wide", 640, hours=2, after=-1)
        assert _names(wide) == [("two", 448), ("one", 192)]
    assert ledger.view.verify().problems == ()


def test_key_whose_time_is_over_is_never_handed_out_expired_or_not(ledger: Ledger) -> None:
    over = NOON + 2 * HOUR
    with ledger.begin() as tx:
        _receive(tx, "one", 512, hours=0, until=over)
        _receive(tx, "two", 256, hours=1)
        assert get_stock(tx) == {POOL_ID: 768}
        assert get_stock(tx, at=over - HOUR) == {POOL_ID: 768}
        assert get_stock(tx, at=over) == {POOL_ID: 256}
        assert get_expiring_stock(tx, at=NOON) == {POOL_ID: [(over, 512)]}
        assert get_expiring_stock(tx, at=over) == {}
        assert get_young_stock(tx, received_after=NOON - HOUR, at=over) == {POOL_ID: 256}
    with ledger.begin() as tx:
        handle = tx.command("late", kind="late", at=over, digest="")
        for attempt in (
            lambda: spend_pool(tx, handle, POOL_ID, 264),
            lambda: spend_pools(tx, handle, {POOL_ID: 264}, received_after=NOON - HOUR),
            lambda: draw_keys(
                tx, handle, POOL_ID, key_ids=[uuid_of("k")], size_bits=264, recipients={"m": 0}
            ),
            lambda: reserve_key(
                tx, handle, POOL_ID, 264, reservation_id=uuid_of("r"), purpose="test",
                expires_at=over + HOUR,
            ),
        ):  # fmt: skip
            with pytest.raises(NotEnoughKey, match=r"holds (256|0) spendable"):
                attempt()
        (chunk,) = spend_pool(tx, handle, POOL_ID, 256)
        assert chunk.chunk.block_id == uuid_of("two")
        handle.finish({})
    with ledger.begin() as tx:
        handle = tx.command("expire", kind="expire", at=over, digest="")
        found = let_expire(tx, handle)
        handle.finish({})
        assert (found.blocks_expired, found.bits_expired) == (1, 512)
        assert get_stock(tx) == get_stock(tx, at=over) == {POOL_ID: 0}
        (one, _) = get_blocks(tx, POOL_ID)
        assert one.state is KeyState.EXPIRED
    assert ledger.view.verify().problems == ()


def test_in_its_time_key_with_an_end_is_spent_as_any_other(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        _receive(tx, "one", 512, hours=0, until=NOON + 2 * HOUR)
        _receive(tx, "two", 256, hours=1)
        assert _names(_spend(tx, "s", 640, hours=1.9)) == [("one", 512), ("two", 128)]
    assert ledger.view.verify().problems == ()
