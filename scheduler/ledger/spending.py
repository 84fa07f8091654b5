"""Choosing ranges of a pool, moving the cursors past them, and taking their bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, exists, select, text, update

from scheduler.errors import FactError, NotEnoughKey
from scheduler.facts import Chunk
from scheduler.ledger.bulk import execute_many
from scheduler.ledger.core import Writer
from scheduler.ledger.material import BlockNames
from scheduler.ledger.models import OPEN_BLOCK, Block, FreedRange, Material
from scheduler.ledger.pools import PoolNumbers
from scheduler.ledger.records import SpentChunk
from scheduler.ledger.states import KeyState

_ADVANCE = text(
    "UPDATE block SET next_bit = :to_"
    " WHERE id = :block_ AND next_bit = :from_ AND state = 'available'"
)
_TAKE_FREED = text(
    "DELETE FROM freed_range WHERE block_ref = :block_ AND start_bit = :from_ AND end_bit = :end_"
)
_KEEP_FREED = text(
    "INSERT INTO freed_range (block_ref, start_bit, end_bit) VALUES (:block_, :to_, :end_)"
)
_CLOSE = (
    update(Block)
    .where(
        Block.id == bindparam("block_"),
        Block.next_bit == Block.length_bits,
        Block.state == KeyState.AVAILABLE.value,
        ~exists().where(Material.block_ref == Block.id),
    )
    .values(state=KeyState.DESTROYED.value)
)


@dataclass(frozen=True, slots=True)
class Range:
    """A range chosen for a use, and where it ended before: at a cursor's block or a freed one."""

    names: BlockNames
    start: int
    end: int
    limit: int  #: end of the block, or of the freed range it is cut from
    freed: bool
    eps_total: float
    simulated: bool

    @property
    def span(self) -> tuple[int, int, int]:
        """As an entry wants it."""
        return self.names.ref, self.start, self.end

    @property
    def chunk(self) -> Chunk:
        """As the world knows it."""
        return Chunk(
            block_id=UUID(self.names.block_id),
            pool_id=self.names.pool_id,
            start_bit=self.start,
            end_bit=self.end,
        )


_COLUMNS = (
    Block.id,
    Block.block_id,
    Block.pool_ref,
    Block.epoch,
    Block.eps_total,
    Block.simulated,
)
# Another session's row lock must not stall us; the guarded move decides anyway.
_FREED = (
    select(*_COLUMNS, FreedRange.start_bit, FreedRange.end_bit)
    .join(FreedRange, FreedRange.block_ref == Block.id)
    .where(Block.pool_ref == bindparam("pool_"), Block.state == KeyState.AVAILABLE.value)
    .order_by(Block.id, FreedRange.start_bit)
    .with_for_update(skip_locked=True)
)
_OPEN = (
    select(*_COLUMNS, Block.length_bits, Block.next_bit)
    .where(Block.pool_ref == bindparam("pool_"), text(OPEN_BLOCK), Block.id > bindparam("after_"))
    .order_by(Block.id)
    .with_for_update(skip_locked=True)
)
_OPEN_FEW = _OPEN.limit(4)
_OPEN_MANY = _OPEN.limit(256)


def claim(
    writer: Writer, pool_id: str, bits: int, *, piece_bits: int = 8
) -> tuple[PoolNumbers, list[Range]]:
    """Choose ranges of whole pieces, oldest block first, and move the cursors past them.

    Raises FactError if `bits` is no positive multiple of `piece_bits`, NotEnoughKey if the
    pool holds less; then nothing was changed.
    """
    numbers, ranges = _choose(writer, pool_id, bits, piece_bits)
    _move_cursors(writer, ranges)
    return numbers, ranges


def claim_all(
    writer: Writer, needs: Mapping[str, int]
) -> dict[str, tuple[PoolNumbers, list[Range]]]:
    """As `claim`, for the bits wanted of each of several pools, in few round trips."""
    chosen = {pool_id: _choose(writer, pool_id, bits, 8) for pool_id, bits in needs.items()}
    _move_cursors(writer, [part for _, ranges in chosen.values() for part in ranges])
    return chosen


