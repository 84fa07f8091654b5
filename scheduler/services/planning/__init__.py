"""Use cases around the plan: make it, tell it, and what people decide about bookings."""

from scheduler.services.planning.orders import (
    add_outage,
    cancel_booking,
    lift_outage,
    lock_booking,
    outage_at,
    outages_of,
    with_locks,
)
from scheduler.services.planning.told import (
    bookings_between,
    explain_pass,
    nights,
    told_booking,
    told_plan,
    told_plans,
)
from scheduler.services.planning.window import PlanRequest, plan_window

__all__ = [
    "PlanRequest",
    "add_outage",
    "bookings_between",
    "cancel_booking",
    "explain_pass",
    "lift_outage",
    "lock_booking",
    "nights",
    "outage_at",
    "outages_of",
    "plan_window",
    "told_booking",
    "told_plan",
    "told_plans",
    "with_locks",
]
