"""A session's key waits for its satellite's next contact; nothing else makes it usable."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from scheduler import services
from scheduler.domain import BookingState, NewBlock, Pool
from scheduler.errors import InputError, LedgerError, UnknownName, WrongState
from scheduler.ledger import KeyState
from scheduler.ledger.keys.blocks import get_blocks, get_entries
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.log import trail
from scheduler.ledger.reader import get_commands
from scheduler.services.context import Context
from scheduler.services.keys import announce
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

Open = Callable[..., Context]

USUAL = 'announces = "next-contact"'
AT_ONCE = (USUAL, 'announces = "at-once"')
HOUR_LATER = (
    USUAL,
    'announces = 3600\nannounces_because = "telemetry comes down over a polar station"',
)


def _kind(context: Context, kind: str) -> list[dict[str, Any]]:
    with context.ledger.view.read() as reader:
        return [command.answer for command in get_commands(reader, kind=kind)]


def _steps_over_micius(context: Context, when: datetime) -> list[dict[str, Any]]:
    answer = services.merge_due(context, scheduled_for=when)
    return [step for step in answer["steps"] if any("micius" in path for path in step["paths"])]


def _states(context: Context) -> dict[str, KeyState]:
    with context.ledger.view.read() as reader:
        return {
            block.pool_id: block.state for block in get_blocks(reader) if "micius" in block.pool_id
        }


def test_key_is_merged_after_the_next_contact_and_not_before(open_context: Open) -> None:
    context = open_context()
    xinglong, nanshan, delingha = booked(context)
    fill_trunk(context)
    run(context, xinglong)
    made = settle_bits(context, 0)

    assert held(context, XINGLONG) == (0, made)
    assert _steps_over_micius(context, xinglong.candidate.loses_at) == []

    answer = begin(context, nanshan)
    assert held(context, XINGLONG) == (made, 0)
    assert (answer["satellite"], answer["station"], answer["bits"]) == ("micius", "nanshan", made)
    settle(context, nanshan)
    # Xinglong's key may be used, Nanshan's not yet: there is no way through the satellite.
    assert _states(context) == {XINGLONG: KeyState.AVAILABLE, NANSHAN: KeyState.RECEIVED}
    assert _steps_over_micius(context, nanshan.candidate.loses_at) == []

    begin(context, delingha)
    (first, *_) = _steps_over_micius(context, delingha.candidate.acquires_at)
    assert first["bits"] > 0
    # The part of a low pass that is left to Delingha gives nothing with this seed.
    assert settle(context, delingha)["secret_bits"] == 0
    assert DELINGHA not in _states(context)
    assert services.verify_ledger(context).problems == ()
    for pool_id, accounts in services.pool_balances(context).items():
        assert sum(accounts.values()) == 0, pool_id


def settle_bits(context: Context, index: int) -> int:
    """Secret bits of a settled session, the first one's by 0."""
    return int(_kind(context, "settle")[index]["secret_bits"])


def test_an_announcement_is_a_command_that_names_its_blocks_and_its_reason(
    open_context: Open,
) -> None:
    context = open_context()
    xinglong, nanshan, _ = booked(context)
    run(context, xinglong)
    answer = begin(context, nanshan)

    (written,) = _kind(context, "announced")
    assert written == answer
    assert "micius came into contact with nanshan" in written["why"]
    (block,) = written["blocks"]
    settled = _kind(context, "settle")[0]
    assert (block["block"], block["bits"]) == (settled["block"], settled["secret_bits"])
    assert settled["state"] == "received"
    context.ledger.number_leaves()
    with context.ledger.view.read() as reader:
        moved = [entry for entry in get_entries(reader) if entry.source.value == "received"]
        moved = [entry for entry in moved if entry.enters is not KeyState.AUTHENTICATED]
        proof = trail.inclusion_of_row(reader.connection, "command", str(moved[0].command_id))
    assert [(entry.amount_bits, entry.enters) for entry in moved] == [
        (block["bits"], KeyState.AVAILABLE)
    ]
    assert proof.kind == "command"


