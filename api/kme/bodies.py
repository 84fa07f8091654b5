"""Reading what senders send: JSON within limits, each member once, no value ever shown again."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.requests import ClientDisconnect, Request

from api.kme.errors import Refused

BODY_BYTES_MAX = 65_536
DEPTH_MAX = 8
NUMBER_DIGITS_MAX = 18

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_NOT_BRACKETS = re.compile(rb"[^\[\]{}]+")
_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)


async def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request; {} where there is no body. Raises as `read_json`."""
    found = await read_json(request)
    if not isinstance(found, dict):
        raise Refused(400, "the body is no JSON object")
    return found


async def read_json(request: Request) -> Any:
    """Return the JSON of a request; {} where there is no body.

    Raises Refused: 413 for a body too large, 415 for another type, 400 for what is no JSON, is
    nested too deep, or has a member twice.
    """
    raw = await _read(request)
    if not raw.strip():
        return {}
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, "unsupported media type; allowed: application/json")
    if _depth(raw) > DEPTH_MAX:
        raise Refused(400, f"JSON is nested too deep; allowed: {DEPTH_MAX} levels")
    try:
        return json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_members,
            parse_constant=_no_constant,
            parse_int=_whole,
        )
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not JSON in UTF-8, or has a member twice") from None


def query_value(request: Request, name: str) -> str | None:
    """Return a query parameter; None without it. Raises Refused if it stands twice."""
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise Refused(400, f"{name} stands {len(values)} times in the query; allowed: once")
    return values[0] if values else None


def query_number(request: Request, *names: str) -> int | None:
    """Return a whole number of the query, under any of its names. Raises Refused for another."""
    found = {value for name in names if (value := query_value(request, name)) is not None}
    if not found:
        return None
    number = found.pop()
    if found or not _DIGITS.fullmatch(number):
        raise Refused(400, f"{names[0]} in the query; allowed: one whole number")
    return int(number)


def whole_number(body: dict[str, Any], name: str) -> int | None:
    """Return a member that is a whole number; None where it is absent or null."""
    value = body.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise Refused(400, f"{name}; allowed: a whole number")
    return value


def listed(body: dict[str, Any], name: str, *, most: int) -> list[Any]:
    """Return a member that is a list; [] where it is absent or null."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > most:
        raise Refused(400, f"{name}; allowed: a list of up to {most}")
    return value


async def _read(request: Request) -> bytes:
    size = 0
    parts: list[bytes] = []
    try:
        async for part in request.stream():
            size += len(part)
            if size > BODY_BYTES_MAX:
                raise Refused(
                    413,
                    f"body too large; allowed: {BODY_BYTES_MAX} bytes",
                    headers={"Connection": "close"},
                )
            parts.append(part)
    except ClientDisconnect:
        raise Refused(400, "the body was cut off") from None
    return b"".join(parts)


def _depth(raw: bytes) -> int:
    """Return how deep brackets are nested outside strings."""
    depth = deepest = 0
    for bracket in _NOT_BRACKETS.sub(b"", _STRING.sub(b"", raw)):
        if bracket in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def _no_constant(_name: str) -> Any:
    raise ValueError("NaN and infinities are no JSON")


def _whole(digits: str) -> int:
    if len(digits) > NUMBER_DIGITS_MAX:
        raise ValueError("a number beyond all limits")
    return int(digits)
