"""Use case: a master draws keys that its slaves can collect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from scheduler.domain import DeliveredKey, Delivery, KeyConstraints, KeyRequest, Pool
from scheduler.errors import (
    ConstraintNotMet,
    InputError,
    KeyRanOut,
    NotAllowed,
    NotEnoughKey,
    SimulatedKey,
    UnknownName,
)
from scheduler.ledger.books import saes
from scheduler.ledger.keys.answers import deliver_keys
from scheduler.ledger.keys.blocks import get_open_blocks
from scheduler.ledger.keys.copies import ANSWERED, pads_of
from scheduler.ledger.keys.delivery import Draw
from scheduler.ledger.log.canonical import request_digest
from scheduler.services.delivery.multicast import send_copies
from scheduler.services.delivery.origins import together
from scheduler.services.delivery.parties import Parties, parties_among, parties_of
from scheduler.services.delivery.selection import BLOCKS_LOOKED_AT_MAX, allowed_blocks
from scheduler.services.merges.at_request import merge_for

if TYPE_CHECKING:
    from scheduler.ledger import CommandHandle, Transaction
    from scheduler.ledger.keys.spending import Range
    from scheduler.ledger.records import CollectedKey
    from scheduler.services.context import Context
    from scheduler.settings import Settings

KIND = "enc-keys"
REFUSALS = (InputError, NotAllowed, UnknownName)
Refusal = InputError | NotAllowed | UnknownName
"""What a request is refused for by itself, before anything is written."""
ATTEMPTS_MAX = 100
"""Times that a request draws again what others took before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a master asks for, and the key that it takes."""

    master: str
    slave: str
    request: KeyRequest
    size_bits: int
    constraints: KeyConstraints

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody who gets the keys."""
        return self.master, self.slave, *self.request.additional_slaves

    @property
    def digest(self) -> str:
        """Of the whole content."""
        more, number = self.request.additional_slaves, self.request.number
        return request_digest(self.master, self.slave, more, self.size_bits, number)

    @property
    def is_plain(self) -> bool:
        """Whether any key of the pair will do, for the two alone."""
        return not self.request.additional_slaves and not self.constraints.are_any


def asked_of(context: Context, *, master: str, slave: str, request: KeyRequest) -> Asked:
    """A request within the limits, for key as it is preferred. Raises InputError beyond them."""
    return Asked(
        master=master,
        slave=slave,
        request=request,
        size_bits=_checked_size(context.settings, request),
        constraints=request.mandatory.with_also(request.preferred),
    )


def enc_keys(context: Context, *, master: str, slave: str, request: KeyRequest) -> Delivery:
    """Draw keys for a master; its copy is in the answer, the slaves' wait for `dec_keys`.

    One transaction, committed before anything is returned: no key is ever drawn twice. Where the
    pair's stock is too small, link key is merged first; where it has key as `request.preferred`
    wants it, that is taken.

    Raises NotAllowed for a master, UnknownName for a slave that is not registered, InputError for
    sizes and numbers beyond the settings, ConstraintNotMet if no key of the pair is as demanded,
    KeyRanOut if there is too little, SimulatedKey outside a laboratory.
    """
    preferred = asked_of(context, master=master, slave=slave, request=request)
    demanded = replace(preferred, constraints=request.mandatory)
    for asked in dict.fromkeys((preferred, demanded)):
        with suppress(NotEnoughKey):
            return _draw(context, asked)
    with context.view.read() as reader:
        parties = parties_of(context, reader, master, slave, request.additional_slaves)
    size = demanded.size_bits
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
            return _draw(context, demanded)
        if short and not gained:
            break
    raise _shortage(context, parties, request, size=size)


def draw_of_stock(context: Context, every: Sequence[Asked]) -> Future[list[Delivery | Refusal]]:
    """As `enc_keys` of several requests, of the pairs' stock alone, with one commit for all.

    No thread waits for it. Where one of several is refused by itself, that is in its place; all
    else is raised by the future and undoes all of it: NotEnoughKey where a stock is too small for
    all of them, or has no key as preferred.
    """
    return context.existing_ledger.submit(_drawing(context, every))


