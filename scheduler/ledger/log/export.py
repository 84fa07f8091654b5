"""The ledger as lines of canonical JSON: what one seed always gives, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, select

from scheduler.ledger.db.streams import stream
from scheduler.ledger.log import trail as audit
from scheduler.ledger.log.canonical import canonical_json, plain
from scheduler.ledger.schema import (
    Account,
    AnnouncementPart,
    AnnouncementRow,
    AuditLeaf,
    Base,
    Block,
    BookingEventRow,
    BookingRow,
    Command,
    DirectiveRow,
    ElementSetRow,
    FreedRange,
    JobRun,
    KeyRecipient,
    KeyRow,
    LedgerEntry,
    OutageRow,
    PlanOptionRow,
    PlanPassRow,
    PlanRow,
    PoolRow,
    ReservationPart,
    ReservationRow,
    RunFact,
)

FORMAT = "skytrunk-ledger/1"

EXPORTED: tuple[type[Base], ...] = (
    RunFact,
    PoolRow,
    Account,
    Command,
    LedgerEntry,
    Block,
    FreedRange,
    AnnouncementRow,
    AnnouncementPart,
    ReservationRow,
    ReservationPart,
    KeyRow,
    KeyRecipient,
    BookingRow,
    BookingEventRow,
    OutageRow,
    DirectiveRow,
    PlanRow,
    PlanPassRow,
    PlanOptionRow,
    JobRun,
    ElementSetRow,
    AuditLeaf,
)
"""Tables of the export in order; balances are a column of the accounts.

Left out is what no seed decides: sealed bytes, wrapped keys, signatures. Nodes of the log
follow from its leaves.
"""


def lines(connection: Connection) -> Iterator[str]:
    """Every exported row, one canonical JSON object a line, between a header and the log's root."""
    yield canonical_json({"table": "header", "format": FORMAT})
    for table in EXPORTED:
        columns = table.__table__.c
        order = table.__table__.primary_key
        for row in stream(connection, select(*columns).order_by(*order)).mappings():
            body: dict[str, Any] = {name: plain(value) for name, value in row.items()}
            yield canonical_json({"table": table.__tablename__, **body})
    size = audit.tree_size(connection)
    root = audit.root(connection, size).hex()
    yield canonical_json({"table": "audit_root", "size": size, "root": root})
