"""Use case: whether all is well."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from scheduler.errors import LedgerMissing
from scheduler.ledger.keys.stock import get_balances

if TYPE_CHECKING:
    from scheduler.services.context import Context


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
