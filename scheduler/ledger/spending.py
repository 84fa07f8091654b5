"""Choosing ranges of a pool, moving the cursors past them, and taking their bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, bindparam, exists, select, text, update

from scheduler.errors import FactError, NotEnoughKey
from scheduler.facts import Chunk
from scheduler.ledger.bulk import execute_many, rows_json, wanted
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
OPEN_FEW, OPEN_MANY = 4, 256
"""Open blocks looked up for each pool: most spends end in the first or second of them."""


@lru_cache(maxsize=2)
def _open_query(dialect_name: str) -> TextClause:
    """The first open blocks of each wanted pool behind a block number, oldest first."""
    rows = wanted(dialect_name, ("pool_ref", "after"))
    first = (
        f"FROM block AS o WHERE o.pool_ref = w.pool_ref AND o.id > w.after AND {OPEN_BLOCK}"
        " ORDER BY o.id LIMIT :most_"
    )
    blocks = f"block AS b WHERE b.id IN (SELECT o.id {first})"
    if dialect_name == "postgresql":
        blocks = f"LATERAL (SELECT o.* {first} FOR UPDATE SKIP LOCKED) AS b"
    return text(
        "SELECT w.place, b.id, b.block_id, b.pool_ref, b.epoch, b.eps_total, b.simulated,"
        f" b.length_bits, b.next_bit FROM {rows} AS w CROSS JOIN {blocks} ORDER BY w.place, b.id"
    )


Claimed = dict[str, tuple[PoolNumbers, list[Range]]]


def claim(
    writer: Writer, pool_id: str, bits: int, *, piece_bits: int = 8
) -> tuple[PoolNumbers, list[Range]]:
    """Choose ranges of whole pieces, oldest block first, and move the cursors past them.

    Raises FactError if `bits` is no positive multiple of `piece_bits`, NotEnoughKey if the
    pool holds less; then nothing was changed.
    """
    return claim_all(writer, {pool_id: bits}, piece_bits=piece_bits)[pool_id]


def claim_all(writer: Writer, needs: Mapping[str, int], *, piece_bits: int = 8) -> Claimed:
    """As `claim`, for the bits wanted of each of several pools, in few round trips."""
    for pool_id, bits in needs.items():
        if bits <= 0 or bits % piece_bits or piece_bits % 8:
            raise FactError(f"{bits} bits asked of {pool_id}; allowed: positive multiples of 8")
    if writer.pending.blocks:
        writer._settle()
    chosen: Claimed = {}
    for pool_id, bits in needs.items():
        numbers = writer.pools.find(writer.connection, pool_id)
        if numbers is None:
            raise NotEnoughKey(f"pool {pool_id} holds no key, {bits} bits were asked for")
        chosen[pool_id] = (numbers, [])
    lacking = _gather_open(
        writer, chosen, _gather_freed(writer, chosen, needs, piece_bits), piece_bits
    )
    for pool_id, missing in lacking.items():
        pieces = f" in whole pieces of {piece_bits}" if piece_bits > 8 else ""
        raise NotEnoughKey(
            f"pool {pool_id} holds {needs[pool_id] - missing} spendable bits{pieces},"
            f" {needs[pool_id]} were asked for"
        )
    _move_cursors(writer, [part for _, ranges in chosen.values() for part in ranges])
    return chosen


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
    writer: Writer, chosen: Claimed, needs: Mapping[str, int], piece_bits: int
) -> dict[str, int]:
    """Choose among ranges that came back; return how many bits each pool still lacks."""
    lacking = dict(needs)
    if not writer.has_freed():
        return lacking
    for pool_id, (numbers, ranges) in chosen.items():
        for row in writer.connection.execute(_FREED, {"pool_": numbers.ref}).all():
            part = min(lacking[pool_id], (row.end_bit - row.start_bit) // piece_bits * piece_bits)
            if part:
                ranges.append(_range(row, pool_id, row.start_bit, part, row.end_bit, True))
                lacking[pool_id] -= part
    return lacking


def _gather_open(
    writer: Writer, chosen: Claimed, needs: Mapping[str, int], piece_bits: int
) -> dict[str, int]:
    """Choose behind the cursors of open blocks; return the pools that lack bits at the end."""
    lacking = {pool_id: bits for pool_id, bits in needs.items() if bits}
    after, ended, most = dict.fromkeys(lacking, 0), set[str](), OPEN_FEW
    while asked := [pool_id for pool_id in lacking if pool_id not in ended]:
        seen = dict.fromkeys(asked, 0)
        rows = rows_json((chosen[pool_id][0].ref, after[pool_id]) for pool_id in asked)
        query = _open_query(writer.connection.dialect.name)
        for row in writer.connection.execute(query, {"rows_": rows, "most_": most}).all():
            pool_id = asked[row.place]
            after[pool_id] = row.id
            seen[pool_id] += 1
            wanted_bits = lacking.get(pool_id, 0)
            part = min(wanted_bits, (row.length_bits - row.next_bit) // piece_bits * piece_bits)
            if part:
                end = row.length_bits
                chosen[pool_id][1].append(_range(row, pool_id, row.next_bit, part, end, False))
                lacking[pool_id] -= part
                if part == wanted_bits:
                    del lacking[pool_id]
        ended = {pool_id for pool_id, count in seen.items() if count < most} | ended
        most = OPEN_MANY
    return lacking


def _range(row: Any, pool_id: str, start: int, bits: int, limit: int, freed: bool) -> Range:
    return Range(
        names=BlockNames(row.id, row.block_id, row.pool_ref, pool_id, row.epoch),
        start=start,
        end=start + bits,
        limit=limit,
        freed=freed,
        eps_total=row.eps_total,
        simulated=bool(row.simulated),
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
