"""Use case: deposit the key that a link's own devices made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scheduler.domain import NewBlock
from scheduler.errors import InputError
from scheduler.fibre import buffer_bits
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.fingerprints import refuse_known_key
from scheduler.ledger.keys.stock import get_stock
from scheduler.ledger.log.canonical import request_digest
from scheduler.services.keys.lifetimes import use_until
from scheduler.sources.device import DeviceEnd, pull

if TYPE_CHECKING:
    from scheduler.services.context import Context


def pull_keys(
    context: Context, *, pool_id: str, ends: tuple[DeviceEnd, DeviceEnd], number: int, size: int
) -> dict[str, Any]:
    """Pull so many keys of `size` bits from the key managers of a link; deposit them as a block.

    `ends` in the order of the link's two nodes. What both ends gave is one block of the link's
    pool, real key of the source `device`. Raises UnknownName for a link that the scenario does not
    have, InputError where its buffers have no room (asked first: the device gives a key once),
    FeedError as `pull`, DuplicateBlock if that very key came before.
    """
    link = context.scenario.link(pool_id)
    with context.existing_ledger.view.read() as reader:
        context.check_scenario(reader)
        held = get_stock(reader, at=context.clock.now()).get(pool_id, 0)
    room = buffer_bits(link, context.scenario.schedule) - held
    if number * size > room:
        raise InputError(f"{number * size} bits for {pool_id}; allowed: {max(0, room)} more")
    pulled = pull(*ends, number=number, size_bits=size)
    natural_key = f"device/{pool_id}/{pulled.key_ids[0]}"
    block = NewBlock(
        block_id=context.entropy.uuid("block", natural_key),
        pool=link.pool,
        natural_key=natural_key,
        length_bits=pulled.length_bits,
        source="device",
        simulated=False,
    )
    with context.ledger.begin() as tx:
        command = tx.command(
            f"pull/{natural_key}",
            kind="pull",
            at=context.clock.now(),
            digest=request_digest(link.pool.pool_id, natural_key, pulled.length_bits),
        )
        deposit_block(
            tx,
            command,
            block,
            material_a=pulled.material_a,
            material_b=pulled.material_b,
            expires_at=use_until(context.lifetimes_s, pool_id, command.at),
        )
        refuse_known_key(tx, {natural_key: pulled.material_a}, at=command.at)
        answer = {"pool": pool_id, "block": str(block.block_id), "bits": pulled.length_bits}
        command.finish(answer)
    return answer
