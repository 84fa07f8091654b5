"""What the rest of the house may rely on: names, errors, purity, and how short things are."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import orbits
from orbits import errors

SOURCES = sorted(Path(orbits.__file__).parent.rglob("*.py"))


def test_every_public_name_is_there_once_and_in_order() -> None:
    assert len(set(orbits.__all__)) == len(orbits.__all__)
    for name in orbits.__all__:
        assert getattr(orbits, name).__doc__ or name.isupper(), name


def test_every_error_has_the_root_and_stands_in_its_tree() -> None:
    tree = errors.OrbitsError.__doc__ or ""
    for name, value in vars(errors).items():
        if isinstance(value, type):
            assert issubclass(value, errors.OrbitsError)
            assert name in tree
            assert value.__doc__


def test_importing_opens_no_timescale_and_starts_no_pool() -> None:
    code = (
        "import sys, orbits; "
        "late = ('skyfield', 'scipy', 'multiprocessing', 'subprocess', 'orbits.passes.workers'); "
        "print([m for m in late if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_modules_and_functions_are_short() -> None:
    for path in SOURCES:
        text = path.read_text()
        assert len(text.splitlines()) < 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length < 70, f"{path.name}: {node.name} has {length} lines"
                assert ast.get_docstring(node) or node.name.startswith("_") or length < 8, node.name


def test_nothing_here_opens_anything_or_asks_the_time() -> None:
    forbidden = {"open", "print", "input"}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                assert name not in forbidden | {"now", "utcnow", "today", "time"}, path
