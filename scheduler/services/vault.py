"""Use cases of key at rest: its epochs begun and shredded, its key-encryption key replaced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from scheduler.domain import KeyEpoch, VaultStatus, instant_key
from scheduler.errors import UnknownName
from scheduler.ledger.keys.epoch_reads import get_epochs
from scheduler.ledger.keys.epochs import begin_epoch, empty_epoch, shred_epoch
from scheduler.ledger.log.canonical import request_digest

if TYPE_CHECKING:
    from scheduler.services.context import Context


def vault_status(context: Context) -> VaultStatus:
    """How key at rest stands: which keys it is under, since when, and what should be gone."""
    ledger = context.existing_ledger
    with ledger.view.read() as reader:
        epochs = get_epochs(reader)
    limit = context.clock.now() - timedelta(seconds=context.settings.shred_deadline_s)
    return VaultStatus(
        kek_id=ledger.kek_id,
        kek_file=None if ledger.kek_file is None else str(ledger.kek_file),
        keys=ledger.keys_place,
        epochs=tuple(epochs),
        undestroyed=ledger.undestroyed_keys(),
        overdue=tuple(one for one in epochs if one.ended_at is not None and one.ended_at <= limit),
    )


def rotate_kek(context: Context) -> dict[str, Any]:
    """Put a new key-encryption key in the place of the old one, in its file and in the ledger.

    Raises KeystoreError if the key at hand came from no file, or another ledger needs it.
    """
    ledger = context.existing_ledger
    count = ledger.rotate_kek()
    return {"kek_id": ledger.kek_id, "kek_file": str(ledger.kek_file), "data_keys": count}


def begin_epochs(
    context: Context, pool_ids: Sequence[str] = (), *, at: datetime | None = None
) -> dict[str, Any]:
    """Begin the next epoch of these pools, by default of all; one transaction a pool.

    What they hold stays where it is until the epoch that ended is shredded. Raises UnknownName
    for a pool that never held key.
    """
    present = [one for one in _epochs_of(context, pool_ids) if one.ended_at is None]
    begun = _begin(context, present, at=at or context.clock.now())
    return {"epochs_begun": begun}


def shred_epochs(
    context: Context, pool_ids: Sequence[str] = (), *, at: datetime | None = None
) -> dict[str, Any]:
    """Shred every epoch of these pools that ended, by default of all pools.

    Its rest is sealed anew under the present epoch, some megabytes a transaction; then its data
    key is destroyed. Cut short, the next call goes on. Raises UnknownName for a pool that never
    held key, LedgerUnavailable if a key file cannot be destroyed now.
    """
    ended = [one for one in _epochs_of(context, pool_ids) if one.ended_at is not None]
    pieces = _shred(context, ended, at=at or context.clock.now())
    return {
        "epochs_shredded": len(ended),
        "pieces_sealed_anew": pieces,
        # Those of the epochs above are gone with their commits; these were left of before.
        "keys_made_up_for": context.ledger.tidy_keys(),
    }


def keep_vault(context: Context, *, at: datetime) -> dict[str, Any]:
    """Do what is due of key at rest: epochs that grew old end, and what ended is shredded."""
    limit = at - timedelta(hours=context.settings.epoch_hours)
    present = [one for one in _epochs_of(context, ()) if one.ended_at is None]
    begun = _begin(context, [one for one in present if one.begun_at <= limit], at=at)
    return {"epochs_begun": begun, **shred_epochs(context, at=at)}


def _epochs_of(context: Context, pool_ids: Sequence[str]) -> list[KeyEpoch]:
    with context.existing_ledger.view.read() as reader:
        found = get_epochs(reader)
    if unknown := sorted(set(pool_ids) - {one.pool_id for one in found}):
        raise UnknownName(f"no pool {unknown[0]} ever held key")
    return [one for one in found if not pool_ids or one.pool_id in pool_ids]


def _begin(context: Context, present: Iterable[KeyEpoch], *, at: datetime) -> int:
    count = 0
    for one in present:
        with context.ledger.begin() as tx:
            request_id = f"epoch/{one.pool_id}/{one.epoch + 1}"
            digest = request_digest(one.pool_id, one.epoch + 1)
            if tx.answer(request_id, kind="epoch", digest=digest) is None:
                command = tx.command(request_id, kind="epoch", at=at, digest=digest)
                epoch = begin_epoch(tx, command, one.pool_id)
                command.finish({"pool": one.pool_id, "epoch": epoch, "at": instant_key(at)})
                count += 1
    return count


def _shred(context: Context, ended: Iterable[KeyEpoch], *, at: datetime) -> int:
    pieces = 0
    for one in ended:
        some = partial(empty_epoch, pool_id=one.pool_id, epoch=one.epoch)
        while emptied := context.ledger.run(some):
            pieces += emptied
        with context.ledger.begin() as tx:
            request_id = f"shred/{one.pool_id}/{one.epoch}"
            digest = request_digest(one.pool_id, one.epoch)
            if tx.answer(request_id, kind="shred", digest=digest) is None:
                command = tx.command(request_id, kind="shred", at=at, digest=digest)
                pieces += shred_epoch(tx, command, one.pool_id, one.epoch)
                command.finish({"pool": one.pool_id, "epoch": one.epoch, "at": instant_key(at)})
    return pieces
