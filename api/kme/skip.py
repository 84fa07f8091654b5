"""SKIP (draft-singh-skip): capabilities, key, key by id, entropy; systems are entities here."""

from __future__ import annotations

import os
import re
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from api.kme import documents
from api.kme.bodies import query_number, query_value
from api.kme.errors import NO_STORE, NOT_FOUND, Refused
from api.kme.identity import application, check_place, context_of, refuse_self
from api.kme.sending import KeyAnswer
from api.kme.waiting import draws_of, take_keys
from scheduler.domain import Delivery, KeyRequest, check_sae_id
from scheduler.errors import FactError, UnknownName
from scheduler.services import delivery

ENTROPY_BITS_MAX = 4096
_KEY_ID = re.compile(r"[0-9A-Fa-f]{32}", re.ASCII)

router = APIRouter(tags=["SKIP"])


@router.get("/capabilities", **documents.CAPABILITIES)
async def capabilities(request: Request) -> Response:
    """Say who the caller is here, and that it may ask for key with any other system."""
    caller = application(request)
    await run_in_threadpool(delivery.node_of, context_of(request), caller)
    body = {
        "entropy": True,
        "key": True,
        "algorithm": "QKD",
        "localSystemID": caller,
        "remoteSystemID": ["*"],
    }
    return JSONResponse(body, headers=NO_STORE)


@router.get("/key", **documents.SKIP_KEY)
async def new_key(request: Request) -> Response:
    """Draw one key for the caller and a remote system."""
    caller, remote = _systems(request)
    asked = KeyRequest(size_bits=query_number(request, "size"))

    await check_place(request, caller)
    return _answer(request, await draws_of(request).draw(caller, remote, asked))


@router.get("/key/{keyId}", **documents.SKIP_KEY_BY_ID)
async def key_by_id(request: Request, key_id: Annotated[str, Path(alias="keyId")]) -> Response:
    """Collect one key that a remote system drew, once."""
    caller, remote = _systems(request)
    if not _KEY_ID.fullmatch(key_id):
        raise Refused(400, "keyId; allowed: 32 hexadecimal digits")

    await check_place(request, caller)
    try:
        answer = await take_keys(context_of(request), caller, remote, [UUID(key_id)])
    except UnknownName:
        raise Refused(404, NOT_FOUND) from None
    return _answer(request, answer)


@router.get("/entropy", **documents.ENTROPY)
async def entropy(request: Request) -> Response:
    """Give random bits of the operating system: no key, and nobody else's."""
    await run_in_threadpool(delivery.node_of, context_of(request), application(request))
    bits = query_number(request, "minentropy")
    bits = 256 if bits is None else bits
    if not 1 <= bits <= ENTROPY_BITS_MAX:
        raise Refused(400, f"minentropy; allowed: 1 to {ENTROPY_BITS_MAX}")
    size = -(-bits // 8)
    body = {"randomStr": os.urandom(size).hex(), "minentropy": 8 * size}
    return JSONResponse(body, headers=NO_STORE)


def _systems(request: Request) -> tuple[str, str]:
    """Return the caller and the remote system. Raises Refused for one that cannot be."""
    caller, remote = application(request), query_value(request, "remoteSystemID")
    if remote is None:
        raise Refused(400, "remoteSystemID is missing in the query")
    try:
        check_sae_id(remote)
    except FactError as error:
        raise Refused(400, str(error)) from None
    refuse_self(caller, remote)
    return caller, remote


def _answer(request: Request, answer: Delivery) -> Response:
    (key,) = answer.keys
    body = {"keyId": key.key_id.hex, "key": key.material.hex()}
    return KeyAnswer(body, outbox=request.app.state.outbox, answer_ids=(answer.answer_id,))
