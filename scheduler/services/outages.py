"""Use cases: stations and satellites taken out of service, and put back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from scheduler.domain import (
    BookingState,
    Candidate,
    Outage,
    OutageKind,
    instant_key,
)
from scheduler.errors import InputError, NotAllowed
from scheduler.ledger.books import outages
from scheduler.ledger.books.bookings import get_bookings, move_booking
from scheduler.ledger.log.canonical import request_digest
from scheduler.services.plans.directives import check_reason

if TYPE_CHECKING:
    from scheduler.ledger import Reader, Transaction
    from scheduler.network import Operator
    from scheduler.services.context import Context


def add_outage(
    context: Context,
    *,
    kind: str,
    name: str,
    start: datetime,
    end: datetime,
    reason: str = "",
    operator: Operator | None = None,
) -> dict[str, Any]:
    """Take a station or satellite out of service in [start, end); mark the bookings it meets.

    A marked booking stays booked until a new plan gives it up or its time comes, when it is
    missed. One transaction; the same outage again gives the first answer. Raises UnknownName,
    InputError for another kind, FactError for reversed times, NotAllowed where an `operator`
    names what is another's.
    """
    found = _checked(context, kind, name, reason)
    _check_theirs(context, operator, *found)
    outage = Outage(kind=found[0], name=found[1], starts_at=start, ends_at=end, reason=reason)
    span = f"{instant_key(outage.starts_at)}/{instant_key(outage.ends_at)}"
    base = f"outage/{outage.kind}/{outage.name}/{span}"
    digest = request_digest(outage.kind, outage.name, outage.starts_at, outage.ends_at)
    now = context.clock.now()
    with context.ledger.begin() as tx:
        count, known = outages.count_alike(tx.connection, outage)
        if (
            known is not None
            and (answer := tx.answer(known, kind="outage", digest=digest)) is not None
        ):
            return answer
        # Lifted and given again, it is another outage.
        outage = replace(outage, outage_id=f"{base}/{count + 1}")
        command = tx.command(outage.outage_id, kind="outage", at=now, digest=digest)
        outages.add(tx, command, outage)
        marked = _mark(tx, outage, at=now)
        answer = {**outage_fields(outage), "marked": [str(booking_id) for booking_id in marked]}
        command.finish(answer)
    return answer


def _checked(context: Context, kind: str, name: str, reason: str) -> tuple[OutageKind, str]:
    if kind not in list(OutageKind):
        raise InputError(f"outage of {kind!r}; allowed: {', '.join(OutageKind)}")
    check_reason(reason)
    if OutageKind(kind) is OutageKind.STATION:
        return OutageKind.STATION, context.stations([name])[0].station_id
    return OutageKind.SATELLITE, context.satellite(name).satellite_id


def _check_theirs(context: Context, operator: Operator | None, kind: OutageKind, name: str) -> None:
    sharing = context.scenario.sharing
    if operator is None:
        return
    if kind is OutageKind.STATION:
        theirs = dict(sharing.owners).get(name, "") not in ("", operator.operator_id)
    else:
        theirs = not sharing.may_book(operator, name)
    if theirs:
        raise NotAllowed(
            f"outage of {kind} {name}; allowed to {operator.operator_id}: of what is its own,"
            " or nobody's"
        )


def shown_outages(context: Context, found: Iterable[Outage]) -> list[Outage]:
    """Those outages that whoever asks is shown: of what it sees of the network."""
    return [one for one in found if one.name not in context.viewer.hidden]


def _mark(tx: Transaction, outage: Outage, *, at: datetime) -> list[UUID]:
    marked: list[UUID] = []
    for booking in get_bookings(tx, state=BookingState.BOOKED, until=outage.ends_at):
        if not meets(outage, booking.candidate):
            continue
        move_booking(
            tx,
            booking.booking_id,
            expected=BookingState.BOOKED,
            to=BookingState.BOOKED,
            reason=out_of_service(outage),
            at=at,
        )
        marked.append(booking.booking_id)
    return marked


def meets(outage: Outage, candidate: Candidate) -> bool:
    """Whether an outage overlaps a session of its station or satellite."""
    of_station = outage.kind is OutageKind.STATION
    taken = candidate.station_ids if of_station else (candidate.satellite_id,)
    return (
        outage.name in taken
        and candidate.acquires_at < outage.ends_at
        and outage.starts_at < candidate.loses_at
    )


def out_of_service(outage: Outage) -> str:
    """An outage in words."""
    why = f" ({outage.reason})" if outage.reason else ""
    return (
        f"{outage.kind} {outage.name} is out of service from {instant_key(outage.starts_at)}"
        f" to {instant_key(outage.ends_at)}{why}"
    )


def outage_fields(outage: Outage) -> dict[str, Any]:
    """An outage as it is stored and shown."""
    return {
        "outage": outage.outage_id,
        "kind": outage.kind.value,
        "name": outage.name,
        "from": instant_key(outage.starts_at),
        "to": instant_key(outage.ends_at),
        "reason": outage.reason,
    }


def list_outages(context: Context) -> list[Outage]:
    """Every outage that was not lifted, by start."""
    with context.view.read() as reader:
        return shown_outages(context, outages.standing(reader.connection))


def lift_outage(
    context: Context, outage_id: str, *, operator: Operator | None = None
) -> dict[str, Any]:
    """Put it back into service; bookings keep their mark in their history.

    Raises UnknownName, NotAllowed where it is another's than an `operator`'s.
    """
    if operator is not None:
        for one in list_outages(context):
            if one.outage_id == outage_id:
                _check_theirs(context, operator, one.kind, one.name)
    request_id, digest = f"lift/{outage_id}", request_digest(outage_id)
    with context.existing_ledger.begin() as tx:
        answered = tx.answer(request_id, kind="outage-lifted", digest=digest)
        if answered is not None:
            return answered
        command = tx.command(
            request_id, kind="outage-lifted", at=context.clock.now(), digest=digest
        )
        answer = outage_fields(outages.lift(tx, command, outage_id))
        command.finish(answer)
    return answer


def outage_at(reader: Reader, candidate: Candidate) -> Outage | None:
    """The first outage that a session meets."""
    near = outages.standing(
        reader.connection, since=candidate.acquires_at, until=candidate.loses_at
    )
    return next((outage for outage in near if meets(outage, candidate)), None)
