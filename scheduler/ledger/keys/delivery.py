"""Keys of applications: drawn from a pool under random ids, collected once by each recipient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, TextClause, bindparam, select, text, update

from orbits import as_utc
from scheduler.errors import FactError, LedgerBroken, UnknownName, WrongState
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.db.bulk import rows_json, wanted
from scheduler.ledger.keys.delivery_reads import KEY_COLUMNS, KEYS_AT_ONCE
from scheduler.ledger.keys.spending import Range, claim
from scheduler.ledger.log.tables import row_digest, seal_all
from scheduler.ledger.records import CollectedKey
from scheduler.ledger.schema import Block, KeyRecipient, KeyRow, PoolRow
from scheduler.ledger.states import AccountKind, KeyState
from scheduler.ledger.transaction import Transaction
from scheduler.ledger.vault.material import BOTH_ENDS, BlockNames

KeyLine = Any
"""A row of `KEY_COLUMNS` and more."""

HELD = (KeyRow, KeyRecipient)
"""Rows that nobody else changes from when they are read to the end of the transaction, so that
what becomes of a key and of its answers is decided once. SQLite has one writer anyway."""

_OPEN_KEYS = (
    select(*KEY_COLUMNS, KeyRecipient.side, KeyRow.sha256.label("key_sha256"))
    .join(Block, KeyRow.block_ref == Block.id)
    .join(PoolRow, Block.pool_ref == PoolRow.id)
    .join(KeyRecipient, KeyRecipient.key_ref == KeyRow.id)
    .where(KeyRow.closed_by.is_(None), KeyRecipient.settled_by.is_(None))
    .order_by(KeyRow.id, KeyRecipient.recipient)
    .with_for_update(of=HELD)
)
_CLOSE_KEY = (
    update(KeyRow)
    .where(KeyRow.id == bindparam("key_"), KeyRow.closed_by.is_(None))
    .values(closed_by=bindparam("command_"))
)
_GIVE = (
    update(KeyRecipient)
    .where(
        KeyRecipient.key_ref == bindparam("key_"),
        KeyRecipient.recipient == bindparam("who_"),
        KeyRecipient.delivered_by.is_(None),
    )
    .values(delivered_by=bindparam("command_"))
)
_GIVE_AWAY = _GIVE.values(settled_by=bindparam("command_"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Keys that one command cuts out of a pool, each of one range."""

    handle: CommandHandle
    key_ids: Sequence[UUID]  #: random and new
    recipients: Mapping[str, int]
    """Who may collect each key, once, and at which end: 0 node_a's bytes, 1 node_b's, from 2 on
    copies that others keep (see `copies`)."""
    given_to: str | None = None  #: the recipient that has them by this very command

    def check(self) -> None:
        """Raise FactError for what cannot be drawn."""
        if not self.key_ids or not self.recipients or len(set(self.key_ids)) != len(self.key_ids):
            raise FactError(
                f"{len(self.key_ids)} key ids, {len(set(self.key_ids))} different, for"
                f" {len(self.recipients)} recipients; allowed: at least one of each, no id twice"
            )
        ends = set(self.recipients.values())
        if min(ends) < 0:
            raise FactError(f"ends {sorted(ends)}; allowed: 0 (node_a), 1 (node_b), then copies")


def draw_keys(
    tx: Transaction,
    handle: CommandHandle,
    pool_id: str,
    *,
    key_ids: Sequence[UUID],
    size_bits: int,
    recipients: Mapping[str, int],
    expires_at: datetime | None = None,
    among: frozenset[str] | None = None,
    given_to: str | None = None,
) -> list[Range]:
    """Cut keys for applications out of a pool by one command, as `draw_all` does.

    Returns the ranges, whose keys are those of the ids in their order.
    """
    draw = Draw(handle=handle, key_ids=key_ids, recipients=recipients, given_to=given_to)
    drawn, _ = draw_all(
        tx, pool_id, [draw], size_bits=size_bits, expires_at=expires_at, among=among
    )
    return drawn


