"""Recomputing everything the ledger claims, and naming the row that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, func, select

from scheduler.facts import VerifyReport
from scheduler.ledger import verify_rows
from scheduler.ledger.canonical import entry_digest, row_digest
from scheduler.ledger.models import Account, Block, Command, LedgerEntry, PoolRow
from scheduler.ledger.states import (
    ACCOUNT_OF,
    AccountKind,
    KeyState,
)

PROBLEMS_MAX = 1000
"""Problems that one report lists; a ruined ledger need not fill the memory."""

ROWS_AT_ONCE = 5000
PROGRESS_EVERY = 1_000
KINDS = frozenset(AccountKind)
STATES = frozenset(KeyState)


class Findings:
    """Problems found so far, the first PROBLEMS_MAX of them."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def add(self, problem: str) -> None:
        """Note one problem."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)


def verify(connection: Connection, progress: Callable[[int], None] | None) -> VerifyReport:
    """Check one snapshot. The report's problems name table and row.

    Entries stream by block, so memory does not grow with their number.
    """
    found = Findings()
    accounts = _accounts(connection, found)
    sums = dict.fromkeys(accounts, 0)
    entries = blocks = 0
    for block, lines in _blocks_with_entries(connection):
        blocks += 1
        _check_block_row(block, found)
        _check_block(block, lines, accounts, sums, found)
        before, entries = entries, entries + len(lines)
        if progress is not None and before // PROGRESS_EVERY != entries // PROGRESS_EVERY:
            progress(entries)
    _check_balances(connection, accounts, sums, found)
    _check_numbering(connection, entries, found)
    commands = verify_rows.check_commands(connection, found)
    verify_rows.check_material(connection, found)
    verify_rows.check_pools(connection, found)
    verify_rows.check_announcements(connection, found)
    verify_rows.check_bookings(connection, found)
    verify_rows.check_registers(connection, found)
    return VerifyReport(
        commands=commands,
        entries=entries,
        blocks=blocks,
        pools=len({pool for pool, _ in accounts.values()}),
        problems=tuple(found.problems),
    )


def _accounts(connection: Connection, found: Findings) -> dict[int, tuple[int, AccountKind]]:
    """Every account's pool and kind, by number; their rows and their pools' checked."""
    for row in connection.execute(select(*PoolRow.__table__.c)).mappings():
        if row["sha256"] != row_digest("pool", row):
            found.add(f"pool {row['id']} ({row['pool_id']}): its row was changed")
    accounts: dict[int, tuple[int, AccountKind]] = {}
    for row in connection.execute(select(*Account.__table__.c)).mappings():
        if row["sha256"] != row_digest("account", row):
            found.add(f"account {row['id']} ({row['kind']}): its row was changed")
        if row["kind"] in KINDS:
            accounts[row["id"]] = (row["pool_ref"], AccountKind(row["kind"]))
    return accounts


_ENTRY = (
    LedgerEntry.id,
    LedgerEntry.command_id,
    LedgerEntry.line,
    LedgerEntry.source_id,
    LedgerEntry.target_id,
    LedgerEntry.amount_bits,
    LedgerEntry.block_ref,
    LedgerEntry.start_bit,
    LedgerEntry.end_bit,
    LedgerEntry.enters,
    LedgerEntry.resolves_id,
    LedgerEntry.sha256,
)
Line = Sequence[Any]


def _blocks_with_entries(connection: Connection) -> Iterator[tuple[Any, list[Line]]]:
    """Every block together with its entries in order, streamed side by side."""
    streaming = connection.execution_options(yield_per=ROWS_AT_ONCE)
    lines = streaming.execute(select(*_ENTRY).order_by(LedgerEntry.block_ref, LedgerEntry.id))
    groups = groupby(lines, key=itemgetter(6))
    pending: tuple[int, list[Line]] | None = None
    after = 0
    while (
        rows := connection.execute(
            select(*Block.__table__.c).where(Block.id > after).order_by(Block.id).limit(500)
        )
        .mappings()
        .all()
    ):
        for block in rows:
            if pending is None:
                head = next(groups, None)
                pending = None if head is None else (head[0], list(head[1]))
            if pending is not None and pending[0] == block["id"]:
                yield block, pending[1]
                pending = None
            else:
                yield block, []
        after = rows[-1]["id"]


def _check_block_row(block: Any, found: Findings) -> None:
    if block["sha256"] != row_digest("block", block):
        found.add(f"block {block['block_id']} ({block['natural_key']}): its row was changed")


def _check_block(
    block: Any,
    lines: list[Line],
    accounts: dict[int, tuple[int, AccountKind]],
    sums: dict[int, int],
    found: Findings,
) -> None:
    """Hashes, accounts and ranges of one block's entries, and its cursor against them."""
    used: list[tuple[int, int, int]] = []
    name = f"block {block['block_id']}"
    for position, line in enumerate(lines):
        (number, _, _, source_id, target_id, amount, _, start, end, enters, _, sha256) = line
        if sha256 != entry_digest(*line[:-1]):
            found.add(f"ledger_entry {number}: its row was changed")
        source, target = accounts.get(source_id), accounts.get(target_id)
        if source is None or target is None:
            found.add(f"ledger_entry {number}: names an account that is not there")
            continue
        sums[source_id] -= amount
        sums[target_id] += amount
        if source[0] != block["pool_ref"] or target[0] != block["pool_ref"]:
            found.add(f"ledger_entry {number}: moves bits of {name} in another pool")
        if enters not in STATES or target[1] is not ACCOUNT_OF.get(KeyState(enters)):
            found.add(f"ledger_entry {number}: enters {enters} in account {target[1].value}")
        if position == 0:
            if (source[1], start, end) != (AccountKind.GENERATED, 0, block["length_bits"]):
                found.add(f"ledger_entry {number}: {name} does not begin with its deposit")
        elif source[1] is not AccountKind.POOL:
            found.add(f"ledger_entry {number}: {name} moves from {source[1].value}")
        else:
            used.append((start, end, number))
    if not lines:
        found.add(f"{name} ({block['natural_key']}) has no entry: it was never deposited")
    _check_ranges(block, used, found)


