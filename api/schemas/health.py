"""What a monitor asks for."""

from __future__ import annotations

from api.schemas.base import Answer, Instant


class Health(Answer):
    """The server answers, and on which scenario."""

    status: str
    scenario: str
    now: Instant
    element_sets: int
    pools: int