def draw_all(
    tx: Transaction,
    pool_id: str,
    draws: Sequence[Draw],
    *,
    size_bits: int,
    expires_at: datetime | None = None,
    among: frozenset[str] | None = None,
) -> tuple[list[Range], list[list[Range]]]:
    """Cut the keys of several commands out of a pool in few round trips: pool -> delivered.

    All of them, or none. With `among` of these blocks alone, by id. Returns the ranges, and those
    of each draw, whose keys are those of its ids in their order.
    Raises FactError, NotEnoughKey if the pool has too few ranges of that size; for a known id the
    database refuses the row, and with it the transaction (LedgerError).
    """
    for draw in draws:
        draw.check()
    if size_bits <= 0 or size_bits % 8:
        raise FactError(f"keys of {size_bits} bits; allowed: positive multiples of 8")
    counts = [len(draw.key_ids) for draw in draws]
    numbers, ranges = claim(
        tx,
        pool_id,
        size_bits * sum(counts),
        at=max(draw.handle.at for draw in draws),
        piece_bits=size_bits,
        among=among,
        key=sum(counts),
        ledger_entry=len(draws) - 1,  # where one range is cut among several
    )
    until = None if expires_at is None else as_utc(expires_at)
    shares = list(_shared(ranges, [size_bits * count for count in counts]))
    for draw, share in zip(draws, shares, strict=True):
        for part in share:
            tx.post(draw.handle, numbers.accounts, AccountKind.POOL, KeyState.DELIVERED, part.span)
            # An end at which nobody may collect keeps no bytes.
            ends = draw.recipients.values()
            if unwanted := [side for side in BOTH_ENDS if side not in ends]:
                tx.vault.take(part.names, part.start // 8, part.end // 8, unwanted)
        _write_keys(tx, draw, share, size_bits, until)
    return ranges, shares


def _shared(ranges: Sequence[Range], needs: Sequence[int]) -> Iterator[list[Range]]:
    """Ranges cut among draws that need so many bits each, in their order."""
    left = iter(ranges)
    part, at = next(left), 0  # the range that is being cut, and how far it is
    for need in needs:
        share: list[Range] = []
        while need:
            if part.start + at == part.end:
                part, at = next(left), 0
            bits = min(need, part.end - part.start - at)
            start = part.start + at
            share.append(replace(part, start=start, end=start + bits))
            at, need = at + bits, need - bits
        yield share


def _write_keys(
    tx: Transaction, draw: Draw, share: Sequence[Range], size_bits: int, until: datetime | None
) -> None:
    """The rows of one draw's keys, and who may have them."""
    names = iter(draw.key_ids)
    rows: list[dict[str, Any]] = [
        {
            "id": tx.number(KeyRow),
            "key_id": str(next(names)),
            "command_id": draw.handle.command_id,
            "block_ref": part.names.ref,
            "start_bit": start,
            "end_bit": start + size_bits,
            "expires_at": until,
            "closed_by": None,
        }
        for part in share
        for start in range(part.start, part.end, size_bits)
    ]
    draw.handle.wrote("key", *seal_all("key", rows))
    tx.pending.keys += rows
    _name_recipients(tx, draw, [row["id"] for row in rows])


def collect_keys(
    tx: Transaction,
    handle: CommandHandle,
    key_ids: Sequence[UUID],
    recipient: str,
    *,
    keep: bool = False,
) -> list[CollectedKey]:
    """Give keys to one of their recipients, all of them or none; bytes leave after commit.

    In the order of the ids. With `keep` the recipient's bytes stay sealed in the store until
    `settle_answers` says that they left; without, the transaction erases them. Raises UnknownName
    for a key that is not this recipient's, WrongState for one that it has or that has expired.
    """
    tx.flush()
    rows = sorted(_waiting(tx, handle, key_ids, recipient), key=lambda row: row.id)
    tx.guarded(
        _GIVE if keep else _GIVE_AWAY,
        [{"key_": row.id, "who_": recipient, "command_": handle.command_id} for row in rows],
        lambda: f"keys for {recipient} were to wait",
    )
    for row in rows:
        handle.marked("collected", (row.id, recipient), row.sha256)
        if not keep:
            handle.marked("settled", (row.id, recipient), row.sha256)
    return in_order(key_ids, rows, take_keys(tx, rows, keep=keep))


def in_order(
    key_ids: Sequence[UUID], rows: Sequence[KeyLine], taken: Mapping[str, bytes]
) -> list[CollectedKey]:
    """Keys in the order in which they were asked for, of rows and bytes in any."""
    found = {row.key_id: row for row in rows}
    lines = [found[str(one)] for one in key_ids]
    return [
        CollectedKey(
            key_id=UUID(row.key_id),
            block_id=UUID(row.block_id),
            size_bits=row.end_bit - row.start_bit,
            material=taken[row.key_id],
        )
        for row in lines
    ]


def take_keys(tx: Transaction, rows: Sequence[KeyLine], *, keep: bool = False) -> dict[str, bytes]:
    """Return the bytes of keys of one recipient by id, and erase those that nobody waits for.

    With `keep` all of them stay in the store.
    """
    _hold_blocks(tx, {row.block_ref for row in rows})
    kept = {row.id for row in rows} if keep else _wanted_by_others(tx.raw, rows)
    taken: dict[str, bytes] = {}
    for run in _runs(rows, kept):
        taken.update(_take_run(tx, run, keep=run[0].id in kept))
    if not keep:
        tx.close_empty(row.block_ref for row in rows)
    return taken


def close_expired(tx: Transaction, handle: CommandHandle) -> int:
    """Erase what is left of keys that nobody collected in time; return how many keys."""
    tx.flush()
    due = _OPEN_KEYS.where(KeyRow.expires_at <= handle.at)
    return close_keys(tx, handle, tx.raw.execute(due).all())


def close_all(tx: Transaction, handle: CommandHandle) -> int:
    """Erase what is left of every key that waits to be collected; return how many keys."""
    tx.flush()
    return close_keys(tx, handle, tx.raw.execute(_OPEN_KEYS).all())


def close_keys(tx: Transaction, handle: CommandHandle, rows: Sequence[KeyLine]) -> int:
    """Erase what is left of keys and let nobody have them any more; return how many keys.

    Of each key a row for every end at which its bytes are still there: `KEY_COLUMNS`, the end,
    and the hash of the key's row.
    """
    _hold_blocks(tx, {row.block_ref for row in rows})
    sides = {(row.id, row.side): row for row in rows}
    for row in sides.values():
        tx.vault.take(_names(row), row.start_bit // 8, row.end_bit // 8, (row.side,))
    numbers = sorted({row.id for row in rows})
    hashes = {row.id: row.key_sha256 for row in rows}
    for number in numbers:
        handle.marked("closed", (number, ""), hashes[number])
    if numbers:
        tx.guarded(
            _CLOSE_KEY,
            [{"key_": number, "command_": handle.command_id} for number in numbers],
            lambda: "keys were to be open",
        )
        tx.erased = True
    tx.close_empty(row.block_ref for row in rows)
    return len(numbers)


def _name_recipients(tx: Transaction, draw: Draw, key_refs: Sequence[int]) -> None:
    ends = sorted(draw.recipients.items())
    handle, given_to = draw.handle, draw.given_to
    rows: list[dict[str, Any]] = [
        {
            "key_ref": key_ref,
            "recipient": recipient,
            "side": side,
            "delivered_by": handle.command_id if recipient == given_to else None,
            "doubted_by": None,
            "settled_by": None,
        }
        for key_ref in key_refs
        for recipient, side in ends
    ]
    handle.wrote("key_recipient", *seal_all("key_recipient", rows))
    for row in rows:
        if row["delivered_by"] is not None:
            handle.marked("collected", (row["key_ref"], row["recipient"]), row["sha256"])
    tx.pending.recipients += rows


def _waiting(
    tx: Transaction, handle: CommandHandle, key_ids: Sequence[UUID], recipient: str
) -> list[KeyLine]:
    """The rows of keys that wait for a recipient.

    Raises UnknownName for a key that is not there or not this recipient's (the two look the
    same from outside), LedgerBroken for one whose recipient was changed, WrongState for one that
    was given out, closed or has expired.
    """
    names = [str(one) for one in key_ids]
    if not names or len(set(names)) != len(names):
        raise FactError(f"{len(names)} key ids, {len(set(names))} different; none may come twice")
    found: list[KeyLine] = []
    for first in range(0, len(names), KEYS_AT_ONCE):
        found += tx.raw.execute(
            select(
                *KEY_COLUMNS,
                KeyRow.expires_at,
                KeyRow.closed_by,
                KeyRecipient.side,
                KeyRecipient.delivered_by,
                KeyRecipient.sha256,
            )
            .join(Block, KeyRow.block_ref == Block.id)
            .join(PoolRow, Block.pool_ref == PoolRow.id)
            .join(KeyRecipient, KeyRecipient.key_ref == KeyRow.id)
            .where(
                KeyRow.key_id.in_(names[first : first + KEYS_AT_ONCE]),
                KeyRecipient.recipient == recipient,
            )
            .order_by(KeyRow.id)
            .with_for_update(of=HELD)
        ).all()
    missing = set(names) - {row.key_id for row in found}
    if missing:
        raise UnknownName(f"{recipient} has no key {min(missing)}")
    for row in found:
        named = {"key_ref": row.id, "recipient": recipient, "side": row.side}
        if row.sha256 != row_digest("key_recipient", named):
            # An audit would find it, but only after the key had gone to whom it was not drawn for.
            raise LedgerBroken(f"key {row.key_id}: its recipient was changed; no key leaves")
        if row.delivered_by is not None:
            raise WrongState(f"key {row.key_id} was given to {recipient} before")
        if row.closed_by is not None or (row.expires_at and row.expires_at <= handle.at):
            raise WrongState(f"key {row.key_id} expired at {row.expires_at}")
    return found


def _hold_blocks(tx: Transaction, block_refs: set[int]) -> None:
    """Keep other sessions from taking bytes of these blocks.

    Two recipients at one end would each see the other wait, and nobody would erase the key.
    """
    if tx.raw.dialect.name == "sqlite":
        return  # it has one writer anyway
    for first in range(0, len(refs := sorted(block_refs)), KEYS_AT_ONCE):
        some = refs[first : first + KEYS_AT_ONCE]
        query = select(Block.id).where(Block.id.in_(some)).order_by(Block.id)
        tx.raw.execute(query.with_for_update())


def _wanted_by_others(connection: Connection, rows: Sequence[KeyLine]) -> set[int]:
    """Keys whose bytes at the same end somebody else still waits for."""
    ends = {(row.id, row.side) for row in rows}
    query = _others_query(connection.dialect.name)
    return {row[0] for row in connection.execute(query, {"rows_": rows_json(ends)})}


@cache
def _others_query(dialect_name: str) -> TextClause:
    """Of keys and ends those at which a recipient is left whose bytes may not have left."""
    return text(
        f"SELECT w.key_ref FROM {wanted(dialect_name, ('key_ref', 'side'))} AS w WHERE EXISTS"
        " (SELECT 1 FROM key_recipient AS k WHERE k.key_ref = w.key_ref AND k.side = w.side"
        " AND k.settled_by IS NULL)"
    )


def _runs(rows: Sequence[KeyLine], kept: set[int]) -> list[list[KeyLine]]:
    """Keys that lie side by side and share a fate, so that their bytes are taken together."""
    runs: list[list[KeyLine]] = []
    for row in sorted(rows, key=lambda row: (row.block_ref, row.start_bit)):
        last = runs[-1][-1] if runs else None
        if (
            last is not None
            and (last.block_ref, last.end_bit, last.side)
            == (row.block_ref, row.start_bit, row.side)
            and (last.id in kept) == (row.id in kept)
        ):
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs


def _take_run(tx: Transaction, run: Sequence[KeyLine], *, keep: bool) -> dict[str, bytes]:
    start, end, side = run[0].start_bit // 8, run[-1].end_bit // 8, run[0].side
    held = tx.vault.take(_names(run[0]), start, end, (side,), keep=keep)[side]
    return {row.key_id: held[row.start_bit // 8 - start : row.end_bit // 8 - start] for row in run}


def _names(row: KeyLine) -> BlockNames:
    return BlockNames(row.block_ref, row.block_id, row.pool_ref, row.pool_id, row.epoch)
