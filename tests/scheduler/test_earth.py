"""Every use case hands on the UT1 and the leap seconds that its context has."""

from __future__ import annotations

import ast
from pathlib import Path

import scheduler

FOLDER = Path(scheduler.__file__).parent
TURNS = frozenset({
    "Archive", "SunAndMoon", "dark_spans", "find_passes", "forecast_flights", "forecast_passes",
    "link_forecasts", "moon_position_km", "sample_hardware", "sample_links", "sights", "subpoint",
    "sun_position_km", "track", "track_offsets",
})  # fmt: skip
# It only tells two texts of one set apart.
WITHOUT = "Archive(self._read(found))"


def test_nobody_turns_the_earth_by_what_ships_alone() -> None:
    found = [
        f"{path.relative_to(FOLDER)}:{call.lineno}: {text}"
        for path in sorted(FOLDER.rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in TURNS
        for text in [ast.unparse(call)]
        if not any(word in text for word in ("earth", "**known", "**how"))  # which have it
    ]

    assert [one for one in found if WITHOUT not in one] == []
