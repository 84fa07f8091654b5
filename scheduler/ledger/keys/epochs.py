"""The epochs of a pool's data keys: begun, emptied into the next one, shredded."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select, update

from scheduler.errors import UnknownName, WrongState
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.log.canonical import marker_digest
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.schema import Block, DataKey, Material, PoolRow
from scheduler.ledger.transaction import Transaction
from scheduler.ledger.vault.keyring import Epoch
from scheduler.ledger.vault.keystore import new_nonces, seal
from scheduler.ledger.vault.pieces import BlockNames, open_piece

PIECES_MAX = 2_000
"""Pieces, some 8 MB, that one transaction seals anew; others need not wait longer for it."""

_UNDER = (
    select(
        *(Material.block_ref, Material.side, Material.start_byte, Material.data),
        *(Block.block_id, Block.epoch),
    )
    .join(Block, Material.block_ref == Block.id)
    .where(Material.data_key_id == bindparam("number_"))
    .order_by(Material.block_ref, Material.side, Material.start_byte)
    .limit(bindparam("most_"))
)
_RESEAL = (
    update(Material)
    .where(
        Material.block_ref == bindparam("block_"),
        Material.side == bindparam("side_"),
        Material.start_byte == bindparam("at_"),
        Material.data_key_id == bindparam("from_"),
    )
    .values(data=bindparam("data_"), data_key_id=bindparam("to_"))
)
_SHRED = (
    update(DataKey)
    .where(DataKey.id == bindparam("key_"), DataKey.open_id == DataKey.id)
    .values(shredded_by=bindparam("command_"), open_id=None)
)


def provide_data_key(tx: Transaction, handle: CommandHandle, pool_ref: int, of: Epoch) -> None:
    """See that an epoch has its data key; made, it is durable before the transaction can be."""
    if tx.keys.number(tx.raw, pool_ref, of.epoch) is None:
        number = tx.number(DataKey)
        tx.keys.make(tx.raw, number, pool_ref, of)
        names = {"id": number, "pool_ref": pool_ref, "epoch": of.epoch}
        row = sealed("data_key", names | {"command_id": handle.command_id})
        handle.wrote("data_key", row["sha256"])
        tx.pending.data_keys.append(row | {"shredded_by": None, "open_id": number})


def begin_epoch(tx: Transaction, handle: CommandHandle, pool_id: str) -> int:
    """Begin a pool's next epoch, under a data key of its own; return its number.

    What is in the pool stays under the key that it was sealed with, until that is emptied.
    """
    row = _pool(tx, pool_id)
    epoch: int = row.epoch + 1
    tx.pools.epoch(tx.raw, pool_id)
    tx.raw.execute(update(PoolRow).where(PoolRow.id == row.id).values(epoch=epoch))
    tx.pools.set_epoch(pool_id, epoch)
    tx.trail.record("epoch", pool_id, marker_digest(pool_id, epoch))
    provide_data_key(tx, handle, row.id, Epoch(pool_id, epoch))
    return epoch


def empty_epoch(tx: Transaction, pool_id: str, epoch: int, *, most: int = PIECES_MAX) -> int:
    """Seal up to `most` of an epoch's pieces anew under the present one; return how many.

    Raises WrongState if the epoch is not over, or was shredded.
    """
    pool, number = _ended(tx, pool_id, epoch)
    present = tx.keys.number(tx.raw, pool.id, pool.epoch)
    assert present is not None  # made when the epoch began
    old, new = tx.keys.cipher(tx.raw, number), tx.keys.cipher(tx.raw, present)
    pieces = tx.raw.execute(_UNDER, {"number_": number, "most_": most}).all()
    nonces = new_nonces(len(pieces))
    rows: list[dict[str, Any]] = []
    for one in pieces:
        names = BlockNames(one.block_ref, one.block_id, pool.id, pool_id, one.epoch)
        plain = open_piece(old, one.data, names, one.side, one.start_byte)
        context = names.context(one.side, one.start_byte)
        place = {"block_": one.block_ref, "side_": one.side, "at_": one.start_byte}
        change = {"data_": seal(new, plain, context, next(nonces)), "to_": present}
        rows.append(place | {"from_": number} | change)
    if rows:
        tx.guarded(_RESEAL, rows, lambda: f"pieces of epoch {epoch} were to stay as read")
        tx.erased = True
    return len(rows)


def shred_epoch(tx: Transaction, handle: CommandHandle, pool_id: str, epoch: int) -> int:
    """Seal the rest of an epoch anew and destroy its data key; return the pieces sealed anew.

    After the commit its key file is destroyed. From then on whatever the epoch's key sealed, and
    was spent or erased since, can be read from no page, log or copy of the database, whoever has
    the key-encryption key: only from a copy of the key file, if one was kept. Raises WrongState
    if the epoch is not over, or was shredded.
    """
    _, number = _ended(tx, pool_id, epoch)
    count = 0
    while emptied := empty_epoch(tx, pool_id, epoch):
        count += emptied
    tx.guarded(
        _SHRED,
        [{"key_": number, "command_": handle.command_id}],
        lambda: f"the data key of epoch {epoch} of {pool_id} was to be there",
    )
    digest = tx.raw.execute(select(DataKey.sha256).where(DataKey.id == number)).scalar_one()
    handle.marked("shredded", (number, ""), digest)
    tx.keys.shred(number, Epoch(pool_id, epoch))
    tx.erased = True
    return count


def _ended(tx: Transaction, pool_id: str, epoch: int) -> tuple[Any, int]:
    """A pool's row and the number of an epoch's data key. Raises WrongState."""
    pool = _pool(tx, pool_id)
    if not 0 <= epoch < pool.epoch:
        raise WrongState(
            f"pool {pool_id} is in epoch {pool.epoch}; allowed: epochs before it, got {epoch}"
        )
    number = tx.keys.number(tx.raw, pool.id, epoch)
    if number is None:
        raise WrongState(f"epoch {epoch} of {pool_id} has no data key; it was shredded")
    return pool, number


def _pool(tx: Transaction, pool_id: str) -> Any:
    tx.flush()
    row = tx.raw.execute(
        select(PoolRow.id, PoolRow.epoch).where(PoolRow.pool_id == pool_id)
    ).one_or_none()
    if row is None:
        raise UnknownName(f"no pool {pool_id}")
    return row
