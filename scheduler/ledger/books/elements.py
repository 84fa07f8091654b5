"""Element sets as they came; `element_reads` answers quick questions about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import aliased

from scheduler.ledger.db.bulk import execute_many
from scheduler.ledger.log.tables import seal_all
from scheduler.ledger.reader import Reader
from scheduler.ledger.records import ElementRow, record_of
from scheduler.ledger.schema import ElementSetRow
from scheduler.ledger.transaction import Transaction

_COLUMNS = tuple(field.name for field in fields(ElementRow))
_ADD = insert(ElementSetRow)


def add_elements(tx: Transaction, rows: Iterable[ElementRow]) -> int:
    """Add element sets, those whose text is there already left out; return how many were new."""
    known = {sha for (sha,) in tx.raw.execute(select(ElementSetRow.sha256))}
    fresh: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.sha256 in known or row.sha256 in fresh:
            continue
        fresh[row.sha256] = {name: getattr(row, name) for name in _COLUMNS}
    if fresh:
        added = list(fresh.values())
        hashes = seal_all("element_set", added)
        execute_many(tx.raw, _ADD, added)
        for name, row_sha256 in zip(fresh, hashes, strict=True):
            tx.trail.record("element_set", name, row_sha256)
    return len(fresh)


def count_elements(reader: Reader) -> int:
    """How many element sets there are."""
    query = select(func.count()).select_from(ElementSetRow)
    return reader.connection.execute(query).scalar_one()


def get_elements(
    reader: Reader, norad_id: int | None = None, *, latest: bool = False
) -> list[ElementRow]:
    """Every element set, of one satellite or of all, by satellite and epoch.

    With `latest` those of each satellite's last epoch alone.
    """
    order = (ElementSetRow.norad_id, ElementSetRow.epoch, ElementSetRow.sha256)
    query = select(*ElementSetRow.__table__.c).order_by(*order)
    if norad_id is not None:
        query = query.where(ElementSetRow.norad_id == norad_id)
    if latest:
        other = aliased(ElementSetRow)
        last = select(func.max(other.epoch)).where(other.norad_id == ElementSetRow.norad_id)
        query = query.where(ElementSetRow.epoch == last.scalar_subquery())
    return [record_of(ElementRow, row) for row in reader.connection.execute(query)]
