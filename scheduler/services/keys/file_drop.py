"""Use case: deposit the key that somebody left in a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.domain import MADE_HERE, NewBlock
from scheduler.errors import DuplicateBlock, InputError
from scheduler.fibre import buffer_bits
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.fingerprints import refuse_known_key
from scheduler.ledger.keys.stock import get_stock
from scheduler.services.keys.lifetimes import use_until
from scheduler.sources.filedrop import TWIN_BITS_MIN, DroppedBlock, read_drop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.ledger.transaction import Transaction
    from scheduler.services.context import Context


def import_keys(context: Context, folder: Path) -> dict[str, Any]:
    """Deposit every block of a file drop in one transaction, all of them or none.

    Raises InputError for a drop that does not hold together, or that a link's buffers have no
    room for, UnknownName for a link that the
    scenario does not have, DuplicateBlock if any block was deposited before, whatever its
    bytes are now, or any block's bytes came in a drop before, whatever its name is now.
    """
    dropped = read_drop(folder)
    for number, block in enumerate(dropped, start=1):
        context.scenario.link(block.pool.pool_id)
        if block.natural_key.startswith(MADE_HERE):
            raise InputError(
                f"block {number} of {folder.name}: natural_key {block.natural_key!r}; allowed:"
                f" none that starts with {', '.join(MADE_HERE)}, for those name key made here"
            )
    names = "\n".join(sorted(block.natural_key for block in dropped))
    # Of the names alone: a digest of key has no place in the ledger.
    digest = hashlib.sha256(names.encode()).hexdigest()
    request_id = f"import/{digest}"
    bits: dict[str, int] = {}
    with context.ledger.begin() as tx:
        if tx.answer(request_id, kind="import", digest=digest) is not None:
            raise DuplicateBlock(f"{folder.name} was imported before; nothing is added")
        context.check_scenario(tx)
        _refuse_overflow(context, tx, dropped)
        command = tx.command(request_id, kind="import", at=context.clock.now(), digest=digest)
        for block in dropped:
            made = NewBlock(
                block_id=context.entropy.uuid("block", block.natural_key),
                pool=block.pool,
                natural_key=block.natural_key,
                length_bits=block.length_bits,
                source=block.source,
                simulated=block.simulated,
                eps_total=block.eps_total,
            )
            deposit_block(
                tx,
                command,
                made,
                # Both ends' copies are here: whatever a satellite had to announce has come down.
                material_a=block.material_a,
                material_b=block.material_b,
                expires_at=use_until(context.lifetimes_s, block.pool.pool_id, command.at),
            )
            pool_id = block.pool.pool_id
            bits[pool_id] = bits.get(pool_id, 0) + block.length_bits
        unlike = {
            block.natural_key: block.material_a
            for block in dropped
            if block.length_bits >= TWIN_BITS_MIN
        }
        refuse_known_key(tx, unlike, at=command.at)
        answer = {"blocks": len(dropped), "bits": sum(bits.values()), "pools": bits}
        command.finish(answer)
    return answer


def _refuse_overflow(context: Context, tx: Transaction, dropped: Sequence[DroppedBlock]) -> None:
    """Raise InputError where a drop would bring more than the buffers of a link hold."""
    stock = get_stock(tx, at=context.clock.now())
    brought: dict[str, int] = {}
    for block in dropped:
        pool_id = block.pool.pool_id
        brought[pool_id] = brought.get(pool_id, 0) + block.length_bits
    for pool_id, bits in brought.items():
        limit = buffer_bits(context.scenario.link(pool_id), context.scenario.schedule)
        held = stock.get(pool_id, 0)
        room = max(limit - held, 0)
        if bits > room:
            raise InputError(
                f"{bits:,} bits for {pool_id}, which holds {held:,}; allowed: {room:,} more, to its"
                f" buffer_bits of {limit:,}; nothing is added"
            )
