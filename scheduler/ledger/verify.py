"""Recomputing everything the ledger claims, and naming the row that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, func, select

from scheduler.facts import VerifyReport
from scheduler.ledger import verify_log, verify_owners, verify_rows
from scheduler.ledger.canonical import row_digest
from scheduler.ledger.datakeys import DataKeys, SharedKeys
from scheduler.ledger.keystore import KeyEncryptionKey, NoKek
from scheduler.ledger.models import Account, Block, Command, LedgerEntry, PoolRow
from scheduler.ledger.states import AccountKind
from scheduler.ledger.streams import batched, stream
from scheduler.ledger.verify_blocks import Accounts, BlockAudit
from scheduler.ledger.verify_notes import Findings

BLOCKS_AT_ONCE = 500
PROGRESS_EVERY = 1_000
KINDS = frozenset(AccountKind)


def verify(
    connection: Connection,
    kek: KeyEncryptionKey,
    progress: Callable[[int], None] | None,
) -> VerifyReport:
    """Check one snapshot. The report's problems name table and row.

    Everything streams by block or by command, so memory does not grow with the ledger. Without
    the key-encryption key all is checked but that the sealed bytes open.
    """
    found = Findings()
    accounts = _accounts(connection, found)
    opens = not isinstance(kek, NoKek)
    # Data keys are opened afresh: what this process remembers proves nothing.
    keys = DataKeys(kek, SharedKeys()) if opens else None
    audit = BlockAudit(connection, keys, accounts, found)
    entries = blocks = 0
    for block in _blocks(connection):
        blocks += 1
        before, entries = entries, entries + audit.check(block)
        if progress is not None and before // PROGRESS_EVERY != entries // PROGRESS_EVERY:
            progress(entries)
    audit.check_strays()
    _check_balances(connection, accounts, audit.sums, found)
    _check_numbering(connection, entries, found)
    commands = verify_rows.check_commands(connection, found)
    verify_rows.check_pools(connection, found)
    verify_rows.check_announcements(connection, found)
    verify_owners.check_reservations(connection, found)
    verify_owners.check_keys(connection, found)
    verify_rows.check_bookings(connection, found)
    verify_rows.check_registers(connection, found)
    size, root = verify_log.check_log(connection, found)
    verify_log.check_coverage(connection, found)
    verify_log.check_checkpoints(connection, found)
    if opens:
        verify_log.check_wrapping(connection, kek, found)
    return VerifyReport(
        commands=commands,
        entries=entries,
        blocks=blocks,
        pools=len({pool for pool, _ in accounts.values()}),
        problems=tuple(found.problems),
        figures={"audit_size": size, "audit_root": root, "sealed_bytes_opened": opens},
    )


def _accounts(connection: Connection, found: Findings) -> Accounts:
    """Every account's pool and kind, by number; their rows and their pools' checked."""
    for row in connection.execute(select(*PoolRow.__table__.c)).mappings():
        if row["sha256"] != row_digest("pool", row):
            found.add(f"pool {row['id']} ({row['pool_id']}): its row was changed")
    accounts: Accounts = {}
    for row in connection.execute(select(*Account.__table__.c)).mappings():
        if row["sha256"] != row_digest("account", row):
            found.add(f"account {row['id']} ({row['kind']}): its row was changed")
        if row["kind"] in KINDS:
            accounts[row["id"]] = (row["pool_ref"], AccountKind(row["kind"]))
    return accounts


def _blocks(connection: Connection) -> Iterator[Any]:
    """Every block, by number."""
    columns = (*Block.__table__.c, PoolRow.pool_id, PoolRow.node_a, PoolRow.node_b)
    query = select(*columns).join(PoolRow, Block.pool_ref == PoolRow.id).order_by(Block.id)
    return batched(stream(connection, query, BLOCKS_AT_ONCE))


def _check_balances(
    connection: Connection, accounts: Accounts, sums: dict[int, int], found: Findings
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
        .limit(found.room)
    )
    for command_id, lines, top in gaps:
        found.add(f"command {command_id}: {lines} entries, the last is line {top}")
    orphans = connection.execute(
        select(LedgerEntry.id)
        .join(Command, LedgerEntry.command_id == Command.id, isouter=True)
        .where(Command.id.is_(None))
        .limit(found.room)
    )
    for (number,) in orphans:
        found.add(f"ledger_entry {number}: its command is not there")
