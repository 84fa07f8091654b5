"""Every operation of the OpenAPI document has an example, and the example fits."""

from __future__ import annotations

from typing import Any

import httpx
import jsonschema_rs
import pytest

from api.app import create_app
from api.examples import examples
from scheduler.settings import load_settings

DOCUMENT = create_app(load_settings()).openapi()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, ways in DOCUMENT["paths"].items()
    for method, operation in ways.items()
}


def _whole(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with what it refers to."""
    return {**schema, "components": DOCUMENT["components"]}


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_an_operation_has_an_example_that_fits_it(name: str) -> None:
    operation = OPERATIONS[name]
    shown = 0
    for parameter in operation.get("parameters", ()):
        if parameter.get("required"):
            assert "example" in parameter, parameter["name"]
        shown += "example" in parameter
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        assert jsonschema_rs.is_valid(_whole(body["schema"]), body["example"])
        shown += 1
    (good,) = [one for code, one in operation["responses"].items() if code[0] == "2"]
    for media, content in good.get("content", {}).items():
        if media == "application/json":
            assert jsonschema_rs.is_valid(_whole(content["schema"]), content["example"])
        shown += "example" in content
    assert shown or name == "DELETE /session"  # which takes nothing and says nothing


def test_there_is_no_example_of_what_is_not_there() -> None:
    assert set(examples()) == set(OPERATIONS)


ASKED_ALIKE = sorted(
    name
    for name in examples()
    if name.startswith("GET ") and "{" not in name and "ledger/proof" not in name
)
MAY_BE = {"GET /ready": 503, "GET /ledger/checkpoint": 404, "GET /jobs/events": 404}
"""What else may come of another ledger."""


@pytest.mark.parametrize("name", ASKED_ALIKE)
def test_what_an_example_asks_is_answered(name: str, http: httpx.Client) -> None:
    answer = http.get(name.removeprefix("GET "), params=examples()[name].get("query"))

    assert answer.status_code in {200, MAY_BE.get(name, 200)}, answer.text
    head = http.head(name.removeprefix("GET "), params=examples()[name].get("query"))
    assert (head.status_code, head.content) == (answer.status_code, b"")
    assert head.headers["content-type"] == answer.headers["content-type"]