def test_beginning_and_settling_again_adds_nothing(open_context: Open) -> None:
    context = open_context()
    xinglong, nanshan, _ = booked(context)
    run(context, xinglong)
    answer, settled = begin(context, nanshan), settle(context, nanshan)
    before = export(context)

    assert begin(context, nanshan) == answer
    assert settle(context, nanshan) == settled
    assert begin(context, xinglong) == {}
    assert export(context) == before


def test_many_who_begin_one_session_announce_once(open_context: Open) -> None:
    context = open_context()
    xinglong, nanshan, _ = booked(context)
    run(context, xinglong)

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: begin(context, nanshan), range(12)))

    assert all(answer == answers[0] for answer in answers)
    assert len(_kind(context, "announced")) == 1
    assert services.verify_ledger(context).problems == ()


def test_a_missed_session_is_no_contact(open_context: Open) -> None:
    context = open_context()
    xinglong, nanshan, delingha = booked(context)
    run(context, xinglong)
    made = settle_bits(context, 0)
    services.add_outage(
        context, kind="station", name="nanshan", start=NIGHT, end=MORNING, reason="mirror wash"
    )

    assert begin(context, nanshan) == {}
    assert held(context, XINGLONG) == (0, made)
    services.miss_session(
        context,
        delingha.booking_id,
        at=delingha.candidate.loses_at,
        reason="the clockwork came too late",
    )
    assert held(context, XINGLONG) == (0, made)
    states = {told.booking.state for told in services.list_bookings(context, state="missed")}
    assert states == {BookingState.MISSED}
    assert _kind(context, "announced") == []
    assert [key.pool_id for key in services.waiting_key(context)] == [XINGLONG]

    # The next night's first contact announces it after all.
    (first, *_) = booked(context, MORNING)
    assert begin(context, first)["bits"] == made


