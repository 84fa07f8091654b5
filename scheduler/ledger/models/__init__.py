"""Every table of Skytrunk; nothing outside the ledger knows them."""

from scheduler.ledger.models.accounts import (
    Account,
    AnnouncementPart,
    AnnouncementRow,
    Command,
    LedgerEntry,
    PoolRow,
    RunFact,
)
from scheduler.ledger.models.audit import AuditCheckpoint, AuditKey, AuditLeaf, AuditNode
from scheduler.ledger.models.base import Base
from scheduler.ledger.models.books import (
    BookingEventRow,
    BookingRow,
    ElementSetRow,
    JobRun,
    PlanRow,
)
from scheduler.ledger.models.key import (
    EXPIRED_BLOCK,
    EXPIRING_BLOCK,
    OPEN_BLOCK,
    OPEN_RESERVATION,
    RECEIVED_BLOCK,
    Block,
    DataKey,
    FreedRange,
    KeyRecipient,
    KeyRow,
    Material,
    ReservationPart,
    ReservationRow,
)

__all__ = [
    "EXPIRED_BLOCK",
    "EXPIRING_BLOCK",
    "OPEN_BLOCK",
    "OPEN_RESERVATION",
    "RECEIVED_BLOCK",
    "Account",
    "AnnouncementPart",
    "AnnouncementRow",
    "AuditCheckpoint",
    "AuditKey",
    "AuditLeaf",
    "AuditNode",
    "Base",
    "Block",
    "BookingEventRow",
    "BookingRow",
    "Command",
    "DataKey",
    "ElementSetRow",
    "FreedRange",
    "JobRun",
    "KeyRecipient",
    "KeyRow",
    "LedgerEntry",
    "Material",
    "PlanRow",
    "PoolRow",
    "ReservationPart",
    "ReservationRow",
    "RunFact",
]
