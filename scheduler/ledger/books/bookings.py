"""Bookings and the events that make up their lives, written and read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from orbits import as_utc
from scheduler.domain import (
    PAIR_MARK,
    Booking,
    BookingEvent,
    BookingState,
    Candidate,
    DirectiveKind,
)
from scheduler.errors import BookingConflict, UnknownName, WrongState
from scheduler.ledger.db.bulk import execute_many, query
from scheduler.ledger.log.canonical import canonical_json, instant_text
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.reader import Reader
from scheduler.ledger.records import record_of
from scheduler.ledger.schema import BookingEventRow, BookingRow, DirectiveRow
from scheduler.ledger.transaction import Transaction

_DECIDED = (
    select(DirectiveRow.kind)
    .where(DirectiveRow.booking_id == BookingRow.booking_id)
    .order_by(DirectiveRow.command_id.desc(), DirectiveRow.position.desc())
    .limit(1)
    .scalar_subquery()
    .label("decided")
)
_BOOKINGS = select(*BookingRow.__table__.c, _DECIDED)
_FIND = _BOOKINGS.where(BookingRow.booking_id == bindparam("booking_"))
_STATE = select(BookingRow.state).where(BookingRow.booking_id == bindparam("booking_"))
_LAST_EVENT = select(func.max(BookingEventRow.position).label("position")).where(
    BookingEventRow.booking_id == bindparam("booking_")
)
_INTO, _INTO_EVENTS = insert(BookingRow), insert(BookingEventRow)
_LINK = ("acquires_at", "loses_at", "candidate")
_MOVE = (
    update(BookingRow)
    .where(BookingRow.booking_id == bindparam("booking_"), BookingRow.state == bindparam("from_"))
    .values({name: bindparam(f"{name}_") for name in ("state", "reason", "changed_at")})
)
_MOVE_LINK = _MOVE.values({name: bindparam(f"{name}_") for name in _LINK})

IDS_AT_ONCE = 500
"""Names in one statement; SQLite takes 999 of old."""

FREED_STATES = (BookingState.CANCELLED, BookingState.FAILED, BookingState.MISSED)
"""In these, a booking no longer takes up its satellite or station."""


def candidate_text(candidate: Candidate) -> str:
    """Write a candidate as canonical JSON; floats keep their shortest round-trip form."""
    values = {item.name: getattr(candidate, item.name) for item in fields(candidate)}
    return canonical_json(
        {
            name: instant_text(value) if isinstance(value, datetime) else value
            for name, value in values.items()
        }
    )


def read_candidate(text: str) -> Candidate:
    """Read back what `candidate_text` wrote."""
    values: dict[str, Any] = json.loads(text)
    for name in ("acquires_at", "loses_at", "elements_epoch"):
        values[name] = datetime.fromisoformat(values[name])
    return Candidate(**values)


def add_booking(tx: Transaction, booking: Booking) -> None:
    """Write a booking and its first event.

    Raises BookingConflict if it is there already, or if another one that still stands takes
    the satellite or the station at any instant of it.
    """
    candidate = booking.candidate
    connection = tx.raw
    _refuse_overlap(connection, booking)
    row: dict[str, Any] = {
        "booking_id": str(booking.booking_id),
        "satellite_id": candidate.satellite_id,
        "station_id": candidate.station_id,
        **_link(candidate),
        "state": booking.state.value,
        "reason": booking.reason,
        "booked_at": as_utc(booking.booked_at),
        "changed_at": as_utc(booking.changed_at),
        "locked": booking.locked,
        "plan_id": booking.plan_id,
    }
    row = sealed("booking", row)
    execute_many(connection, _INTO, [row])
    tx.trail.record("booking", row["booking_id"], row["sha256"])
    change = (booking.state, booking.reason)
    _add_event(tx, row["booking_id"], 1, booking.booked_at, None, change, candidate)


def _link(candidate: Candidate | None) -> dict[str, Any]:
    """The columns of a booking's link, empty without a candidate."""
    if candidate is None:
        return dict.fromkeys(_LINK)
    return {
        "acquires_at": candidate.acquires_at,
        "loses_at": candidate.loses_at,
        "candidate": candidate_text(candidate),
    }