def _draw(context: Context, asked: Asked) -> Delivery:
    (found,) = context.existing_ledger.run(_drawing(context, [asked]))
    assert isinstance(found, Delivery)
    return found


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
    context: Context, every: Sequence[Asked]
) -> Callable[[Transaction], list[Delivery | Refusal]]:
    """What draws keys in a transaction, by a command for each request."""
    asked_by = {f"{KIND}/{uuid4()}": asked for asked in every}

    def work(tx: Transaction) -> list[Delivery | Refusal]:
        # Now, not when the request came: a merge and other writers may have taken seconds, and
        # an answer given so long ago would be doubted before it was sent.
        now = context.clock.now()
        known = saes.find(tx.raw, {name for asked in every for name in asked.names})
        parties_by: dict[tuple[str, ...], Parties] = {}
        found: dict[str, Delivery | Refusal] = {}
        alike: dict[tuple[str, int, KeyConstraints], dict[str, tuple[Asked, Parties]]] = {}
        for request_id, asked in asked_by.items():
            try:
                parties = parties_by.get(asked.names) or parties_among(context, known, *asked.names)
            except REFUSALS as error:
                if len(every) == 1:
                    raise
                found[request_id] = error
            else:
                parties_by[asked.names] = parties
                of = (parties.pool.pool_id, asked.size_bits, asked.constraints)
                alike.setdefault(of, {})[request_id] = asked, parties
        # In the one order of pools in which every process holds their blocks.
        for _, some in sorted(alike.items(), key=lambda one: one[0][:2]):
            found |= _draw_alike(context, tx, some, at=now)
        return [found[request_id] for request_id in asked_by]

    return work


def _draw_alike(
    context: Context, tx: Transaction, every: Mapping[str, tuple[Asked, Parties]], *, at: datetime
) -> dict[str, Delivery]:
    """Draw for requests, by id, of one pool, of one size and with the same constraints."""
    first, parties = next(iter(every.values()))
    pool_id = parties.pool.pool_id
    among = allowed_blocks(context, tx, pool_id, first.constraints, at=at)
    digests = {request_id: asked.digest for request_id, (asked, _) in every.items()}
    draws = [
        Draw(
            handle=command,
            key_ids=[uuid4() for _ in range(asked.request.number)],
            recipients=of.recipients,
            given_to=asked.master,
        )
        for command, (asked, of) in zip(
            tx.own_commands(KIND, digests, at=at), every.values(), strict=True
        )
    ]
    delivered = deliver_keys(
        tx,
        pool_id,
        draws,
        size_bits=first.size_bits,
        expires_at=at + timedelta(seconds=context.settings.key_retention_s),
        among=among,
    )
    return {
        draw.handle.request_id: _answered(context, tx, draw.handle, asked, of, keys, drawn)
        for draw, (asked, of), (keys, drawn) in zip(draws, every.values(), delivered, strict=True)
    }


def _answered(
    context: Context,
    tx: Transaction,
    command: CommandHandle,
    asked: Asked,
    parties: Parties,
    keys: Sequence[CollectedKey],
    drawn: Sequence[Range],
) -> Delivery:
    """Send copies where any are wanted, and finish the command."""
    pool_id = parties.pool.pool_id
    copies = send_copies(context, tx, command, parties, drawn, keys, asked.constraints)
    simulated = command.spent_simulated or any(part.simulated for part in drawn)
    if simulated and not context.settings.laboratory:
        raise SimulatedKey(
            f"pool {pool_id} holds simulated key; only a laboratory hands it out"
            " (SKYTRUNK_LABORATORY=true)"
        )
    answer: dict[str, Any] = {
        "pool": pool_id,
        "master": asked.master,
        "number": asked.request.number,
        "size_bits": asked.size_bits,
    }
    if copies:
        answer[ANSWERED] = copies
    command.finish(answer)
    pads = pads_of(answer)
    blocks = {part.names.block_id: UUID(part.names.block_id) for part in drawn}.values()
    origins = context.key_origins.of(tx, [*blocks, *pads])
    of_pads = [origins[one] for one in pads]
    made = {block: together([origins[block], *of_pads]) for block in blocks}
    return Delivery(
        answer_id=command.request_id,
        keys=tuple(
            DeliveredKey(key_id=key.key_id, material=key.material, origin=made[key.block_id])
            for key in keys
        ),
    )


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