def _check_ranges(block: Any, used: list[tuple[int, int, int]], found: Findings) -> None:
    """Each bit has at most one use, and the cursor stands behind the last one (I1)."""
    reached = 0
    for start, end, number in sorted(used):
        if start < reached:
            found.add(
                f"ledger_entry {number}: bits {start} to {min(end, reached)} of block"
                f" {block['block_id']} are used twice"
            )
        elif start > reached:
            found.add(
                f"ledger_entry {number}: bits {reached} to {start} of block"
                f" {block['block_id']} went nowhere"
            )
        reached = max(reached, end)
    if block["next_bit"] != reached:
        found.add(
            f"block {block['block_id']}: cursor at {block['next_bit']},"
            f" its entries end at {reached}"
        )
    state = KeyState.DESTROYED if reached == block["length_bits"] else KeyState.AVAILABLE
    if block["state"] != state:
        found.add(
            f"block {block['block_id']}: is {block['state']}, by its entries it is {state.value}"
        )


def _check_balances(
    connection: Connection,
    accounts: dict[int, tuple[int, AccountKind]],
    sums: dict[int, int],
    found: Findings,
) -> None:
    """Running balances against their sums, and nothing but `generated` below zero (I2)."""
    totals: dict[int, int] = {}
    for number, running in connection.execute(select(Account.id, Account.balance_bits)):
        if number not in accounts:
            continue
        pool, kind = accounts[number]
        totals[pool] = totals.get(pool, 0) + running
        if running != sums[number]:
            found.add(
                f"account {number} ({kind.value} of pool {pool}): balance {running},"
                f" its entries sum to {sums[number]}"
            )
        if sums[number] < 0 and kind is not AccountKind.GENERATED:
            found.add(f"account {number} ({kind.value} of pool {pool}): {sums[number]} below zero")
    for pool, total in totals.items():
        if total:
            found.add(f"pool {pool}: its accounts sum to {total}, not to zero")


def _check_numbering(connection: Connection, entries: int, found: Findings) -> None:
    """Entries are numbered without gaps, and so are the lines of each command."""
    last, count = connection.execute(
        select(func.coalesce(func.max(LedgerEntry.id), 0), func.count())
    ).one()
    if count != entries:
        found.add(f"ledger_entry: {count - entries} rows belong to no block")
    if last != count:
        found.add(f"ledger_entry: {count} rows, the last is number {last}; rows are missing")
    gaps = connection.execute(
        select(LedgerEntry.command_id, func.count(), func.max(LedgerEntry.line))
        .group_by(LedgerEntry.command_id)
        .having(func.count() != func.max(LedgerEntry.line))
        .limit(PROBLEMS_MAX)
    )
    for command_id, lines, top in gaps:
        found.add(f"command {command_id}: {lines} entries, the last is line {top}")
    orphans = connection.execute(
        select(LedgerEntry.id)
        .join(Command, LedgerEntry.command_id == Command.id, isouter=True)
        .where(Command.id.is_(None))
        .limit(PROBLEMS_MAX)
    )
    for (number,) in orphans:
        found.add(f"ledger_entry {number}: its command is not there")
