"""Answers that hold key: given, known to have left, or in doubt, when they are repeated or void."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, or_, select, text, update
from sqlalchemy.orm import aliased

from orbits import as_utc
from scheduler.errors import WrongState
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.keys.delivery import HELD, Draw, close_keys, draw_all, in_order, take_keys
from scheduler.ledger.keys.delivery_reads import KEY_COLUMNS, KEYS_AT_ONCE
from scheduler.ledger.keys.spending import Range
from scheduler.ledger.reader import Reader
from scheduler.ledger.records import CollectedKey, DoubtedKey, OutgoingKeys
from scheduler.ledger.schema import OPEN_ANSWER, Block, Command, KeyRecipient, KeyRow, PoolRow
from scheduler.ledger.transaction import Transaction

DOUBTS_MAX = 10_000
"""Rows that one listing returns, and answers' keys that one command doubts, at most."""

_ONE = (KeyRecipient.key_ref == bindparam("key_"), KeyRecipient.recipient == bindparam("who_"))
_SETTLE = (
    update(KeyRecipient)
    .where(*_ONE, KeyRecipient.delivered_by.is_not(None), KeyRecipient.settled_by.is_(None))
    .values(settled_by=bindparam("command_"))
)
_DOUBT = (
    update(KeyRecipient)
    .where(*_ONE, KeyRecipient.delivered_by.is_not(None), KeyRecipient.doubted_by.is_(None))
    .values(doubted_by=bindparam("command_"))
)
_ROWS = (
    select(
        *KEY_COLUMNS,
        KeyRow.command_id,
        KeyRow.sha256.label("key_sha256"),
        KeyRecipient.recipient,
        KeyRecipient.side,
        KeyRecipient.delivered_by,
        KeyRecipient.doubted_by,
        KeyRecipient.sha256,
        Command.request_id,
    )
    .join(Block, KeyRow.block_ref == Block.id)
    .join(PoolRow, Block.pool_ref == PoolRow.id)
    .join(KeyRecipient, KeyRecipient.key_ref == KeyRow.id)
    .join(Command, Command.id == KeyRecipient.delivered_by)
    .where(text(OPEN_ANSWER), KeyRow.closed_by.is_(None))
    .order_by(KeyRow.id, KeyRecipient.recipient)
)
_HELD_ROWS = _ROWS.with_for_update(of=HELD)
_NAMED = _HELD_ROWS.where(Command.request_id.in_(bindparam("names_", expanding=True)))
_IN_TIME = (
    _ROWS.where(KeyRecipient.doubted_by.is_(None), Command.at <= bindparam("before_"))
    .limit(DOUBTS_MAX)
)  # fmt: skip

Line = Any
"""A row of `_ROWS`."""


