"""Scenario files: those that ship with Skytrunk, and a user's own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from scheduler.errors import ScenarioError, UnknownName
from scheduler.network import Scenario, parse_scenario


def scenario_names() -> list[str]:
    """The scenarios that ship with Skytrunk, in alphabetical order."""
    folder = files("scheduler.scenarios")
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def load_scenario(name: str) -> Scenario:
    """Read a scenario by its name, or from a path that ends in `.toml`.

    Raises UnknownName listing the known ones, ScenarioError naming the file and all that is
    wrong with it.
    """
    if name.endswith(".toml"):
        return _read(Path(name))
    return parse_scenario(_shipped(name), base=_shipped)


def _shipped(name: str) -> str:
    known = scenario_names()
    if name not in known:
        raise UnknownName(f"scenario {name!r} is not known; known: {', '.join(known)}")
    return files("scheduler.scenarios").joinpath(f"{name}.toml").read_text(encoding="utf-8")


def _read(path: Path) -> Scenario:
    if not path.is_file():
        raise UnknownName(f"scenario file {path}: there is no such file")
    try:
        # Some editors begin a file with a byte order mark.
        text = path.read_text(encoding="utf-8-sig")
        return parse_scenario(
            text,
            beside=lambda name: _beside(path, name),
            base=lambda name: _beside(path, name) if name.endswith(".toml") else _shipped(name),
        )
    except OSError as error:
        raise ScenarioError(f"scenario file {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ScenarioError(
            f"scenario file {path}: byte {error.start} in line {line} is not UTF-8;"
            " allowed: a text file in UTF-8"
        ) from None
    except ScenarioError as error:
        raise ScenarioError(f"scenario file {path}: {error}") from None


def _beside(scenario: Path, name: str) -> str:
    """The text of a file that a scenario names, from its folder on."""
    path = scenario.parent / name
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ScenarioError(f"file {name!r}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ScenarioError(f"file {name!r}: byte {error.start} is not UTF-8") from None
