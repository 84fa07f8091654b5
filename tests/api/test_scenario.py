"""`skytrunk scenario list|show|draw`: what each shipped network is, in numbers and on a map."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scheduler.sources.scenarios import load_scenario, scenario_names
from tests.api.conftest import Command


def test_the_list_has_a_row_of_totals_for_every_scenario(skytrunk: Command) -> None:
    rows = json.loads(skytrunk("scenario", "list", "--json").stdout)["scenarios"]
    table = skytrunk("scenario", "list").stdout

    assert [row["scenario"] for row in rows] == scenario_names()
    by_name = {row["scenario"]: row for row in rows}
    assert by_name["cn-qcn-2025"]["fibre_km"] == 10103.0
    trunk = by_name["beijing-shanghai"]
    assert [trunk[key] for key in ("satellites", "stations", "nodes", "links", "users")] == [
        0, 0, 40, 143, 8,
    ]  # fmt: skip
    assert "10,103" in table
    assert all(name in table for name in by_name)


def test_a_scenario_is_shown_with_notes_domains_and_switches(skytrunk: Command) -> None:
    done = skytrunk("scenario", "show", "integrated-4600km", "--json")
    shown = skytrunk("scenario", "show", "integrated-4600km").stdout

    document = json.loads(done.stdout)
    scenario = load_scenario("integrated-4600km")
    assert document["notes"] == list(scenario.notes)
    assert (document["links"], document["users"]) == (len(scenario.links), 157)
    assert [row["satellite"] for row in document["space"]] == ["micius"]
    assert [row["station"] for row in document["ground"]] == ["xinglong", "nanshan"]
    assert {"domain": "jinan", "nodes": 99, "users": 95} in document["domains"]
    assert sum(row["links"] for row in document["switches"]) == 540
    for words in ("9 optical switches", "6 trust domains", "2,312 km of fibre", "synthetic"):
        assert words in shown


@pytest.mark.parametrize(("file", "begins"), [("map.png", b"\x89PNG"), ("map.svg", b"<?xml")])
def test_the_map_of_a_scenario_is_drawn(
    file: str, begins: bytes, skytrunk: Command, tmp_path: Path
) -> None:
    done = skytrunk("scenario", "draw", "ports", file)

    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    drawn = (tmp_path / file).read_bytes()
    assert drawn.startswith(begins)
    again = skytrunk("scenario", "draw", "ports", f"again-{file}")
    assert again.returncode == 0
    assert (tmp_path / f"again-{file}").read_bytes() == drawn


def test_the_flow_of_a_ledger_is_drawn(skytrunk: Command, tmp_path: Path) -> None:
    hour = ("--from", "2026-01-01", "--to", "2026-01-01T01:00:01Z")
    assert skytrunk("replay", "--scenario", "beijing-shanghai", *hour).returncode == 0

    done = skytrunk("scenario", "draw", "beijing-shanghai", "flow.svg", *hour)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "flow.svg").read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "atlantis"), "scenario 'atlantis' is not known; known: beijing-shanghai"),
        (("draw", "ports", "map.pdf"), "map.pdf; allowed: a name that ends in .png or .svg"),
        (("draw", "ports", "a.png", "--from", "2026-01-01"), "--from or --to alone; allowed: both"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    arguments: tuple[str, ...], words: str, skytrunk: Command
) -> None:
    done = skytrunk("scenario", *arguments)

    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "command",
    [
        "passes micius --map x.pdf",
        "passes micius --picture x",
        "track micius --picture x.gif",
        "survey --station 1,2 --satellite micius --from 2016-12-01 --to 2016-12-02 --out x.xyz",
        "plan show --picture x.jpg",
    ],
)
def test_a_picture_of_another_form_is_refused_before_any_work(
    command: str, skytrunk: Command, tmp_path: Path
) -> None:
    done = skytrunk(*command.split())

    assert done.returncode == 2
    name = command.split()[-1]
    assert done.stderr == f"skytrunk: {name}; allowed: a name that ends in .png or .svg\n"
    assert not list(tmp_path.iterdir())
