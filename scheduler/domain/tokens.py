"""Who may use the management API: tokens and their roles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orbits import as_utc
from scheduler.errors import FactError


class Role(StrEnum):
    """What the bearer of a token may do."""

    PLANNER = "planner"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMIN = "admin"
    CALENDAR = "calendar"  #: subscribes to the calendar, and nothing else


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A token for the management API. The secret itself is with its bearer alone."""

    token_id: str
    name: str  #: whose it is
    role: Role
    created_at: datetime
    expires_at: datetime
    revoked: bool = False

    def __post_init__(self) -> None:
        for name in ("created_at", "expires_at"):
            object.__setattr__(self, name, as_utc(getattr(self, name)))
        if not self.created_at < self.expires_at:
            raise FactError(f"token of {self.name}: it would expire before {self.created_at}")

    def counts_at(self, now: datetime) -> bool:
        """Whether it opens anything at `now`."""
        return not self.revoked and self.created_at <= now < self.expires_at
