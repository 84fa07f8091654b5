"""Putting key into its pool: a block, its bytes at both ends, and where they came from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, union_all

from orbits import as_utc
from scheduler.domain import NewBlock, Provenance
from scheduler.errors import DuplicateBlock, FactError
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.db.bulk import known_of, query
from scheduler.ledger.keys.epochs import provide_data_key
from scheduler.ledger.keys.provenance import NOTHING, provenance_text
from scheduler.ledger.log.tables import row_digest
from scheduler.ledger.schema import Block
from scheduler.ledger.states import ACCOUNT_OF, BYTE_BITS, AccountKind, KeyState
from scheduler.ledger.transaction import Transaction
from scheduler.ledger.vault.equality import same_bytes
from scheduler.ledger.vault.keyring import Epoch
from scheduler.ledger.vault.material import BlockNames

# Two lookups by unique index; one with OR would make SQLite choose neither.
_KNOWN_BLOCK = union_all(
    select(Block.id).where(Block.natural_key == bindparam("key_")),
    select(Block.id).where(Block.block_id == bindparam("name_")),
)


def deposit_block(
    tx: Transaction,
    handle: CommandHandle,
    block: NewBlock,
    *,
    material_a: bytes,
    material_b: bytes,
    provenance: Provenance | None = None,
    announced: Sequence[int] = (),
    expires_at: datetime | None = None,
    received_only: bool = False,
    tag_bits: int = 0,
    sifted: bool = False,
) -> KeyState:
    """Put a block's key into its pool: generated -> pool. Return the block's state.

    Material is node_a's and node_b's copy, ceil(length_bits / 8) bytes each; copies that
    differ are quarantined (I4). The first `tag_bits`, whole bytes, pay for the tags of the
    messages that made the block: they are spent at once and never stored. With `received_only`
    the block waits, as a satellite's key does for its announcement, until it is moved to
    available. `sifted` key is no secret key: its copies differ, and it waits to be distilled
    into one. Raises FactError for a wrong length or for simulated key passed off as real,
    DuplicateBlock if the block or its natural key is known.
    """
    size = -(-block.length_bits // 8)
    for end, held in (("node_a", material_a), ("node_b", material_b)):
        if len(held) != size:
            raise FactError(
                f"block {block.natural_key}: {len(held)} bytes at {end},"
                f" {block.length_bits} bits need {size}"
            )
    if handle.spent_simulated and not block.simulated:
        raise FactError(f"block {block.natural_key}: made of simulated key, must say so")
    if not 0 <= tag_bits < block.length_bits or tag_bits % BYTE_BITS:
        raise FactError(
            f"block {block.natural_key}: {tag_bits} bits of tags; allowed: whole bytes, fewer than"
            f" its {block.length_bits} bits"
        )
    _refuse_duplicate(tx, block)
    state = KeyState.RECEIVED if received_only else KeyState.AVAILABLE
    if sifted:
        state = KeyState.SIFTED
    elif not same_bytes(material_a, material_b):
        state = KeyState.QUARANTINED
    if not handle.announced_here.issuperset(announced):
        raise FactError(f"block {block.natural_key}: names what its command did not announce")
    origin = NOTHING
    if provenance is not None:
        links = [tx.pools.numbers(tx.raw, path) for path in provenance.links]
        origin = provenance_text(provenance, announced, links)
    if expires_at is not None:
        tx.note_expiring()
    names = _add_block(tx, handle, block, state, origin, expires_at, tag_bits)
    first = tag_bits // BYTE_BITS
    tx.pending.material += (
        (names, 0, material_a[first:], first),
        (names, 1, material_b[first:], first),
    )
    return state


def expect_blocks(tx: Transaction, blocks: Iterable[NewBlock]) -> None:
    """Look many blocks up at once, so that `deposit_block` need not do so for each.

    Raises DuplicateBlock if the ledger has one of these ids or natural keys.
    """
    wanted = {str(block.block_id): block.natural_key for block in blocks}
    tx.expect(block=len(wanted), ledger_entry=len(wanted))
    for column, values in (("block_id", wanted), ("natural_key", wanted.values())):
        known = known_of(tx.raw, Block.__tablename__, column, values)
        if known is not None:
            raise DuplicateBlock(f"block {known} was deposited before; nothing is added")
    tx.unknown |= {*wanted, *wanted.values()}


def _add_block(
    tx: Transaction,
    handle: CommandHandle,
    block: NewBlock,
    state: KeyState,
    provenance: str,
    expires_at: datetime | None,
    tag_bits: int,
) -> BlockNames:
    pool_id = block.pool.pool_id
    numbers = tx.pools.open(tx.raw, block.pool, tx.numbers)
    if block.simulated:
        tx.pools.mark_simulated(tx.raw, pool_id)
    epoch = tx.pools.epoch(tx.raw, pool_id)
    provide_data_key(tx, handle, numbers.ref, Epoch(pool_id, epoch))
    row: dict[str, Any] = {
        "id": tx.number(Block),
        "block_id": str(block.block_id),
        "pool_ref": numbers.ref,
        "natural_key": block.natural_key,
        "length_bits": block.length_bits,
        "next_bit": tag_bits,
        "state": state.value,
        "source": block.source,
        "simulated": block.simulated,
        "eps_total": float(block.eps_total),
        "epoch": epoch,
        "received_at": handle.at,
        "expires_at": None if expires_at is None else as_utc(expires_at),
        "command_id": handle.command_id,
        "provenance": provenance,
    }
    row["sha256"] = row_digest("block", row)
    handle.wrote("block", row["sha256"])
    tx.pending.blocks.append(row)
    span = (row["id"], 0, block.length_bits)
    tx.post(handle, numbers.accounts, AccountKind.GENERATED, state, span)
    if tag_bits:
        tags = (row["id"], 0, tag_bits)
        tx.post(handle, numbers.accounts, ACCOUNT_OF[state], KeyState.AUTHENTICATED, tags)
    return BlockNames(row["id"], row["block_id"], numbers.ref, pool_id, row["epoch"])


def _refuse_duplicate(tx: Transaction, block: NewBlock) -> None:
    name, key = str(block.block_id), block.natural_key
    if key in tx.deposited or name in tx.deposited:
        known = True
    elif key in tx.unknown and name in tx.unknown:
        known = False
    else:
        known = bool(query(tx.raw, _KNOWN_BLOCK, {"key_": key, "name_": name}))
    tx.deposited |= {key, name}
    if known:
        raise DuplicateBlock(f"block {name} ({key}) was deposited before; nothing is added")
