"""Use case: an old copy of the ledger was put back, and that was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from scheduler.errors import InputError
from scheduler.ledger.keys.restoring import withdraw_all
from scheduler.ledger.log.canonical import request_digest

if TYPE_CHECKING:
    from scheduler.services.context import Context

KIND = "restored"
REASON_MAX = 500


def restore_ledger(context: Context, *, reason: str) -> dict[str, Any]:
    """Accept an old copy that was put back: withdraw its key, say so in the log, count anew.

    What was delivered, spent or announced since the copy was made, nobody knows; so all key that
    could still go out is withdrawn, in one transaction. Cut short, the ledger stays shut and this
    is done again. Raises InputError without a reason, or if the ledger is as its counter says.
    """
    from scheduler.ledger import open_ledger

    if not reason.strip() or len(reason) > REASON_MAX:
        raise InputError(f"reason {reason[:40]!r}; allowed: 1 to {REASON_MAX} characters")
    _ = context.view  # that there is one
    settings = context.settings
    with open_ledger(
        settings.database_url, key_folder=settings.key_folder, old_copy=True
    ) as ledger:
        contradicted = ledger.contradicted_by_counter()
        if contradicted is None:
            raise InputError("the ledger is as its counter says; there is nothing to restore")
        with ledger.begin() as tx:
            now = context.clock.now()
            command = tx.command(
                f"{KIND}/{uuid4()}", kind=KIND, at=now, digest=request_digest(reason)
            )
            answer = {"reason": reason, "why": contradicted, **withdraw_all(tx, command)}
            command.finish(answer)
        ledger.count_anew()
    return answer
