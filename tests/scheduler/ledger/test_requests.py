"""A request's id is bound to its content, in every command that the program gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.errors import RequestConflict
from scheduler.ledger import Ledger
from scheduler.ledger.log.canonical import request_digest
from tests.scheduler.ledger.builders import NOON

ROOT = Path(__file__).parents[3]


def _calls() -> Iterator[tuple[str, str, str]]:
    """Every command that is given: where, its kind and its digest, as the source has them."""
    for path in sorted((ROOT / "scheduler").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {"command", "answer"}
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in {"tx", "reader"}
            ):
                given = {one.arg: ast.unparse(one.value) for one in node.keywords}
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                yield where, given.get("kind", ""), given.get("digest", "")


CALLS = list(_calls())


def test_every_command_is_bound_to_its_content() -> None:
    assert len(CALLS) > 50
    unbound = [where for where, kind, digest in CALLS if not kind or digest in {"", "''"}]
    assert unbound == []


@pytest.mark.parametrize("kind", sorted({ast.literal_eval(k) for _, k, _ in CALLS if k[0] == "'"}))
def test_a_redirected_request_is_a_conflict(sqlite_ledger: Ledger, kind: str) -> None:
    first, redirected = (request_digest("pool", recipient) for recipient in ("SAE-B", "SAE-C"))
    with sqlite_ledger.begin() as tx:
        tx.command("same", kind=kind, at=NOON, digest=first).finish({})
    with sqlite_ledger.view.read() as reader:
        assert reader.answer("same", kind=kind, digest=first) == {}
        with pytest.raises(RequestConflict, match="came first with digest"):
            reader.answer("same", kind=kind, digest=redirected)
        with pytest.raises(RequestConflict, match="came first with kind"):
            reader.answer("same", kind="another", digest=first)
    with (
        pytest.raises(RequestConflict, match="came first with digest"),
        sqlite_ledger.begin() as tx,
    ):
        tx.command("same", kind=kind, at=NOON, digest=redirected)


def test_a_digest_tells_contents_apart() -> None:
    contents = [
        ("ab", "c"), ("a", "bc"), ("abc",), (["a", "b"], "c"), (["a"], "b", "c"), (1,), ("1",),
        (None,), (), (NOON,), (True, "x"),
    ]  # fmt: skip
    digests = [request_digest(*content) for content in contents]
    assert len(set(digests)) == len(contents)
    assert request_digest(("a", "b")) == request_digest(["a", "b"])
