"""The package keeps its own rules."""

import ast
from pathlib import Path

import qkd

FILES = sorted(Path(qkd.__path__[0]).rglob("*.py"))


def test_all_public_names_exist_and_are_sorted() -> None:
    assert qkd.__all__ == sorted(qkd.__all__)
    assert all(hasattr(qkd, name) for name in qkd.__all__)
    imported = {
        alias.asname or alias.name
        for node in ast.parse(Path(qkd.__file__).read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == set(qkd.__all__)


def test_the_root_error_tells_the_whole_tree() -> None:
    children = [*qkd.QkdError.__subclasses__(), *qkd.QkdInputError.__subclasses__()]
    assert qkd.QkdError.__subclasses__() == [qkd.QkdInputError]
    assert all(child.__name__ in (qkd.QkdError.__doc__ or "") for child in children)


def test_modules_are_short_and_pure() -> None:
    forbidden = {"os", "io", "pathlib", "socket", "random", "time", "orbits", "scheduler", "api"}
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, file
        for node in ast.walk(ast.parse(text)):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {n.split(".")[0] for n in names} & forbidden, file


def _imports(file: Path) -> set[str]:
    """Return the modules of the package that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_no_files_import_each_other_in_a_circle() -> None:
    root = Path(qkd.__path__[0])
    parts = {file: [root.name, *file.relative_to(root).with_suffix("").parts] for file in FILES}
    modules = {
        ".".join(names[:-1] if names[-1] == "__init__" else names): file
        for file, names in parts.items()
    }
    # `from qkd import checks` imports a module; the package itself only where it is asked for.
    below = {name: (_imports(file) & set(modules)) - {"qkd"} for name, file in modules.items()}
    while below:
        free = {name for name, needs in below.items() if not needs & set(below)}
        assert free, f"a circle among {sorted(below)}"
        below = {name: needs for name, needs in below.items() if name not in free}


def test_functions_are_short_and_documented() -> None:
    for file in FILES:
        module = ast.parse(file.read_text(encoding="utf-8"))
        classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
        for owner in (module, *classes):
            for node in owner.body:
                if not isinstance(node, ast.FunctionDef):
                    continue
                # The docstring does not count: it is where the theory is.
                code = [part for part in node.body if not isinstance(part, ast.Expr)]
                if code:
                    assert (node.end_lineno or 0) - code[0].lineno < 70, f"{file}: {node.name}"
                if not node.name.startswith("_"):
                    assert ast.get_docstring(node), f"{file}: {node.name}"
