"""What each setting means and may be, as one page made from the class that reads them."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from pydantic.fields import FieldInfo

from scheduler.settings import Settings

_SIGNS = {Ge: ("ge", "from"), Gt: ("gt", "above"), Le: ("le", "to"), Lt: ("lt", "below")}

HEAD = """\
# Settings

On the command line where a command has the option, as `SKYTRUNK_<NAME>` in the environment, or in a
TOML file (`--config`, `SKYTRUNK_CONFIG`), in this order of precedence. A name that is none stops
the start and says which was probably meant; a value that cannot be is refused with what is allowed.
`SKYTRUNK_KEK` or `SKYTRUNK_KEK_FILE` holds the key-encryption key where no file beside an SQLite
ledger does. This page is made from the class that reads them (`skytrunk settings --page` prints it;
`skytrunk settings` shows what is in force).

| setting | default | allowed | meaning |
|---|---|---|---|
"""


def settings_page() -> str:
    """Return the page, a row a setting, as Markdown."""
    meanings = meanings_of_settings()
    rows = [
        f"| `{name}` | {_code(default_of(field))} | {_escaped(allowed_of(field))}"
        f" | {_escaped(meanings[name])} |"
        for name, field in Settings.model_fields.items()
    ]
    return HEAD + "\n".join(rows) + "\n"


def meanings_of_settings() -> Mapping[str, str]:
    """Return what stands below each field of the class, in one line."""
    (body,) = (
        node.body
        for node in ast.parse(inspect.getsource(Settings)).body
        if isinstance(node, ast.ClassDef)
    )
    found: dict[str, str] = {}
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            words = ast.get_docstring(ast.Module([text], [])) or ""
            found[field.target.id] = " ".join(words.split())
    return found


def default_of(field: FieldInfo) -> str:
    """Return the default as somebody would write it; none for what is left out."""
    return written(field.get_default(call_default_factory=True))


def written(value: Any) -> str:
    """Return a value as somebody would write it. A database's password is never shown."""
    if value in (None, (), {}):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return re.sub(r"(?<=://)([^:/@]+):[^@/]+@", r"\1:...@", str(value))


def allowed_of(field: FieldInfo) -> str:
    """Return what a value may be: its kind, and its limits."""
    limits = [
        f"{word} {getattr(rule, name):,.12g}"
        for rule in field.metadata
        for kind, (name, word) in _SIGNS.items()
        if isinstance(rule, kind)
    ]
    limits += [
        f"a multiple of {one.multiple_of}" for one in field.metadata if isinstance(one, MultipleOf)
    ]
    return " ".join([_kind(field.annotation), *limits])


def _kind(annotation: Any) -> str:
    if get_origin(annotation) in {Union, UnionType}:
        (inner,) = (one for one in get_args(annotation) if one is not NoneType)
        return _kind(inner)
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(annotation))
    names = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "file"}
    if annotation in names:
        return names[annotation]
    return "table" if get_origin(annotation) is dict else "files"


def _code(text: str) -> str:
    return text if text == "none" else f"`{text}`"


def _escaped(text: str) -> str:
    return re.sub(r"([|<>])", r"\\\1", text)
