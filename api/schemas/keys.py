"""Blocks of key: what a pair has, where a key came from, what others brought; never a bit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from api.schemas.base import Answer, Column, Instant, Table, attribute

if TYPE_CHECKING:
    from scheduler.domain import KeyTrace, SourceBlock, WhoKnows

SETS_SHOWN = 20
"""Minimal compromise sets that an answer lists; it says how many there are."""
SETS_IN_TEXT = 6
CHUNKS_IN_TEXT = 3


class _Key(Answer):
    block_id: UUID
    pool_id: str
    natural_key: str
    length_bits: int
    left_bits: int
    state: str
    source: str
    simulated: bool
    eps_total: float
    made_at: Instant
    expires_at: Instant | None


class Block(_Key):
    """A block of key, and which command made it."""

    made_by: str
    command_id: int


class PairBlock(_Key):
    """An end-to-end block, and who could know it."""

    paths: int
    threshold: int
    single_points: list[str]
    known_to: str

    columns: ClassVar = (
        Column("block", "block_id"),
        Column("made (UTC)", "made_at", "%Y-%m-%d %H:%M:%S"),
        Column("state", "state"),
        Column("bits", "length_bits", ",", rank=2),
        Column("left", "left_bits", ","),
        Column("source", "source", rank=3),
        Column("who could know it", lambda row: row.in_short(), rank=1, text=True),
    )

    def in_short(self) -> str:
        """Return who could know it, in few words."""
        if self.paths < 2:
            return "every relay of its path" if self.paths else ""
        alone = ", ".join(self.single_points) or "no node alone"
        return f"{self.threshold} of {self.paths} paths; {alone}"


class PairBlocks(Answer):
    """The end-to-end blocks of a pair."""

    pair: str
    blocks: list[PairBlock]

    @classmethod
    def of(cls, pair: str, blocks: Sequence[tuple[SourceBlock, WhoKnows]]) -> PairBlocks:
        """Return the blocks of that pair, each with who could know it."""
        found = [
            PairBlock.model_validate(
                {name: getattr(block, name) for name in _Key.names()}
                | {"paths": who.paths, "threshold": who.threshold, "known_to": who.words,
                   "single_points": list(who.single_points)}
            )
            for block, who in blocks
        ]  # fmt: skip
        return cls(pair=pair, blocks=found)

    def table(self) -> Table:
        """Return the blocks as a table."""
        hint = "`skytrunk keys trace BLOCK` names the nodes" if self.blocks else ""
        title = f"{len(self.blocks)} blocks of {self.pair}"
        return Table(title, PairBlock.columns, self.blocks, hint)


class Chunk(Answer):
    """A range of a block."""

    block_id: UUID
    pool_id: str
    start_bit: int
    end_bit: int


class Hop(Answer):
    """One link of a path and the ranges spent on it."""

    link: str = attribute("pool_id")
    chunks: list[Chunk]


class Announcement(Answer):
    """What a relay made public, by its digest."""

    announcement_id: UUID
    relay: str
    length_bits: int
    sha256: str


class TracedPath(Answer):
    """One path behind a key."""

    nodes: list[str]
    hops: list[Hop]
    announcements: list[Announcement]


class Trace(Answer):
    """Where a key came from, and who could know it."""

    block: Block
    drawn: Chunk | None
    threshold: int
    known_to: str
    single_points: list[str]
    minimal_set_count: int
    minimal_sets: list[list[str]]
    paths: list[TracedPath]
    sources: list[Block]
    archived: bool

    @classmethod
    def of(cls, trace: KeyTrace) -> Trace:
        """Return a trace; of many compromise sets it lists the first."""
        same = ("block", "drawn", "threshold", "known_to", "single_points", "paths", "sources",
                "archived")  # fmt: skip
        return cls.model_validate(
            {name: getattr(trace, name) for name in same}
            | {"minimal_set_count": len(trace.minimal_sets),
               "minimal_sets": trace.minimal_sets[:SETS_SHOWN]},
            from_attributes=True,
        )  # fmt: skip

    def lines(self) -> Iterator[str]:
        """Yield the same in words."""
        block = self.block
        simulated = ", simulated" if block.simulated else ""
        shown = block.document()
        yield f"block {block.block_id} of {block.pool_id}: {block.length_bits:,} bits,"
        yield f"  {block.source}{simulated}, {block.state}, {block.left_bits:,} bits left,"
        yield f"  made {shown['made_at']} by {block.made_by};"
        yield f"  insecure or unequal with probability {block.eps_total:.2g} at most"
        if block.expires_at:
            yield f"  of no use from {shown['expires_at']} on, when its oldest source is too old"
        if self.drawn:
            yield f"  the key is bits {self.drawn.start_bit:,} to {self.drawn.end_bit:,} of it"
        yield self.known_to
        if self.paths:
            yield f"smallest sets of nodes that know it ({self.minimal_set_count}):"
            in_text = self.minimal_sets[:SETS_IN_TEXT]
            yield from (f"  {' and '.join(nodes)}" for nodes in in_text)
            if self.minimal_set_count > len(in_text):
                yield f"  and {self.minimal_set_count - len(in_text)} more"
        if self.archived:
            yield "what was spent for it left with a closed period: see its segment"
        named = {source.block_id: source.natural_key for source in self.sources}
        for number, path in enumerate(self.paths, start=1):
            yield ""
            yield from _path_lines(number, path, named)


def _path_lines(number: int, path: TracedPath, named: dict[UUID, str]) -> Iterator[str]:
    yield f"path {number}: {path.nodes[0]} to {path.nodes[-1]} by {len(path.nodes) - 2} relays"
    for index, hop in enumerate(path.hops):
        yield f"  {hop.link}"
        for chunk in hop.chunks[:CHUNKS_IN_TEXT]:
            source = named.get(chunk.block_id, chunk.block_id)
            yield f"    bits {chunk.start_bit:,} to {chunk.end_bit:,} of {source}"
        if len(hop.chunks) > CHUNKS_IN_TEXT:
            yield f"    and {len(hop.chunks) - CHUNKS_IN_TEXT} more ranges"
        if index < len(path.announcements):
            said = path.announcements[index]
            yield f"  {said.relay} announced {said.announcement_id}"


class Imported(Answer):
    """Key that was brought in a folder."""

    blocks: int
    bits: int
    pools: dict[str, int]


class Pulled(Answer):
    """Key that was pulled from the devices of a link."""

    pool: str
    block: UUID
    bits: int


class Closing(Answer):
    """A pooled finite-key block that was closed, and the secret key that it gave."""

    satellite: str
    station: str
    reason: str
    """Target size reached, oldest pass too old, or setting changed."""
    sessions: list[UUID]
    """The bookings whose sifted key it was made of."""
    sifted_bits: int
    """Those that become key."""
    leak_bits: int
    """Revealed by error correction."""
    secret_bits: int
    """After what the tags of its sessions' messages cost."""
    authentication_bits: int
    eps_total: float | None = None
    block: UUID | None = None
    state: str | None = None

    columns: ClassVar = (
        Column("satellite", "satellite", rank=2),
        Column("station", "station"),
        Column("sessions", lambda row: len(row.sessions), ","),
        Column("sifted bits", "sifted_bits", ",", rank=1),
        Column("leak", "leak_bits", ",", rank=3),
        Column("secret bits", "secret_bits", ","),
        Column("epsilon", "eps_total", ".2g", rank=4),
        Column("why", "reason", text=True),
    )


class Closings(Answer):
    """Pooled blocks that were closed now."""

    closed: list[Closing]

    @classmethod
    def of(cls, answers: Sequence[dict[str, object]]) -> Closings:
        """Return what each closing answered."""
        return cls(closed=[Closing.model_validate(one) for one in answers])

    def table(self) -> Table:
        """Return them as a table."""
        hint = "" if self.closed else "no pooled block was due"
        return Table(f"{len(self.closed)} blocks closed", Closing.columns, self.closed, hint)
