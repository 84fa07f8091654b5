"""What becomes of an answer is decided once, whoever else writes about it at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text

from scheduler.errors import SchedulerError, WrongState
from scheduler.ledger import Ledger, Transaction
from scheduler.ledger.keys.answers import (
    deliver_keys,
    doubt_answers,
    get_doubted,
    settle_answers,
    void_keys,
)
from scheduler.ledger.keys.delivery import Draw, close_expired, collect_keys
from tests.scheduler.ledger.builders import NANSHAN_XINGLONG, NOON, deposit, uuid_of

LATER = NOON + timedelta(hours=2)
POLL_S = 0.01
KEY = uuid_of("key")
Work = Callable[[Transaction], object]


def command(kind: str, what: Callable[..., object], **more: object) -> Work:
    """Work that does this by a command of its own."""

    def work(tx: Transaction) -> object:
        handle = tx.command(kind, kind=kind, at=LATER, digest="")
        found = what(tx, handle, **more)
        handle.finish({})
        return found

    return work


def collect(tx: Transaction, handle: object) -> object:
    return collect_keys(tx, handle, [KEY], "s", keep=True)  # type: ignore[arg-type]


COLLECT = command("dec-keys", collect)
SETTLE = command("keys-settled", settle_answers, request_ids=["enc-keys"])
DOUBT = command("keys-doubted", doubt_answers, before=NOON + timedelta(hours=1))
VOID = command("void", lambda tx, handle: void_keys(tx, handle, [KEY]))
EXPIRE = command("expire", close_expired)


@pytest.fixture
def answered(ledger: Ledger) -> Ledger:
    """A ledger in which a master was answered with a key that nobody saw leave."""
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
        handle = tx.command("enc-keys", kind="enc-keys", at=NOON, digest="")
        draw = Draw(handle=handle, key_ids=[KEY], recipients={"m": 0, "s": 1}, given_to="m")
        until = LATER + timedelta(hours=1)
        deliver_keys(tx, NANSHAN_XINGLONG.pool_id, [draw], size_bits=256, expires_at=until)
        handle.finish({})
    return ledger


def _somebody_waits(url: str, done: Future[object]) -> None:
    """Return when a session of PostgreSQL waits for another, or is through already."""
    if not url.startswith("postgresql"):
        return  # SQLite's second writer has not begun
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        asked = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while not done.done() and not connection.execute(asked).scalar():
            threading.Event().wait(POLL_S)
    engine.dispose()


def beside(ledger: Ledger, url: str, first: Work, second: Work) -> object:
    """Do the first, and the second while it is done but not committed; what came of the second."""
    with ThreadPoolExecutor(2) as pool:
        began, others = threading.Event(), list[Future[object]]()

        def slow(tx: Transaction) -> object:
            found = first(tx)
            _ = tx.connection  # all of it is written
            began.set()
            others.append(pool.submit(ledger.run, second))
            _somebody_waits(url, others[0])
            return found

        pool.submit(ledger.run, slow).result(timeout=60)
        try:
            return others[0].result(timeout=60)
        except SchedulerError as error:
            return error


def is_void(ledger: Ledger) -> bool:
    with ledger.view.read() as reader:
        return any(one.voided for one in get_doubted(reader))


def test_what_a_slave_has_is_not_void(answered: Ledger, store_url: str) -> None:
    beside(answered, store_url, COLLECT, DOUBT)

    assert not is_void(answered)
    assert answered.view.verify().problems == ()


def test_what_is_void_no_slave_gets(answered: Ledger, store_url: str) -> None:
    found = beside(answered, store_url, DOUBT, COLLECT)

    assert isinstance(found, WrongState)
    assert is_void(answered)
    assert answered.view.verify().problems == ()


def test_what_left_is_not_void(answered: Ledger, store_url: str) -> None:
    beside(answered, store_url, SETTLE, DOUBT)

    assert not is_void(answered)
    assert answered.view.verify().problems == ()


def test_what_is_void_did_not_leave(answered: Ledger, store_url: str) -> None:
    found = beside(answered, store_url, DOUBT, SETTLE)

    assert found == 0
    assert is_void(answered)
    assert answered.view.verify().problems == ()


def test_what_a_slave_has_is_not_taken_back(answered: Ledger, store_url: str) -> None:
    assert beside(answered, store_url, COLLECT, VOID) == set()
    assert answered.view.verify().problems == ()
