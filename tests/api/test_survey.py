"""`skytrunk survey`: tables, JSON and a picture, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.conftest import Command

ASKED = ("survey", "--satellite", "micius", "--from", "2016-12-10", "--to", "2017-01-10")
PLACES = ("--station", "40.65,16.70,530", "--station", "-33.9,18.4")


def test_a_survey_is_told_in_tables_json_and_a_picture(skytrunk: Command, tmp_path: Path) -> None:
    document = json.loads(skytrunk(*ASKED, *PLACES, "--json").stdout)
    told = skytrunk(*ASKED, *PLACES, "--out", "survey.png", COLUMNS="140")

    assert told.returncode == 0
    assert [row["height_m"] for row in document["rows"]] == [530.0, 0.0]
    for row in document["rows"]:
        assert row["passes"] > row["dark"] >= row["usable"] > 0
        assert f"{row['dry_s'] / 86_400.0:.1f} d" in told.stdout
        assert row["seasons"][-1]["season"] == "all"
    assert "synthetic" in told.stdout
    assert (tmp_path / "survey.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("place", "word"),
    [("40.65", "LAT,LON"), ("a,b", "LAT,LON"), ("1,2,3,4", "LAT,LON"), ("91,0", "91")],
)
def test_a_place_that_is_none_is_refused(skytrunk: Command, place: str, word: str) -> None:
    told = skytrunk(*ASKED, "--station", place)

    assert told.returncode == 2
    assert word in told.stderr
