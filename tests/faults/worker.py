"""A process that deposits, merges, delivers and lets key expire until somebody kills it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from scheduler.domain import NewBlock, Pool
from scheduler.ledger import KeyState, Ledger, ReservationState, Transaction, open_ledger
from scheduler.ledger.keys.blocks import get_waiting_blocks
from scheduler.ledger.keys.delivery import collect_keys, draw_keys
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.epochs import begin_epoch, shred_epoch
from scheduler.ledger.keys.expiry import let_expire
from scheduler.ledger.keys.reservations import intend_reservation, reserve_key, resolve_reservation
from scheduler.ledger.keys.sessions import take_sifted
from scheduler.ledger.keys.spending import spend_pools
from scheduler.ledger.keys.transitions import erase_expired, move_block
from scheduler.ledger.vault.keystore import LocalKek
from tests.faults.history import Event, write
from tests.scheduler.ledger.builders import NOON, bytes_of, chain, deposit, relay, uuid_of

NODES = ("a", "b", "c", "d")
PAIR = Pool.pair("a", "d")
DOWNLINK = Pool.link("sat", "a")
HOURS, MINUTE = timedelta(hours=10_000), timedelta(minutes=1)

Step = Callable[[Transaction, str, Event], None]


def work(url: str, kek: bytes, history: str, first: int, last: int) -> None:
    """Do rounds `first` to `last`, each request under its own id, telling the history."""
    handle = os.open(Path(history), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    folder = Path(history).with_name("keys")
    with open_ledger(url, kek=LocalKek(kek), key_folder=folder) as ledger:
        for number in range(first, last):
            for kind, step in STEPS.items():
                once(ledger, handle, f"{kind}/{number}", kind, step)


def once(ledger: Ledger, history: int, request: str, kind: str, step: Step) -> None:
    """Make one request unless it was answered before."""
    write(history, Event("intent", request, kind))
    event = Event("ok", request, kind)
    with ledger.begin() as tx:
        if tx.answer(request, kind=kind, digest="") is None:
            step(tx, request, event)
        else:
            event.what = "replayed"
    # Only now, after the commit, do the bytes leave.
    write(history, event)


def _deposit(tx: Transaction, request: str, event: Event) -> None:
    for link in chain(NODES):
        deposit(tx, f"{request}/{link.pool_id}", 35_000, pool=link)
    _answer(tx, request, "deposit", {})


def _merge(tx: Transaction, request: str, event: Event) -> None:
    relay(tx, request, NODES, 1024)
    _answer(tx, request, "merge", {})


def _deliver(tx: Transaction, request: str, event: Event) -> None:
    handle = tx.command(request, kind="deliver", at=NOON, digest="")
    keys = [uuid_of(f"{request}/{n}") for n in range(2)]
    draw_keys(tx, handle, PAIR.pool_id, key_ids=keys, size_bits=256, recipients={"m": 0, "s": 1})
    event.keys = [f"m/{key.key_id}" for key in collect_keys(tx, handle, keys, "m")]
    handle.finish({})


def _collect(tx: Transaction, request: str, event: Event) -> None:
    handle = tx.command(request, kind="collect", at=NOON, digest="")
    drawn = request.replace("collect", "deliver")
    keys = [uuid_of(f"{drawn}/{n}") for n in range(2)]
    event.keys = [f"s/{key.key_id}" for key in collect_keys(tx, handle, keys, "s")]
    handle.finish({})


def _reserve(tx: Transaction, request: str, event: Event) -> None:
    handle = tx.command(request, kind="reserve", at=NOON, digest="")
    reserve_key(
        tx,
        handle,
        PAIR.pool_id,
        256,
        reservation_id=uuid_of(request),
        purpose="test",
        expires_at=NOON + HOURS,
    )
    intend_reservation(tx, handle, uuid_of(request))
    handle.finish({})


def _post(tx: Transaction, request: str, event: Event) -> None:
    handle = tx.command(request, kind="post", at=NOON, digest="")
    reserved = uuid_of(request.replace("post", "reserve"))
    for part in resolve_reservation(tx, handle, reserved, ReservationState.DELIVERED):
        chunk = part.chunk
        event.ranges.append((str(chunk.block_id), chunk.start_bit, chunk.end_bit))
    handle.finish({})


def _receive(tx: Transaction, request: str, event: Event) -> None:
    """Key of a satellite that waits for its announcement, and is of use for a minute."""
    handle = tx.command(request, kind="receive", at=NOON, digest="")
    block = NewBlock(
        block_id=uuid_of(request),
        pool=DOWNLINK,
        natural_key=request,
        length_bits=2048,
        source="simulator",
        simulated=True,
    )
    key = bytes_of(request, 2048)
    until = NOON + MINUTE
    deposit_block(
        tx, handle, block, material_a=key, material_b=key, received_only=True, expires_at=until
    )
    handle.finish({})


def _announced(tx: Transaction, request: str, event: Event) -> None:
    handle = tx.command(request, kind="announced", at=NOON, digest="")
    for block in get_waiting_blocks(tx, "sat"):
        move_block(tx, handle, block.block_id, expected=KeyState.RECEIVED, to=KeyState.AVAILABLE)
    handle.finish({})


def _spend_young(tx: Transaction, request: str, event: Event) -> None:
    handle = tx.command(request, kind="young", at=NOON, digest="")
    needs = {DOWNLINK.pool_id: 1024}
    for part in spend_pools(tx, handle, needs, received_after=NOON - MINUTE)[DOWNLINK.pool_id]:
        chunk = part.chunk
        event.ranges.append((str(chunk.block_id), chunk.start_bit, chunk.end_bit))
    handle.finish({})


def _sift(tx: Transaction, request: str, event: Event) -> None:
    """Sifted key of a session, at the two ends not alike, that waits for its block to close."""
    handle = tx.command(request, kind="sift", at=NOON, digest="")
    block = NewBlock(
        block_id=uuid_of(request),
        pool=DOWNLINK,
        natural_key=request,
        length_bits=8192,
        source="simulator",
        simulated=True,
    )
    key = bytes_of(request, 8192)
    deposit_block(tx, handle, block, material_a=key, material_b=key[::-1], sifted=True)
    handle.finish({})


def _distil(tx: Transaction, request: str, event: Event) -> None:
    """The block closes: what was settled before must be there, and is used up."""
    handle = tx.command(request, kind="distil", at=NOON, digest="")
    sifted = request.replace("distil", "sift")
    assert take_sifted(tx, handle, uuid_of(sifted))[0] == bytes_of(sifted, 8192)
    block = NewBlock(
        block_id=uuid_of(request),
        pool=DOWNLINK,
        natural_key=request,
        length_bits=1024,
        source="simulator",
        simulated=True,
    )
    key = bytes_of(request, 1024)
    deposit_block(
        tx, handle, block, material_a=key, material_b=key, tag_bits=384, expires_at=NOON + MINUTE
    )
    handle.finish({})


def _expire(tx: Transaction, request: str, event: Event) -> None:
    handle = tx.command(request, kind="expire", at=NOON + MINUTE, digest="")
    let_expire(tx, handle)
    erase_expired(tx)
    handle.finish({})


def _answer(tx: Transaction, request: str, kind: str, answer: dict[str, Any]) -> None:
    tx.command(request, kind=kind, at=NOON, digest="").finish(answer)


def _turn(tx: Transaction, request: str, event: Event) -> None:
    """The next epoch of a pool begins, and what ended is shredded."""
    handle = tx.command(request, kind="turn", at=NOON, digest="")
    pool_id = chain(NODES)[0].pool_id
    shred_epoch(tx, handle, pool_id, begin_epoch(tx, handle, pool_id) - 1)
    handle.finish({})


STEPS: dict[str, Step] = {
    "deposit": _deposit,
    "merge": _merge,
    "deliver": _deliver,
    "collect": _collect,
    "reserve": _reserve,
    "post": _post,
    "receive": _receive,
    "announced": _announced,
    "young": _spend_young,
    "sift": _sift,
    "distil": _distil,
    "expire": _expire,
    "turn": _turn,
}
