"""A session's key waits for its satellite's next contact; nothing else makes it usable."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from scheduler.domain import BookingState, NewBlock, Pool
from scheduler.errors import InputError, LedgerError, UnknownName, WrongState
from scheduler.ledger import KeyState
from scheduler.ledger.transaction import Transaction
from scheduler.services import Services
from tests.scheduler.services.nights import (
    DELINGHA,
    MORNING,
    NANSHAN,
    NIGHT,
    XINGLONG,
    begin,
    booked,
    export,
    fill_trunk,
    held,
    run,
    settle,
)

Open = Callable[..., Services]

USUAL = 'announces = "next-contact"'
AT_ONCE = (USUAL, 'announces = "at-once"')
HOUR_LATER = (
    USUAL,
    'announces = 3600\nannounces_because = "telemetry comes down over a polar station"',
)


def _kind(services: Services, kind: str) -> list[dict[str, Any]]:
    with services.ledger.read() as reader:
        return [command.answer for command in reader.commands(kind=kind)]


def _steps_over_micius(services: Services, when: datetime) -> list[dict[str, Any]]:
    answer = services.merge_due(scheduled_for=when)
    return [step for step in answer["steps"] if any("micius" in path for path in step["paths"])]


def _states(services: Services) -> dict[str, KeyState]:
    with services.ledger.read() as reader:
        return {
            block.pool_id: block.state for block in reader.blocks() if "micius" in block.pool_id
        }


def test_key_is_merged_after_the_next_contact_and_not_before(open_services: Open) -> None:
    services = open_services()
    xinglong, nanshan, delingha = booked(services)
    fill_trunk(services)
    run(services, xinglong)
    made = settle_bits(services, 0)

    assert held(services, XINGLONG) == (0, made)
    assert _steps_over_micius(services, xinglong.candidate.loses_at) == []

    answer = begin(services, nanshan)
    assert held(services, XINGLONG) == (made, 0)
    assert (answer["satellite"], answer["station"], answer["bits"]) == ("micius", "nanshan", made)
    settle(services, nanshan)
    # Xinglong's key may be used, Nanshan's not yet: there is no way through the satellite.
    assert _states(services) == {XINGLONG: KeyState.AVAILABLE, NANSHAN: KeyState.RECEIVED}
    assert _steps_over_micius(services, nanshan.candidate.loses_at) == []

    begin(services, delingha)
    (first, *_) = _steps_over_micius(services, delingha.candidate.acquires_at)
    assert first["bits"] > 0
    settle(services, delingha)
    assert _states(services)[DELINGHA] is KeyState.RECEIVED
    assert services.verify_ledger().problems == ()
    for pool_id, accounts in services.balances().items():
        assert sum(accounts.values()) == 0, pool_id


def settle_bits(services: Services, index: int) -> int:
    """Secret bits of a settled session, the first one's by 0."""
    return int(_kind(services, "settle")[index]["secret_bits"])


def test_an_announcement_is_a_command_that_names_its_blocks_and_its_reason(
    open_services: Open,
) -> None:
    services = open_services()
    xinglong, nanshan, _ = booked(services)
    run(services, xinglong)
    answer = begin(services, nanshan)

    (written,) = _kind(services, "announced")
    assert written == answer
    assert "micius came into contact with nanshan" in written["why"]
    (block,) = written["blocks"]
    settled = _kind(services, "settle")[0]
    assert (block["block"], block["bits"]) == (settled["block"], settled["secret_bits"])
    assert settled["state"] == "received"
    with services.ledger.read() as reader:
        moved = [entry for entry in reader.entries() if entry.source.value == "received"]
        proof = reader.prove_row("command", str(moved[0].command_id))
    assert [(entry.amount_bits, entry.enters) for entry in moved] == [
        (block["bits"], KeyState.AVAILABLE)
    ]
    assert proof.kind == "command"


