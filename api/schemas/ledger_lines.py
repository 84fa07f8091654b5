"""The ledger line by line: entries, checkpoints, settled sessions, proofs."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import (
    Answer,
    AskedInstant,
    Column,
    Instant,
    Listing,
    Paged,
    Request,
    attribute,
    digits,
)
from api.schemas.ledger import Checkpoint


class EntriesRequest(Paged):
    """Which entries to list, in the order they were added."""

    pool: Annotated[str | None, Field(max_length=300)] = None
    """Of one pool alone."""


class Entry(Answer):
    """Secret bits that moved from one account of a pool to another; never the bits."""

    entry: int = attribute("entry_id")
    command: int = attribute("command_id")
    line: int
    pool: str = attribute("pool_id")
    source: str
    target: str
    amount_bits: int
    block: UUID = attribute("block_id")
    start_bit: int
    end_bit: int
    enters: str
    """State of the key that it brings about."""
    resolves: int | None = attribute("resolves_id")
    """The reservation that it posts or voids."""

    columns: ClassVar = (
        Column("entry", "entry", "d"),
        Column("pool", "pool"),
        Column("from", "source"),
        Column("to", "target"),
        Column("bits", "amount_bits", ","),
        Column("state", "enters", rank=2),
        Column("command", "command", "d", rank=1),
        Column("block", "block", short=True),
    )


class Entries(Listing):
    """Entries of the ledger."""

    entries: list[Entry]

    noun: ClassVar = "entrie"


class CheckpointsRequest(Paged):
    """The newest checkpoints come first."""


class Checkpoints(Listing):
    """Signed checkpoints, the newest last."""

    checkpoints: list[Checkpoint]

    noun: ClassVar = "checkpoint"


class SessionsRequest(Paged):
    """Which settled sessions, in the order they were settled."""

    from_: Annotated[AskedInstant | None, Field(alias="from")] = None
    """Settled from here on."""


class SettledRow(Answer):
    """What a session gave."""

    booking: UUID
    satellite: str
    station: str
    acquires_at: Instant
    settled_at: Instant
    expected_secret_bits: int
    """Had the sky been clear."""
    sifted_bits: int
    secret_bits: int
    qber: Annotated[float, digits(6)]

    columns: ClassVar = (
        Column("satellite", "satellite"),
        Column("station", "station"),
        Column("AOS", "acquires_at"),
        Column("sifted bits", "sifted_bits", ","),
        Column("secret bits", "secret_bits", ","),
        Column("QBER", "qber", ".4f"),
    )


class Sessions(Listing):
    """Settled sessions."""

    sessions: list[SettledRow]

    noun: ClassVar = "session"


class ProofRequest(Request):
    """What to prove: that a row's last change is in the log."""

    kind: Annotated[str, Field(min_length=1, max_length=16)]
    """Kind of row: command, booking, block, key and others."""
    subject: Annotated[str, Field(min_length=1, max_length=300)]
    """Its id."""


class Proof(Answer):
    """An inclusion proof (RFC 9162); `skytrunk ledger check-proof` checks it without a database."""

    format: str
    proof: Literal["inclusion"]
    seq: int
    size: int
    kind: str
    subject: str
    row_sha256: str
    hashes: list[str]
