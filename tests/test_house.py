"""The house rules that a linter does not know."""

import ast
import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import networkx
import pytest

from api.settings_page import meanings_of_settings, settings_page

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = [
    "orbits",
    "qkd",
    "scheduler.domain",
    "scheduler.ledger",
    "scheduler.merge",
    "scheduler.network",
    "scheduler.paths",
    "scheduler.plan",
    "scheduler.services",
    "scheduler.weather",
]

LINES_MAX = 450
FUNCTION_LINES_MAX = 70


def _modules() -> list[Path]:
    found = [
        path
        for name in ("orbits", "qkd", "scheduler", "api")
        for path in (ROOT / name).rglob("*.py")
    ]
    return sorted(found)


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_of_a_package_is_listed(name: str) -> None:
    package = importlib.import_module(name)
    file = Path(str(package.__file__))
    stub = file.with_suffix(".pyi")  # of a package that imports its names when they are used
    imported = {
        alias.asname or alias.name
        for node in ast.walk(_tree(stub if stub.exists() else file))
        if isinstance(node, ast.ImportFrom)
        and (node.level or (node.module or "").split(".")[0] == name.split(".")[0])
        for alias in node.names
    }

    assert imported
    assert imported <= set(package.__all__)
    assert len(set(package.__all__)) == len(package.__all__)
    assert all(hasattr(package, listed) for listed in package.__all__)


def test_the_page_of_settings_is_that_of_their_class() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page()
    assert all(meanings_of_settings().values())


def _imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of ours that a file imports, anywhere in it: in functions, for types."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else node.module


def test_no_files_import_each_other_in_a_circle() -> None:
    # What a package lists is its front; here its own files count.
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in _modules()
        if path.name != "__init__.py"
    }
    graph = networkx.DiGraph(
        (name, other)
        for name, path in files.items()
        for other in _imports(path, files)
        if other in files
    )
    found = networkx.strongly_connected_components(graph)

    assert sorted(sorted(circle) for circle in found if len(circle) > 1) == []


def test_no_module_outgrows_its_room() -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in _modules()}

    assert [str(path) for path, lines in sizes.items() if lines > LINES_MAX] == []


def test_no_function_outgrows_its_page() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in _modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 - _docstring_lines(node)
        > FUNCTION_LINES_MAX
        and "migrations" not in path.parts
    ]

    assert long == []


def _docstring_lines(node: ast.FunctionDef) -> int:
    text = ast.get_docstring(node, clean=False)
    return len(text.splitlines()) if text else 0


def test_every_module_begins_with_one_sentence() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in _modules()
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert silent == []


def test_the_lock_pins_everything_and_names_no_index() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(item for extra in extras.values() for item in extra)]
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}

    assert all("==" in line and "://" not in line for line in lines)
    for requirement in wanted:
        name = requirement.split(">")[0].split("=")[0].split("[")[0].split("<")[0]
        assert name.lower().replace("_", "-") in pinned, name
