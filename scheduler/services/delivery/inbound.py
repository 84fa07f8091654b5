"""Use cases: keys that another network passes on to entities of ours (ETSI GS QKD 020)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from scheduler.domain import Announcement, KeyConstraints, NewBlock, Pool, Provenance
from scheduler.errors import InputError, NotAllowed, NotEnoughKey, UnknownName
from scheduler.ledger.books import saes
from scheduler.ledger.keys.announcements import record_announcement
from scheduler.ledger.keys.answers import get_masters, settle_answers, void_keys
from scheduler.ledger.keys.delivery import draw_keys
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.spending import spend_pools
from scheduler.ledger.log.canonical import request_digest
from scheduler.merge import xor
from scheduler.services.merges.at_request import merge_for

if TYPE_CHECKING:
    from scheduler.ledger import CommandHandle, Reader, SpentChunk, Transaction
    from scheduler.services.context import Context

KIND = "ext-keys"
KIND_VOID = "ext-void"


def accept_keys(
    context: Context,
    *,
    peer: str,
    initiator: str,
    targets: Sequence[str],
    keys: Mapping[UUID, bytes],
    callback: bool,
) -> None:
    """Take keys of one size for targets at one node, under the ids that the other network gave.

    They arrive at the node where the other key manager stands; from there they are relayed under
    as much key of that node and the targets'. The same request again changes nothing. Raises
    NotAllowed for a network that the settings do not name, InputError or UnknownName for keys and
    entities that do not fit, NotEnoughKey if there is too little to relay them under.
    """
    border = border_of(context, peer)
    size = _size(context, keys)
    digest = request_digest(peer, initiator, sorted(targets), [str(one) for one in keys])
    request_id = f"{KIND}/{peer}/{digest}"

    def work(tx: Transaction) -> None:
        if tx.answer(request_id, kind=KIND, digest=digest) is not None:
            return
        node = _node_of(context, tx, peer, initiator, targets)
        now = context.clock.now()
        command = tx.command(request_id, kind=KIND, at=now, digest=digest)
        pool, block_id = _deposit(tx, command, peer, border, node, b"".join(keys.values()))
        side = int(node != pool.node_a)
        draw_keys(
            tx,
            command,
            pool.pool_id,
            key_ids=list(keys),
            size_bits=size,
            recipients={initiator: 1 - side, **dict.fromkeys(targets, side)},
            expires_at=now + timedelta(seconds=context.settings.key_retention_s),
            among=frozenset({str(block_id)}),
            given_to=initiator,
        )
        settle_answers(tx, command, [request_id])
        told = {"peer": peer, "initiator": initiator, "targets": sorted(targets)}
        acks = [{"ids": [str(one) for one in keys], "status": "relayed"}] if callback else []
        command.finish({**told, "acks": acks})

    try:
        context.existing_ledger.run(work)
    except NotEnoughKey:
        with context.view.read() as reader:
            node = _node_of(context, reader, peer, initiator, targets)
        bits = size * len(keys)
        merge_for(
            context, Pool.pair(border, node), bits, constraints=KeyConstraints(),
            at=context.clock.now(),
        )  # fmt: skip
        context.existing_ledger.run(work)


def void_arrived(
    context: Context,
    *,
    peer: str,
    initiator: str,
    targets: Sequence[str],
    key_ids: Sequence[UUID],
    callback: bool,
) -> None:
    """Let nobody have keys that this network passed on, as far as no target has them already.

    Raises NotAllowed for a network that the settings do not name.
    """
    border_of(context, peer)
    names = [str(one) for one in key_ids]
    digest = request_digest(peer, initiator, sorted(targets), sorted(names))
    request_id = f"{KIND_VOID}/{peer}/{digest}"

    def work(tx: Transaction) -> None:
        if tx.answer(request_id, kind=KIND_VOID, digest=digest) is not None:
            return
        _node_of(context, tx, peer, initiator, targets)
        command = tx.command(request_id, kind=KIND_VOID, at=context.clock.now(), digest=digest)
        masters = get_masters(tx, key_ids)
        gone = void_keys(tx, command, [one for one in key_ids if masters.get(one) == initiator])
        parts = {
            "voided": [str(one) for one in key_ids if one in gone],
            "failed to void": [str(one) for one in key_ids if one not in gone],
        }
        told = {"peer": peer, "initiator": initiator, "targets": sorted(targets)}
        acks = [{"ids": ids, "status": word} for word, ids in parts.items() if ids and callback]
        command.finish({**told, "acks": acks})

    context.existing_ledger.run(work)


def border_of(context: Context, peer: str) -> str:
    """The node of ours at which another network's key manager stands. Raises NotAllowed."""
    found = context.settings.kme_peers.get(peer)
    if found is None:
        raise NotAllowed(f"KME {peer[:40]!a} is none of the networks that kme_peers names")
    return context.scenario.node(found.node).node_id


