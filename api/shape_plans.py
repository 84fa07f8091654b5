"""Plans, bookings and outages -> the plain documents that every door shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.shape import Document, iso_z, iso_z_or_none, rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.domain import BookingView, Outage, PlannedPass, PlanView

PLANNED_FIELDS = (
    "pass", "satellite", "station", "rises_at", "sets_at", "max_elevation_deg",
    "sun_elevation_deg", "verdict", "acquires_at", "loses_at", "secret_bits",
    "clear_probability", "expected_bits", "booking", "booking_state", "why",
)  # fmt: skip
"""Every field of a planned pass, in the order of every door."""
BOOKING_FIELDS = (
    "booking", "satellite", "station", "acquires_at", "loses_at", "max_elevation_deg", "state",
    "locked", "out_of_service", "expected_bits", "clear_probability", "reason", "plan",
    "booked_at", "changed_at", "changes",
)  # fmt: skip


def planned_fields(planned: PlannedPass) -> Document:
    """Return one pass of a plan."""
    return {
        "pass": planned.pass_id,
        "satellite": planned.satellite,
        "station": planned.station,
        "rises_at": iso_z(planned.rises_at),
        "sets_at": iso_z(planned.sets_at),
        "max_elevation_deg": rounded(planned.max_elevation_deg, 3),
        "sun_elevation_deg": rounded(planned.sun_elevation_deg, 3),
        "verdict": planned.verdict.value,
        "acquires_at": iso_z_or_none(planned.acquires_at),
        "loses_at": iso_z_or_none(planned.loses_at),
        "secret_bits": rounded(planned.secret_bits, 1),
        "clear_probability": rounded(planned.clear_probability, 4),
        "expected_bits": rounded(planned.expected_bits, 1),
        "booking": None if planned.booking_id is None else str(planned.booking_id),
        "booking_state": None if planned.booking_state is None else planned.booking_state.value,
        "why": planned.why,
    }


def plan_summary(told: PlanView) -> Document:
    """Return a plan's figures, without its passes."""
    return {
        "plan": told.plan_id,
        "at": iso_z(told.at),
        "from": iso_z(told.start),
        "to": iso_z(told.end),
        "objective": told.objective,
        "asked_solver": told.asked_solver,
        "solver": told.solver,
        "seed": told.seed,
        "value": told.value,
        "bound": told.bound,
        "gap": told.gap,
        "expected_bits": rounded(told.expected_bits, 1),
        "booked": told.booked,
        "kept": told.kept,
        "cancelled": told.cancelled,
        "fallback": told.fallback,
        "notes": list(told.notes),
        "demands": [
            {
                "demand": demand.demand_id,
                "served_bits": rounded(demand.served_bits, 1),
                "served_share": rounded(demand.served_share, 6),
            }
            for demand in told.demands
        ],
        "link_prices": dict(told.link_prices),
    }


def plan_document(told: PlanView) -> Document:
    """Return a plan with every pass of its window."""
    return {**plan_summary(told), "passes": [planned_fields(item) for item in told.passes]}


def plans_document(plans: Sequence[PlanView]) -> Document:
    """Return plans without their passes."""
    return {"plans": [plan_summary(told) for told in plans]}


def booking_fields(told: BookingView) -> Document:
    """Return one booking as it stands."""
    booking, candidate = told.booking, told.booking.candidate
    return {
        "booking": str(booking.booking_id),
        "satellite": candidate.satellite_id,
        "station": candidate.station_id,
        "acquires_at": iso_z(candidate.acquires_at),
        "loses_at": iso_z(candidate.loses_at),
        "max_elevation_deg": rounded(candidate.max_elevation_deg, 3),
        "state": booking.state.value,
        "locked": booking.locked,
        "out_of_service": told.out_of_service,
        "expected_bits": rounded(candidate.expected_bits, 1),
        "clear_probability": rounded(candidate.clear_probability, 4),
        "reason": booking.reason,
        "plan": booking.plan_id,
        "booked_at": iso_z(booking.booked_at),
        "changed_at": iso_z(booking.changed_at),
        "changes": told.changes,
    }


def outage_document(outage: Outage) -> Document:
    """Return one outage."""
    return {
        "outage": outage.outage_id,
        "kind": outage.kind.value,
        "name": outage.name,
        "from": iso_z(outage.starts_at),
        "to": iso_z(outage.ends_at),
        "reason": outage.reason,
    }