def deliver_keys(
    tx: Transaction,
    pool_id: str,
    draws: Sequence[Draw],
    *,
    size_bits: int,
    expires_at: datetime,
    among: frozenset[str] | None = None,
) -> list[tuple[list[CollectedKey], list[Range]]]:
    """Draw keys and give them to their masters, by a command each; the others collect them later.

    Each draw's `given_to` is its master, whose bytes stay sealed until `settle_answers` knows that
    they left. Returns for each draw its keys, and the ranges that they were cut from. Raises as
    `draw_all`.
    """
    ranges, shares = draw_all(
        tx, pool_id, draws, size_bits=size_bits, expires_at=expires_at, among=among
    )
    masters = [draw.recipients[draw.given_to or ""] for draw in draws]
    sides = sorted(set(masters))
    taken = [
        tx.vault.take(part.names, part.start // 8, part.end // 8, sides, keep=True)
        for part in ranges
    ]
    held = {side: b"".join(one[side] for one in taken) for side in sides}
    first, size = 0, size_bits // 8
    delivered: list[tuple[list[CollectedKey], list[Range]]] = []
    for draw, side, share in zip(draws, masters, shares, strict=True):
        blocks: list[UUID] = []
        for part in share:
            blocks += [UUID(part.names.block_id)] * ((part.end - part.start) // size_bits)
        places = range(first, first + size * len(draw.key_ids), size)
        first = places.stop
        keys = [
            CollectedKey(
                key_id=one,
                block_id=block,
                size_bits=size_bits,
                material=held[side][place : place + size],
            )
            for one, block, place in zip(draw.key_ids, blocks, places, strict=True)
        ]
        delivered.append((keys, share))
    return delivered


def settle_answers(tx: Transaction, handle: CommandHandle, request_ids: Collection[str]) -> int:
    """Note that the answers to these requests left, and erase what nobody else waits for.

    What was closed or settled meanwhile is left alone. Returns how many keys that were.
    """
    tx.flush()
    rows = tx.raw.execute(_NAMED, {"names_": list(request_ids)}).all()
    _settle(tx, handle, rows)
    return len(rows)


def doubt_answers(
    tx: Transaction,
    handle: CommandHandle,
    *,
    before: datetime | None = None,
    request_ids: Collection[str] = (),
) -> tuple[int, int]:
    """Put in doubt the answers given up to `before`, or to these requests, that nobody confirmed.

    The keys of a master's answer are voided at both ends, for it may not ask for them again; but
    where somebody collected one, the master must have had its id, so that answer left. A
    slave may ask again. Returns how many keys were doubted, and how many of them voided.
    """
    tx.flush()
    if before is None:
        found = tx.raw.execute(_NAMED, {"names_": list(request_ids)}).all()
        rows = [row for row in found if row.doubted_by is None]
    else:
        overdue = _IN_TIME.with_for_update(of=HELD)
        rows = list(tx.raw.execute(overdue, {"before_": as_utc(before)}).all())
    masters = [row for row in rows if row.command_id == row.delivered_by]
    known = _collected_by_others(tx, masters)
    _settle(tx, handle, [row for row in masters if row.id in known])
    doubted = [row for row in rows if row not in masters or row.id not in known]
    _mark(tx, handle, _DOUBT, "doubted", doubted)
    void = [row for row in doubted if row.command_id == row.delivered_by]
    return len(doubted), close_keys(tx, handle, _held(tx, [row.id for row in void]))


def void_keys(
    tx: Transaction, handle: CommandHandle, key_ids: Sequence[UUID], *, but: str = ""
) -> set[UUID]:
    """Let nobody have these keys any more, where no slave has been given them; return which.

    What the recipient `but` was given does not count: it said that it has none.
    """
    tx.flush()
    names = [str(one) for one in key_ids]
    rows = tx.raw.execute(
        select(
            *KEY_COLUMNS,
            KeyRow.command_id,
            KeyRow.sha256.label("key_sha256"),
            KeyRecipient.recipient,
            KeyRecipient.side,
            KeyRecipient.delivered_by,
            KeyRecipient.settled_by,
        )
        .join(Block, KeyRow.block_ref == Block.id)
        .join(PoolRow, Block.pool_ref == PoolRow.id)
        .join(KeyRecipient, KeyRecipient.key_ref == KeyRow.id)
        .where(KeyRow.key_id.in_(names[:KEYS_AT_ONCE]), KeyRow.closed_by.is_(None))
        .order_by(KeyRow.id, KeyRecipient.recipient)
        .with_for_update(of=HELD)
    ).all()
    given = {
        row.id
        for row in rows
        if row.delivered_by not in (None, row.command_id) and row.recipient != but
    }
    void = [row for row in rows if row.id not in given and row.settled_by is None]
    close_keys(tx, handle, void)
    return {UUID(row.key_id) for row in void}


def repeat_keys(
    tx: Transaction, key_ids: Sequence[UUID], recipient: str, *, at: datetime
) -> tuple[str, list[CollectedKey]]:
    """Give the keys of a doubted answer again, to the same recipient, all of that answer's.

    Returns the first request that they were given by, which stays in doubt until it is settled.
    Raises WrongState for keys that are not exactly those of one answer in doubt.
    """
    tx.flush()
    names = [str(one) for one in key_ids]
    query = _HELD_ROWS.where(
        KeyRecipient.recipient == recipient, KeyRecipient.doubted_by.is_not(None)
    )
    asked = tx.raw.execute(query.where(KeyRow.key_id.in_(names[:KEYS_AT_ONCE]))).all()
    given = {row.request_id for row in asked}
    every = tx.raw.execute(
        query.add_columns((KeyRow.expires_at <= as_utc(at)).label("is_late")).where(
            Command.request_id.in_(given)
        )
    ).all()
    late = any(row.is_late for row in every)
    if len(given) != 1 or {row.key_id for row in every} != set(names) or late:
        raise WrongState(f"{len(names)} keys are not those of one answer to {recipient} in doubt")
    return given.pop(), in_order(key_ids, every, take_keys(tx, every, keep=True))


def get_masters(reader: Reader, key_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Who drew keys and was given them at once, by key; those of nobody are left out."""
    names = [str(one) for one in key_ids]
    rows = reader.connection.execute(
        select(KeyRow.key_id, KeyRecipient.recipient)
        .join(KeyRecipient, KeyRecipient.key_ref == KeyRow.id)
        .where(
            KeyRow.key_id.in_(names[:KEYS_AT_ONCE]),
            KeyRecipient.delivered_by == KeyRow.command_id,
        )
    )
    return {UUID(key_id): recipient for key_id, recipient in rows}


def is_any_overdue(reader: Reader, *, before: datetime) -> bool:
    """Whether an answer given up to an instant is neither known to have left nor in doubt."""
    return (
        reader.connection.execute(_IN_TIME.limit(1), {"before_": as_utc(before)}).first()
        is not None
    )


def get_outgoing(reader: Reader, *, prefix: str, at: datetime) -> list[OutgoingKeys]:
    """Keys for recipients whose names begin so, never given to them yet, or in doubt.

    Those of one command of theirs together, in the order in which they were drawn.
    """
    drawn = aliased(Command)
    rows = reader.connection.execute(
        select(
            KeyRow.key_id,
            KeyRow.command_id,
            KeyRecipient.recipient,
            KeyRecipient.delivered_by,
            drawn.answer,
        )
        .join(KeyRecipient, KeyRecipient.key_ref == KeyRow.id)
        .join(drawn, drawn.id == KeyRow.command_id)
        .where(
            KeyRecipient.recipient.startswith(prefix, autoescape=True),
            KeyRecipient.settled_by.is_(None),
            KeyRow.closed_by.is_(None),
            KeyRow.expires_at > as_utc(at),
            or_(KeyRecipient.delivered_by.is_(None), KeyRecipient.doubted_by.is_not(None)),
        )
        .order_by(KeyRow.id)
        .limit(DOUBTS_MAX)
    )
    found: dict[tuple[str, int, bool], list[Any]] = {}
    for row in rows:
        again = row.delivered_by is not None
        found.setdefault((row.recipient, row.delivered_by or row.command_id, again), []).append(row)
    return [
        OutgoingKeys(
            recipient=recipient,
            master=json.loads(lines[0].answer)["master"],
            key_ids=tuple(UUID(row.key_id) for row in lines),
            again=again,
        )
        for (recipient, _, again), lines in found.items()
    ]


def get_answers(reader: Reader, key_ids: Sequence[UUID], recipient: str) -> list[str]:
    """The requests by which a recipient was given keys, as far as none of it is settled."""
    names = [str(one) for one in key_ids]
    query = _ROWS.where(
        KeyRecipient.recipient == recipient, KeyRow.key_id.in_(names[:KEYS_AT_ONCE])
    )
    return sorted({row.request_id for row in reader.connection.execute(query)})


def get_doubted(reader: Reader, *, limit: int = DOUBTS_MAX) -> list[DoubtedKey]:
    """Keys in doubt that did not turn out to have left, oldest first."""
    given, doubting = aliased(Command), aliased(Command)
    rows = reader.connection.execute(
        select(
            KeyRow.key_id,
            KeyRow.closed_by,
            PoolRow.pool_id,
            KeyRecipient.recipient,
            given.at.label("given_at"),
            doubting.at.label("doubted_at"),
        )
        .join(Block, KeyRow.block_ref == Block.id)
        .join(PoolRow, Block.pool_ref == PoolRow.id)
        .join(KeyRecipient, KeyRecipient.key_ref == KeyRow.id)
        .join(given, given.id == KeyRecipient.delivered_by)
        .join(doubting, doubting.id == KeyRecipient.doubted_by)
        .where(text(OPEN_ANSWER))
        .order_by(KeyRow.id, KeyRecipient.recipient)
        .limit(min(limit, DOUBTS_MAX))
    )
    return [
        DoubtedKey(
            key_id=UUID(row.key_id),
            pool_id=row.pool_id,
            recipient=row.recipient,
            given_at=row.given_at,
            doubted_at=row.doubted_at,
            voided=row.closed_by is not None,
        )
        for row in rows
    ]


def _settle(tx: Transaction, handle: CommandHandle, rows: Sequence[Line]) -> None:
    _mark(tx, handle, _SETTLE, "settled", rows)
    for side in sorted({row.side for row in rows}):
        # Two recipients of one end may be settled at once; its bytes are there once.
        mine = {row.id: row for row in rows if row.side == side}
        take_keys(tx, list(mine.values()))


def _mark(
    tx: Transaction, handle: CommandHandle, change: Any, word: str, rows: Sequence[Line]
) -> None:
    if not rows:
        return
    marks = [{"key_": row.id, "who_": row.recipient, "command_": handle.command_id} for row in rows]
    tx.guarded(change, marks, lambda: f"answers were to be open when they are {word}")
    for row in rows:
        handle.marked(word, (row.id, row.recipient), row.sha256)


def _collected_by_others(tx: Transaction, masters: Sequence[Line]) -> set[int]:
    """Of the keys of masters' answers those that a slave has been given since."""
    given_by = {row.id: row.delivered_by for row in masters}
    found = _with(tx, list(given_by), KeyRecipient.delivered_by.is_not(None))
    return {row.id for row in found if row.delivered_by != given_by[row.id]}


def _held(tx: Transaction, numbers: Sequence[int]) -> list[Line]:
    """Of each key a row for every end at which its bytes are still in the store."""
    return _with(tx, numbers, KeyRecipient.settled_by.is_(None))


def _with(tx: Transaction, numbers: Sequence[int], condition: ColumnElement[bool]) -> list[Line]:
    query = (
        select(
            *KEY_COLUMNS,
            KeyRow.sha256.label("key_sha256"),
            KeyRecipient.side,
            KeyRecipient.delivered_by,
        )
        .join(Block, KeyRow.block_ref == Block.id)
        .join(PoolRow, Block.pool_ref == PoolRow.id)
        .join(KeyRecipient, KeyRecipient.key_ref == KeyRow.id)
        .where(condition)
    )
    found: list[Line] = []
    for first in range(0, len(numbers), KEYS_AT_ONCE):
        part = numbers[first : first + KEYS_AT_ONCE]
        found += tx.raw.execute(query.where(KeyRow.id.in_(part))).all()
    return found
