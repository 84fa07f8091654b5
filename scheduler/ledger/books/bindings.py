"""Whose the element sets of an unsettled catalogue number are: bound by hand, from a date on."""

from __future__ import annotations

from sqlalchemy import func, insert, select

from scheduler.domain import ElementBinding
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.reader import Reader
from scheduler.ledger.schema import ElementBindingRow
from scheduler.ledger.transaction import Transaction


def add_binding(tx: Transaction, handle: CommandHandle, binding: ElementBinding) -> None:
    """Write down a binding, behind those that were made before."""
    tx.flush()
    row = sealed(
        "element_binding",
        {
            "command_id": handle.command_id,
            "norad_id": binding.norad_id,
            "satellite_norad_id": binding.satellite_norad_id,
            "since": binding.since,
            "reason": binding.reason,
        },
    )
    tx.raw.execute(insert(ElementBindingRow), [row])
    tx.trail.record("element_binding", str(handle.command_id), row["sha256"])


def count_bindings(reader: Reader) -> int:
    """How many bindings there are."""
    query = select(func.count()).select_from(ElementBindingRow)
    return reader.connection.execute(query).scalar_one()


def get_bindings(reader: Reader) -> list[ElementBinding]:
    """Every binding, in the order in which they were made."""
    table = ElementBindingRow.__table__
    return [
        ElementBinding(
            norad_id=row.norad_id,
            satellite_norad_id=row.satellite_norad_id,
            since=row.since,
            reason=row.reason,
        )
        for row in reader.connection.execute(select(*table.c).order_by(table.c.command_id))
    ]
