"""Bookings, passes, outages -> iCalendar, to be taken in again and again (RFC 5545)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from api.text import printable
from scheduler.domain import BookingState, station_ids
from scheduler.network import stations_of

if TYPE_CHECKING:
    from api.schemas.passes import Pass
    from scheduler.domain import BookingView, Outage
    from scheduler.network import Scenario

PRODUCT = "-//Skytrunk//Bookings//EN"
REFRESH = timedelta(minutes=5)
"""How often a subscribed calendar is asked for to come again."""
_OFF = {BookingState.CANCELLED, BookingState.MISSED, BookingState.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event of a calendar; `sequence` counts its changes."""

    uid: str
    sequence: int
    made_at: datetime
    changed_at: datetime
    starts_at: datetime
    ends_at: datetime
    summary: str
    status: str
    description: str
    station_id: str = ""


def to_calendar(entries: Iterable[Entry], scenario: Scenario, *, alarm_min: int = 10) -> str:
    """Return one VCALENDAR.

    A later file updates the events of an earlier one by UID and SEQUENCE; what will not happen is
    STATUS:CANCELLED. Each event that will has an alarm so many minutes before, none for 0.
    """
    from icalendar import Alarm, Calendar, Event

    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", printable(f"Skytrunk {scenario.title}"))
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    places = {one.station_id: one for one in scenario.stations}
    for one in entries:
        event = Event()
        event.add("uid", one.uid)
        event.add("sequence", one.sequence)
        event.add("dtstamp", _second(one.changed_at))
        event.add("created", _second(one.made_at))
        event.add("last-modified", _second(one.changed_at))
        event.add("dtstart", _second(one.starts_at))
        event.add("dtend", _second(one.ends_at))
        event.add("summary", printable(one.summary))
        if where := [places[name] for name in station_ids(one.station_id) if name in places]:
            event.add("location", printable(" and ".join(place.name for place in where)))
            event.add("geo", (where[0].lat_deg, where[0].lon_deg))
        event.add("status", one.status)
        event.add("description", one.description)
        if alarm_min and one.status != "CANCELLED":
            alarm = Alarm()
            alarm.add("action", "DISPLAY")
            alarm.add("description", printable(one.summary))
            alarm.add("trigger", -timedelta(minutes=alarm_min))
            event.add_component(alarm)
        calendar.add_component(event)
    return bytes(calendar.to_ical()).decode("utf-8")


def booking_entries(bookings: Iterable[BookingView], scenario: Scenario) -> Iterable[Entry]:
    """Yield an event for each booking, from AOS to LOS; UID is its own id."""
    for view in bookings:
        booking, candidate = view.booking, view.booking.candidate
        satellite = scenario.satellite(candidate.satellite_id)
        where = " and ".join(one.name for one in stations_of(scenario, candidate.station_id))
        yield Entry(
            uid=f"{booking.booking_id}@skytrunk",
            sequence=view.changes,
            made_at=booking.booked_at,
            changed_at=booking.changed_at,
            starts_at=candidate.acquires_at,
            ends_at=candidate.loses_at,
            summary=f"{satellite.name} over {where}",
            status=_status(booking.state),
            description=f"{booking.state.value}: {printable(booking.reason)}\n"
            + _figures(
                candidate.acquires_at, candidate.loses_at, candidate.max_elevation_deg,
                candidate.secret_bits,
            )
            + f"\npass {candidate.pass_id}",
            station_id=candidate.station_id,
        )  # fmt: skip


def pass_entries(passes: Iterable[Pass], *, at: datetime) -> Iterable[Entry]:
    """Yield an event for each pass, from rise to set; UID is its id. None of them is decided on."""
    for one in passes:
        link = one.acquires_at is not None and one.loses_at is not None
        lines = [one.why_not or "can be used"]
        if link and one.acquires_at and one.loses_at:
            lines.append(
                _figures(one.acquires_at, one.loses_at, one.max_elevation_deg, one.secret_bits)
            )
        yield Entry(
            uid=f"{one.pass_}@skytrunk",
            sequence=0,
            made_at=at,
            changed_at=at,
            starts_at=one.rises_at,
            ends_at=one.sets_at,
            summary=f"{one.satellite} over {one.station}, {one.max_elevation_deg:.1f} deg",
            status="TENTATIVE",
            description="\n".join([*lines, f"pass {one.pass_}"]),
            station_id=one.station,
        )


def outage_entries(outages: Iterable[Outage], *, at: datetime) -> Iterable[Entry]:
    """Yield an event for each outage."""
    for one in outages:
        yield Entry(
            uid=f"{one.outage_id}@skytrunk",
            sequence=0,
            made_at=at,
            changed_at=at,
            starts_at=one.starts_at,
            ends_at=one.ends_at,
            summary=f"{one.kind} {one.name} out of service",
            status="CONFIRMED",
            description=printable(one.reason) or "no reason given",
            station_id=one.name if one.kind == "station" else "",
        )


def _figures(
    acquires_at: datetime, loses_at: datetime, max_elevation_deg: float, bits: float | None
) -> str:
    key = "" if bits is None else f"; {bits:,.0f} secret bits if clear"
    return (
        f"AOS {acquires_at:%H:%M:%S}, LOS {loses_at:%H:%M:%S} UTC,"
        f" up to {max_elevation_deg:.3f} deg{key}"
    )


def _status(state: BookingState) -> str:
    if state in _OFF:
        return "CANCELLED"
    return "TENTATIVE" if state is BookingState.PROPOSED else "CONFIRMED"


def _second(when: datetime) -> datetime:
    """Calendars know whole seconds."""
    return when.replace(microsecond=0)
