"""Choosing ranges of a pool, moving the cursors past them, and taking their bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import Select, TextClause, bindparam, or_, select, text
from sqlalchemy.sql.elements import ClauseElement

from orbits import as_utc
from scheduler.domain import Chunk
from scheduler.errors import FactError, NotEnoughKey, WrongState
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.db.bulk import execute_many, query, rows_json, wanted
from scheduler.ledger.pools import PoolNumbers
from scheduler.ledger.records import SpentChunk
from scheduler.ledger.schema import OPEN_BLOCK, Block, FreedRange
from scheduler.ledger.schema.columns import UtcDateTime
from scheduler.ledger.states import AccountKind, KeyState
from scheduler.ledger.transaction import Transaction
from scheduler.ledger.vault.material import BlockNames, Span

_TAKE_FREED = text(
    "DELETE FROM freed_range WHERE block_ref = :block_ AND start_bit = :from_ AND end_bit = :end_"
)
_KEEP_FREED = text(
    "INSERT INTO freed_range (block_ref, start_bit, end_bit) VALUES (:block_, :to_, :end_)"
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
    received_at: datetime | None = None  #: of the block; read only where its age counts

    @property
    def span(self) -> tuple[int, int, int]:
        """As an entry wants it."""
        return self.names.ref, self.start, self.end

    @property
    def bytes(self) -> Span:
        """As the vault wants it."""
        return self.names, self.start // 8, self.end // 8

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
OPEN_FEW, OPEN_MANY = 4, 256
"""Open blocks looked up for each pool: most spends end in the first or second of them.

PostgreSQL locks all that it looks up, so there it is the first alone, then a few, then many.
"""
_LAST = 2**62
"""Above every block's number."""


@dataclass(frozen=True, slots=True)
class Eligible:
    """Which blocks may be spent: none whose time is over, and perhaps only young ones.

    Without a limit of age the oldest go first, so that young key is there for who needs it. With
    one the youngest go first, so that what is made of them lasts longest.
    """

    at: datetime
    received_after: datetime | None = None
    among: frozenset[str] | None = None  #: ids of blocks; any if not given


@dataclass(frozen=True, slots=True)
class _Terms:
    """The conditions of the statements, each built once: nothing more where nobody set a limit."""

    young: bool
    lasting: bool

    def where(self, block: str) -> str:
        """The conditions on a block."""
        young = f" AND {block}.received_at > :younger_" if self.young else ""
        lasting = f" AND ({block}.expires_at IS NULL OR {block}.expires_at > :at_)"
        return young + (lasting if self.lasting else "")

    def typed(self, statement: str) -> ClauseElement:
        """A text whose instants go in and out as those of the tables do."""
        names = [name for name, used in (("younger_", self.young), ("at_", self.lasting)) if used]
        made = text(statement).bindparams(*(bindparam(name, type_=UtcDateTime()) for name in names))
        return made.columns(received_at=UtcDateTime()) if self.young else made


# Another session's row lock must not stall us; the guarded move decides anyway.
@cache
def _freed_query(terms: _Terms) -> Select[Any]:
    """What came back of one pool, in the order in which it is spent."""
    columns = (*_COLUMNS, *((Block.received_at,) if terms.young else ()))
    query = (
        select(*columns, FreedRange.start_bit, FreedRange.end_bit)
        .join(FreedRange, FreedRange.block_ref == Block.id)
        .where(Block.pool_ref == bindparam("pool_"), Block.state == KeyState.AVAILABLE.value)
        .order_by(Block.id.desc() if terms.young else Block.id, FreedRange.start_bit)
        .with_for_update(skip_locked=True)
    )
    if terms.young:
        query = query.where(Block.received_at > bindparam("younger_"))
    if terms.lasting:
        query = query.where(or_(Block.expires_at.is_(None), Block.expires_at > bindparam("at_")))
    return query


