"""Data keys and their epochs, and how key at rest stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEpoch:
    """A time in which one pool's bytes went into the store under one data key, still kept."""

    pool_id: str
    epoch: int
    begun_at: datetime
    ended_at: datetime | None  #: when the next one began; None for the present one
    pieces: int  #: sealed pieces that are still under its key


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultStatus:
    """How key at rest stands."""

    kek_id: str  #: fingerprint of the key-encryption key that the ledger is kept under
    kek_file: str | None  #: None if the key came from the environment
    keys: str  #: where the wrapped data keys are
    epochs: tuple[KeyEpoch, ...]
    undestroyed: int  #: key files that nothing is kept under and that are still there
    overdue: tuple[KeyEpoch, ...]  #: ended longer ago than the deadline, and not shredded
