"""Every table of Skytrunk; nothing outside the ledger knows them."""

from scheduler.ledger.schema.accounts import (
    Account,
    AnnouncementPart,
    AnnouncementRow,
    Command,
    LedgerEntry,
    PoolRow,
    RunFact,
)
from scheduler.ledger.schema.base import Base
from scheduler.ledger.schema.books import (
    BookingEventRow,
    BookingRow,
    ElementSetRow,
    JobRun,
    PlanRow,
)
from scheduler.ledger.schema.key import (
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
from scheduler.ledger.schema.log import AuditCheckpoint, AuditKey, AuditLeaf, AuditNode

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
