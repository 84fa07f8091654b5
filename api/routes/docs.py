"""The page at /docs: the OpenAPI document made readable on the server, without any script."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, StrictUndefined, Template

from api.problems import allowed_by

router = APIRouter(include_in_schema=False)

# Nothing on the page comes from outside, and a browser is told so.
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
}


@cache
def _template() -> Template:
    text = (files("api.dashboard") / "docs.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(text)


@router.get("/docs", response_class=HTMLResponse)
def docs(request: Request) -> HTMLResponse:
    """Show every operation of the API with its parameters and answers."""
    document = request.app.openapi()
    page = _template().render(info=document["info"], operations=operations_of(document))
    return HTMLResponse(page, headers=SECURITY)


def operations_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one entry an operation of an OpenAPI document, for the page."""
    return [
        {
            "method": method.upper(),
            "path": path,
            "summary": operation.get("description") or operation.get("summary", ""),
            "parameters": [_parameter(one) for one in operation.get("parameters", [])],
            "body": _body_fields(document, operation),
            "fields": _answer_fields(document, operation),
        }
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _parameter(one: dict[str, Any]) -> dict[str, Any]:
    schema = one.get("schema", {})
    return {
        "name": one["name"],
        "required": one.get("required", False),
        "type": type_name(schema),
        "about": _about(one.get("description", ""), schema),
    }


def _about(description: str, schema: dict[str, Any]) -> str:
    """Return what a field means, what it may be, and what it is if it is not given."""
    said = [description or schema.get("description", "")]
    said.append(allowed_by(schema))
    if schema.get("default") not in (None, "", []):
        said.append(f"default {str(schema['default']).lower()}")
    return "; ".join(filter(None, (text.strip().rstrip(".") for text in said)))


def _answer_fields(document: dict[str, Any], operation: dict[str, Any]) -> list[dict[str, str]]:
    good = next(answer for code, answer in operation["responses"].items() if code[0] == "2")
    json_answer = good.get("content", {}).get("application/json")
    return _fields(document, json_answer["schema"], "") if json_answer else []


def _body_fields(document: dict[str, Any], operation: dict[str, Any]) -> list[dict[str, str]]:
    body = operation.get("requestBody")
    if body is None:
        return []
    return _fields(document, body["content"]["application/json"]["schema"], "")


def _fields(document: dict[str, Any], schema: dict[str, Any], path: str) -> list[dict[str, str]]:
    """Return the fields of a schema, those of nested objects with their path before them."""
    if schema.get("type") == "array":
        return _fields(document, schema["items"], f"{path}[]")
    if "$ref" not in schema:
        return []
    model = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    found: list[dict[str, str]] = []
    for name, field in model.get("properties", {}).items():
        here = f"{path}.{name}".lstrip(".")
        needed = "yes" if name in model.get("required", ()) else "no"
        about = _about("", field)
        found.append({"name": here, "type": type_name(field), "needed": needed, "about": about})
        found += _fields(document, field, here)
    return found


def type_name(schema: dict[str, Any]) -> str:
    """Return a short name of a JSON type, e.g. `number or null`, `list of string`."""
    if "anyOf" in schema:
        return " or ".join(type_name(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[1]).lower()
    if "prefixItems" in schema:
        return f"[{', '.join(type_name(one) for one in schema['prefixItems'])}]"
    if schema.get("type") == "array":
        return f"list of {type_name(schema.get('items', {}))}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map of {type_name(schema['additionalProperties'])}"
    return str(schema.get("format") or schema.get("type", "any"))
