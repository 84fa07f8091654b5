"""Use case: what is answered to an operator's token is answered from its part of the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from scheduler.errors import NotAllowed, UnknownName
from scheduler.ledger.books.bookings import find_booking
from scheduler.network import part_of
from scheduler.services.context import Context

if TYPE_CHECKING:
    from uuid import UUID

    from orbits import EarthTime
    from scheduler.domain import Booking
    from scheduler.ledger import Ledger, LedgerView, Reader
    from scheduler.network import Operator

T = TypeVar("T")
K = TypeVar("K")


class OperatorContext(Context):
    """A context as one operator sees it: the same ledger and clock, its part of the scenario.

    For questions alone: a plan for a part of the network would take it for the whole.
    """

    def __init__(self, whole: Context, operator: Operator) -> None:
        super().__init__(whole.settings, clock=whole.clock, entropy=whole.entropy)
        self._whole = whole
        self._archives = whole._archives
        self.scenario, self.viewer = part_of(whole.scenario, operator)

    @property
    def earth(self) -> EarthTime:
        """That of the whole."""
        return self._whole.earth

    @property
    def view(self) -> LedgerView:
        """That of the whole."""
        return self._whole.view

    @property
    def ledger(self) -> Ledger:
        """None. Raises NotAllowed: a part of a network writes nothing."""
        raise NotAllowed("a part of the network is asked to write; allowed: the whole")

    def refresh_elements(self) -> None:
        """Read the element sets anew if there are new ones."""
        self._whole.refresh_elements()

    @property
    def elements_seen(self) -> int:
        """As often as the whole has looked."""
        return self._whole.elements_seen

    def close(self) -> None:
        """Leave everything to the whole."""


def seen_by(context: Context, operator: Operator) -> Context:
    """What an operator's questions are answered from."""
    made = context.parts.get(operator.operator_id)
    if made is None:
        made = context.parts.setdefault(operator.operator_id, OperatorContext(context, operator))
    return made


def shown_rows(
    read: Callable[[K | None, int], Sequence[T]],
    *,
    key: Callable[[T], K],
    shows: Callable[[T], bool],
    after: K | None,
    limit: int,
) -> list[T]:
    """The first `limit` rows behind `after` that are shown, however many are not.

    `read` returns rows behind a key, up to a number; fewer than that are the last.
    """
    found: list[T] = []
    while len(found) < limit:
        rows = read(after, limit)
        found += filter(shows, rows)
        if len(rows) < limit:
            break
        after = key(rows[-1])
    return found[:limit]


def shown_bookings(context: Context, bookings: Iterable[Booking]) -> list[Booking]:
    """Those bookings that whoever asks is shown."""
    return [
        one
        for one in bookings
        if context.viewer.sees(one.candidate.satellite_id, one.candidate.station_ids)
    ]


def shown_booking(context: Context, reader: Reader, booking_id: UUID) -> Booking:
    """One booking. Raises UnknownName, also for one that whoever asks is not shown."""
    booking = find_booking(reader, booking_id)
    if not shown_bookings(context, [booking]):
        raise UnknownName(f"booking {booking_id} is not known; `skytrunk plan bookings` shows them")
    return booking