def _choose(
    writer: Writer, pool_id: str, bits: int, piece_bits: int
) -> tuple[PoolNumbers, list[Range]]:
    """Choose ranges and leave the cursors where they are."""
    if bits <= 0 or bits % piece_bits or piece_bits % 8:
        raise FactError(f"{bits} bits asked of {pool_id}; allowed: positive multiples of 8")
    if writer.pending.blocks:
        writer._settle()
    numbers = writer.pools.find(writer.connection, pool_id)
    if numbers is None:
        raise NotEnoughKey(f"pool {pool_id} holds no key, {bits} bits were asked for")
    ranges: list[Range] = []
    wanted = _gather_freed(writer, numbers.ref, pool_id, bits, piece_bits, ranges)
    wanted = _gather_open(writer, numbers.ref, pool_id, wanted, piece_bits, ranges)
    if wanted:
        pieces = f" in whole pieces of {piece_bits}" if piece_bits > 8 else ""
        raise NotEnoughKey(
            f"pool {pool_id} holds {bits - wanted} spendable bits{pieces}, {bits} were asked for"
        )
    return numbers, ranges


def take(writer: Writer, ranges: Sequence[Range]) -> list[SpentChunk]:
    """Take both ends' bytes of ranges out of the store; blocks left empty become tombstones."""
    taken = writer.vault.take_all([(part.names, part.start // 8, part.end // 8) for part in ranges])
    chunks = [
        SpentChunk(
            chunk=part.chunk,
            material_a=held[0],
            material_b=held[1],
            eps_total=part.eps_total,
            simulated=part.simulated,
        )
        for part, held in zip(ranges, taken, strict=True)
    ]
    # A block can only be empty now if the range reached its end or was freed behind its cursor.
    close_empty(writer, {part.names.ref for part in ranges if part.freed or part.end == part.limit})
    return chunks


def close_empty(writer: Writer, block_refs: set[int]) -> None:
    """Mark blocks as destroyed whose cursor is at the end and whose bytes are all gone."""
    if block_refs:
        rows = [{"block_": ref} for ref in sorted(block_refs)]
        execute_many(writer.connection, _CLOSE, rows)


def _gather_freed(
    writer: Writer, pool_ref: int, pool_id: str, bits: int, piece_bits: int, ranges: list[Range]
) -> int:
    """Choose among ranges that came back; return how many bits are still wanted."""
    if not writer.has_freed():
        return bits
    rows = writer.connection.execute(_FREED, {"pool_": pool_ref}).all()
    for row in rows:
        part = min(bits, (row.end_bit - row.start_bit) // piece_bits * piece_bits)
        if part:
            ranges.append(_range(row, pool_id, row.start_bit, part, row.end_bit, True))
            bits -= part
    return bits


def _gather_open(
    writer: Writer, pool_ref: int, pool_id: str, bits: int, piece_bits: int, ranges: list[Range]
) -> int:
    """Choose behind the cursors of open blocks; return how many bits are still wanted."""
    after, few = 0, True
    while bits:
        # Most spends end in the first block or two; a long walk goes in longer strides.
        query = _OPEN_FEW if few else _OPEN_MANY
        rows = writer.connection.execute(query, {"pool_": pool_ref, "after_": after}).all()
        few = False
        if not rows:
            break
        for row in rows:
            part = min(bits, (row.length_bits - row.next_bit) // piece_bits * piece_bits)
            if part:
                ranges.append(_range(row, pool_id, row.next_bit, part, row.length_bits, False))
                bits -= part
            if not bits:
                break
        after = rows[-1].id
    return bits


def _range(row: Any, pool_id: str, start: int, bits: int, limit: int, freed: bool) -> Range:
    return Range(
        names=BlockNames(row.id, row.block_id, row.pool_ref, pool_id, row.epoch),
        start=start,
        end=start + bits,
        limit=limit,
        freed=freed,
        eps_total=row.eps_total,
        simulated=row.simulated,
    )


def _move_cursors(writer: Writer, ranges: Sequence[Range]) -> None:
    """Move past the ranges, each guarded by where its cursor must stand."""
    moves = [
        {"block_": part.names.ref, "from_": part.start, "to_": part.end}
        for part in ranges
        if not part.freed
    ]
    if moves:
        writer.guarded(_ADVANCE, moves, lambda: "cursors were to stand where they were read")
    freed = [part for part in ranges if part.freed]
    if freed:
        rows = [
            {"block_": part.names.ref, "from_": part.start, "end_": part.limit} for part in freed
        ]
        writer.guarded(_TAKE_FREED, rows, lambda: "freed ranges were to be there")
    rest = [
        {"block_": part.names.ref, "to_": part.end, "end_": part.limit}
        for part in freed
        if part.end < part.limit
    ]
    if rest:
        execute_many(writer.connection, _KEEP_FREED, rest)
