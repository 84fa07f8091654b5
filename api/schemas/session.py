"""Who is signed in."""

from __future__ import annotations

from api.schemas.base import Answer, Instant
from scheduler.domain import Role


class Session(Answer):
    """Who asks, and what they may do; all null where nobody has to say."""

    name: str | None
    role: Role | None
    expires_at: Instant | None
    csrf: str | None
    """For the header X-CSRF-Token of changes that are asked for by cookie."""
