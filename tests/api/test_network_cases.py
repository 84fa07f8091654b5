"""Networks that once came out wrong: over the date line, and with a limit that did not hold."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from api.plots.world import MapPlace, map_bounds
from scheduler.network import NodeKind
from scheduler.sources.scenarios import load_scenario
from tests.api.conftest import Command

CASES = Path(__file__).resolve().parent / "cases"
RING = str(CASES / "ring.toml")
HOURS = ("--from", "2016-12-21", "--to", "2016-12-21T06:00Z")


def test_relays_and_map_stay_at_the_date_line() -> None:
    scenario = load_scenario(str(CASES / "dateline.toml"))

    relays = [node.lon_deg for node in scenario.nodes if node.kind is NodeKind.RELAY]
    assert relays == [179.166667, 179.833333]
    places = [
        MapPlace(name="", kind="relay", lat_deg=node.lat_deg or 0.0, lon_deg=node.lon_deg or 0.0)
        for node in scenario.nodes
    ]
    west, east, _, _ = map_bounds(places)
    assert (west, east) == (171.5, 187.5)


def _drop(folder: Path, bits: int) -> Path:
    folder.mkdir()
    key = hashlib.shake_256(b"a test's key").digest(bits // 8)
    (folder / "k.bin").write_bytes(key)
    block = {
        "pool": "link:a--b", "natural_key": "drop-1", "length_bits": bits, "source": "x",
        "simulated": True, "eps_total": 1e-9, "file": "k.bin",
        "sha256": hashlib.sha256(key).hexdigest(),
    }  # fmt: skip
    manifest = {"format": "skytrunk-keys/1", "blocks": [block]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.slow
def test_a_limit_of_a_link_holds_for_an_import_too(skytrunk: Command, tmp_path: Path) -> None:
    assert skytrunk("replay", "--scenario", RING, *HOURS).returncode == 0

    done = skytrunk("keys", "import", str(_drop(tmp_path / "drop", 100_000)), "--scenario", RING)

    assert (done.returncode, done.stdout) == (2, "")
    assert "100,000 bits for link:a--b, which holds" in done.stderr
    assert "to its buffer_bits of 20,000; nothing is added" in done.stderr
