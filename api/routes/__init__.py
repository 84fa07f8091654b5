"""The HTTP routes: one module per noun."""

from api.routes import docs, elements, health, ledger, network, passes

ALL_ROUTERS = (
    health.router,
    network.router,
    passes.router,
    elements.router,
    ledger.router,
    docs.router,
)

__all__ = ["ALL_ROUTERS"]
