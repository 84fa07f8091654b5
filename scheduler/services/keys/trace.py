"""Use case: follow a key back to the passes and spans it came from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import UUID

from scheduler.domain import (
    Chunk,
    KeyTrace,
    Pool,
    Provenance,
    SourceBlock,
    TracedHop,
    TracedPath,
    WhoKnows,
)
from scheduler.errors import InputError
from scheduler.ledger.keys.blocks import get_blocks
from scheduler.ledger.keys.delivery_reads import get_drawn_keys
from scheduler.ledger.keys.tracing import trace_block
from scheduler.merge import CompromiseStructure

if TYPE_CHECKING:
    from scheduler.ledger.records import BlockRecord, CommandRecord, Trace
    from scheduler.services.context import Context

BLOCKS_MAX = 1000
"""Blocks of a pair that one question returns at most."""


def trace_key(context: Context, name: str) -> KeyTrace:
    """Trace a block or a drawn key by its id.

    Raises InputError for what is no id, UnknownName for one that nobody knows.
    """
    key_id = _id(name)
    with context.view.read() as reader:
        found = trace_block(reader, key_id)
        drawn = get_drawn_keys(reader, [key_id])
    block = _source(found.block, found.command)
    sources = {item.block.block_id: _source(item.block, item.command) for item in _leaves(found)}
    told = found.block.provenance
    if not told.get("paths"):
        sources.pop(block.block_id, None)
        return KeyTrace(
            block=block,
            drawn=drawn[0].chunk if drawn else None,
            paths=(),
            threshold=0,
            known_to="known to the two ends of its link alone",
            single_points=(),
            minimal_sets=(),
            sources=tuple(sources.values()),
        )
    provenance = Provenance.from_dict(told)
    structure = CompromiseStructure.of(provenance)
    return KeyTrace(
        block=block,
        drawn=drawn[0].chunk if drawn else None,
        paths=_paths(provenance, found),
        threshold=provenance.threshold,
        known_to=structure.describe(),
        single_points=tuple(sorted(structure.single_points())),
        minimal_sets=tuple(tuple(sorted(nodes)) for nodes in structure.minimal_sets()),
        sources=() if found.archived else tuple(sources.values()),
        archived=found.archived,
    )


def pair_blocks(
    context: Context, pair: str, *, limit: int = 50
) -> list[tuple[SourceBlock, WhoKnows]]:
    """The newest `limit` blocks of end-to-end key of a pair `a--b`, oldest first, and who knows.

    Raises InputError for what names no pair.
    """
    if not 1 <= limit <= BLOCKS_MAX:
        raise InputError(f"limit {limit}; allowed: 1 to {BLOCKS_MAX}")
    pool = _pair_of(pair)
    with context.view.read() as reader:
        blocks = get_blocks(reader, pool.pool_id)[-limit:]
        if not blocks:  # a pair that has none, or none that the network of this ledger has
            context.check_scenario(reader)
            for node in (pool.node_a, pool.node_b):
                context.scenario.node(node)
    return [(_source(block, None), _who_knows(block)) for block in blocks]


def _pair_of(pair: str) -> Pool:
    one, found, other = pair.removeprefix("pair:").partition("--")
    if not found or one == other:
        raise InputError(f"pair {pair!r}; allowed: two nodes as in nanshan--shanghai")
    return Pool.pair(one, other)


def _who_knows(block: BlockRecord) -> WhoKnows:
    if not block.provenance.get("paths"):
        return WhoKnows(paths=0, threshold=0, single_points=(), words="")
    provenance = Provenance.from_dict(block.provenance)
    structure = CompromiseStructure.of(provenance)
    return WhoKnows(
        paths=len(structure.relay_sets),
        threshold=provenance.threshold,
        single_points=tuple(sorted(structure.single_points())),
        words=structure.describe(),
    )


def _id(name: str) -> UUID:
    try:
        return UUID(name)
    except ValueError:
        raise InputError(
            f"{name!r} is no key id and no block id; allowed: a UUID such as"
            " 2f1c8a52-6a4e-4f0e-9c1d-0d5d8f3b7a10"
        ) from None


def _leaves(trace: Trace) -> Iterator[Trace]:
    """The traces without a source of their own, in order of the path."""
    if not trace.sources:
        yield trace
    for source in trace.sources:
        yield from _leaves(source)


def _source(block: BlockRecord, command: CommandRecord | None) -> SourceBlock:
    return SourceBlock(
        block_id=block.block_id,
        pool_id=block.pool_id,
        natural_key=block.natural_key,
        length_bits=block.length_bits,
        left_bits=block.length_bits - block.next_bit,
        state=block.state.value,
        source=block.source,
        simulated=block.simulated,
        eps_total=block.eps_total,
        made_at=block.received_at,
        expires_at=block.expires_at,
        made_by=command.request_id if command else "",
        command_id=command.command_id if command else 0,
    )


def _paths(provenance: Provenance, found: Trace) -> tuple[TracedPath, ...]:
    """Each path with the ranges of its hops and what its relays announced about them."""
    ranges: dict[str, list[Chunk]] = {}
    for chunk in found.chunks:
        ranges.setdefault(chunk.pool_id, []).append(chunk)
    told = {
        (one.relay, one.left[0].pool_id, one.right[0].pool_id): one for one in found.announcements
    }
    return tuple(
        TracedPath(
            nodes=path,
            hops=tuple(
                TracedHop(pool_id=link, chunks=tuple(ranges.get(link, ()))) for link in links
            ),
            announcements=tuple(
                told[relay, left, right]
                for relay, (left, right) in zip(path[1:-1], pairwise(links), strict=True)
                if not found.archived
            ),
        )
        for path, links in zip(provenance.paths, provenance.links, strict=True)
    )