def test_a_session_that_cannot_begin_announces_nothing(
    open_context: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = open_context()
    xinglong, nanshan, _ = booked(context)
    run(context, xinglong)
    before = export(context)

    def fails(*_: object, **__: object) -> None:
        raise LedgerError("made to fail")

    with monkeypatch.context() as patch:
        patch.setattr(announce, "move_block", fails)
        with pytest.raises(LedgerError, match="made to fail"):
            begin(context, nanshan)

    assert export(context) == before
    assert begin(context, nanshan)["bits"] == settle_bits(context, 0)


def test_what_nobody_ran_announces_nothing_after_a_restart(open_context: Open) -> None:
    context = open_context()
    xinglong, *rest = booked(context)
    run(context, xinglong)
    made = settle_bits(context, 0)

    closed = services.close_overdue(context, at=MORNING)

    assert set(closed) == {booking.booking_id for booking in rest}
    assert held(context, XINGLONG) == (0, made)


def test_a_satellite_announces_its_own_key_alone(open_context: Open) -> None:
    context = open_context()
    xinglong, nanshan, _ = booked(context)
    run(context, xinglong)
    other = Pool.link("other", "nanshan")
    with context.ledger.begin() as tx:
        command = tx.command("other", kind="settle", at=NIGHT, digest="")
        block = NewBlock(
            block_id=context.entropy.uuid("block", "other"), pool=other, natural_key="other",
            length_bits=800, source="device", simulated=False,
        )  # fmt: skip
        key = context.entropy.key_bytes("key", "other", length=100)
        deposit_block(tx, command, block, material_a=key, material_b=key, received_only=True)
        command.finish({})

    begin(context, nanshan)

    assert held(context, other.pool_id) == (0, 800)
    assert [told.pool_id for told in services.waiting_key(context)] == [other.pool_id]


def test_a_satellite_that_announces_at_once_lets_nothing_wait(open_context: Open) -> None:
    context = open_context(AT_ONCE)
    xinglong, nanshan, _ = booked(context)
    fill_trunk(context)
    run(context, xinglong)
    run(context, nanshan)

    assert set(_states(context).values()) == {KeyState.AVAILABLE}
    assert services.waiting_key(context) == []
    assert _kind(context, "announced") == []
    assert _steps_over_micius(context, nanshan.candidate.loses_at)


def test_a_delayed_announcement_comes_in_its_time_and_not_by_contact(open_context: Open) -> None:
    context = open_context(HOUR_LATER)
    xinglong, nanshan, _ = booked(context)
    run(context, xinglong)
    made, over = settle_bits(context, 0), xinglong.candidate.loses_at
    hour, moment = timedelta(hours=1), timedelta(seconds=1)

    assert services.announce_due(context, at=over + hour - moment) == []
    assert begin(context, nanshan) == {}
    assert held(context, XINGLONG) == (0, made)
    settle(context, nanshan)

    before = export(context)
    assert services.announce_due(context, at=over + hour - moment) == []
    assert export(context) == before
    (answer,) = services.announce_due(context, at=over + hour)
    assert held(context, XINGLONG) == (made, 0)
    assert answer["why"] == "3600 s after its session: telemetry comes down over a polar station"
    assert held(context, NANSHAN)[0] == 0
    after = export(context)
    assert services.announce_due(context, at=over + hour) == [answer]
    assert export(context) == after
    assert services.verify_ledger(context).problems == ()


def test_no_announcement_is_awaited_where_contacts_bring_it(open_context: Open) -> None:
    context = open_context()
    xinglong, *_ = booked(context)
    run(context, xinglong)

    assert services.announce_due(context, at=MORNING + timedelta(days=30)) == []
    assert held(context, XINGLONG)[0] == 0


def test_waiting_key_is_accepted_by_hand_once(open_context: Open) -> None:
    context = open_context()
    xinglong, nanshan, _ = booked(context)
    run(context, xinglong)
    (key,) = services.waiting_key(context)

    answer = services.accept_key(context, key.block_id, reason="read out over telemetry")
    before = export(context)

    assert held(context, XINGLONG) == (key.bits, 0)
    assert (answer["state"], answer["reason"]) == ("available", "read out over telemetry")
    assert services.accept_key(context, key.block_id, reason="read out over telemetry") == answer
    with pytest.raises(WrongState, match="is available, was to be received"):
        services.void_key(context, key.block_id, reason="changed my mind")
    assert export(context) == before
    assert begin(context, nanshan) == {}
    assert services.verify_ledger(context).problems == ()


def test_voided_key_is_gone_and_no_contact_brings_it_back(open_context: Open) -> None:
    context = open_context()
    xinglong, nanshan, _ = booked(context)
    run(context, xinglong)
    (key,) = services.waiting_key(context)

    answer = services.void_key(context, key.block_id, reason="the satellite lost its memory")

    assert answer == {
        "block": str(key.block_id), "bits": key.bits, "state": "voided",
        "reason": "the satellite lost its memory",
    }  # fmt: skip
    assert services.pool_balances(context)[XINGLONG]["withdrawn"] == key.bits
    assert _states(context)[XINGLONG] is KeyState.DESTROYED
    assert begin(context, nanshan) == {}
    assert services.void_key(context, key.block_id, reason="again") == answer
    with pytest.raises(WrongState, match="is destroyed, was to be received"):
        services.accept_key(context, key.block_id, reason="after all")
    assert services.verify_ledger(context).problems == ()


@pytest.mark.parametrize("word", ["accept_key", "void_key"])
def test_a_decision_by_hand_needs_a_reason_and_a_block_that_waits(
    open_context: Open, word: str
) -> None:
    context = open_context(AT_ONCE)
    xinglong, *_ = booked(context)
    run(context, xinglong)
    before = export(context)
    decide = partial(getattr(services, word), context)
    with context.ledger.view.read() as reader:
        (block,) = get_blocks(reader, XINGLONG)

    for reason in ("", "  ", "x" * 201, "two\nlines"):
        with pytest.raises(InputError, match="reason"):
            decide(block.block_id, reason=reason)
    with pytest.raises(UnknownName, match="no block"):
        decide(UUID(int=7), reason="because")
    with pytest.raises(WrongState, match="is available, was to be received"):
        decide(block.block_id, reason="because")
    assert export(context) == before
