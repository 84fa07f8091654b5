"""Which epochs of data keys there are, and what is still under them."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from scheduler.domain import KeyEpoch
from scheduler.ledger.reader import Reader
from scheduler.ledger.schema import Command, DataKey, Material, PoolRow


def get_epochs(reader: Reader) -> list[KeyEpoch]:
    """The epochs whose data keys are not shredded, by pool and number."""
    later, began = aliased(DataKey), aliased(Command)
    ended = (
        select(func.min(began.at))
        .select_from(later)
        .join(began, later.command_id == began.id)
        .where(later.pool_ref == DataKey.pool_ref, later.epoch == DataKey.epoch + 1)
        .scalar_subquery()
    )
    under = (
        select(Material.data_key_id, func.count().label("pieces"))
        .group_by(Material.data_key_id)
        .subquery()
    )
    rows = reader.connection.execute(
        select(
            PoolRow.pool_id,
            DataKey.epoch,
            Command.at.label("begun_at"),
            ended.label("ended_at"),
            func.coalesce(under.c.pieces, 0).label("pieces"),
        )
        .join(PoolRow, DataKey.pool_ref == PoolRow.id)
        .join(Command, DataKey.command_id == Command.id)
        .outerjoin(under, under.c.data_key_id == DataKey.id)
        .where(DataKey.shredded_by.is_(None))
        .order_by(PoolRow.pool_id, DataKey.epoch)
    )
    return [KeyEpoch(**row) for row in rows.mappings()]