@cache
def _open_query(dialect_name: str, terms: _Terms, *, waits: bool) -> ClauseElement:
    """The first open blocks of each wanted pool behind a block number, in the order of use.

    Those that another session holds are left out, or waited for.
    """
    rows = wanted(dialect_name, ("pool_ref", "after"))
    behind, order = ("<", " DESC") if terms.young else (">", "")
    first = (
        f"FROM block AS o WHERE o.pool_ref = w.pool_ref AND o.id {behind} w.after"
        f" AND {OPEN_BLOCK}{terms.where('o')} ORDER BY o.id{order} LIMIT :most_"
    )
    blocks = f"block AS b WHERE b.id IN (SELECT o.id {first})"
    if dialect_name == "postgresql":
        skip = "" if waits else " SKIP LOCKED"
        blocks = f"LATERAL (SELECT o.* {first} FOR UPDATE{skip}) AS b"
    more = ", b.received_at" if terms.young else ""
    return terms.typed(
        "SELECT w.place, b.id, b.block_id, b.pool_ref, b.epoch, b.eps_total, b.simulated,"
        f" b.length_bits, b.next_bit{more} FROM {rows} AS w CROSS JOIN {blocks}"
        f" ORDER BY w.place, b.id{order}"
    )


Claimed = dict[str, tuple[PoolNumbers, list[Range]]]


def spend_pool(
    tx: Transaction,
    handle: CommandHandle,
    pool_id: str,
    bits: int,
    *,
    use: KeyState = KeyState.RELAY_CONSUMED,
) -> list[SpentChunk]:
    """Spend whole bytes of a pool, oldest block first, one range a block: pool -> spent.

    Reserves and posts in one step. The bytes are erased from the store by the same
    transaction and exist only in the answer. Key whose time is over counts as not there, also
    before it is let expire. Raises FactError if `bits` is no positive multiple of 8,
    NotEnoughKey if the pool holds less; then nothing of this was done.
    """
    return spend_pools(tx, handle, {pool_id: bits}, use=use)[pool_id]


def spend_pools(
    tx: Transaction,
    handle: CommandHandle,
    needs: Mapping[str, int],
    *,
    use: KeyState = KeyState.RELAY_CONSUMED,
    received_after: datetime | None = None,
    among: frozenset[str] | None = None,
) -> dict[str, list[SpentChunk]]:
    """Spend so many bits of each of several pools, as `spend_pool` does, in few round trips.

    With `received_after` only of blocks received later than that, the youngest first, and
    the answer says when each was received; with `among` of these blocks alone, by id. Raises as
    `spend_pool`; then nothing was taken of any pool.
    """
    if use not in (KeyState.RELAY_CONSUMED, KeyState.COMBINED):
        raise FactError(f"spend as {use.value}; allowed: relay_consumed, combined")
    after = None if received_after is None else as_utc(received_after)
    claimed = claim_all(tx, needs, Eligible(handle.at, after, among))
    for numbers, ranges in claimed.values():
        for part in ranges:
            tx.post(handle, numbers.accounts, AccountKind.POOL, use, part.span)
            handle.spent.setdefault(UUID(part.names.block_id), []).append(part.span)
            handle.spent_simulated |= part.simulated
    chunks = iter(take(tx, [part for _, ranges in claimed.values() for part in ranges]))
    return {pool_id: list(islice(chunks, len(ranges))) for pool_id, (_, ranges) in claimed.items()}


def claim(
    tx: Transaction,
    pool_id: str,
    bits: int,
    *,
    at: datetime,
    piece_bits: int = 8,
    among: frozenset[str] | None = None,
    **rows: int,
) -> tuple[PoolNumbers, list[Range]]:
    """Choose ranges of whole pieces, oldest block first, and move the cursors past them.

    Of the blocks `among` whose ids is named, of any without. Key whose time is over at `at`
    counts as not there. Raises FactError if `bits` is no positive multiple of `piece_bits`,
    NotEnoughKey if the pool holds less; then nothing was changed. Numbers for so many `rows` of
    tables are at hand then, besides those of an entry for each range.
    """
    eligible = Eligible(at, among=among)
    return claim_all(tx, {pool_id: bits}, eligible, piece_bits=piece_bits, **rows)[pool_id]


