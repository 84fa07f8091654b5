"""What people decide about passes and bookings: outages, locks, cancellations, pins, vetoes.

Each decision is a command of the ledger, and its answer holds it: kind `outage`, `outage-lifted`,
`lock`, `cancel` and `directive`. They are read back from there, and the last word on a thing
counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from scheduler.domain import (
    TERMINAL_STATES,
    Booking,
    BookingState,
    Candidate,
    Outage,
    OutageKind,
    instant_key,
)
from scheduler.errors import BookingConflict, InputError, UnknownName

if TYPE_CHECKING:
    from scheduler.ledger import Reader, Transaction
    from scheduler.services.context import Context

TEXT_MAX = 200
"""Characters of a reason that a person gives."""
SLACK = timedelta(seconds=60)
"""New elements shift a pass by moments; a name still means it within this."""
DIRECTIVES = ("pin", "veto", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """What somebody wants of a pass: pinned or vetoed; "none" takes an earlier directive back."""

    satellite: str
    station: str
    at: datetime  #: an instant inside the pass
    directive: str

    def means(self, candidate: Candidate) -> bool:
        """Whether a candidate is (part of) that pass."""
        return (
            (candidate.satellite_id, candidate.station_id) == (self.satellite, self.station)
            and candidate.acquires_at - SLACK <= self.at
            and self.at <= candidate.loses_at + SLACK
        )


def answers_of(reader: Reader, *kinds: str) -> list[dict[str, Any]]:
    """The answers to every command of some kinds, in the order they were given."""
    found: list[tuple[int, dict[str, Any]]] = []
    for kind in kinds:
        after = 0
        while page := reader.commands(kind=kind, after=after):
            found += [(command.command_id, command.answer) for command in page]
            after = page[-1].command_id
    return [answer for _, answer in sorted(found, key=lambda item: item[0])]


# -- outages ----------------------------------------------------------------------------------


def add_outage(
    context: Context, *, kind: str, name: str, start: datetime, end: datetime, reason: str = ""
) -> dict[str, Any]:
    """Take a station or satellite out of service in [start, end); mark the bookings it meets.

    A marked booking stays booked until a new plan gives it up or its time comes, when it is
    missed. One transaction; the same outage again gives the first answer. Raises UnknownName,
    InputError for another kind, FactError for reversed times.
    """
    found = _checked(context, kind, name, reason)
    outage = Outage(kind=found[0], name=found[1], starts_at=start, ends_at=end, reason=reason)
    span = f"{instant_key(outage.starts_at)}/{instant_key(outage.ends_at)}"
    base = f"outage/{outage.kind}/{outage.name}/{span}"
    now = context.clock.now()
    with context.ledger.begin() as tx:
        # Lifted and given again, it is another outage.
        before = [o for o in _all_outages(tx) if o.outage_id.startswith(base)]
        standing = {o.outage_id for o in outages_of(tx)}
        for known in before:
            answer = tx.answer(known.outage_id)
            if known.outage_id in standing and answer is not None:
                return answer
        request_id = f"{base}/{len(before) + 1}"
        outage = replace(outage, outage_id=request_id)
        command = tx.command(request_id, kind="outage", at=now)
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


def check_reason(reason: str) -> None:
    """Raise InputError for a reason that is too long or not printable."""
    if len(reason) > TEXT_MAX or not reason.isprintable():
        raise InputError(
            f"reason {reason[:40]!r} has {len(reason)} characters; allowed: up to {TEXT_MAX},"
            " all printable"
        )


def _mark(tx: Transaction, outage: Outage, *, at: datetime) -> list[UUID]:
    marked: list[UUID] = []
    for booking in tx.bookings(state=BookingState.BOOKED):
        if not meets(outage, booking.candidate):
            continue
        tx.move_booking(
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
    name = candidate.station_id if of_station else candidate.satellite_id
    return (
        outage.name == name
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


def _all_outages(reader: Reader) -> list[Outage]:
    return [
        Outage(
            kind=OutageKind(answer["kind"]),
            name=answer["name"],
            starts_at=datetime.fromisoformat(answer["from"]),
            ends_at=datetime.fromisoformat(answer["to"]),
            reason=answer["reason"],
            outage_id=answer["outage"],
        )
        for answer in answers_of(reader, "outage")
    ]


def outages_of(reader: Reader) -> list[Outage]:
    """Every outage that was not lifted, by start."""
    lifted = {answer["outage"] for answer in answers_of(reader, "outage-lifted")}
    standing = [outage for outage in _all_outages(reader) if outage.outage_id not in lifted]
    return sorted(standing, key=lambda o: (o.starts_at, o.ends_at, o.kind, o.name))


def lift_outage(context: Context, outage_id: str) -> dict[str, Any]:
    """Put it back into service; bookings keep their mark in their history. Raises UnknownName."""
    request_id = f"lift/{outage_id}"
    with context.ledger.begin() as tx:
        answered = tx.answer(request_id)
        if answered is not None:
            return answered
        known = {outage.outage_id: outage for outage in outages_of(tx)}
        if outage_id not in known:
            raise UnknownName(f"outage {outage_id!r} is not known; known: {', '.join(known)}")
        command = tx.command(request_id, kind="outage-lifted", at=context.clock.now())
        answer = outage_fields(known[outage_id])
        command.finish(answer)
    return answer


def outage_at(reader: Reader, candidate: Candidate) -> Outage | None:
    """The first outage that a session meets."""
    return next((outage for outage in outages_of(reader) if meets(outage, candidate)), None)


# -- locks and cancellations ------------------------------------------------------------------


def with_locks(reader: Reader, bookings: Iterable[Booking]) -> list[Booking]:
    """The bookings, each locked or not as was last decided."""
    locks = {answer["booking"]: bool(answer["locked"]) for answer in answers_of(reader, "lock")}
    return [
        replace(booking, locked=locks.get(str(booking.booking_id), booking.locked))
        for booking in bookings
    ]


def lock_booking(
    context: Context, booking_id: UUID, *, locked: bool = True, reason: str = ""
) -> Booking:
    """Let no plan move a booking, or let plans move it again; a repeat changes nothing.

    Raises UnknownName, BookingConflict if its life is over.
    """
    check_reason(reason)
    with context.ledger.begin() as tx:
        (booking,) = with_locks(tx, [tx.booking(booking_id)])
        if booking.state in TERMINAL_STATES:
            raise BookingConflict(f"booking {booking_id} is {booking.state}; its life is over")
        if booking.locked is locked:
            return booking
        turn = sum(a["booking"] == str(booking_id) for a in answers_of(tx, "lock")) + 1
        command = tx.command(f"lock/{booking_id}/{turn}", kind="lock", at=context.clock.now())
        command.finish({"booking": str(booking_id), "locked": locked, "reason": reason})
    return replace(booking, locked=locked)


def cancel_booking(context: Context, booking_id: UUID, *, reason: str) -> Booking:
    """Cancel a booking that has not begun, and veto its pass for later plans.

    A lock keeps plans away, not people. A repeat changes nothing. Raises UnknownName, InputError
    without a reason, BookingConflict for a session under way or over.
    """
    check_reason(reason)
    if not reason.strip():
        raise InputError(f"a cancellation needs a reason, got {reason!r}")
    now = context.clock.now()
    with context.ledger.begin() as tx:
        booking = tx.booking(booking_id)
        if booking.state is BookingState.CANCELLED:
            return booking
        if booking.state not in {BookingState.PROPOSED, BookingState.BOOKED}:
            raise BookingConflict(
                f"booking {booking_id} is {booking.state}; allowed: only one that has not begun"
            )
        command = tx.command(f"cancel/{booking_id}", kind="cancel", at=now)
        tx.move_booking(
            booking_id,
            expected=booking.state,
            to=BookingState.CANCELLED,
            reason=f"cancelled by hand: {reason}",
            at=now,
        )
        command.finish({"booking": str(booking_id), "reason": reason})
        add_directive(tx, directive_for(booking.candidate, "veto"), at=now)
        return tx.booking(booking_id)


# -- pins and vetoes --------------------------------------------------------------------------


def directive_for(candidate: Candidate, directive: str) -> Directive:
    """A directive about the pass of a candidate."""
    middle = candidate.acquires_at + (candidate.loses_at - candidate.acquires_at) / 2
    return Directive(
        satellite=candidate.satellite_id,
        station=candidate.station_id,
        at=middle,
        directive=directive,
    )


def add_directive(tx: Transaction, directive: Directive, *, at: datetime) -> None:
    """Write a directive down; it holds for every later plan until another one follows."""
    assert directive.directive in DIRECTIVES
    number = len(answers_of(tx, "directive")) + 1
    command = tx.command(f"directive/{number}", kind="directive", at=at)
    command.finish(
        {
            "satellite": directive.satellite,
            "station": directive.station,
            "at": instant_key(directive.at),
            "directive": directive.directive,
        }
    )


def directives_of(reader: Reader) -> list[Directive]:
    """Every directive, oldest first."""
    return [
        Directive(
            satellite=answer["satellite"],
            station=answer["station"],
            at=datetime.fromisoformat(answer["at"]),
            directive=answer["directive"],
        )
        for answer in answers_of(reader, "directive")
    ]


def directed(
    directives: Sequence[Directive], candidates: Sequence[Candidate]
) -> tuple[frozenset[str], frozenset[str]]:
    """The passes pinned and vetoed among some candidates; of several directives the last counts."""
    found: dict[str, str] = {}
    for directive in directives:
        for candidate in candidates:
            if directive.means(candidate):
                found[candidate.pass_id] = directive.directive
    return (
        frozenset(name for name, directive in found.items() if directive == "pin"),
        frozenset(name for name, directive in found.items() if directive == "veto"),
    )


def parse_pass(context: Context, name: str) -> Directive:
    """Read satellite/station/instant, any instant of the pass. Raises InputError, UnknownName."""
    parts = name.split("/")
    try:
        satellite, station, text = parts
        at = datetime.fromisoformat(text.split("--")[0])
        if at.tzinfo is None:
            raise ValueError(text)
    except ValueError:
        raise InputError(
            f"pass {name[:80]!r}; allowed: SATELLITE/STATION/INSTANT, an instant of the pass with"
            " its zone, e.g. micius/xinglong/2016-12-19T16:50:00Z"
        ) from None
    return Directive(
        satellite=context.satellite(satellite).satellite_id,
        station=context.stations([station])[0].station_id,
        at=at,
        directive="none",
    )
