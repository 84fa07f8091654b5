"""ETSI GS QKD 014 V1.1.1: status, enc_keys, dec_keys, and what real senders make of them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from api.kme import documents
from api.kme.bodies import listed, query_number, query_value, read_object, whole_number
from api.kme.errors import NO_STORE, NOT_FOUND, Refused
from api.kme.identity import application, check_place, context_of, kme_id, refuse_self, shown_kme_id
from api.kme.sending import KeyAnswer
from api.kme.waiting import draws_of, take_keys
from scheduler.domain import (
    DeliveredKey,
    Delivery,
    KeyConstraints,
    KeyOrigin,
    KeyRequest,
    KeyStatus,
    RouteType,
    check_sae_id,
    instant_key,
)
from scheduler.errors import FactError, UnknownName
from scheduler.services import delivery

INT_MAX = 2**31 - 1
"""Figures of a status stay in what small senders read."""
EXTENSIONS_MAX = 16
NODES_MAX = 64
PREFIX = "/api/v1/keys"

router = APIRouter(prefix=PREFIX, tags=["ETSI GS QKD 014"])

Slave = Annotated[str, Path(alias="slave_SAE_ID")]
Master = Annotated[str, Path(alias="master_SAE_ID")]


@router.get("/{slave_SAE_ID}/status", **documents.STATUS)
async def status(request: Request, slave: Slave) -> Response:
    """Say what the caller can draw with a slave, and for how long it lasts."""
    master = _caller(request, slave)
    await check_place(request, master)
    status = partial(delivery.key_status, context_of(request), master=master, slave=slave)
    found = await run_in_threadpool(status)
    source = shown_kme_id(request) or kme_id(found.master_node)
    return JSONResponse({"source_KME_ID": source, **_status_body(found)}, headers=NO_STORE)


@router.get("/{slave_SAE_ID}/enc_keys", **documents.ENC_KEYS_GET)
async def enc_keys_by_query(request: Request, slave: Slave) -> Response:
    """Draw keys: number and size in the query."""
    master = _caller(request, slave)
    asked = KeyRequest(
        number=_or(query_number(request, "number"), 1),
        size_bits=query_number(request, "size", "key_size"),
    )
    return await _enc_keys(request, master, slave, asked)


@router.post("/{slave_SAE_ID}/enc_keys", **documents.ENC_KEYS)
async def enc_keys(request: Request, slave: Slave) -> Response:
    """Draw keys for the caller, a slave, and perhaps additional slaves."""
    master = _caller(request, slave)
    asked = _key_request(await read_object(request))
    return await _enc_keys(request, master, slave, asked)


@router.get("/{master_SAE_ID}/dec_keys", **documents.DEC_KEYS_GET)
async def dec_keys_by_query(request: Request, master: Master) -> Response:
    """Collect one key, its id in the query."""
    slave = _caller(request, master)
    key_id = query_value(request, "key_ID")
    if key_id is None:
        raise Refused(400, "key_ID is missing in the query")
    return await _dec_keys(request, slave, master, [key_id_of(key_id)])


@router.post("/{master_SAE_ID}/dec_keys", **documents.DEC_KEYS)
async def dec_keys(request: Request, master: Master) -> Response:
    """Collect the keys of these ids, all of them or none."""
    slave = _caller(request, master)
    most = context_of(request).settings.keys_per_request_max
    entries = listed(await read_object(request), "key_IDs", most=most)
    if not entries:
        raise Refused(400, "key_IDs is missing or empty")
    ids = [key_id_of(one.get("key_ID") if isinstance(one, dict) else None) for one in entries]
    return await _dec_keys(request, slave, master, ids)


def _caller(request: Request, other: str) -> str:
    """Return who calls, once it is clear that the path names somebody else who could be there."""
    caller = application(request)
    try:
        check_sae_id(other)
    except FactError as error:
        raise Refused(400, str(error)) from None
    refuse_self(caller, other)
    return caller


async def _enc_keys(request: Request, master: str, slave: str, asked: KeyRequest) -> Response:
    await check_place(request, master)
    answer = await draws_of(request).draw(master, slave, asked)
    return _container(request, answer)


async def _dec_keys(request: Request, slave: str, master: str, ids: Sequence[UUID]) -> Response:
    await check_place(request, slave)
    try:
        answer = await take_keys(context_of(request), slave, master, ids)
    except UnknownName:
        raise Refused(400, NOT_FOUND) from None
    return _container(request, answer)


def _container(request: Request, answer: Delivery) -> Response:
    """Return the key container; keys in the order of the request."""
    origins: dict[int, dict[str, Any]] = {}
    body = {"keys": [_key(key, origins) for key in answer.keys]}
    return KeyAnswer(body, outbox=request.app.state.outbox, answer_ids=(answer.answer_id,))


def _key(key: DeliveredKey, origins: dict[int, dict[str, Any]]) -> dict[str, Any]:
    made = origins.get(id(key.origin))
    if made is None:
        made = origins[id(key.origin)] = _origin(key.origin)
    return {
        "key_ID": str(key.key_id),
        "key": b64encode(key.material).decode(),
        "key_extension": made,
    }


def _origin(origin: KeyOrigin) -> dict[str, Any]:
    """Return where a key came from, and who must be corrupt to know it."""
    return {
        "skytrunk_route_type": sorted(origin.route_types),
        "skytrunk_paths": [list(path) for path in origin.paths],
        "skytrunk_threshold": origin.threshold,
        "skytrunk_compromise_sets": [list(nodes) for nodes in origin.compromise_sets],
        "skytrunk_simulated": origin.simulated,
    }


def _status_body(found: KeyStatus) -> dict[str, Any]:
    runway = found.runway
    return {
        "target_KME_ID": kme_id(found.slave_node),
        "master_SAE_ID": found.master,
        "slave_SAE_ID": found.slave,
        "key_size": found.key_size_bits,
        "stored_key_count": min(found.stored_keys, INT_MAX),
        "max_key_count": min(found.stored_keys_max, INT_MAX),
        "max_key_per_request": found.keys_per_request_max,
        "max_key_size": found.key_size_bits_max,
        "min_key_size": found.key_size_bits_min,
        "max_SAE_ID_count": found.slaves_per_request_max,
        "status_extension": {
            "skytrunk_drawn_bits_per_day": runway.drawn_bits_per_day,
            "skytrunk_empty_at": runway.empty_at and instant_key(runway.empty_at),
            "skytrunk_next_key_at": runway.next_key_at and instant_key(runway.next_key_at),
            "skytrunk_next_key_from": runway.next_key_from or None,
        },
    }


def _key_request(body: Mapping[str, Any]) -> KeyRequest:
    """Read a key request; null and [] stand for an absent member, unknown members for nothing."""
    found = dict(body)
    slaves = listed(found, "additional_slave_SAE_IDs", most=INT_MAX)
    if not all(isinstance(one, str) for one in slaves):
        raise Refused(400, "additional_slave_SAE_IDs; allowed: a list of strings")
    return KeyRequest(
        number=_or(whole_number(found, "number"), 1),
        size_bits=whole_number(found, "size"),
        additional_slaves=tuple(slaves),
        mandatory=_constraints(found, "extension_mandatory", must=True),
        preferred=_constraints(found, "extension_optional", must=False),
    )


def _constraints(body: dict[str, Any], name: str, *, must: bool) -> KeyConstraints:
    """Read extensions. Of optional ones those that we do not know are left aside."""
    wanted = KeyConstraints()
    for entry in listed(body, name, most=EXTENSIONS_MAX):
        if not isinstance(entry, dict):
            raise Refused(400, f"{name}; allowed: a list of objects")
        for key, value in entry.items():
            read = _EXTENSIONS.get(key)
            if read is None:
                if must:
                    raise Refused(400, "not all extension_mandatory parameters are supported")
                continue
            try:
                wanted = wanted.with_also(read(value))
            except (TypeError, ValueError):
                raise Refused(400, f"{name}: the value of {key} is not of its form") from None
    return wanted


def _route_type(value: Any) -> KeyConstraints:
    return KeyConstraints(route_type=RouteType(value))


def _disjoint_paths(value: Any) -> KeyConstraints:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return KeyConstraints(min_disjoint_paths=value)


def _max_age(value: Any) -> KeyConstraints:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError
    return KeyConstraints(max_age_s=float(value))


def _avoid_nodes(value: Any) -> KeyConstraints:
    names = value if isinstance(value, list) else None
    if names is None or len(names) > NODES_MAX or not all(isinstance(one, str) for one in names):
        raise TypeError
    return KeyConstraints(avoid_nodes=frozenset(names))


_EXTENSIONS = {
    "skytrunk_route_type": _route_type,
    "skytrunk_min_disjoint_paths": _disjoint_paths,
    "skytrunk_max_age_s": _max_age,
    "skytrunk_avoid_nodes": _avoid_nodes,
}


def key_id_of(value: Any) -> UUID:
    """Read a key id in any case of letters, in the one form with hyphens."""
    try:
        found = UUID(value)
        if str(found) == value.lower():
            return found
    except (TypeError, ValueError, AttributeError):
        pass
    raise Refused(400, "key_ID; allowed: a UUID")


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value
