"""Pages that are for everybody: signing in, and what each kind of problem means."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from api.dashboard.render import page
from api.problem_kinds import KINDS

FIRST = "/ui/today"

router = APIRouter(include_in_schema=False)


@router.get("/problems")
def problems(request: Request) -> HTMLResponse:
    """List every kind of problem."""
    return page(request, "problems", kinds=KINDS)


@router.get("/problems/{kind}")
def problem(request: Request, kind: str) -> HTMLResponse:
    """Say what one kind of problem means; 404 with the whole list for one that there is not."""
    found = {kind: KINDS[kind]} if kind in KINDS else KINDS
    return page(request, "problems", status=200 if kind in KINDS else 404, kinds=found)


@router.get("/ui/sign-in")
def sign_in(
    request: Request, back: Annotated[str, Query(alias="next", max_length=300)] = FIRST
) -> HTMLResponse:
    """Ask for a token, and lead back to the page that was asked for."""
    # Only to a page of ours: `next` comes from an address that anybody may have written.
    found = back if re.fullmatch(r"/ui/[a-z-]+", back) else FIRST
    return page(request, "sign-in", back=found)
