"""The doors through which applications and other networks draw key."""

from api.kme.app import build_app

__all__ = ["build_app"]
