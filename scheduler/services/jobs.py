"""Use cases of the clockwork itself: what failed, and whether all is well."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scheduler.domain import instant_key
from scheduler.errors import LedgerMissing
from scheduler.ledger.keys.stock import get_balances
from scheduler.ledger.log.canonical import request_digest

if TYPE_CHECKING:
    from scheduler.services.context import Context


def record_failure(context: Context, job: str, *, at: datetime, reason: str) -> None:
    """Write down that a job failed; the reason names the kind of error, never its text."""
    with context.ledger.begin() as tx:
        command = tx.command(
            f"failure/{job}/{instant_key(at)}",
            kind="failure",
            at=at,
            digest=request_digest(job, at, reason),
        )
        command.finish({"job": job, "reason": reason})


def health(context: Context) -> dict[str, Any]:
    """What a monitor wants to know: the scenario, the clock, the ledger's size.

    Without a ledger there are no pools yet, and all is well.
    """
    pools = 0
    with suppress(LedgerMissing), context.view.read() as reader:
        pools = len(get_balances(reader))
    return {
        "status": "ok",
        "scenario": context.scenario.name,
        "now": context.clock.now(),
        "element_sets": len(context.archive),
        "pools": pools,
    }
