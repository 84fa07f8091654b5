"""Use case: the spans of the trunk deposit the key they made in an interval."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from scheduler.domain import NewBlock, instant_key
from scheduler.fibre import buffer_bits, span_eps, span_secret_bits
from scheduler.ledger.keys.deposit import deposit_block, expect_blocks
from scheduler.ledger.keys.spans import deposited_until, span_key
from scheduler.ledger.keys.stock import get_stock
from scheduler.ledger.log.canonical import request_digest
from scheduler.ledger.segments.reads import closed_until
from scheduler.services.keys.lifetimes import use_until
from scheduler.sources.keys import simulated_material

if TYPE_CHECKING:
    from scheduler.network import Link
    from scheduler.services.context import Context


def deposit_trunk(context: Context, *, start: datetime, end: datetime) -> dict[str, Any]:
    """Deposit what every fibre link made in [start, end), as far as its buffer has room.

    One transaction for all links. Returns the bits deposited, and those for which the relays'
    key buffers had no room (a span stops distilling then; they are nobody's key). A time for
    which a link has deposited is not deposited again, whatever the clock says; one for which it
    has not is, though a clock that was ahead has deposited for later ones.
    """
    request_id = f"trunk/{instant_key(start)}/{instant_key(end)}"
    digest = request_digest(start, end)
    links = [link for link in context.scenario.links if link.is_fibre]
    with context.ledger.begin() as tx:
        answered = tx.answer(request_id, kind="trunk", digest=digest)
        if answered is not None:
            return answered
        context.check_scenario(tx)
        ends = deposited_until(tx, [link.pool.pool_id for link in links], before=end)
        # What was deposited for a closed period may be here no more.
        start = max(start, closed_until(tx) or start)
        starts = [max(start, until or start) for until in ends]
        if all(one >= end for one in starts):
            return {"links": len(links), "deposited_bits": 0, "no_room_bits": 0}
        stock = get_stock(tx, at=end)
        command = tx.command(request_id, kind="trunk", at=end, digest=digest)
        blocks: list[NewBlock] = []
        refused = 0
        for link, begins in zip(links, starts, strict=True):
            if begins >= end:
                continue
            duration_s = (end - begins).total_seconds()
            made = span_secret_bits(link, duration_s=duration_s)
            limit = buffer_bits(link, context.scenario.schedule)
            room = max(0, limit - stock.get(link.pool.pool_id, 0))
            bits = min(made, room)
            refused += made - bits
            if bits > 0:
                blocks.append(_block(context, link, begins, bits, duration_s * bits / made))
        expect_blocks(tx, blocks)
        for block in blocks:
            material = simulated_material(context.entropy, block)
            until = use_until(context.lifetimes_s, block.pool.pool_id, end)
            deposit_block(
                tx, command, block, material_a=material, material_b=material, expires_at=until
            )
        deposited = sum(block.length_bits for block in blocks)
        answer = {"links": len(links), "deposited_bits": deposited, "no_room_bits": refused}
        command.finish(answer)
    return answer


def _block(context: Context, link: Link, start: datetime, bits: int, made_in_s: float) -> NewBlock:
    natural_key = span_key(link.pool.pool_id, start)
    return NewBlock(
        block_id=context.entropy.uuid("block", natural_key),
        pool=link.pool,
        natural_key=natural_key,
        length_bits=bits,
        source="simulator",
        simulated=True,
        eps_total=span_eps(link, duration_s=made_in_s),
    )


def trunk_intervals(start: datetime, end: datetime, step_s: float) -> list[datetime]:
    """The ends of the trunk's intervals within (start, end]."""
    step = timedelta(seconds=step_s)
    count = int((end - start) / step)
    return [start + step * (index + 1) for index in range(count)]
