"""What time brings to its end leaves the pools: once, visibly, and not a bit more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from scheduler import services
from scheduler.domain import NewBlock, Pool
from scheduler.errors import LedgerBroken, NotEnoughKey, WrongState
from scheduler.ledger import KeyState, ReservationState
from scheduler.ledger.keys.blocks import get_blocks
from scheduler.ledger.keys.delivery import collect_keys, draw_keys
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.reservation_reads import get_reservation
from scheduler.ledger.keys.reservations import intend_reservation, reserve_key
from scheduler.ledger.keys.spending import spend_pool
from scheduler.services.context import Context
from tests.scheduler.ledger.verify.changes import change
from tests.scheduler.services.nights import NIGHT, export

Open = Callable[..., Context]

PAIR = Pool.pair("beijing", "nanshan")
HOUR = timedelta(hours=1)
ZEROS = {
    "reservations_released": 0, "reservations_uncertain": 0, "blocks_expired": 0,
    "bits_expired": 0, "keys_closed": 0, "blocks_erased": 0,
}  # fmt: skip


def _deposit(context: Context, name: str, bits: int, *, hours: float | None) -> UUID:
    """A block of end-to-end key that lasts so many hours; None: for ever."""
    block_id = context.entropy.uuid("block", name)
    key = context.entropy.key_bytes("key", name, length=bits // 8)
    with context.ledger.begin() as tx:
        command = tx.command(f"deposit/{name}", kind="deposit", at=NIGHT, digest="")
        block = NewBlock(
            block_id=block_id, pool=PAIR, natural_key=name, length_bits=bits, source="device",
            simulated=False,
        )  # fmt: skip
        until = None if hours is None else NIGHT + hours * HOUR
        deposit_block(tx, command, block, material_a=key, material_b=key, expires_at=until)
        command.finish({})
    return block_id


def _reserve(context: Context, name: str, bits: int, *, hours: float) -> UUID:
    reservation_id = context.entropy.uuid("reservation", name)
    with context.ledger.begin() as tx:
        command = tx.command(f"reserve/{name}", kind="reserve", at=NIGHT, digest="")
        reserve_key(tx, command, PAIR.pool_id, bits, reservation_id=reservation_id, purpose="test",
            expires_at=NIGHT + hours * HOUR,
        )  # fmt: skip
        command.finish({})
    return reservation_id


def _accounts(context: Context, *names: str) -> tuple[int, ...]:
    accounts = services.pool_balances(context)[PAIR.pool_id]
    return tuple(accounts[name] for name in names)


def test_where_nothing_is_over_nothing_is_written_down(open_context: Open) -> None:
    context = open_context()
    _deposit(context, "lasting", 1024, hours=None)
    _deposit(context, "short", 512, hours=2)
    _reserve(context, "r", 256, hours=2)
    before = export(context)

    answer = services.expire_due(context, at=NIGHT + 2 * HOUR - timedelta(seconds=1))

    assert {**ZEROS, "at": answer["at"]} == answer
    assert export(context) == before


def test_a_reservation_that_times_out_gives_its_key_back(open_context: Open) -> None:
    context = open_context()
    _deposit(context, "one", 1024, hours=None)
    reservation_id = _reserve(context, "r", 256, hours=1)
    assert _accounts(context, "pool", "reserved") == (768, 256)

    answer = services.expire_due(context, at=NIGHT + HOUR)

    assert answer["reservations_released"] == 1
    assert _accounts(context, "pool", "reserved") == (1024, 0)
    with context.ledger.view.read() as reader:
        assert get_reservation(reader, reservation_id).state is ReservationState.RELEASED
    assert services.verify_ledger(context).problems == ()


def test_a_forged_reservation_stays_and_the_sound_ones_end(open_context: Open) -> None:
    """Whoever changes one row must not keep all other key from its end, nor go unseen."""
    context = open_context()
    _deposit(context, "one", 1024, hours=None)
    forged = _reserve(context, "forged", 256, hours=1)
    sound = _reserve(context, "sound", 256, hours=1)
    change(context.ledger, "UPDATE reservation SET purpose = 'mine' WHERE id = 1")
    refusal = f"reservation {forged}: it or its parts were changed"

    with pytest.raises(LedgerBroken, match=refusal):
        services.expire_due(context, at=NIGHT + HOUR)

    assert _accounts(context, "pool", "reserved") == (768, 256)
    with context.ledger.view.read() as reader:
        assert get_reservation(reader, forged).state is ReservationState.OPEN
        assert get_reservation(reader, sound).state is ReservationState.RELEASED
    before = export(context)
    with pytest.raises(LedgerBroken, match=refusal):
        services.expire_due(context, at=NIGHT + 2 * HOUR)
    assert export(context) == before  # where nothing else ended nothing is written down


def test_a_reservation_whose_bytes_may_have_left_becomes_uncertain(open_context: Open) -> None:
    context = open_context()
    _deposit(context, "one", 1024, hours=None)
    reservation_id = _reserve(context, "r", 256, hours=1)
    with context.ledger.begin() as tx:
        command = tx.command("intend", kind="intend", at=NIGHT, digest="")
        intend_reservation(tx, command, reservation_id)
        command.finish({})

    answer = services.expire_due(context, at=NIGHT + HOUR)

    assert (answer["reservations_released"], answer["reservations_uncertain"]) == (0, 1)
    assert _accounts(context, "pool", "uncertain") == (768, 256)


def test_of_a_block_whose_time_is_over_the_reserved_part_follows_when_it_comes_back(
    open_context: Open,
) -> None:
    context = open_context()
    _deposit(context, "one", 1024, hours=1)
    _reserve(context, "short", 256, hours=0.5)
    _reserve(context, "long", 128, hours=3)

    early = services.expire_due(context, at=NIGHT + 0.5 * HOUR)
    assert (early["reservations_released"], early["blocks_expired"]) == (1, 0)
    over = services.expire_due(context, at=NIGHT + HOUR)
    assert (over["blocks_expired"], over["bits_expired"]) == (1, 1024 - 128)
    # Whoever holds the reservation may still be given its bytes, so none is erased yet.
    assert over["blocks_erased"] == 0
    assert _accounts(context, "pool", "reserved", "expired") == (0, 128, 896)
    assert services.verify_ledger(context).problems == ()

    late = services.expire_due(context, at=NIGHT + 3 * HOUR)
    # The block has expired before: what comes back of it goes the same way.
    assert (late["reservations_released"], late["blocks_expired"]) == (1, 0)
    assert late["blocks_erased"] == 1
    assert _accounts(context, "pool", "reserved", "expired") == (0, 0, 1024)
    assert services.verify_ledger(context).problems == ()


def test_what_comes_back_in_the_same_moment_expires_with_its_block(open_context: Open) -> None:
    context = open_context()
    _deposit(context, "one", 1024, hours=1)
    _reserve(context, "r", 1024, hours=1)

    answer = services.expire_due(context, at=NIGHT + HOUR)

    assert (answer["reservations_released"], answer["blocks_expired"]) == (1, 1)
    assert answer["blocks_erased"] == 1
    assert answer["bits_expired"] == 1024
    assert _accounts(context, "pool", "reserved", "expired") == (0, 0, 1024)
    assert services.verify_ledger(context).problems == ()


def test_bytes_that_somebody_is_to_collect_outlive_their_block(open_context: Open) -> None:
    context = open_context()
    block_id = _deposit(context, "one", 1024, hours=1)
    key_id = context.entropy.uuid("drawn")
    with context.ledger.begin() as tx:
        command = tx.command("draw", kind="draw", at=NIGHT, digest="")
        draw_keys(
            tx, command, PAIR.pool_id, key_ids=[key_id], size_bits=256, recipients={"m": 0, "s": 1},
            expires_at=NIGHT + 9 * HOUR,
        )  # fmt: skip
        (mine,) = collect_keys(tx, command, [key_id], "m")
        command.finish({})

    over = services.expire_due(context, at=NIGHT + HOUR)
    assert (over["blocks_expired"], over["bits_expired"], over["blocks_erased"]) == (1, 768, 0)
    assert services.verify_ledger(context).problems == ()
    with context.ledger.begin() as tx:
        command = tx.command("collect", kind="collect", at=NIGHT + 2 * HOUR, digest="")
        (theirs,) = collect_keys(tx, command, [key_id], "s")
        command.finish({})
    assert theirs.material == mine.material

    _deposit(context, "two", 512, hours=3)
    later = services.expire_due(context, at=NIGHT + 3 * HOUR)
    assert (later["blocks_expired"], later["blocks_erased"]) == (1, 2)
    with context.ledger.view.read() as reader:
        assert {block.state for block in get_blocks(reader)} == {KeyState.DESTROYED}
        assert block_id in {block.block_id for block in get_blocks(reader)}
    assert services.verify_ledger(context).problems == ()


def test_keys_that_nobody_collects_are_closed(open_context: Open) -> None:
    context = open_context()
    _deposit(context, "one", 1024, hours=None)
    ids = [context.entropy.uuid("drawn", number) for number in range(2)]
    with context.ledger.begin() as tx:
        command = tx.command("draw", kind="draw", at=NIGHT, digest="")
        draw_keys(
            tx, command, PAIR.pool_id, key_ids=ids, size_bits=256, recipients={"m": 0, "s": 1},
            expires_at=NIGHT + HOUR,
        )  # fmt: skip
        collect_keys(tx, command, ids[:1], "m")
        command.finish({})

    answer = services.expire_due(context, at=NIGHT + HOUR)

    assert answer["keys_closed"] == 2
    assert services.verify_ledger(context).problems == ()
    with context.ledger.begin() as tx:
        command = tx.command("late", kind="collect", at=NIGHT, digest="")
        with pytest.raises(WrongState, match="expired"):
            collect_keys(tx, command, ids[1:], "s")
        command.finish({})


def test_the_same_instant_or_request_again_adds_nothing(open_context: Open) -> None:
    context = open_context()
    _deposit(context, "one", 1024, hours=1)
    _reserve(context, "r", 256, hours=1)
    by_instant = services.expire_due(context, at=NIGHT + HOUR)
    _deposit(context, "two", 512, hours=2)
    by_name = services.expire_due(context, at=NIGHT + 2 * HOUR, request="mine")
    before = export(context)

    assert by_instant["blocks_expired"] == by_name["blocks_expired"] == 1
    assert services.expire_due(context, at=NIGHT + HOUR) == by_instant
    assert services.expire_due(context, at=NIGHT + 9 * HOUR, request="mine") == by_name
    assert services.expire_due(context, at=NIGHT + 3 * HOUR)["blocks_expired"] == 0
    assert export(context) == before


def test_a_clock_that_steps_back_expires_nothing_more(open_context: Open) -> None:
    context = open_context()
    _deposit(context, "one", 1024, hours=1)
    assert services.expire_due(context, at=NIGHT + HOUR)["blocks_expired"] == 1

    assert services.expire_due(context, at=NIGHT)["blocks_expired"] == 0
    with (
        pytest.raises(NotEnoughKey, match="holds 0"),
        context.ledger.begin() as tx,
    ):
        spend_pool(tx, tx.command("spend", kind="spend", at=NIGHT, digest=""), PAIR.pool_id, 8)
