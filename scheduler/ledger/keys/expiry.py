"""Letting time pass: everything that is due comes to its end under one command."""

from __future__ import annotations

from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.keys.delivery import close_expired
from scheduler.ledger.keys.reservations import expire_reservations
from scheduler.ledger.keys.transitions import expire_blocks
from scheduler.ledger.records import Expiry
from scheduler.ledger.transaction import Transaction


def let_expire(tx: Transaction, handle: CommandHandle) -> Expiry:
    """Let time pass up to the command's instant: reservations, blocks, uncollected keys."""
    timed_out = expire_reservations(tx, handle)
    expired = expire_blocks(tx, handle)
    return Expiry(
        reservations_released=timed_out.released,
        reservations_uncertain=timed_out.uncertain,
        blocks_expired=len(expired),
        bits_expired=sum(expired),
        keys_closed=close_expired(tx, handle),
        refusals=timed_out.refusals,
    )
