"""Telling whether two ends hold the same bytes, without a plain hash of key anywhere."""

from __future__ import annotations

import hmac


def same_bytes(one: bytes, other: bytes) -> bool:
    """Compare in a time that does not tell where they differ.

    Both copies are at hand here, so nothing of them need be made public and no hash can collide.
    Ends that are apart compare tags of a universal hash: `scheduler.merge.prove_equality`.
    """
    return hmac.compare_digest(one, other)
