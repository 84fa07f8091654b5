"""Use case: a master draws keys that its slaves can collect."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from scheduler.domain import DeliveredKey, Delivery, KeyConstraints, KeyRequest, Pool
from scheduler.errors import (
    ConstraintNotMet,
    InputError,
    KeyRanOut,
    NotEnoughKey,
    SimulatedKey,
)
from scheduler.ledger.keys.answers import deliver_keys
from scheduler.ledger.keys.blocks import get_open_blocks
from scheduler.ledger.keys.copies import ANSWERED, pads_of
from scheduler.ledger.log.canonical import request_digest
from scheduler.services.delivery.multicast import send_copies
from scheduler.services.delivery.origins import together
from scheduler.services.delivery.parties import Parties, parties_of
from scheduler.services.delivery.selection import BLOCKS_LOOKED_AT_MAX, allowed_blocks
from scheduler.services.merges.at_request import merge_for

if TYPE_CHECKING:
    from scheduler.ledger import Transaction
    from scheduler.services.context import Context
    from scheduler.settings import Settings

KIND = "enc-keys"
ATTEMPTS_MAX = 100
"""Times that a request draws again what others took before it."""


def enc_keys(context: Context, *, master: str, slave: str, request: KeyRequest) -> Delivery:
    """Draw keys for a master; its copy is in the answer, the slaves' wait for `dec_keys`.

    One transaction, committed before anything is returned: no key is ever drawn twice. Where the
    pair's stock is too small, link key is merged first; where it has key as `request.preferred`
    wants it, that is taken.

    Raises NotAllowed for a master, UnknownName for a slave that is not registered, InputError for
    sizes and numbers beyond the settings, ConstraintNotMet if no key of the pair is as demanded,
    KeyRanOut if there is too little, SimulatedKey outside a laboratory.
    """
    size = _checked_size(context.settings, request)

    def draw(constraints: KeyConstraints) -> Delivery:
        work = _drawing(context, master, slave, request, constraints=constraints, size=size)
        return context.existing_ledger.run(work)

    both = request.mandatory.with_also(request.preferred)
    for constraints in dict.fromkeys((both, request.mandatory)):
        try:
            return draw(constraints)
        except NotEnoughKey:
            continue
    with context.view.read() as reader:
        parties = parties_of(context, reader, master, slave, request.additional_slaves)
    bits = size * request.number
    for _ in range(ATTEMPTS_MAX):
        # Somebody else may take what is there, or merged here, as long as anything is.
        short = [
            pool
            for pool in parties.pools
            if (_available(context, pool, request, size=size) or 0) < request.number
        ]
        gained = sum(
            merge_for(context, pool, bits, constraints=request.mandatory, at=context.clock.now())
            for pool in short
        )
        with suppress(NotEnoughKey):
            return draw(request.mandatory)
        if short and not gained:
            break
    raise _shortage(context, parties, request, size=size)


def enc_keys_of_stock(
    context: Context, *, master: str, slave: str, request: KeyRequest
) -> Future[Delivery]:
    """As `enc_keys`, of the pair's stock alone, without a thread that waits for it.

    The future raises NotEnoughKey where the stock is too small, or has no key as preferred.
    """
    both = request.mandatory.with_also(request.preferred)
    size = _checked_size(context.settings, request)
    work = _drawing(context, master, slave, request, constraints=both, size=size)
    return context.existing_ledger.submit(work)


def _checked_size(settings: Settings, request: KeyRequest) -> int:
    """Check numbers against the limits; return the size in bits."""
    size = settings.key_size_bits if request.size_bits is None else request.size_bits
    if size % 8:
        raise InputError("size shall be a multiple of 8")
    low, high = settings.key_size_bits_min, settings.key_size_bits_max
    if not low <= size <= high:
        raise InputError(f"size {size if abs(size) < 10**9 else 'huge'}; allowed: {low} to {high}")
    if not 1 <= request.number <= settings.keys_per_request_max:
        raise InputError(f"number; allowed: 1 to {settings.keys_per_request_max}")
    if len(request.additional_slaves) > settings.slaves_per_request_max:
        raise InputError(
            f"{len(request.additional_slaves)} additional slave SAEs; allowed: up to"
            f" {settings.slaves_per_request_max}"
        )
    return size


def _drawing(
    context: Context,
    master: str,
    slave: str,
    request: KeyRequest,
    *,
    constraints: KeyConstraints,
    size: int,
) -> Callable[[Transaction], Delivery]:
    """What draws keys in a transaction."""
    request_id = f"{KIND}/{uuid4()}"

    def work(tx: Transaction) -> Delivery:
        # Now, not when the request came: a merge and other writers may have taken seconds, and
        # an answer given so long ago would be doubted before it was sent.
        now = context.clock.now()
        parties = parties_of(context, tx, master, slave, request.additional_slaves)
        pool_id = parties.pool.pool_id
        among = allowed_blocks(context, tx, pool_id, constraints, at=now)
        command = tx.command(
            request_id,
            kind=KIND,
            at=now,
            digest=request_digest(master, slave, request.additional_slaves, size, request.number),
        )
        keys, drawn = deliver_keys(
            tx,
            command,
            pool_id,
            key_ids=[uuid4() for _ in range(request.number)],
            size_bits=size,
            master=master,
            recipients=parties.recipients,
            expires_at=now + timedelta(seconds=context.settings.key_retention_s),
            among=among,
        )
        copies = send_copies(context, tx, command, parties, drawn, keys, constraints)
        simulated = command.spent_simulated or any(part.simulated for part in drawn)
        if simulated and not context.settings.laboratory:
            raise SimulatedKey(
                f"pool {pool_id} holds simulated key; only a laboratory hands it out"
                " (SKYTRUNK_LABORATORY=true)"
            )
        answer: dict[str, Any] = {
            "pool": pool_id,
            "master": master,
            "number": request.number,
            "size_bits": size,
        }
        if copies:
            answer[ANSWERED] = copies
        command.finish(answer)
        pads = pads_of(answer)
        origins = context.key_origins.of(tx, {key.block_id for key in keys}.union(pads))
        of_pads = [origins[one] for one in pads]
        made = {
            block: together([origins[block], *of_pads]) for block in {key.block_id for key in keys}
        }
        return Delivery(
            answer_id=request_id,
            keys=tuple(
                DeliveredKey(key_id=key.key_id, material=key.material, origin=made[key.block_id])
                for key in keys
            ),
        )

    return work


def _available(context: Context, pool: Pool, request: KeyRequest, *, size: int) -> int | None:
    """How many keys as demanded a pool has; None if it has key, but none of it as demanded."""
    now = context.clock.now()
    with context.view.read() as reader:
        blocks = get_open_blocks(reader, pool.pool_id, at=now, limit=BLOCKS_LOOKED_AT_MAX)
        among = allowed_blocks(context, reader, pool.pool_id, request.mandatory, at=now)
    left = [one for one in blocks if among is None or str(one.block_id) in among]
    if among is not None and not left:
        return None
    return sum((one.length_bits - one.next_bit) // size for one in left)


def _shortage(context: Context, parties: Parties, request: KeyRequest, *, size: int) -> Exception:
    """What to say where there is too little: how much there is, or that none is as demanded."""
    found = {pool: _available(context, pool, request, size=size) for pool in parties.pools}
    for pool, available in found.items():
        if available is None:
            return ConstraintNotMet(f"no key of {pool.pool_id} is as demanded")
    available = min(count for count in found.values() if count is not None)
    return KeyRanOut(
        f"{available} keys of {size} bits are there for {parties.master.sae_id} and"
        f" {parties.slaves[0].sae_id}, {request.number} were asked for",
        available=available,
    )
