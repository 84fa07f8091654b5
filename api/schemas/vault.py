"""Key at rest: what it is under, and what became of it."""

from __future__ import annotations

from typing import ClassVar

from api.schemas.base import Answer, Column, Instant, Table, plural


class KeyEpoch(Answer):
    """A time in which one pool's key went into the store under one data key, still kept."""

    pool_id: str
    epoch: int
    begun_at: Instant
    ended_at: Instant | None
    """When the next one began; null for the present one."""
    pieces: int
    """Sealed pieces that are still under its key."""

    columns: ClassVar = (
        Column("pool", "pool_id"),
        Column("epoch", "epoch", "d"),
        Column("begun", "begun_at"),
        Column("ended", "ended_at"),
        Column("pieces", "pieces", ",d"),
    )


class Vault(Answer):
    """How key at rest stands."""

    kek_id: str
    """Fingerprint of the key-encryption key that the ledger is kept under."""
    kek_file: str | None
    """Its file; null if it came from the environment."""
    keys: str
    """Where the wrapped data keys are."""
    epochs: list[KeyEpoch]
    undestroyed: int
    """Key files that nothing is kept under and that are still there."""
    overdue: list[KeyEpoch]
    """Ended longer ago than `shred_deadline_s`, and not shredded."""

    def table(self) -> Table:
        """The epochs, under which keys they are, and what should be gone."""
        held = f"under key-encryption key {self.kek_id} ({self.kek_file or 'environment'})"
        gone = f"{plural(self.undestroyed, 'key file')} to destroy, {len(self.overdue)} overdue"
        title = f"{plural(len(self.epochs), 'data key')} {held} in {self.keys}; {gone}"
        return Table(title, KeyEpoch.columns, self.epochs)


class Rotated(Answer):
    """A new key-encryption key in the place of the old one."""

    kek_id: str
    kek_file: str
    data_keys: int
    """How many were wrapped anew."""


class EpochsBegun(Answer):
    """New epochs."""

    epochs_begun: int


class EpochsShredded(Answer):
    """Epochs that are gone for ever."""

    epochs_shredded: int
    pieces_sealed_anew: int
    """What was left under them and went on to the present epochs."""
    keys_made_up_for: int
    """Key files of before that could not be destroyed in their time, and are now."""
