"""Use case: a slave collects keys that a master drew for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from scheduler.domain import DeliveredKey, Delivery
from scheduler.errors import InputError, NotAllowed, UnknownName, WrongState
from scheduler.ledger.keys.answers import doubt_answers, get_masters, repeat_keys
from scheduler.ledger.keys.copies import get_pads
from scheduler.ledger.keys.delivery import collect_keys
from scheduler.ledger.keys.delivery_reads import get_drawn_keys
from scheduler.ledger.log.canonical import request_digest
from scheduler.services.delivery.origins import together
from scheduler.services.delivery.parties import caller_of

if TYPE_CHECKING:
    from scheduler.ledger import Transaction
    from scheduler.ledger.records import CollectedKey
    from scheduler.services.context import Context

KIND = "dec-keys"


def dec_keys(context: Context, *, slave: str, master: str, key_ids: Sequence[UUID]) -> Delivery:
    """Give a slave the keys of these ids, all of them or none, once.

    Keys of an answer that may not have left, as nobody confirmed it in time, are given again to
    the same slave, if it names all keys of that answer.

    Raises NotAllowed for a caller that is not registered or was not named for a key, UnknownName
    for a key that this master did not draw or that is no longer there, InputError for too many
    ids or one that stands twice.
    """
    work = _collecting(context, slave, master, key_ids)
    try:
        return context.existing_ledger.run(work)
    except WrongState as error:
        raise UnknownName(str(error)) from None
    except UnknownName:
        with context.view.read() as reader:
            drawn = get_drawn_keys(reader, key_ids)
            named = all(slave in key.recipients for key in drawn)
        if not named:
            raise NotAllowed(f"SAE {slave!r} was not named as a slave of these keys") from None
        raise


def dec_keys_soon(
    context: Context, *, slave: str, master: str, key_ids: Sequence[UUID]
) -> Future[Delivery]:
    """As `dec_keys`, without a thread that waits for it.

    The future raises WrongState or UnknownName where `dec_keys` says why the slave has no keys.
    """
    return context.existing_ledger.submit(_collecting(context, slave, master, key_ids))


def _collecting(
    context: Context, slave: str, master: str, key_ids: Sequence[UUID]
) -> Callable[[Transaction], Delivery]:
    """What gives keys to a slave in a transaction."""
    most = context.settings.keys_per_request_max
    if not 1 <= len(key_ids) <= most or len(set(key_ids)) != len(key_ids):
        raise InputError(f"{len(key_ids)} key ids; allowed: 1 to {most}, each once")
    request_id = f"{KIND}/{uuid4()}"

    def work(tx: Transaction) -> Delivery:
        now = context.clock.now()  # not when the request came: other writers may take seconds
        caller_of(tx, slave)
        masters = get_masters(tx, key_ids)
        if missing := [one for one in key_ids if masters.get(one) != master]:
            raise UnknownName(f"{len(missing)} of {len(key_ids)} keys of {master!r} are not here")
        command = tx.command(
            request_id,
            kind=KIND,
            at=now,
            digest=request_digest(master, slave, [str(one) for one in key_ids]),
        )
        answer_id = request_id
        try:
            keys = collect_keys(tx, command, key_ids, slave, keep=True)
        except WrongState:
            answer_id, keys = _again(context, tx, key_ids, slave, now=now)
        command.finish({"slave": slave, "number": len(keys), "again": answer_id != request_id})
        pads = get_pads(tx, key_ids)
        blocks = {key.block_id for key in keys}.union(*pads.values())
        origins = context.key_origins.of(tx, blocks)
        return Delivery(
            answer_id=answer_id,
            keys=tuple(
                DeliveredKey(
                    key_id=key.key_id,
                    material=key.material,
                    origin=together(
                        [origins[one] for one in (key.block_id, *pads.get(key.key_id, ()))]
                    ),
                )
                for key in keys
            ),
        )

    return work


def _again(
    context: Context, tx: Transaction, key_ids: Sequence[UUID], slave: str, *, now: datetime
) -> tuple[str, list[CollectedKey]]:
    """The keys of an answer in doubt once more, and by which request they were given first."""
    before = now - timedelta(seconds=context.settings.key_answer_s)
    doubting = tx.command(
        f"keys-doubted/{uuid4()}", kind="keys-doubted", at=now, digest=request_digest(before)
    )
    doubted, voided = doubt_answers(tx, doubting, before=before)
    doubting.finish({"doubted": doubted, "voided": voided})
    return repeat_keys(tx, key_ids, slave, at=now)
