"""The page of each kind of problem: what it means, and what to do."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.dashboard.render import page
from api.problem_kinds import KINDS

router = APIRouter(prefix="/problems", include_in_schema=False)


@router.get("")
def problems(request: Request) -> HTMLResponse:
    """List every kind of problem."""
    return page(request, "problems", kinds=KINDS)


@router.get("/{kind}")
def problem(request: Request, kind: str) -> HTMLResponse:
    """Say what one kind of problem means; 404 with the whole list for one that there is not."""
    found = {kind: KINDS[kind]} if kind in KINDS else KINDS
    return page(request, "problems", status=200 if kind in KINDS else 404, kinds=found)
