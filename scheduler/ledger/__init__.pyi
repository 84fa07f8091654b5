from .commands import CommandHandle
from .reader import Reader
from .records import (
    BlockRecord,
    CommandRecord,
    ElementRow,
    EntryRecord,
    PlanRecord,
    Reservation,
    SpentChunk,
)
from .states import AccountKind, KeyState, ReservationState
from .store import Ledger, open_ledger
from .transaction import Transaction
from .view import LedgerView, open_view

__all__ = [
    "AccountKind",
    "BlockRecord",
    "CommandHandle",
    "CommandRecord",
    "ElementRow",
    "EntryRecord",
    "KeyState",
    "Ledger",
    "LedgerView",
    "PlanRecord",
    "Reader",
    "Reservation",
    "ReservationState",
    "SpentChunk",
    "Transaction",
    "open_ledger",
    "open_view",
]
