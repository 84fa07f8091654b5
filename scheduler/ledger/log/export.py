"""The ledger as lines of canonical JSON: what one seed always gives, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Table, select

from scheduler.ledger.db.streams import stream
from scheduler.ledger.log import trail as audit
from scheduler.ledger.log.canonical import canonical_json, plain
from scheduler.ledger.schema import Base

FORMAT = "skytrunk-ledger/1"

LEFT_OUT = frozenset({"material", "audit_key", "audit_checkpoint", "audit_node", "audit_head"})
"""What no seed decides: sealed bytes, signing keys, signatures; the last two follow."""

EXPORTED: tuple[Table, ...] = tuple(
    table for table in Base.metadata.sorted_tables if table.name not in LEFT_OUT
)
"""Tables of the export in order; balances are a column of the accounts."""


def lines(connection: Connection) -> Iterator[str]:
    """Every exported row, one canonical JSON object a line, between a header and the log's root."""
    yield canonical_json({"table": "header", "format": FORMAT})
    for table in EXPORTED:
        query = select(*table.c).order_by(*table.primary_key)
        for row in stream(connection, query).mappings():
            body: dict[str, Any] = {name: plain(value) for name, value in row.items()}
            yield canonical_json({"table": table.name, **body})
    size = audit.tree_size(connection)
    root = audit.root(connection, size).hex()
    yield canonical_json({"table": "audit_root", "size": size, "root": root})
