"""ETSI GS QKD 020 V1.1.1: keys that the key manager of another network passes on to us."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from api.kme import documents
from api.kme.bodies import listed, read_json, read_object
from api.kme.errors import NO_STORE, Refused
from api.kme.etsi014 import key_id_of
from api.kme.identity import context_of, other_network
from scheduler.services import delivery
from scheduler.services.context import Context

HAS_THEM = "relayed"
HAS_NONE = ("failed", "voided", "key not present")
UNCHANGED = "failed to void"
IDS_MAX = 500
ACKS_MAX = 64

router = APIRouter(prefix="/kmapi", tags=["ETSI GS QKD 020"])


@router.get("/versions", **documents.VERSIONS)
async def versions(request: Request) -> Response:
    """Say which versions of the interface are here."""
    other_network(request)
    return JSONResponse({"versions": ["v1"]}, headers=NO_STORE)


@router.post("/v1/ext_keys", status_code=202, **documents.EXT_KEYS)
async def ext_keys(request: Request) -> Response:
    """Take keys for entities of ours; what became of them is told to the callback."""
    peer = other_network(request)
    body = await read_object(request)
    if body.get("extension_mandatory"):
        raise Refused(400, "not all extension_mandatory parameters are supported")
    keys: dict[UUID, bytes] = {}
    entries = listed(body, "keys", most=IDS_MAX)
    for one in entries:
        if not isinstance(one, dict):
            raise Refused(400, "keys; allowed: a list of objects")
        keys[key_id_of(one.get("key_id"))] = _value(one.get("value"))
    if len(keys) != len(entries):
        raise Refused(400, "keys; allowed: each key_id once")
    initiator, targets = _entities(body)
    context = context_of(request)

    def work() -> None:
        delivery.accept_keys(
            context,
            peer=peer,
            initiator=initiator,
            targets=targets,
            keys=keys,
            callback=_has_callback(context, peer, body),
        )

    await run_in_threadpool(work)
    return _accepted()


@router.post("/v1/ext_keys/void", status_code=202, **documents.EXT_VOID)
async def void(request: Request) -> Response:
    """Let nobody have keys that were passed on, as far as no target has them already."""
    peer = other_network(request)
    body = await read_object(request)
    ids = [key_id_of(one) for one in listed(body, "key_ids", most=IDS_MAX)]
    if not ids or len(set(ids)) != len(ids):
        raise Refused(400, "key_ids; allowed: some, each once")
    initiator, targets = _entities(body)
    context = context_of(request)

    def work() -> None:
        delivery.void_arrived(
            context,
            peer=peer,
            initiator=initiator,
            targets=targets,
            key_ids=ids,
            callback=_has_callback(context, peer, body),
        )

    await run_in_threadpool(work)
    return _accepted()


@router.post("/v1/ext_keys/ack", **documents.EXT_ACK)
async def ack(request: Request) -> Response:
    """Take note of what became of keys that we passed on."""
    peer = other_network(request)
    found = await read_json(request)
    acks = found if isinstance(found, list) else [found]
    if not 1 <= len(acks) <= ACKS_MAX or not all(isinstance(one, dict) for one in acks):
        raise Refused(400, f"the body; allowed: 1 to {ACKS_MAX} acknowledgements")
    context = context_of(request)
    read = [_ack(one) for one in acks]

    def work() -> None:
        for ids, targets, has_them in read:
            if has_them is None:
                continue
            for target in targets:
                delivery.acknowledged(
                    context, peer=peer, target=target, key_ids=ids, has_them=has_them
                )

    await run_in_threadpool(work)
    return JSONResponse({}, headers=NO_STORE)


def _ack(body: dict[str, Any]) -> tuple[list[UUID], list[str], bool | None]:
    """Read one acknowledgement: ids, targets, and whether they have the keys; None: no news."""
    status = body.get("ack_status")
    if status not in (HAS_THEM, UNCHANGED, *HAS_NONE):
        raise Refused(400, "ack_status; allowed: those of the standard")
    entries = listed(body, "key_id_container", most=IDS_MAX)
    ids = [key_id_of(one.get("key_id") if isinstance(one, dict) else None) for one in entries]
    _, targets = _entities(body)
    return ids, targets, None if status == UNCHANGED else status == HAS_THEM


def _entities(body: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return initiator and targets; whether they are known here is decided later."""
    initiator, targets = body.get("initiator_sae_id"), listed(dict(body), "target_sae_ids", most=64)
    if not isinstance(initiator, str) or not all(isinstance(one, str) for one in targets):
        raise Refused(400, "initiator_sae_id, target_sae_ids; allowed: a string, a list of strings")
    return initiator, targets


def _has_callback(context: Context, peer: str, body: Mapping[str, Any]) -> bool:
    """Tell whether an acknowledgement is wanted.

    Raises Refused for one wanted at another server than the settings name for this network: we
    call nobody else.
    """
    url = body.get("ack_callback_url")
    if url is None:
        return False
    known = context.settings.kme_peers.get(peer)
    try:
        there = urlsplit(url).netloc if isinstance(url, str) else ""
    except ValueError:
        there = ""
    if known is not None and there != urlsplit(known.url).netloc:
        raise Refused(400, "ack_callback_url; allowed: at the key manager that kme_peers names")
    return True


def _value(value: Any) -> bytes:
    try:
        return b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise Refused(400, "value; allowed: key in base64") from None


def _accepted() -> Response:
    return JSONResponse({}, status_code=202, headers=NO_STORE)
