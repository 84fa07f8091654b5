"""Errors -> RFC 9457 problem documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from api.errors import message_of, outcome_of, outcomes
from api.problem_kinds import PLACE, kind_of, title_of
from api.text import printable

MEDIA_TYPE = "application/problem+json"

_TEXT = {"type": "string"}
_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "detail"],
                "properties": {"field": _TEXT, "value": _TEXT, "allowed": _TEXT, "detail": _TEXT},
            },
        },
    },
}

VALUE_SHOWN_MAX = 200
LIMITS = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "up to {}",
    "exclusiveMaximum": "below {}",
    "minLength": "{} characters at least",
    "maxLength": "{} characters at most",
    "maxItems": "{} at most",
    "pattern": "matching {}",
}
"""What a JSON schema says of a value, in words."""


def allowed_by(schema: Mapping[str, Any]) -> str:
    """Return what a JSON schema allows, in words; empty if anything."""
    said: list[str] = []
    for one in schema.get("anyOf", [schema]):
        said += [words.format(one[name]) for name, words in LIMITS.items() if name in one]
        if "enum" in one:
            said.append("one of " + ", ".join(map(str, one["enum"])))
    return "; ".join(said)


def problem_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that may answer with problems of these statuses."""
    content = {MEDIA_TYPE: {"schema": _SCHEMA}}
    return {status: {"description": title_of(status), "content": content} for status in statuses}


def problem(
    status: int, title: str, detail: str, *, headers: Any = None, **more: Any
) -> JSONResponse:
    """Return a problem document; its `type` leads to a page that says what it means."""
    body = {
        "type": PLACE + kind_of(title),
        "title": title,
        "status": status,
        "detail": detail,
        **more,
    }
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def refusal(_: Scope, status: int, why: str) -> JSONResponse:
    """Return the problem document of what was refused before any route saw it."""
    return problem(status, title_of(status), why)


def add_problem_handlers(app: FastAPI) -> None:
    """Make every error of this application a problem document."""
    for kind in outcomes():
        app.add_exception_handler(kind, _domain_problem)
    app.add_exception_handler(RequestValidationError, _input_problem)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(Exception, _fault)


def _domain_problem(request: Request, error: Exception) -> JSONResponse:
    outcome, detail = outcome_of(error), message_of(error)
    found = _field_in(request, detail)
    return problem(outcome.status, outcome.title, detail, **({"errors": [found]} if found else {}))


def _field_in(request: Request, detail: str) -> dict[str, str] | None:
    """Return the field that an error of ours begins with, its value, and what is allowed."""
    given = {**request.query_params, **request.path_params}
    field = detail.partition(" ")[0]
    name = field if field in given else field.removesuffix("s")
    if name not in given:
        return None
    found = {"field": name, "value": _shown(given[name]), "detail": detail}
    allowed = _allowed_in(detail)
    return {**found, "allowed": allowed} if allowed else found


def _allowed_in(detail: str) -> str:
    """Return what an error of ours says is allowed, or known."""
    return next((detail.partition(word)[2] for word in ("allowed: ", "known: ")
                 if word in detail), "")  # fmt: skip


def _shown(value: Any) -> str:
    """Return a value as it was sent, but never at a length that the sender chose."""
    return printable(str(value))[:VALUE_SHOWN_MAX]


def _input_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    schemas = _parameters(request)
    refused = [_refusal(one, schemas) for one in error.errors()]
    detail = "; ".join(f"{one['field']}: {one['detail']}" for one in refused)
    return problem(422, "Input refused", detail, errors=refused)


def _parameters(request: Request) -> dict[str, dict[str, Any]]:
    """Return the schema of each parameter of the operation that was asked for."""
    document = request.app.openapi()
    path = document["paths"].get(request.scope["route"].path, {})
    operation = path.get("get" if request.method == "HEAD" else request.method.lower(), {})
    return {one["name"]: one.get("schema", {}) for one in operation.get("parameters", [])}


def _refusal(one: dict[str, Any], schemas: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    loc: Sequence[Any] = one["loc"]
    name = ".".join(str(part) for part in loc[1:]) or str(loc[0])
    detail = str(one["msg"]).removeprefix("Value error, ")
    allowed = allowed_by(schemas.get(name, {})) or _allowed_in(detail)
    if one["type"] == "extra_forbidden":
        detail = "unknown parameter"
        allowed = ", ".join(schemas) or "none" if loc[0] == "query" else "what /docs lists"
    elif one["type"] == "json_invalid":
        name, detail = "body", f"not JSON, {one['ctx']['error']} at character {loc[-1]}"
        allowed = "one JSON document"
    elif len(loc) > 1 and one["type"] != "missing" and repr(one["input"]) not in detail:
        detail += f", got {repr(one['input'])[:VALUE_SHOWN_MAX]}"
    if not allowed:
        allowed = detail.partition(", got ")[0].removeprefix("Input should be ")
    found = {"field": name, "detail": detail, "allowed": allowed}
    has_value = one["type"] not in {"missing", "json_invalid"} and len(loc) > 1
    return {**found, "value": _shown(one["input"])} if has_value else found


def _http_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    title = title_of(error.status_code)
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
    return problem(500, "Internal Server Error", "a fault of this server; its log has the details")
