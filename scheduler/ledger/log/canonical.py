"""The one canonical form of a row, and the hash over it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

FOUR_DIGITS = 1000
"""First year that `strftime` and `isoformat` write alike on every platform."""

UTC_SUFFIX = len("+00:00")

# `json.dumps` would make one anew for each call.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)

Scalar = str | int | float | bool | datetime | None


def instant_text(instant: datetime) -> str:
    """Write an instant as ISO 8601 with microseconds, ending in Z."""
    if instant.tzinfo is UTC and instant.year >= FOUR_DIGITS:  # the same text, sooner
        return instant.isoformat(timespec="microseconds")[:-UTC_SUFFIX] + "Z"
    from orbits import as_utc  # 0.4 s, which a process that helps to audit need not spend

    return as_utc(instant).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def canonical_json(value: Any) -> str:
    """Write JSON with sorted keys, no spaces, ASCII only: one text for one value."""
    return _ENCODER.encode(value)


def read_json(text: str) -> Any:
    """Read JSON that everybody reads alike. Raises ValueError if an object has a name twice."""
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:40]!r} is there twice")
    return body


def canonical_numbers(values: Sequence[int]) -> str:
    """Canonical JSON of a list of integers, five times as fast."""
    return str(list(values)).replace(" ", "")


def plain(value: Scalar) -> str | int | None:
    """Reduce a column's value to an integer, a string or nothing (canonical rows hold no floats).

    A float becomes its shortest round-trip text, an instant ISO 8601, a truth value 0 or 1.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int):  # bool included
        return int(value)
    if isinstance(value, float):
        return repr(value)
    return instant_text(value)


DIGESTED: dict[str, tuple[str, ...]] = {
    "run_fact": ("name", "value"),
    "pool": ("id", "pool_id", "kind", "node_a", "node_b", "parallel"),
    "account": ("id", "pool_ref", "kind"),
    "command": ("id", "request_id", "kind", "digest", "at", "answer", "rows_sha256"),
    "block": (
        "id",
        "block_id",
        "pool_ref",
        "natural_key",
        "length_bits",
        "source",
        "simulated",
        "eps_total",
        "epoch",
        "received_at",
        "expires_at",
        "command_id",
        "provenance",
    ),
    "announcement": (
        "id",
        "announcement_id",
        "command_id",
        "relay",
        "length_bits",
        "public_sha256",
    ),
    "reservation": (
        "id",
        "reservation_id",
        "command_id",
        "pool_ref",
        "purpose",
        "expires_at",
    ),
    "key": ("id", "key_id", "command_id", "block_ref", "start_bit", "end_bit", "expires_at"),
    "key_recipient": ("key_ref", "recipient", "side"),
    "booking": (
        "booking_id",
        "satellite_id",
        "station_id",
        "acquires_at",
        "loses_at",
        "candidate",
        "booked_at",
        "locked",
        "plan_id",
    ),
    "booking_event": ("booking_id", "position", "at", "from_state", "to_state", "reason"),
    "outage": ("command_id", "outage_id", "kind", "name", "starts_at", "ends_at", "reason"),
    "directive": (
        "command_id",
        "position",
        "kind",
        "satellite_id",
        "station_id",
        "at",
        "booking_id",
        "reason",
    ),
    "plan_pass": (
        "command_id",
        "position",
        "pass_id",
        "satellite_id",
        "station_id",
        "rises_at",
        "sets_at",
        "max_elevation_deg",
        "sun_elevation_deg",
    ),
    "plan_option": (
        "command_id",
        "pass_position",
        "position",
        "candidate_id",
        "acquires_at",
        "loses_at",
        "secret_bits",
        "clear_probability",
        "booked",
        "booking_id",
        "why",
    ),
    "plan": (
        "command_id",
        "plan_id",
        "at",
        "window_start",
        "window_end",
        "solver",
        "objective",
        "bound",
        "gap",
        "details",
    ),
    "job_run": ("job_key", "scheduled_for"),
    "element_set": ("sha256", "norad_id", "name", "epoch", "text", "source", "arrived_at"),
}
"""The columns under each row's hash: those that never change once the row is written."""


_SORTED = {table: tuple(sorted((*names, "row"))) for table, names in DIGESTED.items()}
"""Each table's columns, with the word `row` among them, in the order of canonical JSON."""

_KEYS = {table: tuple(f'"{name}":' for name in names) for table, names in _SORTED.items()}


def row_digest(table: str, row: Mapping[str, Any] | RowMapping, **more: Any) -> str:
    """Hash one row: SHA-256, hex, over the canonical JSON of its lasting columns.

    An empty column is left out, so that a column added later does not change older hashes.
    """
    if more:
        body = {name: plain(row[name]) for name in DIGESTED[table] if row[name] is not None}
        text = canonical_json({"row": table, **body, **more})
    else:
        values = [table if name == "row" else row[name] for name in _SORTED[table]]
        text = _object_text(_KEYS[table], values)
    return hashlib.sha256(text.encode()).hexdigest()


