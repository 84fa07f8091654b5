"""Use case: what two application entities can draw between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.domain import KeyStatus
from scheduler.network import NO_LIMIT_BITS
from scheduler.services.delivery.parties import caller_of, parties_of
from scheduler.services.delivery.runway import pair_runway

if TYPE_CHECKING:
    from scheduler.services.context import Context


def key_status(context: Context, *, master: str, slave: str) -> KeyStatus:
    """What a master can draw with a slave, and for how long. Raises as `enc_keys` of the two."""
    settings = context.settings
    with context.view.read() as reader:
        parties = parties_of(context, reader, master, slave)
    found = pair_runway(context, parties.pool)
    marks = [one.high_water_bits for one in context.scenario.demands if one.pool == parties.pool]
    size = settings.key_size_bits
    return KeyStatus(
        master=master,
        slave=slave,
        master_node=parties.master.node,
        slave_node=parties.slaves[0].node,
        key_size_bits=size,
        stored_keys=found.stock_bits // size,
        stored_keys_max=max([found.stock_bits, *marks], default=NO_LIMIT_BITS) // size,
        keys_per_request_max=settings.keys_per_request_max,
        key_size_bits_max=settings.key_size_bits_max,
        key_size_bits_min=settings.key_size_bits_min,
        slaves_per_request_max=settings.slaves_per_request_max,
        runway=found,
    )


def node_of(context: Context, sae_id: str) -> str:
    """The node whose key manager serves a registered entity. Raises NotAllowed for any other."""
    with context.view.read() as reader:
        return caller_of(reader, sae_id).node
