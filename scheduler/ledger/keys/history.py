"""What every account held at instants gone by: the sums of its entries until then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import func, select

from scheduler.ledger.reader import Reader
from scheduler.ledger.schema import Account, Command, LedgerEntry, PoolRow

_ACCOUNTS = (
    select(Account.id, PoolRow.pool_id, Account.kind)
    .join(PoolRow, Account.pool_ref == PoolRow.id)
    .order_by(PoolRow.pool_id, Account.kind)
)
_MOVED = (
    select(
        Command.at, LedgerEntry.source_id, LedgerEntry.target_id, func.sum(LedgerEntry.amount_bits)
    )
    .join(Command, Command.id == LedgerEntry.command_id)
    .group_by(Command.at, LedgerEntry.source_id, LedgerEntry.target_id)
    .order_by(Command.at)
)


def get_balances_at(
    reader: Reader, instants: Sequence[datetime]
) -> Iterator[tuple[datetime, str, str, int]]:
    """Yield (instant, pool id, kind of account, bits) for each account that was not empty then.

    What was moved by an instant counts. `instants` are in order of time; the balances of one
    are held in memory at a time.
    """
    connection = reader.connection
    accounts = {row.id: (row.pool_id, row.kind) for row in connection.execute(_ACCOUNTS)}
    held: Counter[int] = Counter()
    moved = iter(connection.execution_options(yield_per=10_000).execute(_MOVED))
    next_ = next(moved, None)
    for instant in instants:
        while next_ is not None and next_[0] <= instant:
            _, source, target, bits = next_
            held[source] -= int(bits)
            held[target] += int(bits)
            next_ = next(moved, None)
        for number, (pool_id, kind) in accounts.items():
            if held[number]:
                yield instant, pool_id, kind, held[number]
