"""Keys for more than two nodes: each further one keeps a copy, at an end of its own.

The master's node sends the key there under as much key that it shares with that node: a one-time
pad, spent by the command that draws the key. Whoever knows the pad knows the key.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from scheduler.ledger.db.bulk import query, wanted_words, words_json
from scheduler.ledger.keys.delivery_reads import KEYS_AT_ONCE
from scheduler.ledger.keys.spending import Range
from scheduler.ledger.reader import Reader
from scheduler.ledger.transaction import Transaction

FIRST_SIDE = 2
"""The end of the first further node; 0 and 1 are those of the pair."""
ANSWERED = "copies"
"""Under which name the answer of a command says what its copies went under."""


def keep_copy(
    tx: Transaction, drawn: Sequence[Range], side: int, material: bytes, *, like: int
) -> None:
    """Keep the bytes of drawn keys at one more end, until their recipients there have them."""
    at = 0
    for part in drawn:
        block, start, end = part.bytes
        tx.vault.add_copy((block, start, end), side, material[at : at + end - start], like=like)
        at += end - start


def get_pads(reader: Reader, key_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """The blocks under whose key copies of keys were sent, by key; those without left out."""
    names = [str(one) for one in key_ids]
    found: dict[UUID, list[UUID]] = {}
    for first in range(0, len(names), KEYS_AT_ONCE):
        given = {"names_": words_json(names[first : first + KEYS_AT_ONCE])}
        for row in query(reader.raw, _copied(reader.raw.dialect.name), given):
            found[UUID(row.key_id)] = pads_of(json.loads(row.answer))
    return found


def pads_of(answer: dict[str, Any]) -> list[UUID]:
    """The blocks that the answer of a command names."""
    return [UUID(one) for copy in answer.get(ANSWERED, ()) for one in copy["blocks"]]


@cache
def _copied(dialect_name: str) -> TextClause:
    return text(
        'SELECT k.key_id, c.answer FROM "key" AS k JOIN command AS c ON c.id = k.command_id'
        f" WHERE k.key_id IN {wanted_words(dialect_name)} AND EXISTS (SELECT 1 FROM key_recipient"
        f" AS r WHERE r.key_ref = k.id AND r.side >= {FIRST_SIDE})"
    )
