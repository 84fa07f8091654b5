"""Use case: add element sets to the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orbits import read_elements
from scheduler.ledger import ElementRow

if TYPE_CHECKING:
    from scheduler.services.context import Context


def import_elements(context: Context, text: str, *, source: str) -> int:
    """Read every element set of `text`, then add them in one transaction.

    Returns how many were new. Raises orbits.ElementsError naming the line and column of the
    first fault; then nothing is added.
    """
    found = read_elements(text, source=source)
    rows = [
        ElementRow(
            norad_id=elements.norad_id,
            name=elements.name,
            epoch=elements.epoch,
            text=elements.raw,
            sha256=elements.sha256,
            source=source,
            arrived_at=None,
        )
        for elements in found
    ]
    with context.ledger.begin() as tx:
        added = tx.add_elements(rows)
    context.forget_archive()
    return added
