"""Application entities, where they are registered, and keys of which nobody knows who has them."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from api.schemas.base import Answer, Column, Instant, Listing


class Sae(Answer):
    """A secure application entity and the node whose key manager serves it."""

    sae_id: str
    node: str

    columns: ClassVar = (Column("SAE", "sae_id", text=True), Column("node", "node"))


class Saes(Listing):
    """Registered entities by name."""

    saes: list[Sae]

    noun: ClassVar = "SAE"


class DoubtedKey(Answer):
    """A key whose bytes may have left or not: void at both ends, or to be asked for again."""

    key_id: UUID
    pool_id: str
    recipient: str
    given_at: Instant
    doubted_at: Instant
    voided: bool

    columns: ClassVar = (
        Column("key", "key_id"),
        Column("pool", "pool_id"),
        Column("recipient", "recipient", text=True),
        Column("given at", "given_at"),
        Column("void", "voided"),
    )


class DoubtedKeys(Listing):
    """Keys in doubt, oldest first."""

    keys: list[DoubtedKey]

    noun: ClassVar = "key"
