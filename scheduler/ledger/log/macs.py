"""What only the holder of the key-encryption key can write beside the audit log."""

from __future__ import annotations

import hmac
from typing import Any

from scheduler.ledger.log.canonical import canonical_json


class LogMac:
    """HMAC-SHA256 (RFC 2104) over leaves that wait, the log's head, its counter; in hex."""

    def __init__(self, key: bytes, kek_id: str) -> None:
        self._key = key  #: derived from the key-encryption key of that fingerprint
        self.kek_id = kek_id

    def leaf(self, kind: str, subject: str, row_sha256: str) -> str:
        """Of a leaf that has no number yet."""
        return self._over("leaf", kind, subject, row_sha256)

    def head(self, size: int, root: bytes) -> str:
        """Of the log as it ends: how many leaves it has, and their root."""
        return self._over("head", size, root.hex())

    def count(self, size: int, root: str) -> str:
        """Of how far the log was counted, beside the data keys."""
        return self._over("count", size, root)

    def is_count(self, given: Any, size: int, root: str) -> bool:
        """Whether what stands beside a count is its own."""
        return self._is(given, "count", size, root)

    def is_leaf(self, given: Any, kind: str, subject: str, row_sha256: str) -> bool:
        """Whether what stands beside a leaf that waits is its own."""
        return self._is(given, "leaf", kind, subject, row_sha256)

    def is_head(self, given: Any, size: int, root: bytes) -> bool:
        """Whether what stands in the head is that of a log of this size and root."""
        return self._is(given, "head", size, root.hex())

    def _is(self, given: Any, *words: str | int) -> bool:
        try:
            return hmac.compare_digest(given, self._over(*words))
        except TypeError:  # SQLite keeps anything in a column
            return False

    def _over(self, *words: str | int) -> str:
        return hmac.digest(self._key, canonical_json(words).encode(), "sha256").hex()
