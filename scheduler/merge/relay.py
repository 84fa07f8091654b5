"""The relay: what each trusted relay announces, and what the far end makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from scheduler.errors import FactError


def xor(left: bytes, right: bytes) -> bytes:
    """Return the XOR of two byte strings of equal length.

    Raises FactError if the lengths differ; the message holds lengths only.
    """
    if len(left) != len(right):
        raise FactError(f"keys of {len(left)} and {len(right)} bytes; allowed: equal lengths")
    # 2.4 us for 25 kB here, where Python's integers take 47 us (and win 1 us at 32 bytes).
    return (np.frombuffer(left, np.uint8) ^ np.frombuffer(right, np.uint8)).tobytes()


def announcements(hop_keys: Sequence[bytes]) -> list[bytes]:
    """Return what the relays of a path make public: `k_i xor k_(i+1)`, one a relay.

    Parameters
    ----------
    hop_keys : the key spent on each hop, in order, all of one length

    A path of one hop has no relay and announces nothing. Raises FactError if there is no hop
    or the lengths differ.
    """
    if not hop_keys:
        raise FactError("a path of 0 hops; allowed: 1 and up")
    return [xor(left, right) for left, right in pairwise(hop_keys)]


def far_end_key(last_key: bytes, announced: Sequence[bytes]) -> bytes:
    """Return the near end's key as the far end rebuilds it: `k_n xor a_(n-1) xor .. xor a_1`.

    Parameters
    ----------
    last_key : key of the last hop, which the far end holds
    announced : what the path's relays made public, in any order

    Raises FactError if the lengths differ.
    """
    key = last_key
    for announcement in announced:
        key = xor(key, announcement)
    return key
