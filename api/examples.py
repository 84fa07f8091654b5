"""Examples in the OpenAPI document: what was asked of each operation, and what came."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def examples() -> dict[str, dict[str, Any]]:
    """Return the example of each operation, by method and path; the longest lists are cut short."""
    text = (files("api.data") / "examples.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = json.loads(text)
    return found


def add_example(operation: dict[str, Any], name: str) -> None:
    """Put the example of that operation into its part of the document, where there is one."""
    found = examples().get(name, {})
    given = {**found.get("query", {}), **found.get("path", {})}
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in given:
            parameter["example"] = given[parameter["name"]]
    if "body" in found:
        operation["requestBody"]["content"]["application/json"]["example"] = found["body"]
    if "answer" in found:
        (good,) = (one for code, one in operation["responses"].items() if code[0] == "2")
        is_text = isinstance(found["answer"], str)
        for media, content in good["content"].items():
            if media.startswith("text/") is is_text and (is_text or media == "application/json"):
                content["example"] = found["answer"]
                return
