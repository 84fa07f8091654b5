"""Table, JSON, CSV and HTTP: the same question, the same numbers."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import datetime
from typing import Any

import httpx
import pytest

from api.schemas.passes import Pass
from tests.api.conftest import Command, Replayed

DAY = ("--from", "2016-12-19", "--to", "2016-12-20")
FIRST_FIELDS = [
    "satellite", "norad_id", "station", "rises_at", "culminates_at", "sets_at",
    "max_elevation_deg", "range_km_min",
]  # fmt: skip
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def _json(skytrunk: Command, *arguments: str) -> dict[str, Any]:
    done = skytrunk("passes", *arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, Any] = json.loads(done.stdout)  # fails on anything before or after
    return document


def test_the_night_of_2016_12_19_has_the_published_pass(skytrunk: Command) -> None:
    rows = _json(skytrunk, "micius", "--station", "xinglong", *DAY, "--dark")["passes"]

    (row,) = rows
    assert list(row)[: len(FIRST_FIELDS)] == FIRST_FIELDS
    assert (row["satellite"], row["norad_id"], row["station"]) == ("micius", 41731, "xinglong")
    # Liao et al., Nature 549, 43 (2017), geometry by SGP4: 645.3 km, 47.8 deg, 16:52:14 UTC.
    assert row["range_km_min"] == pytest.approx(645.3, abs=2.0)
    assert row["max_elevation_deg"] == pytest.approx(47.8, abs=0.2)
    nearest = datetime.fromisoformat(row["nearest_at"])
    published = datetime.fromisoformat("2016-12-19T16:52:14Z")
    assert abs((nearest - published).total_seconds()) <= 2.0
    for name in ("rises_at", "culminates_at", "sets_at", "nearest_at", "elements_epoch"):
        assert INSTANT.fullmatch(row[name])
    assert row["rises_at"] < row["culminates_at"] < row["sets_at"]


def test_the_forecast_adds_its_three_fields_and_changes_no_other(skytrunk: Command) -> None:
    plain = _json(skytrunk, "micius", *DAY)["passes"]
    told = _json(skytrunk, "micius", *DAY, "--forecast")["passes"]

    assert all(tuple(row) == Pass.csv_names(forecast=False) for row in plain)
    assert all(tuple(row) == Pass.names() for row in told)
    # Why it cannot be used says more where the key is known.
    added = (*Pass.forecast_names, "why_not")
    assert [{k: v for k, v in row.items() if k not in added} for row in told] == [
        {k: v for k, v in row.items() if k not in added} for row in plain
    ]
    dark = [row for row in told if row["dark"]]
    assert dark
    assert all(row["sifted_bits"] >= row["secret_bits"] >= 0 for row in dark)


@pytest.mark.parametrize("forecast", [False, True])
def test_all_four_interfaces_give_the_same_numbers(
    skytrunk: Command, http: httpx.Client, replayed: Replayed, forecast: bool
) -> None:
    flags = ("--forecast",) if forecast else ()
    # One ledger for all: its sessions taught what their links lose.
    ledger = ("--database", replayed.database)
    question = ("micius", "--station", "xinglong", "--station", "nanshan", *DAY, *flags, *ledger)
    document = _json(skytrunk, *question)
    rows = document["passes"]
    assert len(rows) >= 4

    answer = http.get(
        "/passes",
        params={
            "satellite": "micius", "station": ["xinglong", "nanshan"], "from": "2016-12-19",
            "to": "2016-12-20", "forecast": str(forecast).lower(),
        },
    )  # fmt: skip
    assert answer.status_code == 200
    assert answer.json() == document
    assert [list(row) for row in answer.json()["passes"]] == [list(row) for row in rows]

    in_csv = list(csv.DictReader(io.StringIO(skytrunk("passes", *question, "--csv").stdout)))
    assert [list(row) for row in in_csv] == [list(row) for row in rows]
    assert in_csv == [{name: _csv_cell(value) for name, value in row.items()} for row in rows]

    table = skytrunk("passes", *question).stdout
    for row in rows:
        (line,) = [line for line in table.splitlines() if row["rises_at"][11:23] in line]
        cells = line.split()
        assert f"{row['max_elevation_deg']:.3f}" in cells
        assert f"{row['range_km_min']:.3f}" in cells
        assert row["sets_at"][11:23] in cells
        if forecast and row["dark"]:
            assert f"{row['secret_bits']:,}" in cells
            assert f"{row['sifted_bits']:,}" in cells


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_as_known_at_names_its_rule(skytrunk: Command) -> None:
    told = _json(skytrunk, "micius", *DAY, "--as-known-at", "2016-12-19")

    assert told["rule"] == "known_at"
    assert told["as_known_at"] == "2016-12-19T00:00:00.000Z"
    assert all(epoch <= "2016-12-19T00:00:00.000Z" for epoch in told["elements_epochs"])
    assert _json(skytrunk, "micius", *DAY)["rule"] == "nearest"


def test_a_replays_plan_is_what_is_said_as_known_at_its_instant(
    skytrunk: Command, replayed: Replayed
) -> None:
    # The first window was planned at its start, and the last window at its own.
    for day in ("2016-12-19", "2016-12-20"):
        end = f"{day[:-2]}{int(day[-2:]) + 1}"
        asked = ("--from", day, "--to", end, "--as-known-at", day, "--forecast")
        asked += ("--database", replayed.database)
        told = _json(skytrunk, "micius", *asked)["passes"]
        sessions = [
            done for done in replayed.summary["sessions"] if done["acquires_at"][:10] == day
        ]
        assert sessions
        whole = 0
        for done in sessions:
            (row,) = [
                row for row in told
                if row["station"] == done["station"]
                and row["rises_at"] <= done["acquires_at"] < row["sets_at"]
            ]  # fmt: skip
            # Where two passes clash a part of one may be booked; it rises no higher, gives less.
            assert done["max_elevation_deg"] <= row["max_elevation_deg"] + 1e-3
            assert done["expected_secret_bits"] <= row["secret_bits"] + 1.0
            if done["expected_secret_bits"] >= row["secret_bits"] - 1.0:
                assert row["acquires_at"] == done["acquires_at"]
                assert row["max_elevation_deg"] == pytest.approx(
                    done["max_elevation_deg"], abs=1e-3
                )
                whole += 1
        assert whole > 0


def test_settings_come_from_file_environment_and_command_line(
    skytrunk: Command, tmp_path: Any
) -> None:
    (tmp_path / "settings.toml").write_text("max_element_age_days = 0.001\n")
    asked = ("passes", "micius", "--from", "2016-12-20", "--to", "2016-12-21")  # no set's own day
    refused = skytrunk("--config", "settings.toml", *asked)
    refused_after = skytrunk(*asked, "--config", "settings.toml")
    refused_by_environment = skytrunk(*asked, SKYTRUNK_MAX_ELEMENT_AGE_DAYS="0.001")

    for done in (refused, refused_after, refused_by_environment):
        assert done.returncode == 2
        assert done.stdout == ""
        assert "0.001" in done.stderr
    assert not list(tmp_path.glob("*.db"))  # a question leaves no empty database behind