def claim_all(
    tx: Transaction,
    needs: Mapping[str, int],
    eligible: Eligible,
    *,
    piece_bits: int = 8,
    **rows: int,
) -> Claimed:
    """As `claim`, for the bits wanted of each of several pools, in few round trips."""
    for pool_id, bits in needs.items():
        if bits <= 0 or bits % piece_bits or piece_bits % 8:
            raise FactError(f"{bits} bits asked of {pool_id}; allowed: positive multiples of 8")
    if tx.pending.blocks:
        tx.flush()
    chosen: Claimed = {}
    for pool_id, bits in needs.items():
        numbers = tx.pools.find(tx.raw, pool_id)
        if numbers is None:
            raise NotEnoughKey(f"pool {pool_id} holds no key, {bits} bits were asked for")
        chosen[pool_id] = (numbers, [])
    after = eligible.received_after
    terms = _Terms(young=after is not None, lasting=tx.has_expiring())
    given = {"younger_": after} if terms.young else {}
    given |= {"at_": eligible.at} if terms.lasting else {}
    gather = _Gathering(tx, chosen, terms, given, piece_bits, eligible.among)
    for pool_id, missing in gather.open(gather.freed(needs)).items():
        pieces = f" in whole pieces of {piece_bits}" if piece_bits > 8 else ""
        young = f" received after {after}" if terms.young else ""
        raise NotEnoughKey(
            f"pool {pool_id} holds {needs[pool_id] - missing} spendable bits{young}{pieces},"
            f" {needs[pool_id]} were asked for"
        )
    _move_cursors(tx, [part for _, ranges in chosen.values() for part in ranges], rows)
    return chosen


def take(
    tx: Transaction, ranges: Sequence[Range], found: Sequence[Any] | None = None
) -> list[SpentChunk]:
    """Take both ends' bytes of ranges out of the store; blocks left empty become tombstones.

    `found` is what the vault's question about them found, if it was asked.
    """
    taken = tx.vault.take_all([part.bytes for part in ranges], found)
    chunks = [
        SpentChunk(
            chunk=part.chunk,
            material_a=held[0],
            material_b=held[1],
            eps_total=part.eps_total,
            simulated=part.simulated,
            received_at=part.received_at,
        )
        for part, held in zip(ranges, taken, strict=True)
    ]
    # A block can only be empty now if the range reached its end or was freed behind its cursor.
    tx.close_empty(part.names.ref for part in ranges if part.freed or part.end == part.limit)
    return chunks


