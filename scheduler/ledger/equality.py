"""Telling whether two ends hold the same bytes, without a plain hash of key anywhere."""

from __future__ import annotations

import hmac
import os

from cryptography.hazmat.primitives.poly1305 import Poly1305

KEY_BYTES = 32


def same_bytes(one: bytes, other: bytes) -> bool:
    """Compare by the tags of a universal hash under a fresh secret key, used once.

    Two different strings of n bytes agree with probability at most 8 * ceil(n / 16) / 2^106.
    Source: Bernstein, "The Poly1305-AES message-authentication code", theorem 3.3.
    """
    key = os.urandom(KEY_BYTES)
    return hmac.compare_digest(Poly1305.generate_tag(key, one), Poly1305.generate_tag(key, other))
