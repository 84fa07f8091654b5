"""What the rest of the house may rely on: names, errors, purity, and how short things are."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
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


def _imports_of(path: Path) -> set[str]:
    """The modules of this package that a file imports anywhere, for type checks too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, path
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else str(node.module))
    return found & MODULES.keys()


def _module(path: Path) -> str:
    parts = path.relative_to(Path(orbits.__file__).parent.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {_module(path): path for path in SOURCES}


def test_no_files_import_each_other_in_a_circle() -> None:
    """`TopologicalSorter` raises CycleError with the names of the circle."""
    graph = {name: _imports_of(path) for name, path in MODULES.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


def test_importing_opens_no_timescale_and_no_pool() -> None:
    code = (
        "import sys, orbits; "
        "late = ('skyfield', 'scipy', 'multiprocessing', 'concurrent'); "
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
