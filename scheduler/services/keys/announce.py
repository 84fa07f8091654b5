"""Use cases: a session's key waits until its satellite has announced what it relays.

A satellite holds one key for each pass. What it may pass on between two stations is the XOR of two
of them, announced on command (Liao et al., PRL 120, 030501, 2018); until it has been in contact
again, key of its links is received and cannot be merged. Taken here: at a contact everything that
the satellite holds by then is announced, and which bits of it are joined to which is settled by
the merges that follow; the command and the answer, some kilobytes over radio, need no clear sky.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from scheduler.domain import WaitingKey, instant_key
from scheduler.errors import InputError
from scheduler.ledger.keys.blocks import get_waiting_blocks
from scheduler.ledger.keys.transitions import destroy_block, move_block
from scheduler.ledger.log.canonical import request_digest
from scheduler.network import Announces, SessionKind
from scheduler.services.plans.directives import check_reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.domain import Booking
    from scheduler.ledger import BlockRecord, Reader, Transaction
    from scheduler.network import Satellite
    from scheduler.services.context import Context

KIND = "announced"
"""Kind of the commands by which waiting key became available."""


def must_wait(satellite: Satellite, station_id: str) -> bool:
    """Whether a session's key cannot be relayed as soon as it is distilled.

    Of a dual downlink the satellite holds no key that it could announce.
    """
    if satellite.session_over(station_id) is SessionKind.DUAL_DOWNLINK:
        return False
    return satellite.announces is not Announces.AT_ONCE


def announce_at_contact(
    context: Context, tx: Transaction, booking: Booking, *, at: datetime
) -> dict[str, Any] | None:
    """Make available what a satellite held when a session began; None if nothing waited.

    Part of the transaction that begins the session. A session that is missed, or that does not
    begin, is no contact; one that breaks off later has had it.
    """
    candidate = booking.candidate
    satellite = context.satellite(candidate.satellite_id)
    if satellite.announces is Announces.DELAY:
        return None
    held = get_waiting_blocks(tx, satellite.satellite_id)
    if not held:
        return None
    why = (
        f"{satellite.satellite_id} came into contact with {candidate.station_id} at"
        f" {instant_key(at)}: the command went up, the announcement came down"
    )
    where = {"station": candidate.station_id, "booking": str(booking.booking_id)}
    request_id = f"{KIND}/{booking.booking_id}"
    return _release(tx, request_id, satellite, held, {**where, "why": why}, at=at)


def announce_due(context: Context, *, at: datetime) -> list[dict[str, Any]]:
    """Make available the key of satellites that announce some time after a session.

    One transaction and one command a satellite; the same instant again gives the first answers.
    """
    delayed = [one for one in context.scenario.satellites if one.announces is Announces.DELAY]
    if not delayed:
        return []
    answers = []
    with context.ledger.begin() as tx:
        for satellite in delayed:
            request_id = f"{KIND}/{satellite.satellite_id}/{instant_key(at)}"
            about = request_digest(request_id)
            answer = tx.answer(request_id, kind=KIND, digest=about)
            if answer is None and (held := _due(tx, satellite, at)):
                why = f"{satellite.announcing} after its session: {satellite.announces_because}"
                answer = _release(tx, request_id, satellite, held, {"why": why}, at=at)
            if answer is not None:
                answers.append(answer)
    return answers


def _due(reader: Reader, satellite: Satellite, at: datetime) -> list[BlockRecord]:
    held_since = at - timedelta(seconds=satellite.announce_delay_s)
    held = get_waiting_blocks(reader, satellite.satellite_id)
    return [block for block in held if block.received_at <= held_since]


def _release(
    tx: Transaction,
    request_id: str,
    satellite: Satellite,
    held: Sequence[BlockRecord],
    more: dict[str, Any],
    *,
    at: datetime,
) -> dict[str, Any]:
    """received -> available, block by block, under one command whose answer names them."""
    from scheduler.ledger import KeyState

    command = tx.command(request_id, kind=KIND, at=at, digest=request_digest(request_id))
    for block in held:
        move_block(tx, command, block.block_id, expected=KeyState.RECEIVED, to=KeyState.AVAILABLE)
    answer = {
        "satellite": satellite.satellite_id,
        "announces": satellite.announcing,
        "at": instant_key(at),
        **more,
        "bits": sum(block.left_bits for block in held),
        "blocks": [
            {
                "block": str(block.block_id),
                "pool": block.pool_id,
                "natural_key": block.natural_key,
                "bits": block.left_bits,
                "received_at": instant_key(block.received_at),
            }
            for block in held
        ],
    }
    command.finish(answer)
    return answer


def waiting_key(context: Context) -> list[WaitingKey]:
    """Every block that waits for an announcement, oldest first."""
    with context.view.read() as reader:
        found = waiting_views(get_waiting_blocks(reader))
    return [one for one in found if context.viewer.sees_pool(one.pool_id)]


def waiting_views(blocks: Sequence[BlockRecord]) -> list[WaitingKey]:
    """Blocks that wait, as every interface shows them."""
    return [
        WaitingKey(
            block_id=block.block_id,
            pool_id=block.pool_id,
            natural_key=block.natural_key,
            bits=block.left_bits,
            received_at=block.received_at,
        )
        for block in blocks
    ]


def accept_key(context: Context, block_id: UUID, *, reason: str) -> dict[str, Any]:
    """Make waiting key available by hand: its announcement is known to have come another way.

    A repeat gives the first answer. Raises InputError without a reason, UnknownName, WrongState
    for a block that does not wait.
    """
    return _decide(context, block_id, "accept", reason)


def void_key(context: Context, block_id: UUID, *, reason: str) -> dict[str, Any]:
    """Give waiting key up by hand, and erase its bytes. Repeats and raises as `accept_key`."""
    return _decide(context, block_id, "void", reason)


def _decide(context: Context, block_id: UUID, word: str, reason: str) -> dict[str, Any]:
    from scheduler.ledger import KeyState

    check_reason(reason)
    if not reason.strip():
        raise InputError(f"to {word} key takes a reason, got {reason!r}")
    request_id, digest = f"{word}/{block_id}", request_digest(str(block_id))
    end = KeyState.AVAILABLE if word == "accept" else KeyState.VOIDED
    with context.existing_ledger.begin() as tx:
        answered = tx.answer(request_id, kind=word, digest=digest)
        if answered is not None:
            return answered
        command = tx.command(request_id, kind=word, at=context.clock.now(), digest=digest)
        bits = move_block(tx, command, block_id, expected=KeyState.RECEIVED, to=end)
        if end is KeyState.VOIDED:
            destroy_block(tx, block_id)
        answer = {"block": str(block_id), "bits": bits, "state": end.value, "reason": reason}
        command.finish(answer)
    return answer
