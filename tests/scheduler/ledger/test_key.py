"""Deposits, spends and announcements of one ledger."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from scheduler.domain import Announcement, Chunk, NewBlock, Pool
from scheduler.errors import (
    DuplicateBlock,
    FactError,
    LedgerError,
    NotEnoughKey,
    RequestConflict,
)
from scheduler.ledger import KeyState, Ledger, ReservationState, open_ledger
from scheduler.ledger.keys.announcements import record_announcement
from scheduler.ledger.keys.blocks import get_blocks
from scheduler.ledger.keys.deposit import deposit_block, expect_blocks
from scheduler.ledger.keys.reservations import reserve_key, resolve_reservation
from scheduler.ledger.keys.spending import spend_pool, spend_pools
from scheduler.ledger.keys.stock import get_balances, get_simulated_pools, get_stock
from scheduler.ledger.reader import get_commands
from scheduler.ledger.vault.keystore import OVERHEAD_BYTES, LocalKek
from tests.scheduler.ledger.builders import (
    NANSHAN_XINGLONG,
    NOON,
    bytes_of,
    chain,
    deposit,
    relay,
    spend,
    uuid_of,
)

POOL_ID = NANSHAN_XINGLONG.pool_id


def test_a_deposit_fills_the_pool_and_nothing_else(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "pass-1", 1003)
    with ledger.view.read() as reader:
        balances = get_balances(reader)[POOL_ID]
        assert balances["pool"] == 1003
        assert balances["generated"] == -1003
        assert sum(balances.values()) == 0
        assert get_stock(reader) == {POOL_ID: 1000}
        assert get_simulated_pools(reader) == {POOL_ID}


def test_bytes_come_back_in_order_across_blocks(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        key = deposit(tx, "one", 80_000) + deposit(tx, "two", 80_000)
    parts = [spend(ledger, f"part-{n}", bits) for n, bits in enumerate((8, 31_000, 97_000, 31_992))]
    got = b"".join(chunk.material_a for part in parts for chunk in part)
    assert got == key
    assert len(parts[2]) == 2, "one range a block"
    assert ledger.view.verify().problems == ()


def test_spent_bytes_are_erased_from_the_store(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 80_000)
    spend(ledger, "some", 50_008)
    with ledger._engine.connect() as connection:
        rows = connection.execute(
            text("SELECT side, start_byte, length(data) FROM material ORDER BY side, start_byte")
        ).all()
    for side in (0, 1):
        pieces = [(start, length) for held, start, length in rows if held == side]
        assert pieces[0][0] == 50_008 // 8
        sealing = len(pieces) * OVERHEAD_BYTES
        assert sum(length for _, length in pieces) - sealing == (80_000 - 50_008) // 8


def test_an_exhausted_block_is_a_tombstone(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 256)
    spend(ledger, "all", 256)
    with ledger.view.read() as reader:
        (block,) = get_blocks(reader, POOL_ID)
    assert (block.state, block.next_bit) == (KeyState.DESTROYED, 256)


def test_a_pool_never_gives_more_than_it_holds(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 807)
    with pytest.raises(NotEnoughKey, match="800 spendable bits, 808 were asked for"):
        spend(ledger, "too much", 808)
    with pytest.raises(NotEnoughKey, match="holds no key"):
        spend(ledger, "nowhere", 8, pool=Pool.link("a", "b"))
    assert sum(chunk.chunk.length_bits for chunk in spend(ledger, "just enough", 800)) == 800


@pytest.mark.parametrize("bits", [0, -8, 7, 257])
def test_only_whole_bytes_can_be_spent(ledger: Ledger, bits: int) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
    with pytest.raises(FactError, match=str(bits)):
        spend(ledger, "odd", bits)


def test_an_exception_undoes_the_whole_transaction(ledger: Ledger) -> None:
    class Interruption(Exception):
        pass

    def interrupted() -> None:
        with ledger.begin() as tx:
            deposit(tx, "one", 1024)
            raise Interruption

    with pytest.raises(Interruption):
        interrupted()
    with ledger.view.read() as reader:
        assert get_balances(reader) == {}
        assert reader.answer("deposit/one", kind="deposit", digest="") is None
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
    assert ledger.view.verify().ok


def test_a_retry_finds_the_first_answer(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
        assert tx.answer("deposit/one", kind="deposit", digest="") == {
            "bits": 1024,
            "block": str(uuid_of("one")),
        }
    with ledger.view.read() as reader:
        assert reader.answer("deposit/one", kind="deposit", digest="") == {
            "bits": 1024,
            "block": str(uuid_of("one")),
        }
        assert reader.answer("deposit/two", kind="deposit", digest="") is None


def test_one_request_id_cannot_stand_for_two_requests(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
    with (
        pytest.raises(RequestConflict, match="kind 'deposit', now with 'merge'"),
        ledger.begin() as tx,
    ):
        tx.command("deposit/one", kind="merge", at=NOON, digest="")
    with pytest.raises(LedgerError, match="answered already"), ledger.begin() as tx:
        tx.command("deposit/one", kind="deposit", at=NOON, digest="")


def test_a_command_without_an_answer_is_not_kept(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="never finished"), ledger.begin() as tx:
        tx.command("lost", kind="deposit", at=NOON, digest="")
    with ledger.view.read() as reader:
        assert get_commands(reader) == []


def test_the_same_key_is_not_taken_twice(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
    with ledger.begin() as tx:
        handle = tx.command("again", kind="deposit", at=NOON, digest="")
        with pytest.raises(DuplicateBlock, match="one"):
            deposit_block(
                tx,
                handle,
                _block("one", 512),
                material_a=bytes_of("x", 512),
                material_b=bytes_of("x", 512),
            )
        handle.finish({"refused": True})
    with ledger.view.read() as reader:
        assert get_balances(reader)[POOL_ID]["pool"] == 1024


def _block(name: str, bits: int) -> NewBlock:
    return NewBlock(
        block_id=uuid_of(name),
        pool=NANSHAN_XINGLONG,
        natural_key=name,
        length_bits=bits,
        source="simulator",
        simulated=False,
    )


def test_material_of_the_wrong_length_is_refused(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        handle = tx.command("short", kind="deposit", at=NOON, digest="")
        with pytest.raises(FactError, match="31 bytes at node_b, 256 bits need 32"):
            deposit_block(
                tx, handle, _block("one", 256), material_a=b"a" * 32, material_b=b"b" * 31
            )
        handle.finish({})


def test_a_naive_instant_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="zone"), ledger.begin() as tx:
        tx.command("when", kind="deposit", at=datetime(2016, 12, 19), digest="")  # noqa: DTZ001


def test_a_relay_costs_one_range_a_hop_and_gains_one_end_to_end(ledger: Ledger) -> None:
    nodes = ["beijing", "relay-1", "relay-2", "shanghai"]
    with ledger.begin() as tx:
        for link in chain(nodes):
            deposit(tx, link.pool_id, 100_000, pool=link)
    with ledger.begin() as tx:
        key = relay(tx, "tick", nodes, 51_200)
    with ledger.view.read() as reader:
        balances = get_balances(reader)
        (block,) = get_blocks(reader, "pair:beijing--shanghai")
    for link in chain(nodes):
        assert balances[link.pool_id]["spent"] == 51_200
    assert balances["pair:beijing--shanghai"]["pool"] == block.length_bits == 51_200
    (chunk,) = spend(ledger, "key", 51_200, pool=Pool.pair("beijing", "shanghai"))
    assert chunk.material_a == chunk.material_b == key
    assert ledger.view.verify().problems == ()


def _announcement(left: list[Chunk], right: list[Chunk], relay_: str = "b") -> Announcement:
    return Announcement(
        announcement_id=uuid_of(str((left, right))),
        relay=relay_,
        left=tuple(left),
        right=tuple(right),
        length_bits=256,
        sha256="00" * 32,
    )


def test_unsound_announcements_are_refused(ledger: Ledger) -> None:
    one, two, far = Pool.link("a", "b"), Pool.link("b", "c"), Pool.link("x", "y")
    with ledger.begin() as tx:
        for link in (one, two, far):
            deposit(tx, link.pool_id, 1024, pool=link)
    with ledger.begin() as tx:
        handle = tx.command("merge", kind="merge", at=NOON, digest="")
        left, right, elsewhere = (
            [part.chunk for part in spend_pool(tx, handle, pool.pool_id, 256)]
            for pool in (one, two, far)
        )
        unspent = [
            Chunk(block_id=left[0].block_id, pool_id=one.pool_id, start_bit=256, end_bit=512)
        ]
        for bad, message in (
            (_announcement(left, elsewhere), "no link of its own"),
            (_announcement(left, left), "both sides"),
            (_announcement(left, []), "a side of 0 bits"),
            (_announcement(unspent, right), "did not spend"),
            (_announcement(left, right, "a"), "no link of its own"),
        ):
            with pytest.raises(FactError, match=message):
                record_announcement(tx, handle, bad)
        record_announcement(tx, handle, _announcement(left, right))
        handle.finish({})
    assert ledger.view.verify().ok


def test_several_pools_are_spent_at_once_or_not_at_all(ledger: Ledger) -> None:
    """Ranges that came back lie in one piece with those behind the cursor."""
    other = Pool.link("a", "b")
    with ledger.begin() as tx:
        key = deposit(tx, "one", 4096)
        key_other = deposit(tx, "other", 1024, pool=other)
        handle = tx.command("reserve", kind="reserve", at=NOON, digest="")
        for name in ("first", "kept", "last"):
            reserve_key(tx, handle, POOL_ID, 256, reservation_id=uuid_of(name), purpose="test",
                expires_at=NOON + timedelta(hours=1),
            )  # fmt: skip
        for name in ("first", "last"):
            resolve_reservation(tx, handle, uuid_of(name), ReservationState.RELEASED)
        handle.finish({})
    with ledger.begin() as tx:
        handle = tx.command("spend", kind="spend", at=NOON, digest="")
        with pytest.raises(NotEnoughKey, match="1032 were asked for"):
            spend_pools(tx, handle, {POOL_ID: 64, other.pool_id: 1032})
        taken = spend_pools(tx, handle, {POOL_ID: 768, other.pool_id: 64})
        handle.finish({})
    spans = [(part.chunk.start_bit, part.chunk.end_bit) for part in taken[POOL_ID]]
    assert sorted(spans) == [(0, 256), (512, 1024)]
    for part in taken[POOL_ID]:
        expected = key[part.chunk.start_bit // 8 : part.chunk.end_bit // 8]
        assert part.material_a == part.material_b == expected
    assert [part.material_a for part in taken[other.pool_id]] == [key_other[:8]]
    assert ledger.view.verify().ok


def test_known_blocks_are_found_before_their_deposits(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "old", 1024)

    def block(name: str, key: str) -> NewBlock:
        return NewBlock(
            block_id=uuid_of(name), pool=NANSHAN_XINGLONG, natural_key=key, length_bits=1024,
            source="simulator", simulated=True,
        )  # fmt: skip

    new = [block(f"new-{n}", f"new-{n}") for n in range(500)]
    with ledger.begin() as tx:
        for known in (block("old", "another"), block("another", "old")):
            with pytest.raises(DuplicateBlock, match="deposited before"):
                expect_blocks(tx, [*new, known])
        expect_blocks(tx, new)
        deposit(tx, "new-1", 1024)
        handle = tx.command("twice", kind="deposit", at=NOON, digest="")
        material = bytes(128)
        with pytest.raises(DuplicateBlock):
            deposit_block(tx, handle, new[1], material_a=material, material_b=material)
        handle.finish({})
    assert ledger.view.verify().ok


def test_a_relay_announces_a_chunk_once(ledger: Ledger) -> None:
    one, two = Pool.link("a", "b"), Pool.link("b", "c")
    with ledger.begin() as tx:
        for link in (one, two):
            deposit(tx, link.pool_id, 1024, pool=link)
    with ledger.begin() as tx:
        handle = tx.command("merge", kind="merge", at=NOON, digest="")
        left, right = (
            [part.chunk for part in spend_pool(tx, handle, pool.pool_id, 256)]
            for pool in (one, two)
        )
        record_announcement(tx, handle, _announcement(left, right))
        with pytest.raises(FactError, match="announced bits 0 to 256"):
            record_announcement(tx, handle, _announcement(right, left))
        handle.finish({})


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    deposits=st.lists(st.integers(1, 70_000), min_size=1, max_size=4),
    shares=st.lists(st.integers(1, 4000), max_size=8),
)
def test_what_goes_in_is_what_is_left_and_what_came_out(
    tmp_path_factory: pytest.TempPathFactory,
    sqlite_template: Path,
    kek: LocalKek,
    deposits: list[int],
    shares: list[int],
) -> None:
    path = tmp_path_factory.mktemp("property") / "ledger.db"
    shutil.copy(sqlite_template, path)
    with open_ledger(f"sqlite:///{path}", kek=kek) as ledger:
        with ledger.begin() as tx:
            keys = [deposit(tx, f"b{n}", bits) for n, bits in enumerate(deposits)]
        stock = sum(bits // 8 * 8 for bits in deposits)
        whole = b"".join(key[: bits // 8] for key, bits in zip(keys, deposits, strict=True))
        got = b""
        for n, share in enumerate(shares):
            bits = share * 8
            if bits > stock - len(got) * 8:
                with pytest.raises(NotEnoughKey):
                    spend(ledger, f"s{n}", bits)
                continue
            got += b"".join(chunk.material_b for chunk in spend(ledger, f"s{n}", bits))
        assert got == whole[: len(got)]
        with ledger.view.read() as reader:
            assert get_stock(reader) == {POOL_ID: stock - len(got) * 8}
            assert get_balances(reader)[POOL_ID]["spent"] == len(got) * 8
        assert ledger.view.verify().problems == ()
