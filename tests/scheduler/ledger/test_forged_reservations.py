"""Whoever was given another's range in the database does not get its key."""

from __future__ import annotations

import pytest

from scheduler.errors import LedgerBroken
from scheduler.ledger import Ledger, ReservationState
from tests.scheduler.ledger.builders import NANSHAN_XINGLONG, deposit, uuid_of
from tests.scheduler.ledger.test_reservations import expire, intend, reserve, resolve
from tests.scheduler.ledger.verify.changes import change

R = ReservationState

# A change of the database, and what the refusal says.
CHANGES = [
    # Eve's reservation is the first, and she would rather have the key of the second.
    ("UPDATE reservation_part SET reservation_ref = 1 WHERE reservation_ref = 2", "its parts"),
    ("UPDATE reservation_part SET reservation_ref = 3 - reservation_ref", "its parts"),
    ("DELETE FROM reservation_part WHERE reservation_ref = 1", "its parts"),
    ("UPDATE reservation_part SET entry_id = 999 WHERE reservation_ref = 1", "its parts"),
    ("UPDATE reservation SET purpose = 'eve' WHERE id = 1", "it or"),
    ("UPDATE reservation SET expires_at = '2031-01-01 00:00:00.000000' WHERE id = 1", "it or"),
    (
        "UPDATE ledger_entry SET start_bit = start_bit + 256, end_bit = end_bit + 256 WHERE id = 2",
        "ledger_entry 2, was changed",
    ),
]


def _reserved(ledger: Ledger) -> None:
    """Two reservations of a block, eve's first; her way to the outside is open."""
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
        reserve(tx, "eve", 256)
        reserve(tx, "alice", 256)
        intend(tx, "eve")


def _rows(ledger: Ledger) -> list[object]:
    """Everything that the refusal must leave as it is."""
    with ledger.view.read() as reader:
        return [
            list(reader.connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1, 2, 3").all())
            for table in ("reservation", "ledger_entry", "material", "account", "block", "command")
        ]


@pytest.mark.parametrize(
    ("statement", "named", "to"),
    [
        *((*change, R.DELIVERED) for change in CHANGES),
        *((*CHANGES[0], to) for to in (R.RELAY_CONSUMED, R.COMBINED, R.UNCERTAIN)),
    ],
)
def test_no_key_leaves_on_a_forged_reservation(
    ledger: Ledger, statement: str, named: str, to: ReservationState
) -> None:
    _reserved(ledger)
    change(ledger, statement)
    before = _rows(ledger)
    refusal = pytest.raises(LedgerBroken, match=f"reservation {uuid_of('eve')}: .*{named}")
    chunks = None
    with refusal, ledger.begin() as tx:
        chunks = resolve(tx, "eve", to)
    assert chunks is None
    assert _rows(ledger) == before
    assert not ledger.view.verify().ok


def test_a_forged_reservation_is_not_given_back_either(ledger: Ledger) -> None:
    """Else another's range would be spent a second time."""
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
        for name in ("eve", "alice"):
            reserve(tx, name, 256)
    change(ledger, "UPDATE reservation_part SET reservation_ref = 1 WHERE reservation_ref = 2")
    before = _rows(ledger)
    with pytest.raises(LedgerBroken, match=str(uuid_of("eve"))), ledger.begin() as tx:
        resolve(tx, "eve", R.RELEASED)
    with ledger.begin() as tx:
        expired = expire(tx, 30)
    assert expired.reservations_released == 0
    assert [
        str(uuid_of(name)) in words
        for name, words in zip(("eve", "alice"), expired.refusals, strict=True)
    ] == [True] * 2
    assert _rows(ledger)[:-1] == before[:-1]  # but for the command that was told so


def test_time_goes_on_for_the_sound_ones_beside_it(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
        for name in ("eve", "alice", "bob"):
            reserve(tx, name, 256)
        intend(tx, "bob")
    change(ledger, "UPDATE reservation SET purpose = 'eve' WHERE id = 1")
    with ledger.begin() as tx:
        expired = expire(tx, 30)
    assert (expired.reservations_released, expired.reservations_uncertain) == (1, 1)
    (refusal,) = expired.refusals
    assert str(uuid_of("eve")) in refusal
    assert len(ledger.view.verify().problems) == 1


def test_what_is_sound_is_still_handed_out_beside_it(ledger: Ledger) -> None:
    _reserved(ledger)
    change(ledger, "UPDATE reservation SET purpose = 'eve' WHERE id = 1")
    with ledger.begin() as tx:
        (chunk,) = resolve(tx, "alice", R.DELIVERED)
        assert chunk.chunk.pool_id == NANSHAN_XINGLONG.pool_id
