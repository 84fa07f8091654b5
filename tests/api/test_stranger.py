"""A stranger's first hour: a file of element sets and two stations, five commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from icalendar import Calendar

from scheduler.network import parse_scenario
from scheduler.services.scenarios import NewStation, new_scenario
from scheduler.sources.scenarios import load_scenario
from tests.api.conftest import Command
from tests.api.test_anywhere import stranger_omm

WINDOW = ("--from", "2016-12-19T14:00Z", "--to", "2016-12-23")
HOME = ("--scenario", "home.toml")
FIVE = (
    ("elements", "import", "sat.json"),
    (
        "scenario",
        "new",
        "home.toml",
        "--satellite",
        "25544",
        "--station",
        "matera=40.65,16.70,530",
        "--station",
        "york=53.9476,-1.0265",
    ),
    ("passes", "stranger", *HOME, *WINDOW, "--forecast", "--map", "map.png", "--json"),
    ("plan", "make", *HOME, *WINDOW, "--at", "2016-12-19T14:00Z", "--json"),
    ("plan", "show", *HOME, "--ical"),
)


def test_five_commands_bring_passes_with_key_a_plan_a_calendar_and_a_map(
    skytrunk: Command, tmp_path: Path
) -> None:
    stranger_omm(tmp_path)

    answers = [skytrunk(*command) for command in FIVE]

    assert [answer.returncode for answer in answers] == [0] * 5, [a.stderr for a in answers]
    passes = json.loads(answers[2].stdout)["passes"]
    assert {row["station"] for row in passes} == {"matera", "york"}
    assert sum(row["secret_bits"] for row in passes) > 1_000_000
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    plan = json.loads(answers[3].stdout)
    booked = [row for row in plan["passes"] if row["verdict"] == "booked"]
    assert booked
    calendar = Calendar.from_ical(answers[4].stdout)
    assert len(calendar.walk("VEVENT")) == len(booked)


def test_a_new_scenario_is_sound_and_says_what_it_assumes(
    skytrunk: Command, tmp_path: Path
) -> None:
    stranger_omm(tmp_path)
    skytrunk(*FIVE[0])
    stations = ("--station", "Matera=40.65,16.70,530,0.6", "--station", 'Ny-"Ålesund"=78.9,11.9')

    made = skytrunk("scenario", "new", "north.toml", "--satellite", "stranger", *stations)
    checked = skytrunk("scenario", "check", "north.toml", "--json")
    shown = skytrunk("--scenario", "north.toml", "scenario", "check").stdout

    assert (made.returncode, made.stdout) == (0, ""), made.stderr
    scenario = load_scenario(str(tmp_path / "north.toml"))
    assert [(s.station_id, s.name, s.telescope_m) for s in scenario.stations] == [
        ("matera", "Matera", 0.6), ("ny-lesund", 'Ny-"Ålesund"', 1.0),
    ]  # fmt: skip
    assert [d.demand_id for d in scenario.demands] == ["matera--ny-lesund"]
    document = json.loads(checked.stdout)
    assert (document["satellites"], document["stations"], document["demands"]) == (1, 2, 1)
    told = {one["name"]: one for one in document["downlinks"][0]["numbers"]}
    assert told["receivers.matera.diameter_m"]["value"] == 0.6
    assert told["receivers.matera.diameter_m"]["standing"] == "assumed"
    assert all(one["source"] for one in told.values())
    assert "receivers.matera.diameter_m" in shown
    again = skytrunk("scenario", "new", "north.toml", "--satellite", "stranger", *stations)
    assert again.returncode == 2
    assert "is there already" in again.stderr


BAD_INPUT = [
    (("new", "x.toml", "--satellite", "sputnik", "--station", "a=1,2"), ["'sputnik'"]),
    (("new", "x.json", "--satellite", "micius", "--station", "a=1,2"), ["ends in .toml"]),
    (("new", "x.toml", "--satellite", "micius", "--station", "a=1"), ["'a=1'", "matera=40.65"]),
    (("new", "x.toml", "--satellite", "micius", "--station", "a=95,2"), ["lat_deg is 95.0"]),
    (("new", "x.toml", "--satellite", "micius", "--station", "a=1,2", "--preset", "warp"),
     ["'warp'", "micius-2016"]),
    (("new", "x.toml", "--satellite", "micius", "--station", "a=1,2", "--station", "A=3,4"),
     ["'a' is there twice"]),
    (("check", "atlantis"), ["'atlantis'", "micius-2016"]),
    (("check", "missing.toml"), ["no such file"]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "words"), BAD_INPUT, ids=lambda value: " ".join(value))
def test_what_makes_no_scenario_is_refused(
    skytrunk: Command, tmp_path: Path, arguments: tuple[str, ...], words: list[str]
) -> None:
    done = skytrunk("scenario", *arguments)

    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    for word in words:
        assert word in done.stderr
    assert not list(tmp_path.iterdir())


def test_every_mistake_of_a_file_is_a_line_of_its_own(skytrunk: Command, tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text('name = "Wrong"\n[planning]\nsetup_s = -1\nslew = 2\n')

    done = skytrunk("stations", "--scenario", "wrong.toml")

    assert (done.returncode, done.stdout) == (2, "")
    head, *lines = done.stderr.splitlines()
    assert head == "skytrunk: scenario file wrong.toml: 3 mistakes:"
    assert [line.split(": ")[1] for line in lines] == ["scenario", "line 3", "line 4"]
    assert "planning.setup_s is -1; allowed: a finite number, 0 to 3,600" in done.stderr
    assert "unknown key 'slew' (perhaps 'slew_s')" in done.stderr
    assert "key 'title' is missing" in done.stderr


def test_the_page_and_the_list_are_printed(skytrunk: Command) -> None:
    assert skytrunk("scenario", "keys").stdout.startswith("# The scenario file\n")
    assert "Micius campaign 2016-2017" in skytrunk("scenario", "list").stdout


def test_nothing_makes_no_scenario() -> None:
    from scheduler.errors import InputError
    from scheduler.services.context import Context
    from scheduler.settings import load_settings

    with Context(load_settings(database_url="sqlite:///none.db")) as context:
        with pytest.raises(InputError, match="0 satellites, 1 stations"):
            new_scenario(
                context, "x", satellites=[], stations=[NewStation(name="a", lat_deg=1, lon_deg=2)]
            )
        text = new_scenario(
            context, "x", satellites=["micius"],
            stations=[NewStation(name="a\x7f\n\"\\", lat_deg=-1.5, lon_deg=2e-7)],
        )  # fmt: skip
    assert parse_scenario(text).stations[0].name == 'a\x7f\n"\\'
    assert parse_scenario(text).stations[0].lon_deg == 2e-7
