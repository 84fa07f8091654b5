"""How much key there is: balances of accounts, spendable bits of pools, and when they end."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import BigInteger, bindparam, cast, func, or_, select, text

from orbits import as_utc
from scheduler.errors import LedgerBroken
from scheduler.ledger.db.bulk import query
from scheduler.ledger.reader import Reader
from scheduler.ledger.schema import (
    EXPIRING_BLOCK,
    OPEN_BLOCK,
    Account,
    Block,
    Command,
    FreedRange,
    LedgerEntry,
    PoolRow,
)
from scheduler.ledger.states import AccountKind, KeyState

# The predicates stand as text: only then do both stores see that a partial index serves.
# Whole numbers again: a sum of PostgreSQL's is of a type that no table of ours has.
_WHOLE = cast(func.sum((Block.length_bits - Block.next_bit) // 8 * 8), BigInteger)
_CAME_BACK = cast(func.sum(FreedRange.end_bit - FreedRange.start_bit), BigInteger)
_LASTS = or_(Block.expires_at.is_(None), Block.expires_at > bindparam("at_"))
_OVER_BITS = (
    select(PoolRow.pool_id, _WHOLE)
    .join(Block, Block.pool_ref == PoolRow.id)
    .where(text(EXPIRING_BLOCK), Block.expires_at <= bindparam("at_"))
    .group_by(PoolRow.pool_id)
)
_OVER_FREED = (
    select(PoolRow.pool_id, _CAME_BACK)
    .join(Block, Block.pool_ref == PoolRow.id)
    .join(FreedRange, FreedRange.block_ref == Block.id)
    .where(text(EXPIRING_BLOCK), Block.expires_at <= bindparam("at_"))
    .group_by(PoolRow.pool_id)
)
_EXPIRING = (
    select(PoolRow.pool_id, Block.expires_at, _WHOLE)
    .join(Block, Block.pool_ref == PoolRow.id)
    .where(text(EXPIRING_BLOCK), text(OPEN_BLOCK), Block.expires_at > bindparam("at_"))
    .group_by(PoolRow.pool_id, Block.expires_at)
    .order_by(PoolRow.pool_id, Block.expires_at)
)
_YOUNG_BITS = (
    select(PoolRow.pool_id, _WHOLE)
    .join(Block, Block.pool_ref == PoolRow.id)
    .where(text(OPEN_BLOCK), Block.received_at > bindparam("after_"), _LASTS)
    .group_by(PoolRow.pool_id)
)
_YOUNG_FREED = (
    select(PoolRow.pool_id, _CAME_BACK)
    .join(Block, Block.pool_ref == PoolRow.id)
    .join(FreedRange, FreedRange.block_ref == Block.id)
    .where(Block.state == KeyState.AVAILABLE.value, Block.received_at > bindparam("after_"), _LASTS)
    .group_by(PoolRow.pool_id)
)
_WHOLE_BITS = (
    select(PoolRow.pool_id, Account.balance_bits - Account.odd_bits)
    .join(Account, Account.pool_ref == PoolRow.id)
    .where(Account.kind == AccountKind.POOL.value)
)
_BALANCES = (
    select(PoolRow.pool_id, Account.kind, Account.balance_bits)
    .join(Account, Account.pool_ref == PoolRow.id)
    .order_by(PoolRow.pool_id, Account.id)
)

_DELIVERED = (
    select(func.sum(LedgerEntry.amount_bits))
    .join(Account, LedgerEntry.target_id == Account.id)
    .join(PoolRow, Account.pool_ref == PoolRow.id)
    .join(Command, Command.id == LedgerEntry.command_id)
    .where(
        PoolRow.pool_id == bindparam("pool_"),
        Account.kind == AccountKind.DELIVERED.value,
        Command.at >= bindparam("since_"),
    )
)
_SPENT_BY = (
    select(PoolRow.pool_id, func.sum(LedgerEntry.amount_bits))
    .join(Account, Account.pool_ref == PoolRow.id)
    .join(LedgerEntry, LedgerEntry.target_id == Account.id)
    .join(Command, Command.id == LedgerEntry.command_id)
    .where(
        Account.kind == AccountKind.SPENT.value,
        Command.kind == bindparam("kind_"),
        Command.at >= bindparam("since_"),
        Command.at < bindparam("until_"),
    )
    .group_by(PoolRow.pool_id)
)


def get_balances(reader: Reader) -> dict[str, dict[str, int]]:
    """Running balance of every account in bits, by pool and kind of account."""
    found: dict[str, dict[str, int]] = {}
    for pool_id, kind, balance in reader.connection.execute(_BALANCES):
        if not isinstance(balance, int):  # SQLite keeps a word in a column of numbers
            raise LedgerBroken(f"account {kind} of pool {pool_id}: balance is no number")
        found.setdefault(pool_id, {})[kind] = balance
    return found


def get_spent(reader: Reader, *, kind: str, since: datetime, until: datetime) -> dict[str, int]:
    """Bits that commands of one kind within [since, until) spent, by pool; those without left out.

    Over all the time of a ledger this is the balance of the spent accounts.
    """
    span = {"kind_": kind, "since_": as_utc(since), "until_": as_utc(until)}
    rows = reader.connection.execute(_SPENT_BY, span)
    return {pool_id: int(bits) for pool_id, bits in rows}


def get_delivered(reader: Reader, pool_id: str, *, since: datetime) -> int:
    """Bits of a pool that applications drew since an instant."""
    values = {"pool_": pool_id, "since_": as_utc(since)}
    return int(reader.connection.execute(_DELIVERED, values).scalar() or 0)


def get_stock(reader: Reader, *, at: datetime | None = None) -> dict[str, int]:
    """Spendable bits of every pool: the whole bytes of its available blocks.

    Read from the running figures of the accounts, so it costs as much as there are pools.

    With `at` key whose time is over by then is left out, though it is in the pool until
    somebody lets it expire.
    """
    connection = reader.connection
    found = {pool_id: int(bits) for pool_id, bits in query(connection, _WHOLE_BITS)}
    if at is not None and reader.has_expiring():
        for over in (_OVER_BITS, _OVER_FREED):
            for pool_id, bits in query(connection, over, {"at_": as_utc(at)}):
                found[pool_id] -= int(bits)
    return found


def get_expiring_stock(reader: Reader, *, at: datetime) -> dict[str, list[tuple[datetime, int]]]:
    """Of the stock, what ends later on: (when, bits) by pool; those without a limit left out."""
    found: dict[str, list[tuple[datetime, int]]] = {}
    for pool_id, when, bits in reader.connection.execute(_EXPIRING, {"at_": as_utc(at)}):
        assert when is not None
        found.setdefault(pool_id, []).append((when, int(bits)))
    return found


def get_young_stock(reader: Reader, *, received_after: datetime, at: datetime) -> dict[str, int]:
    """Of the stock, the blocks alone that were received later than that; pools without left out."""
    found: Counter[str] = Counter()
    values = {"after_": as_utc(received_after), "at_": as_utc(at)}
    connection = reader.connection
    for young in (_YOUNG_BITS, _YOUNG_FREED):
        for pool_id, bits in query(connection, young, values):
            found[pool_id] += int(bits)
    return dict(found)


def get_simulated_pools(reader: Reader) -> frozenset[str]:
    """Pools that ever took key from a simulated source."""
    pools = select(PoolRow.pool_id).where(PoolRow.simulated)
    return frozenset(reader.connection.execute(pools).scalars())
