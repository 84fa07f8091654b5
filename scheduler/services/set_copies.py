"""Use cases: the element sets of one ledger in another, such as that of a replay thrown away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.errors import LedgerMissing

if TYPE_CHECKING:
    from orbits import Verdict
    from scheduler.ledger import ElementRow
    from scheduler.services.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSets:
    """What was brought into a ledger, and what was decided of any set."""

    rows: tuple[ElementRow, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


def stored_sets(context: Context) -> StoredSets:
    """The element sets that this ledger brought in; none where there is no ledger."""
    from scheduler.ledger.books.elements import get_elements
    from scheduler.ledger.books.verdicts import get_verdicts

    try:
        with context.view.read() as reader:
            return StoredSets(
                rows=tuple(get_elements(reader)), verdicts=tuple(get_verdicts(reader))
            )
    except LedgerMissing:
        return StoredSets()


def copy_sets(context: Context, sets: StoredSets) -> None:
    """Bring the sets and verdicts of another ledger into this one, as they are there."""
    if not sets.rows and not sets.verdicts:
        return
    from scheduler.ledger.books.elements import add_elements
    from scheduler.ledger.books.verdicts import add_verdicts

    with context.ledger.begin() as tx:
        add_elements(tx, sets.rows)
        add_verdicts(tx, sets.verdicts, at=context.clock.now())
    context.refresh_elements()
