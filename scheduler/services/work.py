"""One piece of work of the agenda, done: the same for replays, the live clock and by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scheduler.agenda import Due, Work
from scheduler.services.audit import keep_checkpoint, verify_by_itself
from scheduler.services.bookings import bookings_of_plan
from scheduler.services.keys.announce import announce_due
from scheduler.services.keys.close_block import close_blocks
from scheduler.services.keys.expire import expire_due
from scheduler.services.merges.due import merge_due
from scheduler.services.plans.changes import plan_changes
from scheduler.services.plans.make import plan_window
from scheduler.services.refresh import refresh_elements, refresh_weather
from scheduler.services.segments import close_segment
from scheduler.services.sessions import begin_session, settle_session
from scheduler.services.trunk import deposit_trunk

if TYPE_CHECKING:
    from scheduler.domain import Booking
    from scheduler.services.context import Context

ONE_TRANSACTION = frozenset({Work.SETTLE, Work.TRUNK, Work.MERGE, Work.PLAN, Work.BEGIN})
"""Work that one transaction does, or none where nothing was to be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """What work did: a line for each thing worth one, and the sessions that it booked."""

    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    bookings: list[Booking] = field(default_factory=list)


def perform(context: Context, due: Due) -> Performed:
    """Call the use case that is due."""
    match due.work:
        case Work.BEGIN | Work.SETTLE:
            return _session(context, due)
        case Work.PLAN:
            return _plan(context, due)
        case Work.CLOSE:
            closed = close_blocks(context, at=due.at)
            return Performed(lines=[("block closed", _block(one)) for one in closed])
        case Work.ANNOUNCE:
            announced = announce_due(context, at=due.at)
            return Performed(lines=[("announced", _announced(one)) for one in announced])
        case _:
            return Performed(lines=[(str(due.work), _figures(context, due))])


def _figures(context: Context, due: Due) -> dict[str, Any]:
    match due.work:
        case Work.TRUNK:
            answer = deposit_trunk(context, start=due.since, end=due.at)
            return {"until": due.at.isoformat(), **answer}
        case Work.EXPIRE:
            return expire_due(context, at=due.at)
        case Work.ELEMENTS:
            return refresh_elements(context)
        case Work.WEATHER:
            return refresh_weather(context)
        case Work.VERIFY:
            return verify_by_itself(context)
        case Work.MERGE:
            answer = merge_due(context, scheduled_for=due.at)
            figures = {"at": due.at.isoformat(), "steps": len(answer["steps"])}
            # Nothing merged is common, and worth its reason.
            return figures if answer["steps"] else figures | {"why": answer["reasons"]}
        case Work.SEGMENT:
            return close_segment(context, at=due.at)
        case _:
            return keep_checkpoint(context, at=due.at)


def _session(context: Context, due: Due) -> Performed:
    assert due.booking_id is not None
    if due.work is Work.BEGIN:
        answer = begin_session(context, due.booking_id, at=due.at)
        return Performed(lines=[("announced", _announced(answer))] if answer else [])
    answer = settle_session(context, due.booking_id, at=due.at)
    if not answer:
        return Performed()
    figures = {"station": answer["station"], "at": due.at.isoformat()}
    return Performed(lines=[("session settled", figures | {"secret_bits": answer["secret_bits"]})])


def _plan(context: Context, due: Due) -> Performed:
    if due.if_changed and not plan_changes(context, at=due.at):
        return Performed()  # another process was quicker
    answer = plan_window(context, start=due.at, end=due.until)
    booked = {"at": due.at.isoformat(), "bookings": len(answer["bookings"])}
    return Performed(
        lines=[*(("nothing planned", part) for part in answer["unplanned"]), ("plan", booked)],
        bookings=bookings_of_plan(context, answer),
    )


def _block(closed: dict[str, Any]) -> dict[str, Any]:
    return {
        "station": closed["station"],
        "why": closed["reason"],
        "sessions": len(closed["sessions"]),
        "secret_bits": closed["secret_bits"],
    }


def _announced(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "satellite": answer["satellite"],
        "bits": answer["bits"],
        "blocks": len(answer["blocks"]),
        "why": answer["why"],
    }
