"""Bookings -> an iCalendar file that calendars can take in again and again (RFC 5545)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from api.text import printable
from scheduler.domain import BookingState
from scheduler.network import stations_of

if TYPE_CHECKING:
    from scheduler.domain import BookingView
    from scheduler.network import Scenario

PRODUCT = "-//Skytrunk//Bookings//EN"
_OFF = {BookingState.CANCELLED, BookingState.MISSED, BookingState.FAILED}


def to_calendar(bookings: Iterable[BookingView], scenario: Scenario) -> str:
    """Return the bookings as one VCALENDAR.

    UID is the booking's own id and SEQUENCE the number of its changes, so that a later file
    updates the entry of an earlier one; what will not happen is STATUS:CANCELLED.
    """
    from icalendar import Calendar, Event

    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for view in bookings:
        booking, candidate = view.booking, view.booking.candidate
        satellite = scenario.satellite(candidate.satellite_id)
        stations = stations_of(scenario, candidate.station_id)
        where = " and ".join(station.name for station in stations)
        event = Event()
        event.add("uid", f"{booking.booking_id}@skytrunk")
        event.add("sequence", view.changes)
        event.add("dtstamp", _second(booking.changed_at))
        event.add("created", _second(booking.booked_at))
        event.add("last-modified", _second(booking.changed_at))
        event.add("dtstart", _second(candidate.acquires_at))
        event.add("dtend", _second(candidate.loses_at))
        event.add("summary", printable(f"{satellite.name} over {where}"))
        event.add("location", printable(where))
        event.add("geo", (stations[0].lat_deg, stations[0].lon_deg))
        event.add("status", _status(booking.state))
        event.add(
            "description",
            f"{booking.state.value}: {printable(booking.reason)}\n"
            f"AOS {candidate.acquires_at:%H:%M:%S}, LOS {candidate.loses_at:%H:%M:%S} UTC,"
            f" up to {candidate.max_elevation_deg:.1f} deg;"
            f" {candidate.expected_bits:,.0f} secret bits expected",
        )
        calendar.add_component(event)
    return bytes(calendar.to_ical()).decode("utf-8")


def _status(state: BookingState) -> str:
    if state in _OFF:
        return "CANCELLED"
    return "TENTATIVE" if state is BookingState.PROPOSED else "CONFIRMED"


def _second(when: datetime) -> datetime:
    """Calendars know whole seconds."""
    return when.replace(microsecond=0)
