"""Use case: element sets of an object whose identity is not settled are bound to a satellite."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from orbits import as_utc
from orbits.elements.record import NORAD_ID_MAX
from scheduler.domain import BoundElements, ElementBinding, instant_key
from scheduler.errors import InputError
from scheduler.ledger.log.canonical import request_digest
from scheduler.services.plans.directives import check_reason

if TYPE_CHECKING:
    from scheduler.services.context import Context


def bind_elements(
    context: Context, number: int, satellite: str, *, since: datetime, reason: str = ""
) -> BoundElements:
    """Take the sets of a catalogue number, of epochs from an instant on, for a satellite's.

    Those that are there and those still to come; `fetch` asks for that number too. A later
    binding of the same number holds from its own date on. Raises UnknownName, and InputError for
    a number that is the satellite's or another one's of the scenario, or none at all.
    """
    check_reason(reason)
    chosen = context.satellite(satellite)
    if not 1 <= number <= NORAD_ID_MAX:
        raise InputError(f"catalogue number {number}; allowed: 1 to {NORAD_ID_MAX:,}")
    for one in context.scenario.satellites:
        if one.norad_id == number:
            raise InputError(
                f"{number} is {one.satellite_id} itself; allowed: the number of an object that is"
                " no satellite of the scenario"
            )
    start, now = as_utc(since), context.clock.now()
    binding = ElementBinding(
        norad_id=number, satellite_norad_id=chosen.norad_id, since=start, reason=reason
    )
    from scheduler.ledger.books.bindings import add_binding

    request_id = f"bind/{number}/{chosen.norad_id}/{instant_key(start)}"
    digest = request_digest(number, chosen.norad_id, start)
    with context.ledger.begin() as tx:
        if tx.answer(request_id, kind="elements-bound", digest=digest) is None:
            command = tx.command(request_id, kind="elements-bound", at=now, digest=digest)
            add_binding(tx, command, binding)
            command.finish(
                {
                    "norad_id": number,
                    "satellite": chosen.satellite_id,
                    "from": instant_key(start),
                    "reason": reason,
                }
            )
    context.refresh_elements()
    sets = sum(one.epoch >= start for one in context.catalogued(number))
    return BoundElements(satellite=chosen.satellite_id, binding=binding, sets=sets)
