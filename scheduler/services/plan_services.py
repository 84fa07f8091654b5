"""The use cases about plans and bookings, as methods of `Services`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from orbits import as_utc
from scheduler.domain import instant_key
from scheduler.services.context import Context

if TYPE_CHECKING:
    from scheduler.domain import BookingEvent, BookingView, Outage, PlanView, Span

# As in `Services`, use cases are imported when they are called.


class PlanServices(Context):
    """Plans, bookings and outages; `Services` adds the rest."""

    def plan_window(
        self, *, start: datetime, end: datetime, not_before: datetime | None = None
    ) -> dict[str, Any]:
        """Book the passes of a window with what is known at its start: the clockwork's job.

        Passes whose link would begin before `not_before` (a live clock's present) are not
        offered. A repeat returns the first answer.
        """
        from scheduler.services.plans import PlanRequest, plan_window

        return plan_window(self, PlanRequest(start=start, end=end, not_before=not_before))

    def make_plan(
        self,
        *,
        start: datetime,
        end: datetime,
        at: datetime | None = None,
        objective: str | None = None,
        solver: str | None = None,
        seed: int = 0,
        pins: Sequence[str] = (),
        vetoes: Sequence[str] = (),
        allow: Sequence[str] = (),
        request_id: str | None = None,
    ) -> dict[str, Any]:
        """Plan a window anew, keeping what stands as far as it is good, and book what is chosen.

        `at` is the plan's present: what was known by then counts, and what begins before it is
        not booked. By default it is now, or the start of a window that has begun already.
        """
        from scheduler.services.plans import PlanRequest, plan_window

        start, end = as_utc(start), as_utc(end)
        present = as_utc(at) if at is not None else min(self.clock.now(), start)
        return plan_window(
            self,
            PlanRequest(
                start=start,
                end=end,
                at=present,
                objective=objective,
                solver=solver,
                seed=seed,
                pins=tuple(pins),
                vetoes=tuple(vetoes),
                lift=tuple(allow),
                request_id=request_id or f"plan/by-hand/{instant_key(self.clock.now())}",
            ),
        )

    def list_plans(self, *, limit: int = 1000) -> list[PlanView]:
        """The newest plans, without their passes."""
        from scheduler.services.plans import list_plans

        return list_plans(self, limit=limit)

    def get_plan(self, plan_id: str | None = None) -> PlanView:
        """One plan with every pass of its window; without a name the one made last."""
        from scheduler.services.plans import get_plan

        return get_plan(self, plan_id)

    def explain_pass(self, name: str, *, plan_id: str | None = None) -> str:
        """Why a pass was or was not booked, in one sentence with the numbers."""
        from scheduler.services.plans import explain_pass

        return explain_pass(self, name, plan_id=plan_id)

    def bookings(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        state: str | None = None,
        plan_id: str | None = None,
    ) -> list[BookingView]:
        """Bookings by AOS; those of one span, state or plan where named."""
        from scheduler.services.plans import bookings_between

        return bookings_between(self, start=start, end=end, state=state, plan_id=plan_id)

    def booking_events(self, booking_id: UUID) -> list[BookingEvent]:
        """The life of one booking, first event first."""
        with self.ledger.read() as reader:
            return reader.booking_events(booking_id)

    def lock_booking(
        self, booking_id: UUID, *, locked: bool = True, reason: str = ""
    ) -> BookingView:
        """Let no plan move a booking, or let plans move it again."""
        from scheduler.services.plans import get_booking, lock_booking

        lock_booking(self, booking_id, locked=locked, reason=reason)
        return get_booking(self, booking_id)

    def cancel_booking(self, booking_id: UUID, *, reason: str) -> BookingView:
        """Cancel a booking that has not begun, and veto its pass for later plans."""
        from scheduler.services.plans import cancel_booking, get_booking

        cancel_booking(self, booking_id, reason=reason)
        return get_booking(self, booking_id)

    def add_outage(
        self, *, kind: str, name: str, start: datetime, end: datetime, reason: str = ""
    ) -> dict[str, Any]:
        """Take a station or satellite out of service; mark the bookings it meets."""
        from scheduler.services.plans import add_outage

        return add_outage(self, kind=kind, name=name, start=start, end=end, reason=reason)

    def lift_outage(self, outage_id: str) -> dict[str, Any]:
        """Put it back into service."""
        from scheduler.services.plans import lift_outage

        return lift_outage(self, outage_id)

    def outages(self) -> list[Outage]:
        """Every outage that was not lifted, by start."""
        from scheduler.services.plans import outages_of

        with self.ledger.read() as reader:
            return outages_of(reader)

    def nights(self, station: str, start: datetime, end: datetime) -> list[Span]:
        """When it is dark enough at a station for a link, within [start, end)."""
        from scheduler.services.plans import nights

        return nights(self, station, start, end)

    def weather_identity(self) -> str:
        """Which weather plans use, for the identity of a run: a file counts by its content."""
        from scheduler.services.plans.outlook import weather_in_use

        file = self.settings.weather_file
        if file is None:
            return weather_in_use(self)
        return f"file {hashlib.sha256(file.read_bytes()).hexdigest()}"
