"""Errors -> RFC 9457 problem documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
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
from orbits import OrbitsError, as_utc
from scheduler.domain import instant_key

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
SECRETS = frozenset({"token", "secret", "password"})
_QUOTED = re.compile(r"'([^']*)'")
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


async def _domain_problem(request: Request, error: Exception) -> JSONResponse:
    outcome, detail = outcome_of(error), message_of(error)
    given = {**await _body_of(request), **request.query_params, **request.path_params}
    found = _field_in(given, detail)
    return problem(outcome.status, outcome.title, detail, **({"errors": [found]} if found else {}))


async def _body_of(request: Request) -> dict[str, Any]:
    """Return the fields of a body that its route has read; none of what is not JSON."""
    if request.method not in {"POST", "PUT", "PATCH"}:
        return {}
    try:
        found = await request.json()
    except (ValueError, RuntimeError):  # no JSON; a body that nobody kept
        return {}
    fields = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in fields if name not in SECRETS}


def _field_in(given: Mapping[str, Any], detail: str) -> dict[str, str] | None:
    """Return the field that an error of ours is about, its value, and what is allowed.

    It begins with the field's name, or else quotes its value or a part of that, or names it.
    """
    word = detail.partition(" ")[0].removesuffix(":")
    about = [(name, given[name]) for name in (word, word.removesuffix("s")) if name in given]
    if not about:
        named = sorted(_named_in(given, detail), key=lambda one: one[0])
        about = [(name, value) for _, name, value in named]
    if not about:
        return None
    found = {"field": about[0][0], "value": _shown(about[0][1]), "detail": detail}
    allowed = _allowed_in(detail)
    return {**found, "allowed": allowed} if allowed else found


def _named_in(given: Mapping[str, Any], detail: str) -> Iterator[tuple[tuple[int, int], str, Any]]:
    """Yield how plainly and where a sentence names a value, the value's field, and the value."""
    quoted = [one for one in _QUOTED.findall(detail) if len(one) > 2]
    for name, values in given.items():
        for value in values if isinstance(values, list) else [values]:
            text = str(value)
            ways = ({repr(text)}, {one for one in quoted if one in text}, _spellings(text))
            for plainly, way in enumerate(ways):
                places = [place for one in way if (place := detail.find(one)) >= 0]
                if places:
                    yield (plainly, min(places)), name, value


def _spellings(text: str) -> set[str]:
    """Return how our errors may write a value: as it is, or as the instant that it is."""
    found = {text} if len(text) > 2 else set()
    with suppress(ValueError, OrbitsError):
        when = as_utc(datetime.fromisoformat(text))
        found |= {instant_key(when), when.isoformat(), str(when)}
    return found


def _allowed_in(detail: str) -> str:
    """Return what an error of ours says is allowed or known, or where that is to be seen."""
    return next((detail.partition(word)[2] for word in ("allowed: ", "known: ", "; ")
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
    # Behind the field stand indices, and of a union the names of types.
    loc = [*one["loc"][:2], *(part for part in one["loc"][2:] if re.fullmatch(r"\w+", str(part)))]
    if len(loc) == 1 and isinstance(one["input"], dict):
        detail = str(one["msg"]).removeprefix("Value error, ")
        if (found := _field_in(one["input"], detail)) is not None:
            return found
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
    if not allowed and one["type"] == "missing":
        allowed = str(schemas.get(name, {}).get("description", ""))
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
