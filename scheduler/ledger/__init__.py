"""The one account of key: who made it, where it is, what became of every bit."""

from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.reader import Reader
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
]
