"""Key delivery to applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from scheduler.services.context import Context


def build_app(context: Context) -> ASGIApp:
    """Return the application of the key manager's port."""
    return Starlette()
