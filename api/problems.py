"""Errors -> RFC 9457 problem documents."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from api.errors import message_of, outcome_of, outcomes

MEDIA_TYPE = "application/problem+json"

_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}


def problem_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that may answer with problems of these statuses."""
    content = {MEDIA_TYPE: {"schema": _SCHEMA}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in statuses
    }


def problem(
    status: int, title: str, detail: str, *, headers: Any = None, **more: Any
) -> JSONResponse:
    """Return a problem document; `type` is about:blank, the title says which kind it is."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def refusal(_: Scope, status: int, why: str) -> JSONResponse:
    """Return the problem document of what was refused before any route saw it."""
    return problem(status, HTTPStatus(status).phrase, why)


def add_problem_handlers(app: FastAPI) -> None:
    """Make every error of this application a problem document."""
    for kind in outcomes():
        app.add_exception_handler(kind, _domain_problem)
    app.add_exception_handler(RequestValidationError, _input_problem)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(Exception, _fault)


def _domain_problem(_request: Request, error: Exception) -> JSONResponse:
    outcome = outcome_of(error)
    return problem(outcome.status, outcome.title, message_of(error))


def _input_problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    refused = [_refusal(one) for one in error.errors()]
    detail = "; ".join(f"{one['name']}: {one['detail']}" for one in refused)
    return problem(422, "Input refused", detail, errors=refused)


def _refusal(one: dict[str, Any]) -> dict[str, str]:
    # Strings are shown as sent, but never at a length the sender chose.
    loc: Sequence[Any] = one["loc"]
    name = ".".join(str(part) for part in loc[1:]) or str(loc[0])
    detail = str(one["msg"]).removeprefix("Value error, ")
    if one["type"] == "extra_forbidden":
        detail = "unknown parameter"
    elif one["type"] == "json_invalid":
        name, detail = "body", f"not JSON, {one['ctx']['error']} at character {loc[-1]}"
    elif len(loc) > 1 and one["type"] != "missing" and repr(one["input"]) not in detail:
        detail += f", got {repr(one['input'])[:200]}"
    return {"name": name, "detail": detail}


def _http_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    headers = dict(error.headers or {})
    if error.status_code == 405:
        methods = allowed_methods(request.app.state.routes, request.scope)
        headers["Allow"] = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
    return problem(error.status_code, title, str(error.detail), headers=headers)


def allowed_methods(routes: Sequence[BaseRoute], scope: Scope) -> set[str]:
    """Return what a path takes by any of the routes; a router names those of the first alone."""
    found = [one for one in routes if one.matches(scope)[0] is not Match.NONE]
    return {method for one in found for method in getattr(one, "methods", None) or ()}


def _fault(_request: Request, _error: Exception) -> JSONResponse:
    # The traceback goes to the server's log, never to the caller.
    return problem(500, "Internal error", "a fault of this server; its log has the details")
