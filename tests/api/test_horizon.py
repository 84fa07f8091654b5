"""A station's horizon on the command line and over HTTP."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from tests.api.conftest import Command

CAMPAIGN = files("scheduler").joinpath("scenarios", "micius-2016.toml").read_text("utf-8")
NIGHT = (
    "passes", "micius", "--from", "2016-12-19", "--to", "2016-12-20", "--json",
    "--scenario", "walled.toml",
)  # fmt: skip


def test_a_survey_beside_a_scenario_is_obeyed_and_shown(skytrunk: Command, tmp_path: Path) -> None:
    (tmp_path / "walled.toml").write_text(CAMPAIGN)
    free = json.loads(skytrunk(*NIGHT).stdout)["passes"]
    walls = 'mask_deg = 10.0\nhorizon = "walls.csv"'
    (tmp_path / "walled.toml").write_text(CAMPAIGN.replace("mask_deg = 10.0", walls, 1))
    (tmp_path / "walls.csv").write_text("az,el\n0,30\n180,30\n180,5\n")

    walled = json.loads(skytrunk(*NIGHT).stdout)["passes"]
    listed = skytrunk("stations", "--scenario", "walled.toml", "--json")

    station = json.loads(listed.stdout)["stations"][0]
    assert station["horizon"] == [[0.0, 30.0], [180.0, 30.0], [180.0, 5.0]]
    assert json.loads(listed.stdout)["stations"][1]["horizon"] is None
    name = station["station"]
    assert [row for row in walled if row["station"] != name] == [
        row for row in free if row["station"] != name
    ]
    assert [row for row in walled if row["station"] == name] != [
        row for row in free if row["station"] == name
    ]
