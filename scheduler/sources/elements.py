"""Element sets from the `tle` folder that ships with Skytrunk."""

from __future__ import annotations

from importlib.resources import files

from orbits import Elements, read_elements


def packaged_elements() -> list[Elements]:
    """Every element set of the `tle` folder, in file order."""
    found: list[Elements] = []
    for entry in sorted(files("tle").iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".tle"):
            found += read_elements(entry.read_text(encoding="utf-8"), source=f"tle/{entry.name}")
    return found
