"""Use cases: what the settled sessions of each link have taught of its loss and its spread."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from scheduler.errors import LedgerMissing
from scheduler.forecast import NOTHING_LEARNED
from scheduler.ledger.books.element_reads import is_missing

if TYPE_CHECKING:
    from scheduler.forecast import Learned
    from scheduler.services.context import Context


def learned_by(context: Context, at: datetime) -> Learned:
    """Measured over expected sifted bits of every session settled by then, by link.

    Nothing where there is no ledger.
    """
    if is_missing(context.settings.database_url):
        return NOTHING_LEARNED
    # SQLAlchemy takes a third of a second to import; a question without a ledger needs none.
    from scheduler.ledger.keys.sessions import measured_ratios

    with suppress(LedgerMissing), context.view.read() as reader:
        return measured_ratios(reader, at=at)
    return NOTHING_LEARNED
