"""The HTTP routes: one module per noun."""

from api.routes import (
    alerts,
    bookings,
    docs,
    elements,
    events,
    health,
    jobs,
    ledger,
    merges,
    network,
    pairs,
    passes,
    plans,
    replays,
    runway,
    session,
    tracks,
)

ALL_ROUTERS = (
    health.router,
    network.router,
    passes.router,
    pairs.router,
    tracks.router,
    elements.router,
    plans.router,
    bookings.router,
    ledger.router,
    ledger.sessions_router,
    merges.router,
    runway.router,
    jobs.router,
    alerts.router,
    events.router,
    replays.router,
    session.router,
    docs.router,
)

__all__ = ["ALL_ROUTERS"]
