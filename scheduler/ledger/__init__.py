"""The one account of key: who made it, where it is, what became of every bit."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.ledger.commands import CommandHandle
    from scheduler.ledger.records import (
        BlockRecord,
        CommandRecord,
        ElementRow,
        EntryRecord,
        PlanRecord,
        Reservation,
        SpentChunk,
    )
    from scheduler.ledger.states import AccountKind, KeyState, ReservationState
    from scheduler.ledger.store import Ledger, open_ledger
    from scheduler.ledger.transaction import Transaction
    from scheduler.ledger.vault.fingerprints import refuse_known_key
    from scheduler.ledger.view import Reader

__all__ = [
    "AccountKind",
    "BlockRecord",
    "CommandHandle",
    "CommandRecord",
    "ElementRow",
    "EntryRecord",
    "KeyState",
    "Ledger",
    "PlanRecord",
    "Reader",
    "Reservation",
    "ReservationState",
    "SpentChunk",
    "Transaction",
    "open_ledger",
    "refuse_known_key",
]

# A name is imported when it is first used: `books.element_reads` must not pay for SQLAlchemy.
_HOMES = {
    "AccountKind": "states",
    "BlockRecord": "records",
    "CommandHandle": "commands",
    "CommandRecord": "records",
    "ElementRow": "records",
    "EntryRecord": "records",
    "KeyState": "states",
    "Ledger": "store",
    "PlanRecord": "records",
    "Reader": "view",
    "Reservation": "records",
    "ReservationState": "states",
    "SpentChunk": "records",
    "Transaction": "transaction",
    "open_ledger": "store",
    "refuse_known_key": "vault.fingerprints",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