def _object_text(keys: Sequence[str], values: Sequence[Any]) -> str:
    """Canonical JSON of an object, written out for speed.

    The keys come sorted, quoted and with their colon; what is empty is left out.
    """
    parts: list[str] = []
    for key, value in zip(keys, values, strict=True):
        kind = type(value)
        if kind is int:
            parts.append(f"{key}{value}")
        elif kind is str:
            parts.append(key + encode_basestring_ascii(value))
        elif kind is datetime:
            parts.append(f'{key}"{instant_text(value)}"')
        elif value is not None:
            parts.append(f"{key}{_json(plain(value))}")
    return "{" + ",".join(parts) + "}"


def _json(value: str | int | None) -> str:
    """A reduced value as JSON."""
    return encode_basestring_ascii(value) if isinstance(value, str) else str(value)


def sealed(table: str, row: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The row together with its hash."""
    column = "row_sha256" if table == "element_set" else "sha256"
    return row | {column: row_digest(table, row, **more)}


ENTRY_COLUMNS = (
    "id",
    "command_id",
    "line",
    "source_id",
    "target_id",
    "amount_bits",
    "block_ref",
    "start_bit",
    "end_bit",
    "enters",
    "resolves_id",
)
"""Columns of a ledger entry in the order in which `entry_digest` takes them."""


def entry_digest(
    entry_id: int,
    command_id: int,
    line: int,
    source_id: int,
    target_id: int,
    amount_bits: int,
    block_ref: int,
    start_bit: int,
    end_bit: int,
    enters: str,
    resolves_id: int | None,
) -> str:
    """Hash one ledger entry, in the form of `row_digest` but written out for speed.

    Every column is an integer or a state's fixed word, so nothing needs escaping.
    """
    resolves = "" if resolves_id is None else f'"resolves_id":{resolves_id},'
    text = (
        f'{{"amount_bits":{amount_bits},"block_ref":{block_ref},"command_id":{command_id},'
        f'"end_bit":{end_bit},"enters":"{enters}","id":{entry_id},"line":{line},'
        f'{resolves}"row":"ledger_entry","source_id":{source_id},'
        f'"start_bit":{start_bit},"target_id":{target_id}}}'
    )
    return hashlib.sha256(text.encode()).hexdigest()


PART_COLUMNS = ("announcement_ref", "side", "position", "block_ref", "start_bit", "end_bit")

Part = Sequence[Any]
"""(announcement row, side, position, block row, start bit, end bit, ...)."""


def announcement_digest(row: Mapping[str, Any] | RowMapping, parts: Iterable[Part]) -> str:
    """Hash one announcement and its parts, in the form of `row_digest`."""
    return announced_digest(parts, *(row[name] for name in DIGESTED["announcement"]))


def announced_digest(
    parts: Iterable[Part],
    number: int,
    announcement_id: str,
    command_id: int,
    relay: str,
    length_bits: int,
    public_sha256: str,
) -> str:
    """The same, written out for speed. Only the relay's name can hold what needs escaping."""
    spans = ",".join([f"[{part[1]},{part[2]},{part[3]},{part[4]},{part[5]}]" for part in parts])
    text = (
        f'{{"announcement_id":"{announcement_id}","command_id":{command_id},"id":{number},'
        f'"length_bits":{length_bits},"parts":"[{spans}]","public_sha256":"{public_sha256}",'
        f'"relay":{encode_basestring_ascii(relay)},"row":"announcement"}}'
    )
    return hashlib.sha256(text.encode()).hexdigest()


def rows_digest(digests: Iterable[str]) -> str:
    """Hash over the hashes of the rows that one command wrote, in their fixed order."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def pool_digest(pool_sha256: str, account_sha256s: Iterable[str]) -> str:
    """Hash over a pool's hash and those of its accounts by number: what its leaf holds."""
    return rows_digest([pool_sha256, *account_sha256s])


def leaf_data(seq: int, kind: str, subject: str, row_sha256: str) -> bytes:
    """What the audit log hashes for one leaf: its number and the row it stands for."""
    if type(seq) is int and type(kind) is type(subject) is type(row_sha256) is str:
        escape = encode_basestring_ascii
        text = (
            f'{{"kind":{escape(kind)},"row_sha256":{escape(row_sha256)},"seq":{seq},'
            f'"subject":{escape(subject)}}}'
        )
        return text.encode()
    # A line of somebody's export can hold anything.
    body = {"kind": kind, "row_sha256": row_sha256, "seq": seq, "subject": subject}
    return canonical_json(body).encode()
