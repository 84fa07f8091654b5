"""After an old copy was put back: whatever may have been delivered since it was made is withdrawn.

The copy does not know what happened after it, so no key of it is certain to be unused.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import or_, select, text

from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.keys.delivery import close_all
from scheduler.ledger.keys.reservations import resolve_reservation
from scheduler.ledger.keys.transitions import move_block
from scheduler.ledger.schema import OPEN_RESERVATION, Block, FreedRange, ReservationRow
from scheduler.ledger.states import ALLOWED_MOVES, KeyState, ReservationState
from scheduler.ledger.transaction import Transaction

_ENDS = {
    state: KeyState.COMPROMISED if KeyState.COMPROMISED in moves else KeyState.VOIDED
    for state, moves in ALLOWED_MOVES.items()
}
"""Where what is left of a block goes, from every state in which it could still be used."""

_RESERVATIONS = (
    select(ReservationRow.reservation_id, ReservationRow.state)
    .where(or_(text(OPEN_RESERVATION), ReservationRow.state == ReservationState.UNCERTAIN.value))
    .order_by(ReservationRow.id)
)
_BLOCKS = (
    select(Block.block_id, Block.state)
    .where(
        Block.state.in_([state.value for state in _ENDS]),
        or_(
            Block.next_bit < Block.length_bits,
            select(FreedRange.block_ref).where(FreedRange.block_ref == Block.id).exists(),
        ),
    )
    .order_by(Block.id)
)


def withdraw_all(tx: Transaction, handle: CommandHandle) -> dict[str, int]:
    """Withdraw all key that could still go out; return how much of each kind that was.

    Keys that wait to be collected are closed, reservations end without giving key to anybody, and
    what is left of blocks is compromised, or voided where it is no key yet.
    """
    tx.flush()
    keys = close_all(tx, handle)
    reservations = tx.raw.execute(_RESERVATIONS).all()
    for name, state in reservations:
        for end in _ends_of(ReservationState(state)):
            resolve_reservation(tx, handle, UUID(name), end)
    tx.flush()
    blocks = tx.raw.execute(_BLOCKS).all()
    bits = sum(
        move_block(tx, handle, UUID(name), expected=KeyState(state), to=_ENDS[KeyState(state)])
        for name, state in blocks
    )
    return {
        "keys_closed": keys,
        "reservations_ended": len(reservations),
        "blocks_withdrawn": len(blocks),
        "bits_withdrawn": bits,
    }


def _ends_of(state: ReservationState) -> tuple[ReservationState, ...]:
    """The steps by which a reservation ends so that nobody has its key."""
    match state:
        case ReservationState.OPEN:
            return (ReservationState.RELEASED,)
        case ReservationState.INTENDED:
            return (ReservationState.UNCERTAIN, ReservationState.VOIDED)
        case _:
            return (ReservationState.VOIDED,)
