"""Which blocks of a pool hold key as a request demands it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.domain import KeyConstraints
from scheduler.ledger.keys.blocks import get_open_blocks
from scheduler.ledger.keys.tracing import trace_block

if TYPE_CHECKING:
    from scheduler.ledger import Reader
    from scheduler.ledger.records import Trace
    from scheduler.services.context import Context

BLOCKS_LOOKED_AT_MAX = 256
"""Open blocks of a pool among which key with a property is looked for."""


def allowed_blocks(
    context: Context, reader: Reader, pool_id: str, constraints: KeyConstraints, *, at: datetime
) -> frozenset[str] | None:
    """The open blocks of a pool whose key is as demanded, by id; None where nothing is."""
    if not constraints.are_any:
        return None
    blocks = get_open_blocks(reader, pool_id, at=at, limit=BLOCKS_LOOKED_AT_MAX)
    context.key_origins.note(blocks)
    origins = context.key_origins.of(reader, [block.block_id for block in blocks])
    fitting = [one for one, origin in origins.items() if constraints.allow(origin)]
    if constraints.max_age_s is not None:
        oldest = at - timedelta(seconds=constraints.max_age_s)
        fitting = [one for one in fitting if _received_at(trace_block(reader, one)) >= oldest]
    return frozenset(map(str, fitting))


def _received_at(trace: Trace) -> datetime:
    """When the oldest link key behind a block was received.

    Where that left with a closed period it is nobody's knowledge here, and counts as too old.
    """
    if trace.archived:
        return datetime.min.replace(tzinfo=UTC)
    if not trace.sources:
        return trace.block.received_at
    return min(map(_received_at, trace.sources))
