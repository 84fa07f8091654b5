"""The HTTP routes: one module per noun."""

from api.routes import docs, health, ledger, network, passes, plans

ALL_ROUTERS = (
    health.router,
    network.router,
    passes.router,
    ledger.router,
    plans.router,
    docs.router,
)

__all__ = ["ALL_ROUTERS"]
