"""Element sets as they came; `element_reads` answers quick questions about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from sqlalchemy import func, insert, select

from scheduler.ledger.log.tables import sealed
from scheduler.ledger.reader import Reader
from scheduler.ledger.records import ElementRow, record_of
from scheduler.ledger.schema import ElementSetRow
from scheduler.ledger.transaction import Transaction

_COLUMNS = tuple(field.name for field in fields(ElementRow))


def add_elements(tx: Transaction, rows: Iterable[ElementRow]) -> int:
    """Add element sets, those whose text is there already left out; return how many were new."""
    known = {sha for (sha,) in tx.raw.execute(select(ElementSetRow.sha256))}
    fresh: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.sha256 in known or row.sha256 in fresh:
            continue
        fresh[row.sha256] = sealed("element_set", {name: getattr(row, name) for name in _COLUMNS})
    if fresh:
        tx.raw.execute(insert(ElementSetRow), list(fresh.values()))
        for name, values in fresh.items():
            tx.trail.record("element_set", name, values["row_sha256"])
    return len(fresh)


def count_elements(reader: Reader) -> int:
    """How many element sets there are."""
    query = select(func.count()).select_from(ElementSetRow)
    return reader.connection.execute(query).scalar_one()


def get_elements(reader: Reader, norad_id: int | None = None) -> list[ElementRow]:
    """Every element set, of one satellite or of all, by satellite and epoch."""
    order = (ElementSetRow.norad_id, ElementSetRow.epoch, ElementSetRow.sha256)
    query = select(*ElementSetRow.__table__.c).order_by(*order)
    if norad_id is not None:
        query = query.where(ElementSetRow.norad_id == norad_id)
    return [record_of(ElementRow, row) for row in reader.connection.execute(query)]
