"""Use case: what time has brought to its end leaves the pools."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scheduler.domain import instant_key
from scheduler.errors import LedgerBroken
from scheduler.ledger.keys.due import is_anything_due
from scheduler.ledger.keys.expiry import let_expire
from scheduler.ledger.keys.transitions import erase_expired
from scheduler.ledger.log.canonical import request_digest

if TYPE_CHECKING:
    from scheduler.services.context import Context

KIND = "expire"
FIGURES = (
    "reservations_released",
    "reservations_uncertain",
    "blocks_expired",
    "bits_expired",
    "keys_closed",
    "blocks_erased",
)
"""What an answer counts."""


def expire_due(context: Context, *, at: datetime, request: str | None = None) -> dict[str, Any]:
    """End what is due at an instant: reservations, blocks, keys that nobody collected.

    One transaction. A reservation in time for nobody gives its key back, unless bytes may have
    left: then it is uncertain. Of a block past its time what is free expires, and what is
    reserved of it when it comes back; its bytes are erased once nobody waits for any. The same
    instant, or `request`, again returns the first answer; where nothing was due nothing is
    written down, and the answer holds zeros.

    Raises LedgerBroken if somebody changed a reservation that is due: it stays as it is, until an
    operator has looked at it, and all else has ended.
    """
    request_id = f"{KIND}/{request or instant_key(at)}"
    # Whoever names a request asks for its answer, whenever that is.
    digest = request_digest(request or at)
    with context.existing_ledger.begin() as tx:
        answered = tx.answer(request_id, kind=KIND, digest=digest)
        if answered is not None:
            return answered
        if not is_anything_due(tx, at):
            return {"at": instant_key(at), **dict.fromkeys(FIGURES, 0)}
        command = tx.command(request_id, kind=KIND, at=at, digest=digest)
        ended = asdict(let_expire(tx, command))
        refusals = ended.pop("refusals")
        answer = {"at": instant_key(at), **ended, "blocks_erased": erase_expired(tx)}
        if refusals and not any(answer[figure] for figure in FIGURES):
            raise LedgerBroken("; ".join(refusals))
        command.finish(answer)
    if refusals:
        raise LedgerBroken("; ".join(refusals))
    return answer
