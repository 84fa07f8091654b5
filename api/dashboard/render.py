"""Pages from templates: one environment, the words and numbers of every page, strict headers."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FunctionLoader, StrictUndefined

from api.errors import message_of, outcome_of
from api.security.roles import ROLES, WHOLE, bearer_in
from api.security.session import csrf_of
from api.security.viewing import seen_context
from scheduler.domain import Pool, instant_key
from scheduler.services.context import Context

HEADERS = {
    # Nothing on a page comes from elsewhere or from within the page itself.
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

PAGES = (
    ("today", "Today"),
    ("runway", "Key runway"),
    ("passes", "Passes"),
    ("plan", "Plan"),
    ("network", "Network"),
    ("ledger", "Ledger"),
    ("replay", "Replay"),
    ("jobs", "Jobs and health"),
)
"""Every page: the end of its address, and its name."""


Text = Annotated[str, Query(max_length=200)]


def context_of(request: Request) -> Context:
    """What the use cases are handed."""
    return seen_context(request)


def pages_for(context: Context) -> list[tuple[str, str]]:
    """The pages that lead somewhere for whoever asks."""
    return [one for one in PAGES if context.viewer.sees_all or f"GET /ui/{one[0]}" not in WHOLE]


def problem_page(request: Request, title: str, error: Exception) -> HTMLResponse:
    """A page that says what is wrong; the status is the same as the API's."""
    status = outcome_of(error).status
    return page(request, "problem", status=status, title=title, detail=message_of(error))


def page(request: Request, name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return the page of that template."""
    context = context_of(request)
    bearer = bearer_in(request)
    role = None if bearer is None else bearer.token.role

    def may(route: str) -> bool:
        """Whether a form for that route would do anything: changes need somebody signed in."""
        return route.startswith("GET ") if role is None else role in ROLES[route]

    text = (
        _environment()
        .get_template(f"{name}.html")
        .render(
            pages=pages_for(context),
            here=name,
            scenario=context.scenario,
            now=context.clock.now(),
            who=None if bearer is None else bearer.token,
            may=may,
            csrf="" if bearer is None else csrf_of(bearer.secret),
            **values,
        )
    )
    return HTMLResponse(text, status_code=status, headers=HEADERS)


@cache
def _environment() -> Environment:
    folder = files("api.dashboard") / "templates"

    def load(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    found = Environment(
        loader=FunctionLoader(load), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    found.filters |= {
        "bits": bits, "clock": clock, "instant": instant_key, "span": span, "pair": pair_name,
        "passing": pass_name,
    }  # fmt: skip
    return found


def bits(value: float) -> str:
    """An amount of key with its unit, three figures: 12.3 kbit."""
    size, units = float(value), ("bit", "kbit", "Mbit", "Gbit", "Tbit")
    step = 0 if abs(size) < 1000.0 else min(int(math.log10(abs(size)) // 3), len(units) - 1)
    size /= 1000.0**step
    return (
        f"{size:,.0f} {units[step]}"
        if step == 0 or abs(size) >= 100
        else f"{size:.3g} {units[step]}"
    )


def clock(when: datetime | None) -> str:
    """Month, day, hour and minute in UTC."""
    return "-" if when is None else f"{when:%m-%d %H:%M}"


def span(length: timedelta) -> str:
    """A length of time in words: 2 d 3 h, 41 min, 12 s."""
    seconds = max(0, int(length.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def pair_name(pool_id: str) -> str:
    """The two ends of a pool."""
    pool = Pool.parse(pool_id)
    return f"{pool.node_a} – {pool.node_b}"


def pass_name(pass_id: str) -> str:
    """A pass as people name it: satellite/station, month, day, hour and minute."""
    place, _, rise = pass_id.rpartition("/")
    return f"{place} {clock(datetime.fromisoformat(rise))}"