def _size(context: Context, keys: Mapping[UUID, bytes]) -> int:
    settings, sizes = context.settings, {8 * len(key) for key in keys.values()}
    low, high = settings.key_size_bits_min, settings.key_size_bits_max
    most = settings.keys_per_request_max
    if not 1 <= len(keys) <= most or len(sizes) != 1 or not low <= min(sizes) <= high:
        raise InputError(
            f"{len(keys)} keys of {len(sizes)} sizes; allowed: 1 to {most} of one size, {low} to"
            f" {high} bits"
        )
    return sizes.pop()


def _node_of(
    context: Context, reader: Reader, peer: str, initiator: str, targets: Sequence[str]
) -> str:
    """The node of the targets, once it is clear that both sides are registered where they say."""
    if not 1 <= len(set(targets)) == len(targets) <= 1 + context.settings.slaves_per_request_max:
        raise InputError(f"{len(targets)} targets; allowed: some, each once")
    known = saes.find(reader.connection, [initiator, *targets])
    if initiator not in known or known[initiator].node != peer:
        raise UnknownName(f"SAE {initiator[:40]!a} is not registered at {peer}")
    nodes = {known[one].node for one in targets if one in known}
    if len(nodes) != 1 or any(one not in known for one in targets):
        raise UnknownName("the targets are not registered, or not all at one node")
    return context.scenario.node(nodes.pop()).node_id


def _deposit(
    tx: Transaction, command: CommandHandle, peer: str, border: str, node: str, material: bytes
) -> tuple[Pool, UUID]:
    """Put the keys into the pool of the other network and the targets' node; return it."""
    arrival = Pool.pair(peer, border)
    block_id = _block(tx, command, arrival, material, material)
    if node == border:
        return arrival, block_id
    bits, onward = 8 * len(material), Pool.pair(border, node)
    spent = spend_pools(tx, command, {arrival.pool_id: bits, onward.pool_id: bits})
    left, right = spent[arrival.pool_id], spent[onward.pool_id]
    payload = xor(_held(left, border == arrival.node_b), _held(right, border == onward.node_b))
    said = Announcement(
        announcement_id=uuid4(),
        relay=border,
        left=tuple(part.chunk for part in left),
        right=tuple(part.chunk for part in right),
        length_bits=bits,
        sha256=hashlib.sha256(payload).hexdigest(),
    )
    number = record_announcement(tx, command, said)
    through = Pool.pair(peer, node)
    far = xor(_held(right, node == onward.node_b), payload)
    ends = (far, material) if node == through.node_a else (material, far)
    provenance = Provenance(
        paths=((peer, border, node),),
        links=((arrival.pool_id, onward.pool_id),),
        threshold=1,
        run_bits=bits,
        runs=((0, 0),),
    )
    return through, _block(
        tx,
        command,
        through,
        *ends,
        simulated=command.spent_simulated,
        provenance=provenance,
        announced=(number,),
    )


def _block(
    tx: Transaction,
    command: CommandHandle,
    pool: Pool,
    at_a: bytes,
    at_b: bytes,
    *,
    simulated: bool = False,
    provenance: Provenance | None = None,
    announced: tuple[int, ...] = (),
) -> UUID:
    block = NewBlock(
        block_id=uuid4(),
        pool=pool,
        natural_key=f"{command.request_id}/{pool.pool_id}",
        length_bits=8 * len(at_a),
        source="etsi020",
        simulated=simulated,
    )
    deposit_block(
        tx,
        command,
        block,
        material_a=at_a,
        material_b=at_b,
        provenance=provenance,
        announced=announced,
    )
    return block.block_id


def _held(parts: Sequence[SpentChunk], at_b: bool) -> bytes:
    return b"".join(part.material_b if at_b else part.material_a for part in parts)
