"""Element sets from the `tle` folder that ships with Skytrunk."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from orbits import Elements, read_elements


@cache
def packaged_elements() -> tuple[Elements, ...]:
    """Every element set of the `tle` folder, in file order, read once a process."""
    found: list[Elements] = []
    for entry in sorted(files("tle").iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".tle"):
            found += read_elements(entry.read_text(encoding="utf-8"), source=f"tle/{entry.name}")
    return tuple(found)
