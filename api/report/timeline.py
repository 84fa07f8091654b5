"""A stored plan and what the services know around it -> the bars of its timeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scheduler import services
from scheduler.domain import TERMINAL_STATES, BookingState, OutageKind, Verdict

if TYPE_CHECKING:
    from api.plots import PassBar
    from scheduler.domain import PlannedPass, PlanView
    from scheduler.services.context import Context

_OFF = TERMINAL_STATES - {BookingState.SETTLED}


def draw_plan(path: Path, plan: PlanView, context: Context) -> Path:
    """Draw a plan's timeline to `path` as PNG."""
    from api.plots import OutageBar, drawable, plan_timeline

    stations = {
        station.station_id: drawable(station.name, station.station_id)
        for station in context.scenario.stations
    }
    outages = [
        OutageBar(
            station=outage.name if outage.kind is OutageKind.STATION else None,
            start=outage.starts_at,
            end=outage.ends_at,
            label=outage.reason,
        )
        for outage in services.list_outages(context)
    ]
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
        passes=[_bar(planned) for planned in plan.passes],
        nights={name: services.nights(context, name, plan.start, plan.end) for name in stations},
        outages=outages,
    )


def _bar(planned: PlannedPass) -> PassBar:
    from api.plots import Look, PassBar

    if planned.verdict is Verdict.DAYLIGHT:
        look = Look.DAYLIGHT
    elif planned.verdict is Verdict.LEFT_OUT:
        look = Look.LEFT_OUT
    else:
        look = Look.CANCELLED if planned.booking_state in _OFF else Look.BOOKED
    bits = planned.expected_bits
    return PassBar(
        station=planned.station,
        start=planned.acquires_at or planned.rises_at,
        end=planned.loses_at or planned.sets_at,
        look=look,
        label="" if bits is None or look is Look.LEFT_OUT else f"{bits / 1000.0:,.0f} kbit",
    )
