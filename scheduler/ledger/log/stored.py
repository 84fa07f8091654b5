"""Hashes of rows as a driver gives them, which an audit takes of every row there is.

The same hashes as `canonical.row_digest`, sooner. SQLite keeps an instant as text and a truth
value as 0 or 1; PostgreSQL's driver gives both as what they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from operator import itemgetter
from typing import Any

from scheduler.ledger.log.canonical import DIGESTED, Part, announced_digest, instant_text

INSTANTS: dict[str, frozenset[str]] = {
    "command": frozenset({"at"}),
    "block": frozenset({"received_at", "expires_at"}),
    "reservation": frozenset({"expires_at"}),
    "key": frozenset({"expires_at"}),
    "booking": frozenset({"acquires_at", "loses_at", "booked_at"}),
    "booking_event": frozenset({"at"}),
    "outage": frozenset({"starts_at", "ends_at"}),
    "directive": frozenset({"at"}),
    "plan_pass": frozenset({"rises_at", "sets_at"}),
    "plan_option": frozenset({"acquires_at", "loses_at"}),
    "plan": frozenset({"at", "window_start", "window_end"}),
    "job_run": frozenset({"scheduled_for"}),
    "element_set": frozenset({"epoch", "arrived_at"}),
}
"""The hashed columns that are instants."""

Digest = Callable[[Sequence[Any]], str]

NO_HASH = ""
"""Instead of the hash of a row with bytes in place of text, or text in place of a truth value."""


def stored_hasher(table: str, columns: Sequence[str], *more: str) -> Digest:
    """The hash of a table's rows, which come with these columns first.

    `more` names columns under the hash that are not the table's own.
    """
    instants = INSTANTS.get(table, frozenset())
    places = {name: place for place, name in enumerate(columns)}
    names = sorted((*DIGESTED[table], *more, "row"))
    # The table's own name stands behind the columns of every row.
    pick = itemgetter(*(places.get(name, -1) for name in names))
    writers = [(_instant_writer if name in instants else _writer)(f',"{name}":') for name in names]

    def digest(row: Sequence[Any]) -> str:
        values = pick((*row, table))
        try:
            text = "".join([write(value) for write, value in zip(writers, values, strict=True)])
        except (TypeError, ValueError):
            return NO_HASH
        return hashlib.sha256(f"{{{text[1:]}}}".encode()).hexdigest()

    return digest


def _writer(key: str) -> Callable[[Any], str]:
    """What writes one column, its key and a comma before it; what is empty is left out."""

    def write(value: Any) -> str:
        kind = type(value)
        if kind is int:
            return f"{key}{value}"
        if kind is str:
            return key + encode_basestring_ascii(value)
        if value is None:
            return ""
        if kind is bool:
            return f"{key}{value:d}"
        return f'{key}"{value!r}"'  # a float

    return write


def _instant_writer(key: str) -> Callable[[Any], str]:
    """The same for an instant."""

    def write(value: Any) -> str:
        return "" if value is None else key + _instant(value)

    return write


@lru_cache(maxsize=1024)  # rows that were written together have their instants in common
def _instant(value: Any) -> str:
    """An instant in canonical JSON. Text that SQLAlchemy did not write fits no hash."""
    if isinstance(value, datetime):
        return f'"{instant_text(value.astimezone(UTC))}"'
    return encode_basestring_ascii(f"{value}Z".replace(" ", "T", 1))


def stored_instant(value: Any) -> datetime:
    """An instant as a driver gives it. Raises ValueError or TypeError for what is none."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


BLOCK_COLUMNS = (
    "id",
    "block_id",
    "pool_ref",
    "natural_key",
    "length_bits",
    "next_bit",
    "state",
    "source",
    "simulated",
    "eps_total",
    "epoch",
    "received_at",
    "expires_at",
    "command_id",
    "provenance",
    "sha256",
)
"""Columns of a block in the order in which `block_digest` takes them."""


def block_digest(row: Sequence[Any]) -> str:
    """Hash one block, written out for speed: most rows of a ledger are blocks and entries."""
    number, block_id, pool_ref, natural_key, length_bits, _, _, source = row[:8]
    simulated, eps_total, epoch, received_at, expires_at, command_id, provenance = row[8:15]
    escape = encode_basestring_ascii
    try:
        expires = "" if expires_at is None else f'"expires_at":{_instant(expires_at)},'
        text = (
            f'{{"block_id":{escape(block_id)},"command_id":{command_id},"epoch":{epoch},'
            f'"eps_total":"{eps_total!r}",{expires}"id":{number},"length_bits":{length_bits},'
            f'"natural_key":{escape(natural_key)},"pool_ref":{pool_ref},'
            f'"provenance":{escape(provenance)},"received_at":{_instant(received_at)},'
            f'"row":"block","simulated":{simulated:d},"source":{escape(source)}}}'
        )
    except (TypeError, ValueError):
        return NO_HASH
    return hashlib.sha256(text.encode()).hexdigest()


COMMAND_COLUMNS = ("id", "request_id", "kind", "digest", "at", "answer", "rows_sha256", "sha256")
"""Columns of a command in the order in which `command_digest` takes them."""


def command_digest(row: Sequence[Any]) -> str:
    """Hash one command, written out for speed."""
    number, request_id, kind, digest, at, answer, rows_sha256, _ = row
    escape = encode_basestring_ascii
    try:
        rows = "" if rows_sha256 is None else f',"rows_sha256":{escape(rows_sha256)}'
        text = (
            f'{{"answer":{escape(answer)},"at":{_instant(at)},"digest":{escape(digest)},'
            f'"id":{number},"kind":{escape(kind)},"request_id":{escape(request_id)},'
            f'"row":"command"{rows}}}'
        )
    except (TypeError, ValueError):
        return NO_HASH
    return hashlib.sha256(text.encode()).hexdigest()


def announcement_digest(row: Sequence[Any], parts: Iterable[Part]) -> str:
    """Hash one announcement, its columns those of `DIGESTED` and its hash, and its parts."""
    try:
        return announced_digest(parts, *row[:-1])
    except TypeError:
        return NO_HASH
