"""Where ids, simulated counts and simulated key bytes come from.

A keyed stream depends on (seed, purpose, natural key) alone and never on the order of drawing,
so that a replay which was cut off and resumed agrees with one that was not. Nonces, data keys,
tokens and signing keys never come from here: those are the operating system's.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from typing import Protocol

import numpy as np

from scheduler.errors import InputError

Part = str | int
_SEPARATOR = b"\x1f"


class Entropy(Protocol):
    """A source of ids, random generators and simulated key bytes."""

    simulated: bool  #: True if anybody who knows the seed can make the same bytes

    def uuid(self, purpose: str, *key: Part) -> uuid.UUID:
        """A random-looking id of version 4."""
        ...

    def generator(self, purpose: str, *key: Part) -> np.random.Generator:
        """A random generator for simulated counts."""
        ...

    def key_bytes(self, purpose: str, *key: Part, length: int) -> bytes:
        """`length` bytes of simulated key."""
        ...


class KeyedEntropy:
    """Entropy that is a function of (seed, purpose, natural key)."""

    simulated = True

    def __init__(self, seed: int) -> None:
        if seed < 0:
            raise InputError(f"seed {seed}; allowed: 0 and up")
        self.seed = seed

    def _digest(self, kind: str, purpose: str, key: tuple[Part, ...]) -> bytes:
        parts = (str(self.seed), kind, purpose, *(str(part) for part in key))
        # A length before each part: ("a", "bc") and ("ab", "c") must not meet.
        framed = _SEPARATOR.join(f"{len(part)}:{part}".encode() for part in parts)
        return hashlib.sha256(framed).digest()

    def uuid(self, purpose: str, *key: Part) -> uuid.UUID:
        """The id of (seed, purpose, key), with the bits of version 4."""
        return uuid.UUID(bytes=self._digest("uuid", purpose, key)[:16], version=4)

    def generator(self, purpose: str, *key: Part) -> np.random.Generator:
        """A Philox generator keyed by (seed, purpose, key)."""
        digest = self._digest("numbers", purpose, key)
        return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "big")))

    def key_bytes(self, purpose: str, *key: Part, length: int) -> bytes:
        """`length` bytes of SHAKE-256 over (seed, purpose, key)."""
        return hashlib.shake_256(self._digest("key", purpose, key)).digest(length)


class SystemEntropy:
    """Entropy of the operating system; nothing in it can be made again."""

    simulated = False

    def uuid(self, purpose: str, *key: Part) -> uuid.UUID:
        """A fresh random id."""
        return uuid.uuid4()

    def generator(self, purpose: str, *key: Part) -> np.random.Generator:
        """A generator seeded by the operating system."""
        return np.random.default_rng()

    def key_bytes(self, purpose: str, *key: Part, length: int) -> bytes:
        """`length` fresh bytes."""
        return os.urandom(length)
