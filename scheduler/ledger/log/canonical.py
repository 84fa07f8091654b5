"""The one canonical form of a row, and the hash over it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii
from typing import Any

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


def canonical_parts(parts: Iterable[Sequence[Any]]) -> str:
    """The parts of a row, numbers only, as the hash over it takes them."""
    return "[" + ",".join([canonical_numbers(part) for part in parts]) + "]"


def rows_digest(digests: Iterable[str]) -> str:
    """Hash over the hashes of the rows that one command wrote, in their fixed order."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def pool_digest(pool_sha256: str, account_sha256s: Iterable[str]) -> str:
    """Hash over a pool's hash and those of its accounts by number: what its leaf holds."""
    return rows_digest([pool_sha256, *account_sha256s])


def marker_digest(*words: str | int) -> str:
    """Hash of what a leaf tells that stands for no row of its own, such as a pool's new epoch."""
    return hashlib.sha256("|".join(map(str, words)).encode()).hexdigest()


def request_digest(*content: Scalar | Sequence[str]) -> str:
    """Hash of what a request is about: whoever asks again under its id must mean the same."""
    parts = [plain(one) if isinstance(one, Scalar) else list(one) for one in content]
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()


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
