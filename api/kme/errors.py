"""Errors of the key-delivery doors: statuses and bodies as their standards have them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.errors import message_of
from api.problems import allowed_methods
from scheduler.errors import (
    ConstraintNotMet,
    InputError,
    KeyRanOut,
    LedgerMissing,
    NotAllowed,
    NotAuthenticated,
    SchedulerError,
    UnknownName,
)

NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""Headers of every answer of these doors."""

PEERS = "/kmapi/"
"""Paths of ETSI GS QKD 020, whose errors are problems of RFC 9457."""

NOT_FOUND = "one or more keys specified are not found on KME"
NOT_MET = "not all extension_mandatory request options could be met"


class Refused(Exception):
    """A request that a door refuses by itself, with its status and message."""

    def __init__(self, status: int, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


def add_error_handlers(app: FastAPI) -> None:
    """Make every error of the doors an answer in their shape."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(SchedulerError, _domain)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(Exception, _fault)


def error_answer(
    request: Request,
    status: int,
    message: str,
    *,
    details: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Return an error in the shape of the door that was asked; never with what was sent."""
    every = {**NO_STORE, **(headers or {})}
    if request.url.path.startswith(PEERS):
        title = HTTPStatus(status).phrase
        problem = {"type": "about:blank", "title": title, "status": status, "detail": message}
        return JSONResponse(
            problem, status_code=status, media_type="application/problem+json", headers=every
        )
    body: dict[str, Any] = {"message": message}
    if details is not None:
        body["details"] = details
    return JSONResponse(body, status_code=status, headers=every)


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return error_answer(request, error.status, str(error), headers=error.headers)


def _domain(request: Request, error: Exception) -> JSONResponse:
    message = message_of(error)
    if isinstance(error, (NotAllowed, NotAuthenticated)):
        return error_answer(request, 401, message)
    if isinstance(error, ConstraintNotMet):
        return error_answer(request, 400, NOT_MET)
    if isinstance(error, LedgerMissing):
        # No fault of who asks, whom the place of a database does not concern either.
        return error_answer(request, 503, "this key manager has no ledger")
    if isinstance(error, (InputError, UnknownName)):
        return error_answer(request, 400, message)
    if isinstance(error, KeyRanOut):
        return error_answer(request, 503, message, details=[{"available": str(error.available)}])
    return error_answer(request, 503, message)


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase.lower()
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(
            sorted(allowed_methods(request.app.state.routes, request.scope))
        )
    return error_answer(request, error.status_code, phrase, headers=headers)


def _validation(request: Request, _error: Exception) -> JSONResponse:
    # What FastAPI would say repeats what was sent.
    return error_answer(request, 400, "bad request format")


def _fault(request: Request, _error: Exception) -> JSONResponse:
    # The traceback goes to the server's log, never to the caller.
    return error_answer(request, 503, "a fault of this server; its log has the details")