@dataclass(frozen=True, slots=True)
class _Gathering:
    """Choosing ranges pool by pool, of what came back first, then behind the cursors."""

    tx: Transaction
    chosen: Claimed
    terms: _Terms
    given: Mapping[str, Any]  #: instants that the terms speak of
    piece_bits: int
    among: frozenset[str] | None

    def freed(self, needs: Mapping[str, int]) -> dict[str, int]:
        """Choose among ranges that came back; return how many bits each pool still lacks."""
        lacking = dict(needs)
        if not self.tx.has_freed():
            return lacking
        freed = _freed_query(self.terms)
        for pool_id, (numbers, _) in self.chosen.items():
            values = {"pool_": numbers.ref, **self.given}
            for row in query(self.tx.raw, freed, values):
                span = (row.start_bit, row.end_bit)
                lacking[pool_id] -= self._choose(row, pool_id, span, lacking[pool_id], freed=True)
        return lacking

    def open(self, needs: Mapping[str, int]) -> dict[str, int]:
        """Choose behind the cursors of open blocks; return the pools that lack bits at the end."""
        lacking = {pool_id: bits for pool_id, bits in needs.items() if bits}
        is_postgres = self.tx.raw.dialect.name == "postgresql"
        self._pass(lacking, waits=False, most=1 if is_postgres else OPEN_FEW)
        if lacking and is_postgres:
            # What is left may be in blocks from which others spend at this moment.
            self._pass(lacking, waits=True, most=OPEN_FEW)
        return lacking

    def _pass(self, lacking: dict[str, int], *, waits: bool, most: int) -> None:
        """Go over the open blocks once, oldest or youngest first, `most` of them at a time."""
        start, connection = _LAST if self.terms.young else 0, self.tx.raw
        after, ended = dict.fromkeys(lacking, start), set[str]()
        chosen = (part for _, ranges in self.chosen.values() for part in ranges)
        before = {part.names.ref for part in chosen if not part.freed}
        first = _open_query(connection.dialect.name, self.terms, waits=waits)
        while wanted_of := [pool_id for pool_id in lacking if pool_id not in ended]:
            seen = dict.fromkeys(wanted_of, 0)
            rows = rows_json((self.chosen[pool_id][0].ref, after[pool_id]) for pool_id in wanted_of)
            values = {"rows_": rows, "most_": most, **self.given}
            for row in query(connection, first, values):
                pool_id = wanted_of[row.place]
                after[pool_id] = row.id
                seen[pool_id] += 1
                bits = lacking.get(pool_id, 0)
                if bits and row.id not in before:
                    span = (row.next_bit, row.length_bits)
                    part = self._choose(row, pool_id, span, bits, freed=False)
                    lacking[pool_id] -= part
                    if part == bits:
                        del lacking[pool_id]
            ended = {pool_id for pool_id, count in seen.items() if count < most} | ended
            most = OPEN_FEW if most < OPEN_FEW else OPEN_MANY

    def _choose(
        self, row: Any, pool_id: str, span: tuple[int, int], bits: int, *, freed: bool
    ) -> int:
        """Choose what whole pieces of a span are wanted; return their bits."""
        if self.among is not None and row.block_id not in self.among:
            return 0
        start, limit = span
        part = min(bits, (limit - start) // self.piece_bits * self.piece_bits)
        if part:
            self.chosen[pool_id][1].append(
                Range(
                    names=BlockNames(row.id, row.block_id, row.pool_ref, pool_id, row.epoch),
                    start=start,
                    end=start + part,
                    limit=limit,
                    freed=freed,
                    eps_total=row.eps_total,
                    simulated=bool(row.simulated),
                    received_at=row.received_at if self.terms.young else None,
                )
            )
        return part


@cache
def _advance(dialect_name: str) -> TextClause:
    """Move the cursors of blocks, each guarded by where it must stand; says which it moved."""
    rows = wanted(dialect_name, ("block_ref", "from_bit", "to_bit"))
    return text(
        f"UPDATE block SET next_bit = w.to_bit FROM {rows} AS w WHERE block.id = w.block_ref"
        " AND block.next_bit = w.from_bit AND block.state = 'available' RETURNING block.id"
    )


def _move_cursors(tx: Transaction, ranges: Sequence[Range], numbers: Mapping[str, int]) -> None:
    """Move past the ranges, each guarded; have the entries' numbers at hand, and others."""
    moves = [(part.names.ref, part.start, part.end) for part in ranges if not part.freed]
    advance = (_advance(tx.raw.dialect.name), {"rows_": rows_json(moves)})
    counts = {**numbers, "ledger_entry": len(ranges) + numbers.get("ledger_entry", 0)}
    for moved in tx.numbers.expect(counts, besides=[advance] if moves else []):
        if len(moved) != len(moves):
            raise WrongState(
                f"cursors were to stand where they were read;"
                f" {len(moves) - len(moved)} of {len(moves)} were not"
            )
    freed = [part for part in ranges if part.freed]
    if freed:
        rows = [
            {"block_": part.names.ref, "from_": part.start, "end_": part.limit} for part in freed
        ]
        tx.guarded(_TAKE_FREED, rows, lambda: "freed ranges were to be there")
    rest = [
        {"block_": part.names.ref, "to_": part.end, "end_": part.limit}
        for part in freed
        if part.end < part.limit
    ]
    if rest:
        execute_many(tx.raw, _KEEP_FREED, rest)
