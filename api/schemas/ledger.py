"""The ledger's figures: balances, key that waits or is over, verification, checkpoints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, Self
from uuid import UUID

from api.schemas.base import Answer, Column, Instant, Listing, Table, attribute


class Balances(Answer):
    """Bits by pool and kind of account, and their sums over the pools.

    Of these, `waiting_bits` wait for a satellite's announcement.
    """

    pools: dict[str, dict[str, int]]
    totals: dict[str, int]
    waiting_bits: int

    @classmethod
    def of(cls, balances: Mapping[str, Mapping[str, int]]) -> Balances:
        """Return the balances with their sums."""
        totals: Counter[str] = Counter()
        for accounts in balances.values():
            totals.update(accounts)
        pools = {pool: dict(accounts) for pool, accounts in sorted(balances.items())}
        return cls(pools=pools, totals=dict(totals), waiting_bits=totals["received"])

    def kinds_in_use(self) -> list[str]:
        """Return the kinds of account that hold anything."""
        in_use = {k for accounts in self.pools.values() for k, bits in accounts.items() if bits}
        return [kind for kind in self.totals if kind in in_use]

    def table(self) -> Table:
        """Return a row a pool, a column a kind of account in use."""
        columns = [Column("pool", lambda row: row[0])]
        columns += [
            Column(kind, partial(_bits, kind), ",", rank=9 if kind == "generated" else rank)
            for rank, kind in enumerate(self.kinds_in_use(), start=1)
        ]
        caption = f"{self.waiting_bits:,} bits wait for an announcement"
        return Table(
            "Ledger balances, bits",
            columns,
            [*self.pools.items(), ("all pools", self.totals)],
            caption if self.waiting_bits else "",
        )


def _bits(kind: str, row: tuple[str, dict[str, int]]) -> int:
    return row[1].get(kind, 0)


class SigningKey(Answer):
    """The public key that signs a ledger's checkpoints."""

    public_key: str
    """In hex."""
    key_id: str
    """Its fingerprint."""


class Restored(Answer):
    """An old copy that was put back deliberately, and what of it was withdrawn."""

    reason: str
    why: str
    """What the counter beside the data keys said against it."""
    keys_closed: int
    reservations_ended: int
    blocks_withdrawn: int
    bits_withdrawn: int


class WaitingBlock(Answer):
    """One block that waits for its satellite's announcement."""

    block: UUID = attribute("block_id")
    pool: str = attribute("pool_id")
    natural_key: str
    bits: int
    received_at: Instant

    columns: ClassVar = (
        Column("block", "block", short=True),
        Column("pool", "pool"),
        Column("bits", "bits", ","),
        Column("received (UTC)", "received_at", rank=1),
        Column("from", "natural_key", rank=2),
    )


class Waiting(Listing):
    """The blocks that wait, oldest first."""

    waiting: list[WaitingBlock]
    waiting_bits: int

    noun: ClassVar = "block"
    title: ClassVar = " wait for an announcement"

    @classmethod
    def of(cls, rows: Iterable[Any]) -> Self:
        """Return the blocks and their bits."""
        found = list(rows)
        bits = sum(key.bits for key in found)
        return cls.model_validate({"waiting": found, "waiting_bits": bits})


class Decided(Answer):
    """What became of waiting key by hand."""

    block: UUID
    bits: int
    state: str
    reason: str


class Expired(Answer):
    """What was over, and is ended now."""

    at: str
    reservations_released: int
    reservations_uncertain: int
    blocks_expired: int
    bits_expired: int
    keys_closed: int
    blocks_erased: int


class Verified(Answer):
    """What a verification looked at and what it found wrong."""

    ok: bool
    commands: int
    entries: int
    blocks: int
    pools: int
    sealed_bytes_opened: bool = attribute("figures.sealed_bytes_opened")
    problems: list[str]


class VerifiedExport(Answer):
    """What an exported ledger holds and what is wrong with it."""

    ok: bool
    rows: int
    size: int
    root: str
    problems: list[str]


class Checkpoint(Answer):
    """Size and root of the audit log, signed with Ed25519; bytes in hex."""

    at: str
    format: str
    key_id: str
    public_key: str
    root: str
    signature: str
    size: int


class ClosedSegment(Answer):
    """A period that was closed; none where nothing was finished long enough ago."""

    segment: int | None
    why: str = ""
    file: str = ""
    leaves: int = 0
    """Of the log, where the period ends."""
    rows: int = 0
    """Lines of the file."""
    bytes: int = 0
    blocks: int = 0
    """That left; the same of the next two."""
    commands: int = 0
    jobs: int = 0

    def words(self) -> str:
        """Return the same in a sentence."""
        if self.segment is None:
            return f"no period was closed: {self.why}"
        return (
            f"segment {self.segment} closed at leaf {self.leaves:,}: {self.rows:,} rows in"
            f" {self.bytes:,} bytes of {self.file}; {self.blocks:,} blocks, {self.commands:,}"
            f" commands and {self.jobs:,} jobs left"
        )


class SegmentLine(Answer):
    """One closed period."""

    number: int
    closed_at: Instant
    first_leaf: int
    size: int
    rows: int
    file: str
    bytes: int | None
    """Nothing where the file is not in `archive_place`."""

    columns: ClassVar = (
        Column("segment", "number", ","),
        Column("closed (UTC)", "closed_at", rank=1),
        Column("leaves to", "size", ","),
        Column("rows", "rows", ",", rank=2),
        Column("bytes", "bytes", ","),
        Column("file", "file"),
    )


class Segments(Listing):
    """The closed periods, the oldest first."""

    segments: list[SegmentLine]

    noun: ClassVar = "closed period"


class VerifiedSegment(Answer):
    """What was found in the file of a closed period."""

    ok: bool
    number: int
    leaves: int
    size: int
    root: str
    rows: int
    content_sha256: str
    problems: list[str]