def test_beginning_and_settling_again_adds_nothing(open_services: Open) -> None:
    services = open_services()
    xinglong, nanshan, _ = booked(services)
    run(services, xinglong)
    answer, settled = begin(services, nanshan), settle(services, nanshan)
    before = export(services)

    assert begin(services, nanshan) == answer
    assert settle(services, nanshan) == settled
    assert begin(services, xinglong) == {}
    assert export(services) == before


def test_many_who_begin_one_session_announce_once(open_services: Open) -> None:
    services = open_services()
    xinglong, nanshan, _ = booked(services)
    run(services, xinglong)

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: begin(services, nanshan), range(12)))

    assert all(answer == answers[0] for answer in answers)
    assert len(_kind(services, "announced")) == 1
    assert services.verify_ledger().problems == ()


def test_a_missed_session_is_no_contact(open_services: Open) -> None:
    services = open_services()
    xinglong, nanshan, delingha = booked(services)
    run(services, xinglong)
    made = settle_bits(services, 0)
    services.add_outage(
        kind="station", name="nanshan", start=NIGHT, end=MORNING, reason="mirror wash"
    )

    assert begin(services, nanshan) == {}
    assert held(services, XINGLONG) == (0, made)
    services.miss_session(
        delingha.booking_id, at=delingha.candidate.loses_at, reason="the clockwork came too late"
    )
    assert held(services, XINGLONG) == (0, made)
    states = {told.booking.state for told in services.bookings(state="missed")}
    assert states == {BookingState.MISSED}
    assert _kind(services, "announced") == []
    assert [key.pool_id for key in services.waiting_key()] == [XINGLONG]

    # The next night's first contact announces it after all.
    (first, *_) = booked(services, MORNING)
    assert begin(services, first)["bits"] == made


def test_a_session_that_cannot_begin_announces_nothing(
    open_services: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = open_services()
    xinglong, nanshan, _ = booked(services)
    run(services, xinglong)
    before = export(services)

    def fails(*_: object, **__: object) -> None:
        raise LedgerError("made to fail")

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "move_block", fails)
        with pytest.raises(LedgerError, match="made to fail"):
            begin(services, nanshan)

    assert export(services) == before
    assert begin(services, nanshan)["bits"] == settle_bits(services, 0)


def test_what_nobody_ran_announces_nothing_after_a_restart(open_services: Open) -> None:
    services = open_services()
    xinglong, *rest = booked(services)
    run(services, xinglong)
    made = settle_bits(services, 0)

    closed = services.close_overdue(at=MORNING)

    assert set(closed) == {booking.booking_id for booking in rest}
    assert held(services, XINGLONG) == (0, made)


def test_a_satellite_announces_its_own_key_alone(open_services: Open) -> None:
    services = open_services()
    xinglong, nanshan, _ = booked(services)
    run(services, xinglong)
    other = Pool.link("other", "nanshan")
    with services.ledger.begin() as tx:
        command = tx.command("other", kind="settle", at=NIGHT)
        block = NewBlock(
            block_id=services.entropy.uuid("block", "other"), pool=other, natural_key="other",
            length_bits=800, source="device", simulated=False,
        )  # fmt: skip
        key = services.entropy.key_bytes("key", "other", length=100)
        tx.deposit(command, block, material_a=key, material_b=key, received_only=True)
        command.finish({})

    begin(services, nanshan)

    assert held(services, other.pool_id) == (0, 800)
    assert [told.pool_id for told in services.waiting_key()] == [other.pool_id]


def test_a_satellite_that_announces_at_once_lets_nothing_wait(open_services: Open) -> None:
    services = open_services(AT_ONCE)
    xinglong, nanshan, _ = booked(services)
    fill_trunk(services)
    run(services, xinglong)
    run(services, nanshan)

    assert set(_states(services).values()) == {KeyState.AVAILABLE}
    assert services.waiting_key() == []
    assert _kind(services, "announced") == []
    assert _steps_over_micius(services, nanshan.candidate.loses_at)


