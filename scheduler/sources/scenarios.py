"""Scenario files: those that ship with Skytrunk, and a user's own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from scheduler.errors import UnknownName
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

    Raises UnknownName listing the known ones, ScenarioError if the file does not parse.
    """
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise UnknownName(f"scenario file {name}: there is no such file")
        return parse_scenario(path.read_text(encoding="utf-8-sig"))
    known = scenario_names()
    if name not in known:
        raise UnknownName(f"scenario {name!r} is not known; known: {', '.join(known)}")
    text = files("scheduler.scenarios").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return parse_scenario(text)
