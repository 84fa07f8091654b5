"""What the settled sessions of each link have taught of it, and left in its open block."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from scheduler.errors import LedgerMissing
from scheduler.learned import Learned, OpenBlock
from scheduler.ledger.books.element_reads import is_missing
from scheduler.network import KeyBlocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.network import BlockPolicy
    from scheduler.services.context import Context


def learned_by(context: Context, at: datetime) -> Learned:
    """What the sessions settled by then have taught of each link, and left in its open block."""
    pooled = [one for one in context.scenario.block_policies if one.blocks is KeyBlocks.POOLED]
    if is_missing(context.settings.database_url):
        return _nothing_of(pooled)
    # SQLAlchemy takes a third of a second to import; a question without a ledger needs none.
    from scheduler.services.keys.close_block import open_block

    with suppress(LedgerMissing), context.view.read() as reader:
        blocks = {
            (one.satellite, one.station): open_block(context, reader, one, at) for one in pooled
        }
        return Learned(context.ratios.until(reader, at), blocks)
    return _nothing_of(pooled)


def _nothing_of(pooled: Sequence[BlockPolicy]) -> Learned:
    """No session was settled: every open block is empty."""
    empty = {
        (one.satellite, one.station): OpenBlock(
            expected=None, target_sifted_bits=one.target_sifted_bits or 1.0
        )
        for one in pooled
    }
    return Learned({}, empty)