def test_a_delayed_announcement_comes_in_its_time_and_not_by_contact(open_services: Open) -> None:
    services = open_services(HOUR_LATER)
    xinglong, nanshan, _ = booked(services)
    run(services, xinglong)
    made, over = settle_bits(services, 0), xinglong.candidate.loses_at
    hour, moment = timedelta(hours=1), timedelta(seconds=1)

    assert services.announce_due(at=over + hour - moment) == []
    assert begin(services, nanshan) == {}
    assert held(services, XINGLONG) == (0, made)
    settle(services, nanshan)

    before = export(services)
    assert services.announce_due(at=over + hour - moment) == []
    assert export(services) == before
    (answer,) = services.announce_due(at=over + hour)
    assert held(services, XINGLONG) == (made, 0)
    assert answer["why"] == "3600 s after its session: telemetry comes down over a polar station"
    assert held(services, NANSHAN)[0] == 0
    after = export(services)
    assert services.announce_due(at=over + hour) == [answer]
    assert export(services) == after
    assert services.verify_ledger().problems == ()


def test_no_announcement_is_awaited_where_contacts_bring_it(open_services: Open) -> None:
    services = open_services()
    xinglong, *_ = booked(services)
    run(services, xinglong)

    assert services.announce_due(at=MORNING + timedelta(days=30)) == []
    assert held(services, XINGLONG)[0] == 0


def test_waiting_key_is_accepted_by_hand_once(open_services: Open) -> None:
    services = open_services()
    xinglong, nanshan, _ = booked(services)
    run(services, xinglong)
    (key,) = services.waiting_key()

    answer = services.accept_key(key.block_id, reason="read out over telemetry")
    before = export(services)

    assert held(services, XINGLONG) == (key.bits, 0)
    assert (answer["state"], answer["reason"]) == ("available", "read out over telemetry")
    assert services.accept_key(key.block_id, reason="read out over telemetry") == answer
    with pytest.raises(WrongState, match="is available, was to be received"):
        services.void_key(key.block_id, reason="changed my mind")
    assert export(services) == before
    assert begin(services, nanshan) == {}
    assert services.verify_ledger().problems == ()


def test_voided_key_is_gone_and_no_contact_brings_it_back(open_services: Open) -> None:
    services = open_services()
    xinglong, nanshan, _ = booked(services)
    run(services, xinglong)
    (key,) = services.waiting_key()

    answer = services.void_key(key.block_id, reason="the satellite lost its memory")

    assert answer == {
        "block": str(key.block_id), "bits": key.bits, "state": "voided",
        "reason": "the satellite lost its memory",
    }  # fmt: skip
    assert services.balances()[XINGLONG]["withdrawn"] == key.bits
    assert _states(services)[XINGLONG] is KeyState.DESTROYED
    assert begin(services, nanshan) == {}
    assert services.void_key(key.block_id, reason="again") == answer
    with pytest.raises(WrongState, match="is destroyed, was to be received"):
        services.accept_key(key.block_id, reason="after all")
    assert services.verify_ledger().problems == ()


@pytest.mark.parametrize("word", ["accept_key", "void_key"])
def test_a_decision_by_hand_needs_a_reason_and_a_block_that_waits(
    open_services: Open, word: str
) -> None:
    services = open_services(AT_ONCE)
    xinglong, *_ = booked(services)
    run(services, xinglong)
    before = export(services)
    decide = getattr(services, word)
    with services.ledger.read() as reader:
        (block,) = reader.blocks(XINGLONG)

    for reason in ("", "  ", "x" * 201, "two\nlines"):
        with pytest.raises(InputError, match="reason"):
            decide(block.block_id, reason=reason)
    with pytest.raises(UnknownName, match="no block"):
        decide(UUID(int=7), reason="because")
    with pytest.raises(WrongState, match="is available, was to be received"):
        decide(block.block_id, reason="because")
    assert export(services) == before
