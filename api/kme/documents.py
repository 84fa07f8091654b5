"""How the doors describe themselves in OpenAPI: parameters, bodies, every status they answer."""

from __future__ import annotations

from typing import Any, TypedDict


class Described(TypedDict):
    """Keyword arguments of a route that describe it."""

    openapi_extra: dict[str, Any]
    responses: dict[int | str, dict[str, Any]]


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties}


_STRING = {"type": "string"}
_WHOLE = {"type": "integer"}
_FREE = {"type": "object"}
_ERROR = _object(["message"], message=_STRING, details={"type": "array", "items": _FREE})
_ID = {"type": "string", "format": "uuid"}
_CONTAINER = _object(
    ["keys"],
    keys={
        "type": "array",
        "items": _object(["key_ID", "key"], key_ID=_ID, key=_STRING, key_extension=_FREE),
    },
)
_STATUS = _object(
    [
        "source_KME_ID", "target_KME_ID", "master_SAE_ID", "slave_SAE_ID", "key_size",
        "stored_key_count", "max_key_count", "max_key_per_request", "max_key_size",
        "min_key_size", "max_SAE_ID_count",
    ],
    source_KME_ID=_STRING, target_KME_ID=_STRING, master_SAE_ID=_STRING, slave_SAE_ID=_STRING,
    key_size=_WHOLE, stored_key_count=_WHOLE, max_key_count=_WHOLE, max_key_per_request=_WHOLE,
    max_key_size=_WHOLE, min_key_size=_WHOLE, max_SAE_ID_count=_WHOLE, status_extension=_FREE,
)  # fmt: skip
_NULLABLE_WHOLE = {"type": ["integer", "null"], "minimum": 1}
_EXTENSIONS = {"type": ["array", "null"], "items": _FREE}
_KEY_REQUEST = _object(
    [],
    number=_NULLABLE_WHOLE,
    size=_NULLABLE_WHOLE,
    additional_slave_SAE_IDs={"type": ["array", "null"], "items": _STRING},
    extension_mandatory=_EXTENSIONS,
    extension_optional=_EXTENSIONS,
)
_KEY_IDS = _object(
    ["key_IDs"],
    key_IDs={"type": "array", "minItems": 1, "items": _object(["key_ID"], key_ID=_ID)},
)
_WORDS = {
    200: "as asked",
    202: "accepted",
    400: "bad request",
    401: "not authorised",
    404: "nothing there",
    413: "body too large",
    415: "no JSON",
    503: "server side, or not enough key",
}


def answers(
    good: int, schema: Any, *bad: int, error: Any = None, media_type: str = "application/json"
) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route: one that is good, others with an error's body."""
    found: dict[int | str, dict[str, Any]] = {
        good: {"description": _WORDS[good], "content": {"application/json": {"schema": schema}}}
    }
    for status in bad:
        content = {media_type: {"schema": error or _ERROR}}
        found[status] = {"description": _WORDS[status], "content": content}
    return found


def body(schema: Any, *, required: bool = True) -> dict[str, Any]:
    """Return the description of a request's JSON body."""
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": required, "content": content}}


def query(name: str, schema: Any, *, required: bool = False) -> dict[str, Any]:
    """Return the description of one query parameter."""
    return {"name": name, "in": "query", "required": required, "schema": schema}


STATUS: Described = {
    "openapi_extra": {},
    "responses": answers(200, _STATUS, 400, 401, 503),
}
ENC_KEYS_GET: Described = {
    "openapi_extra": {
        "parameters": [
            query("number", {"type": "integer", "minimum": 1}),
            query("size", {"type": "integer", "minimum": 8}),
        ]
    },
    "responses": answers(200, _CONTAINER, 400, 401, 503),
}
ENC_KEYS: Described = {
    "openapi_extra": body(_KEY_REQUEST, required=False),
    "responses": answers(200, _CONTAINER, 400, 401, 413, 415, 503),
}
DEC_KEYS_GET: Described = {
    "openapi_extra": {"parameters": [query("key_ID", _ID, required=True)]},
    "responses": answers(200, _CONTAINER, 400, 401, 503),
}
DEC_KEYS: Described = {
    "openapi_extra": body(_KEY_IDS),
    "responses": answers(200, _CONTAINER, 400, 401, 413, 415, 503),
}
_SYSTEM = query("remoteSystemID", _STRING, required=True)
_SKIP_KEY = _object(["keyId", "key"], keyId=_STRING, key=_STRING)
CAPABILITIES: Described = {
    "openapi_extra": {},
    "responses": answers(
        200,
        _object(
            ["entropy", "key", "algorithm", "localSystemID", "remoteSystemID"],
            entropy={"type": "boolean"},
            key={"type": "boolean"},
            algorithm=_STRING,
            localSystemID=_STRING,
            remoteSystemID={"type": "array", "items": _STRING},
        ),
        401,
        503,
    ),
}
SKIP_KEY: Described = {
    "openapi_extra": {"parameters": [_SYSTEM, query("size", {"type": "integer", "minimum": 8})]},
    "responses": answers(200, _SKIP_KEY, 400, 401, 503),
}
SKIP_KEY_BY_ID: Described = {
    "openapi_extra": {"parameters": [_SYSTEM]},
    "responses": answers(200, _SKIP_KEY, 400, 401, 404, 503),
}
ENTROPY: Described = {
    "openapi_extra": {"parameters": [query("minentropy", {"type": "integer", "minimum": 1})]},
    "responses": answers(
        200,
        _object(["randomStr", "minentropy"], randomStr=_STRING, minentropy=_WHOLE),
        400,
        401,
        503,
    ),
}
_PROBLEM = "application/problem+json"
_NETWORK = {
    "initiator_sae_id": _STRING,
    "target_sae_ids": {"type": "array", "items": _STRING},
    "ack_callback_url": _STRING,
}
_ENTITIES = ["initiator_sae_id", "target_sae_ids"]
VERSIONS: Described = {
    "openapi_extra": {},
    "responses": answers(
        200,
        _object(["versions"], versions={"type": "array", "items": _STRING}),
        401,
        503,
        error=_FREE,
        media_type=_PROBLEM,
    ),
}
_TAKEN = answers(202, _FREE, 400, 401, 413, 415, 503, error=_FREE, media_type=_PROBLEM)
EXT_KEYS: Described = {
    "openapi_extra": body(
        _object(
            ["keys", *_ENTITIES],
            keys={
                "type": "array",
                "items": _object(["key_id", "value"], key_id=_ID, value=_STRING),
            },
            extension_mandatory=_FREE,
            **_NETWORK,
        )
    ),
    "responses": _TAKEN,
}
EXT_VOID: Described = {
    "openapi_extra": body(
        _object(["key_ids", *_ENTITIES], key_ids={"type": "array", "items": _ID}, **_NETWORK)
    ),
    "responses": _TAKEN,
}
EXT_ACK: Described = {
    "openapi_extra": body(
        {
            "type": "array",
            "items": _object(
                ["key_id_container", "ack_status", *_ENTITIES],
                key_id_container={"type": "array", "items": _object(["key_id"], key_id=_ID)},
                ack_status=_STRING,
                **_NETWORK,
            ),
        }
    ),
    "responses": answers(200, _FREE, 400, 401, 413, 415, 503, error=_FREE, media_type=_PROBLEM),
}
