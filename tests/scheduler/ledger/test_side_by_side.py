"""Writers side by side: each key once, nothing left behind, the same numbers for one writer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from scheduler.ledger import Ledger, ReservationState, Transaction
from scheduler.ledger.db.tickets import TicketQueue
from scheduler.ledger.keys.delivery import collect_keys, draw_keys
from scheduler.ledger.keys.reservations import reserve_key, resolve_reservation
from scheduler.ledger.keys.stock import get_balances
from tests.scheduler.ledger.builders import NANSHAN_XINGLONG, NOON, deposit, uuid_of

POOL_ID = NANSHAN_XINGLONG.pool_id
THREADS, EACH, BITS = 6, 5, 256


def _reserve(tx: Transaction, name: str) -> None:
    handle = tx.command(f"reserve/{name}", kind="reserve", at=NOON, digest="")
    reserve_key(
        tx, handle, POOL_ID, BITS, reservation_id=uuid_of(name), purpose="test",
        expires_at=NOON + timedelta(hours=1),
    )  # fmt: skip
    handle.finish({})


def _deliver(tx: Transaction, name: str) -> bytes:
    handle = tx.command(f"deliver/{name}", kind="deliver", at=NOON, digest="")
    chunks = resolve_reservation(tx, handle, uuid_of(name), ReservationState.DELIVERED)
    handle.finish({})
    return b"".join(chunk.material_a for chunk in chunks)


def test_threads_share_two_blocks_and_no_key_goes_twice(ledger: Ledger) -> None:
    """Two blocks for six threads: most of the time somebody else holds what one wants."""
    bits = THREADS * EACH * BITS // 2
    for name in ("one", "two"):
        with ledger.begin() as tx:
            deposit(tx, name, bits)

    def client(number: int) -> list[bytes]:
        got = []
        for turn in range(EACH):
            name = f"{number}/{turn}"
            ledger.run(lambda tx, name=name: _reserve(tx, name))  # type: ignore[misc]
            got.append(ledger.run(lambda tx, name=name: _deliver(tx, name)))  # type: ignore[misc]
        return got

    with ThreadPoolExecutor(THREADS) as pool:
        keys = [key for keys in pool.map(client, range(THREADS)) for key in keys]
    assert len(set(keys)) == THREADS * EACH
    with ledger.view.read() as reader:
        balances = get_balances(reader)[POOL_ID]
        left = reader.connection.execute(text("SELECT count(*) FROM material")).scalar()
    assert (balances["pool"], balances["delivered"], left) == (0, 2 * bits, 0)
    assert ledger.view.verify().problems == ()


def test_the_last_of_two_recipients_at_one_end_leaves_no_bytes(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 8 * BITS)
        handle = tx.command("draw", kind="draw", at=NOON, digest="")
        keys = [uuid_of(f"k{number}") for number in range(8)]
        draw_keys(
            tx, handle, POOL_ID, key_ids=keys, size_bits=BITS, recipients={"left": 0, "right": 0}
        )
        handle.finish({})
    together = threading.Barrier(2)

    def collect(who: str) -> list[bytes]:
        got = []
        for key in keys:
            together.wait()

            def work(tx: Transaction, key: object = key) -> bytes:
                handle = tx.command(f"collect/{who}/{key}", kind="collect", at=NOON, digest="")
                (collected,) = collect_keys(tx, handle, [key], who)  # type: ignore[list-item]
                handle.finish({})
                return collected.material

            got.append(ledger.run(work))
        return got

    with ThreadPoolExecutor(2) as pool:
        left, right = pool.map(collect, ("left", "right"))
    assert left == right
    with ledger.view.read() as reader:
        assert reader.connection.execute(text("SELECT count(*) FROM material")).scalar() == 0
    assert ledger.view.verify().problems == ()


def test_a_request_made_twice_at_once_is_answered_once(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 8 * BITS)

    def work(tx: Transaction) -> dict[str, object]:
        known = tx.answer("same", kind="reserve", digest="")
        if known is not None:
            return known
        handle = tx.command("same", kind="reserve", at=NOON, digest="")
        reserve_key(
            tx, handle, POOL_ID, BITS, reservation_id=uuid_of("same"), purpose="test",
            expires_at=NOON + timedelta(hours=1),
        )  # fmt: skip
        handle.finish({"by": 1})
        return {"by": 1}

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ledger.run(work), range(4)))
    assert answers == [{"by": 1}] * 4
    with ledger.view.read() as reader:
        assert get_balances(reader)[POOL_ID]["reserved"] == BITS
    assert ledger.view.verify().problems == ()


def test_tickets_are_served_in_the_order_in_which_they_were_drawn(tmp_path: Path) -> None:
    queues = [TicketQueue(tmp_path / "ledger.db") for _ in range(5)]
    order: list[int] = []

    def stand(number: int) -> None:
        with queues[number].turn():
            order.append(number)

    threads = [threading.Thread(target=stand, args=(number,)) for number in range(1, 5)]
    with queues[0].turn():
        for number, thread in enumerate(threads, start=1):
            thread.start()
            _until_drawn(tmp_path / "ledger.db-queue", number)
        assert order == []
    for thread in threads:
        thread.join()
    assert order == [1, 2, 3, 4]
    for queue in queues:
        queue.close()


def test_a_ticket_whose_holder_died_keeps_nobody_waiting(tmp_path: Path) -> None:
    gone, next_one = TicketQueue(tmp_path / "ledger.db"), TicketQueue(tmp_path / "ledger.db")
    held = gone.turn()
    held.__enter__()
    gone.close()  # as the kernel does for a process that was killed
    with next_one.turn():
        pass
    next_one.close()
    with pytest.raises(OSError, match="Bad file"):
        held.__exit__(None, None, None)


def _until_drawn(file: Path, more: int) -> None:
    """Wait until so many tickets were drawn behind the first."""
    first = 9
    while int.from_bytes(file.read_bytes(), "little") < first + more:
        threading.Event().wait(0.001)
