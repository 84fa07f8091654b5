"""Use cases around the plan: make it, tell it, and what people decide about bookings."""

from scheduler.services.plans.directives import (
    add_outage,
    cancel_booking,
    lift_outage,
    lock_booking,
    outage_at,
    outages_of,
    with_locks,
)
from scheduler.services.plans.explain import (
    bookings_between,
    explain_pass,
    get_booking,
    get_plan,
    list_plans,
    nights,
)
from scheduler.services.plans.make import PlanRequest, plan_window

__all__ = [
    "PlanRequest",
    "add_outage",
    "bookings_between",
    "cancel_booking",
    "explain_pass",
    "get_booking",
    "get_plan",
    "lift_outage",
    "list_plans",
    "lock_booking",
    "nights",
    "outage_at",
    "outages_of",
    "plan_window",
    "with_locks",
]
