"""Keys for slaves at more than two nodes: the master's node sends each further one a copy."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scheduler.domain import KeyConstraints
from scheduler.ledger.keys.copies import FIRST_SIDE, keep_copy
from scheduler.ledger.keys.spending import spend_pools
from scheduler.merge import xor
from scheduler.services.delivery.selection import allowed_blocks

if TYPE_CHECKING:
    from scheduler.ledger import CommandHandle, Transaction
    from scheduler.ledger.keys.spending import Range
    from scheduler.ledger.records import CollectedKey
    from scheduler.services.context import Context
    from scheduler.services.delivery.parties import Parties


def send_copies(
    context: Context,
    tx: Transaction,
    command: CommandHandle,
    parties: Parties,
    drawn: Sequence[Range],
    keys: Sequence[CollectedKey],
    constraints: KeyConstraints,
) -> list[dict[str, Any]]:
    """Send keys to every further node under as much key that the master's node shares with it.

    What is sent is the key and the pad in exclusive or: it is public, and says nothing of either.
    Returns what the command's answer says of it: which pool and blocks the pads are of, and the
    digest of what was sent. Raises as `spend_pools`.
    """
    material = b"".join(key.material for key in keys)
    own_side = int(parties.hub != parties.pool.node_a)
    copies: list[dict[str, Any]] = []
    for side, pool in enumerate(parties.further, start=FIRST_SIDE):
        among = allowed_blocks(context, tx, pool.pool_id, constraints, at=command.at)
        needs = {pool.pool_id: 8 * len(material)}
        pads = spend_pools(tx, command, needs, among=among)[pool.pool_id]
        at_a = b"".join(part.material_a for part in pads)
        at_b = b"".join(part.material_b for part in pads)
        here, there = (at_a, at_b) if parties.hub == pool.node_a else (at_b, at_a)
        sent = xor(material, here)
        keep_copy(tx, drawn, side, xor(sent, there), like=own_side)
        copies.append(
            {
                "pool": pool.pool_id,
                "blocks": list(dict.fromkeys(str(part.chunk.block_id) for part in pads)),
                "sha256": hashlib.sha256(sent).hexdigest(),
            }
        )
    return copies
