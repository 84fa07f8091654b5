"""A ledger with a row in every table, and blocks, reservations and keys in every state."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from sqlalchemy import text

from orbits import Standing, Verdict
from scheduler.domain import (
    Alert,
    AlertKind,
    BookingState,
    ElementBinding,
    JobState,
    NewBlock,
    Pool,
    Sae,
)
from scheduler.ledger import (
    CommandHandle,
    ElementRow,
    KeyState,
    Ledger,
    ReservationState,
    Transaction,
)
from scheduler.ledger.books import saes
from scheduler.ledger.books.alerts import add_alerts
from scheduler.ledger.books.bindings import add_binding
from scheduler.ledger.books.bookings import add_booking, move_booking
from scheduler.ledger.books.elements import add_elements
from scheduler.ledger.books.forecasts import add_forecasts
from scheduler.ledger.books.jobs import end_job, pause
from scheduler.ledger.books.runs import bind_facts
from scheduler.ledger.books.verdicts import add_verdicts
from scheduler.ledger.keys.answers import deliver_keys, doubt_answers, settle_answers
from scheduler.ledger.keys.delivery import Draw, collect_keys, draw_keys
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.epochs import begin_epoch, shred_epoch
from scheduler.ledger.keys.expiry import let_expire
from scheduler.ledger.keys.reservations import intend_reservation, reserve_key, resolve_reservation
from scheduler.ledger.keys.sessions import add_session, take_sifted
from scheduler.ledger.keys.transitions import erase_expired, move_block
from scheduler.ledger.schema import Base
from scheduler.weather import Forecast
from tests.scheduler.ledger.builders import (
    NOON,
    booking,
    bytes_of,
    chain,
    decide,
    deposit,
    relay,
    spend,
    take_job,
    uuid_of,
)
from tests.scheduler.ledger.segments.periods import close, live_through
from tests.scheduler.ledger.test_books import _elements

NODES = ["a", "b", "c"]
OTHER = Pool.link("x", "y")
SOON = NOON + timedelta(minutes=1)
LATER = NOON + timedelta(hours=2)

ALERT = Alert(kind=AlertKind.SESSION_MISSED, subject="xinglong", at=NOON, words="cloud")


def fill(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        bind_facts(tx, {"seed": 1})
        add_booking(tx, booking("one", 0, 300))
        end_job(tx, take_job(tx, "merge", NOON), JobState.DONE, at=NOON)
        add_elements(tx, [_elements("aa")])
        add_verdicts(tx, [_verdict("aa")], at=NOON)
        add_alerts(tx, [ALERT])
        sky = Forecast(station_id="xinglong", issued_at=NOON, valid_at=LATER, p_clear=0.5)
        add_forecasts(tx, [sky], source="feed")
        handle = tx.command("bind", kind="elements-bound", at=NOON, digest="")
        add_binding(tx, handle, ElementBinding(norad_id=9, satellite_norad_id=8, since=NOON))
        handle.finish({"bound": 9})
        for link in chain(NODES):
            deposit(tx, link.pool_id, 10_003, pool=link)
    with ledger.begin() as tx:
        relay(tx, "tick", NODES, 2560)
    spend(ledger, "draw", 256, pool=chain(NODES)[0])
    with ledger.begin() as tx:
        handle = tx.command("pause", kind="job-paused", at=NOON, digest="")
        pause(tx, handle, "merge", reason="maintenance")
        handle.finish({})
        handle = tx.command("settle", kind="settle", at=NOON, digest="")
        add_session(
            tx,
            handle,
            booking_id=uuid_of("one"),
            link=("micius", "xinglong"),
            expected_bits=1000.5,
            sifted_bits=900,
            sifted=(_sifted(tx, handle, "distilled"), {"measured": [[9.0]]}),
        )
        _sifted(tx, handle, "sifted")
        handle.finish({})
        handle = tx.command("close", kind="close-block", at=NOON, digest="")
        take_sifted(tx, handle, uuid_of("distilled"))
        handle.finish({})
    with ledger.begin() as tx:
        decide(tx, "1", booking_id=uuid_of("one"), lifted=True)
        for sae_id, node in (("m", "b"), ("s", "c")):
            handle = tx.command(f"sae/{sae_id}", kind="sae", at=NOON, digest="")
            saes.add(tx, handle, Sae(sae_id=sae_id, node=node))
            handle.finish({})
        handle = tx.command("sae/s/removed", kind="sae-removed", at=NOON, digest="")
        saes.remove(tx, handle, "s")
        handle.finish({})


def _sifted(tx: Transaction, handle: CommandHandle, name: str) -> UUID:
    """Deposit sifted key, at the two ends not alike."""
    block = NewBlock(
        block_id=uuid_of(name),
        pool=chain(NODES)[0],
        natural_key=name,
        length_bits=128,
        source="simulator",
        simulated=True,
    )
    key = bytes_of(name, 128)
    deposit_block(tx, handle, block, material_a=key, material_b=key[::-1], sifted=True)
    return block.block_id


def _verdict(sha256: str) -> Verdict:
    return Verdict(sha256=sha256, standing=Standing.WITHDRAWN, since=NOON, reason="spliced")


def fill_more(ledger: Ledger) -> None:
    """On top of that: a reservation, a freed range, a key half collected, a checkpoint."""
    pool_id = chain(NODES)[1].pool_id
    with ledger.begin() as tx:
        for name in ("kept", "given back", "in between"):
            handle = tx.command(name, kind="reserve", at=NOON, digest="")
            reserve_key(
                tx,
                handle,
                pool_id,
                512,
                reservation_id=uuid_of(name),
                purpose="test",
                expires_at=NOON + timedelta(hours=1),
            )
            if name == "given back":
                resolve_reservation(tx, handle, uuid_of("given back"), ReservationState.RELEASED)
                reserve_key(
                    tx,
                    handle,
                    pool_id,
                    512,
                    reservation_id=uuid_of("again"),
                    purpose="test",
                    expires_at=NOON + timedelta(hours=1),
                )
            handle.finish({})
        handle = tx.command("back", kind="release", at=NOON, digest="")
        resolve_reservation(tx, handle, uuid_of("again"), ReservationState.RELEASED)
        handle.finish({})
        handle = tx.command("keys", kind="draw", at=NOON, digest="")
        keys = [uuid_of("key")]
        draw_keys(tx, handle, pool_id, key_ids=keys, size_bits=256, recipients={"m": 0, "s": 1})
        collect_keys(tx, handle, keys, "m")
        handle.finish({})
    ledger.checkpoint(NOON)


def fill_all(ledger: Ledger) -> None:
    """Some of everything, and sound."""
    fill(ledger)
    fill_more(ledger)
    fill_rest(ledger)
    assert ledger.view.verify().problems == ()
    with ledger.view.read() as reader:
        for table in Base.metadata.sorted_tables:
            if table.name == "audit_waiting":  # emptied by the audit
                continue
            count = text(f'SELECT count(*) FROM "{table.name}"')
            assert reader.connection.execute(count).scalar_one(), f"{table.name} is empty"


def fill_rest(ledger: Ledger) -> None:
    """On top of that: a closed period, all kinds of key in every state, an epoch shredded."""
    live_through(ledger, 0)
    with TemporaryDirectory() as folder:
        close(ledger, Path(folder), NOON + timedelta(minutes=30))
    with ledger.begin() as tx:
        take_job(tx, "plan", NOON)
        add_elements(
            tx,
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
            ],
        )
        move_booking(
            tx,
            uuid_of("one"),
            expected=BookingState.BOOKED,
            to=BookingState.CANCELLED,
            reason="cloud",
            at=SOON,
        )
        add_booking(tx, booking("two", 400, 700))
        decide(tx, "2", booking_id=uuid_of("two"), lifted=False)
        _deposit_others(tx)
    _reserve_others(ledger)
    spend(ledger, "all of it", 256, pool=OTHER)
    with ledger.begin() as tx:
        handle = tx.command("epoch", kind="epoch", at=NOON, digest="")
        begin_epoch(tx, handle, OTHER.pool_id)
        handle.finish({})
    _end_some(ledger)
    ledger.checkpoint(LATER)


def _deposit_others(tx: Transaction) -> None:
    """A real pool, and a block in each state that a rest can have."""
    deposit(tx, "real", 256, pool=OTHER, simulated=False)
    handle = tx.command("others", kind="deposit", at=NOON, digest="")
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
        deposit_block(
            tx,
            handle,
            block,
            material_a=key,
            material_b=key[::-1] if unequal else key,
            received_only=received,
            expires_at=until,
        )
    for name in ("held", "compromised"):
        move_block(tx, handle, uuid_of(name), expected=KeyState.AVAILABLE, to=KeyState.HELD)
    move_block(tx, handle, uuid_of("compromised"), expected=KeyState.HELD, to=KeyState.COMPROMISED)
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
            handle = tx.command(f"reserve {name}", kind="reserve", at=NOON, digest="")
            reserve_key(
                tx,
                handle,
                pool_id,
                128,
                reservation_id=uuid_of(name),
                purpose=name,
                expires_at=LATER + timedelta(hours=1),
            )
            handle.finish({})
            handle = tx.command(f"intend {name}", kind="intend", at=NOON, digest="")
            intend_reservation(tx, handle, uuid_of(name))
            if to is ReservationState.VOIDED:
                resolve_reservation(tx, handle, uuid_of(name), ReservationState.UNCERTAIN)
            handle.finish({})
            if to is not None:
                handle = tx.command(f"resolve {name}", kind="resolve", at=NOON, digest="")
                resolve_reservation(tx, handle, uuid_of(name), to)
                handle.finish({})
    with ledger.begin() as tx:
        handle = tx.command("uncollected", kind="draw", at=NOON, digest="")
        for name, until in (("late", SOON), ("waiting", LATER + timedelta(hours=9))):
            draw_keys(
                tx,
                handle,
                pool_id,
                key_ids=[uuid_of(name)],
                size_bits=128,
                recipients={"m": 0, "s": 1},
                expires_at=until,
            )
        collect_keys(tx, handle, [uuid_of("late")], "m")
        handle.finish({})
    _answer_others(ledger)


def _answer_others(ledger: Ledger) -> None:
    """Keys that were answered with: settled, open, voided, and in doubt at the slave's end."""
    pool_id = chain(NODES)[1].pool_id
    with ledger.begin() as tx:
        for name in ("answered", "open answer", "void answer", "doubted answer"):
            handle = tx.command(name, kind="enc-keys", at=NOON, digest="")
            ends = {"m": 0, "s": 1}
            draw = Draw(handle=handle, key_ids=[uuid_of(name)], recipients=ends, given_to="m")
            until = LATER + timedelta(hours=9)
            deliver_keys(tx, pool_id, [draw], size_bits=128, expires_at=until)
            handle.finish({})
        handle = tx.command("dec doubted", kind="dec-keys", at=NOON, digest="")
        collect_keys(tx, handle, [uuid_of("doubted answer")], "s", keep=True)
        handle.finish({})
        handle = tx.command("settle-answers", kind="keys-settled", at=NOON, digest="")
        settle_answers(tx, handle, ["answered", "doubted answer"])
        handle.finish({})
        handle = tx.command("doubt", kind="keys-doubted", at=NOON, digest="")
        doubt_answers(tx, handle, request_ids=["void answer", "dec doubted"])
        handle.finish({})


def _end_some(ledger: Ledger) -> None:
    """Time passes: what is due ends, is erased, and an epoch with it."""
    with ledger.begin() as tx:
        handle = tx.command("expire", kind="expire", at=LATER, digest="")
        let_expire(tx, handle)
        handle.finish({})
        handle = tx.command("erase", kind="erase", at=LATER, digest="")
        erase_expired(tx)
        shred_epoch(tx, handle, OTHER.pool_id, 0)
        handle.finish({})
        deposit(tx, "next epoch", 128, pool=OTHER, simulated=False)
