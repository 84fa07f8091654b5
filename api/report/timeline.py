"""A stored plan and what the services know around it -> the picture of its timeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from api.plots import drawable, plan_timeline
from scheduler import services

if TYPE_CHECKING:
    from scheduler.domain import PlanView
    from scheduler.services.context import Context


def draw_plan(path: Path, plan: PlanView, context: Context) -> Path:
    """Draw a plan's timeline to `path` as PNG."""
    stations = {
        station.station_id: drawable(station.name, station.station_id)
        for station in context.scenario.stations
    }
    gap = "" if plan.gap is None else f", gap {100.0 * plan.gap:.3g} %"
    return plan_timeline(
        path,
        title=(
            f"{context.scenario.name}, {plan.start:%Y-%m-%d} to {plan.end:%Y-%m-%d}:"
            f" {plan.booked} sessions booked for {plan.objective} ({plan.solver}{gap})"
        ),
        start=plan.start,
        end=plan.end,
        stations=stations,
        passes=plan.passes,
        nights={name: services.nights(context, name, plan.start, plan.end) for name in stations},
        outages=services.list_outages(context),
    )
