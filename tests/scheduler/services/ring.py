"""A ring of four nodes with link key, and application entities at its nodes."""

from __future__ import annotations

from scheduler import services
from scheduler.domain import NewBlock, Pool
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.services.context import Context
from tests.scheduler.services.nights import NIGHT
from tests.scheduler.services.test_ages import RING, _demand

TEXT = "\n".join([RING, _demand("east", "west", 2_000_000, high_water_bits=1_000_000)])
SAES = {"bank-e": "east", "bank-w": "west", "bank-w2": "west", "port-s": "south", "desk-e": "east"}
PAIR = Pool.pair("east", "west")


def give_link_key(context: Context, name: str, bits: int, *, simulated: bool = False) -> None:
    """Every link receives a block of so many bits."""
    with context.ledger.begin() as tx:
        command = tx.command(f"deposit/{name}", kind="trunk", at=NIGHT, digest="")
        for link in context.scenario.links:
            pool_id = link.pool.pool_id
            key = context.entropy.key_bytes("key", name, pool_id, length=bits // 8)
            block = NewBlock(
                block_id=context.entropy.uuid("block", name, pool_id),
                pool=link.pool,
                natural_key=f"{name}/{pool_id}",
                length_bits=bits,
                source="device",
                simulated=simulated,
            )
            deposit_block(tx, command, block, material_a=key, material_b=key)
        command.finish({})


def register(context: Context) -> None:
    """Register every entity at its node."""
    for sae_id, node in SAES.items():
        services.add_sae(context, sae_id=sae_id, node=node)