def _add_event(
    tx: Transaction,
    booking_id: str,
    position: int,
    at: datetime,
    from_state: BookingState | None,
    to: tuple[BookingState, str],
    candidate: Candidate | None,
) -> None:
    state, reason = to
    event: dict[str, Any] = {
        "booking_id": booking_id,
        "position": position,
        "at": as_utc(at),
        "from_state": None if from_state is None else from_state.value,
        "to_state": state.value,
        "reason": reason,
        **_link(candidate),
    }
    event = sealed("booking_event", event)
    execute_many(tx.raw, _INTO_EVENTS, [event])
    tx.trail.record("booking_event", f"{booking_id}/{position}", event["sha256"])


def _takes(nth: int) -> Iterator[ColumnElement[bool]]:
    """Whether a booking takes the nth station: alone, or as one of the two of a dual downlink."""
    column = BookingRow.station_id
    yield column == bindparam(f"alone{nth}_")
    yield column.like(bindparam(f"first{nth}_"))
    yield column.like(bindparam(f"second{nth}_"))


def _stations(station_ids: Iterable[str]) -> dict[str, str]:
    """The values of `_takes`; an id has neither of the two signs that LIKE reads otherwise."""
    values: dict[str, str] = {}
    for nth, name in enumerate(station_ids):
        values |= {
            f"alone{nth}_": name,
            f"first{nth}_": f"{name}{PAIR_MARK}%",
            f"second{nth}_": f"%{PAIR_MARK}{name}",
        }
    return values


@cache
def _meeting(stations: int) -> Select[Any]:
    """Bookings that still stand and take the satellite, or one of so many stations, in a span."""
    return (
        select(*BookingRow.__table__.c)
        .where(
            or_(
                BookingRow.satellite_id == bindparam("satellite_"),
                *(taken for nth in range(stations) for taken in _takes(nth)),
            ),
            BookingRow.acquires_at < bindparam("until_"),
            BookingRow.loses_at > bindparam("since_"),
            and_(*(BookingRow.state != state.value for state in FREED_STATES)),
        )
        .limit(1)
    )


def _refuse_overlap(connection: Connection, booking: Booking) -> None:
    wanted = booking.candidate
    span = {"since_": wanted.acquires_at, "until_": wanted.loses_at}
    asked = {"satellite_": wanted.satellite_id, **span, **_stations(wanted.station_ids)}
    if query(connection, _STATE, {"booking_": str(booking.booking_id)}):
        raise BookingConflict(f"booking {booking.booking_id} is there already")
    if booking.state in FREED_STATES:
        return
    for taken in query(connection, _meeting(len(wanted.station_ids)), asked):
        raise BookingConflict(
            f"{wanted.satellite_id} over {wanted.station_id},"
            f" {wanted.acquires_at:%Y-%m-%d %H:%M:%S}Z to {wanted.loses_at:%H:%M:%S}Z,"
            f" meets booking {taken.booking_id}:"
            f" {taken.satellite_id} over {taken.station_id}, {taken.acquires_at:%H:%M:%S}Z to"
            f" {taken.loses_at:%H:%M:%S}Z ({taken.state})"
        )


def move_booking(
    tx: Transaction,
    booking_id: UUID,
    *,
    expected: BookingState,
    to: BookingState,
    reason: str,
    at: datetime,
    candidate: Candidate | None = None,
) -> None:
    """Move a booking to another state, guarded by the one it must be in.

    With a `candidate` its link is that one from now on: the same pass by newer elements.
    Raises UnknownName if there is no such booking, WrongState if it is in another state.
    """
    connection = tx.raw
    key = str(booking_id)
    values = {"state": to.value, "reason": reason, "changed_at": as_utc(at)}
    if candidate is not None:
        values |= _link(candidate)
    named = {f"{name}_": value for name, value in values.items()}
    moved = execute_many(
        connection,
        _MOVE if candidate is None else _MOVE_LINK,
        [{"booking_": key, "from_": expected.value, **named}],
    )
    if moved.rowcount != 1:
        found = query(connection, _STATE, {"booking_": key})
        if not found:
            raise UnknownName(f"no booking {booking_id}")
        raise WrongState(f"booking {booking_id} is {found[0].state}, expected {expected.value}")
    (last,) = query(connection, _LAST_EVENT, {"booking_": key})
    _add_event(tx, key, last.position + 1, at, expected, (to, reason), candidate)


