"""What a monitor asks for."""

from __future__ import annotations

from api.schemas.base import Answer, Instant


class Health(Answer):
    """The server answers, and on which scenario."""

    status: str
    scenario: str
    now: Instant


class ElementAge(Answer):
    """How old the newest element set of a satellite is."""

    satellite: str
    age_s: float | None
    young: bool


class Readiness(Answer):
    """Whether all is well, and what is not."""

    ready: bool
    at: Instant
    problems: list[str]
    log_size: int | None
    elements: list[ElementAge]
    last_job_at: Instant | None