def get_bookings(
    reader: Reader,
    *,
    state: BookingState | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    satellite_id: str | None = None,
    station_id: str | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int | None = None,
) -> list[Booking]:
    """Bookings by AOS; those of one state, and those whose AOS lies in [since, until).

    Those of one satellite or station, and those behind the AOS and id of `after`, where named.
    Each is locked or not as was last decided.
    """
    asked = _BOOKINGS.order_by(BookingRow.acquires_at, BookingRow.booking_id).limit(limit)
    if state is not None:
        asked = asked.where(BookingRow.state == state.value)
    if since is not None:
        asked = asked.where(BookingRow.acquires_at >= since)
    if until is not None:
        asked = asked.where(BookingRow.acquires_at < until)
    if satellite_id is not None:
        asked = asked.where(BookingRow.satellite_id == satellite_id)
    if station_id is not None:
        asked = asked.where(or_(*_takes(0)))
    if after is not None:
        at, booking_id = after
        later = (BookingRow.acquires_at == at) & (BookingRow.booking_id > booking_id)
        asked = asked.where((BookingRow.acquires_at > at) | later)
    named = {} if station_id is None else _stations([station_id])
    return [_booking(row) for row in reader.connection.execute(asked, named)]


def changes_of(reader: Reader, booking_ids: Sequence[UUID]) -> dict[UUID, int]:
    """How often each of these bookings was changed since it was made."""
    wanted = [str(one) for one in booking_ids]
    found: dict[UUID, int] = {}
    for start in range(0, len(wanted), IDS_AT_ONCE):
        counts = (
            select(BookingEventRow.booking_id, func.count())
            .where(BookingEventRow.booking_id.in_(wanted[start : start + IDS_AT_ONCE]))
            .group_by(BookingEventRow.booking_id)
        )
        rows = reader.connection.execute(counts)
        found |= {UUID(booking_id): count - 1 for booking_id, count in rows}
    return found


def count_bookings(reader: Reader) -> dict[BookingState, int]:
    """How many bookings there are in each state that any is in."""
    rows = reader.connection.execute(
        select(BookingRow.state, func.count()).group_by(BookingRow.state)
    )
    return {BookingState(state): count for state, count in rows}


def find_booking(reader: Reader, booking_id: UUID) -> Booking:
    """The booking of that id. Raises UnknownName."""
    rows = query(reader.connection, _FIND, {"booking_": str(booking_id)})
    if not rows:
        raise UnknownName(f"booking {booking_id} is not known; `skytrunk plan bookings` shows them")
    return _booking(rows[0])


def _booking(row: Any) -> Booking:
    return record_of(
        Booking,
        row,
        booking_id=UUID(row.booking_id),
        candidate=read_candidate(row.candidate),
        state=BookingState(row.state),
        locked=row.locked if row.decided is None else row.decided == DirectiveKind.LOCK,
    )


def get_booking_events(reader: Reader, booking_id: UUID) -> list[BookingEvent]:
    """The life of one booking, first event first."""
    events = (
        select(*BookingEventRow.__table__.c)
        .where(BookingEventRow.booking_id == str(booking_id))
        .order_by(BookingEventRow.position)
    )
    return [
        record_of(
            BookingEvent,
            row,
            booking_id=booking_id,
            from_state=None if row.from_state is None else BookingState(row.from_state),
            to_state=BookingState(row.to_state),
        )
        for row in reader.connection.execute(events)
    ]
