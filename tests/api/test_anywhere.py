"""Passes, tracks and countdowns of any satellite over any place, without a scenario for it."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.cli.place import window_of, zone_of
from api.export.geojson import track_geojson
from api.schemas.tracks import Track
from orbits import format_omm, read_elements
from scheduler.errors import InputError
from tests.api.conftest import Command

ROOT = Path(__file__).resolve().parents[2]
MICIUS = read_elements((ROOT / "tle" / "micius-2016-2025.tle").read_text())
DAY = ("--from", "2016-12-19", "--to", "2016-12-20")
RECEIVER = (
    "here names no preset: assumed to have the receiver of micius-2016-fitted, with a telescope of"
    " 1 m"
)
HERE = ("--lat", "40", "--lon", "16", "--height-m", "400")


def stranger_omm(folder: Path, name: str = "sat.json") -> None:
    """An OMM of a satellite that no scenario knows: a set of Micius under another number."""
    (one,) = [item for item in MICIUS if f"{item.epoch:%Y-%m-%d}" == "2016-12-19"][:1]
    text = format_omm([one]).replace("41731", "25544").replace(one.name, "STRANGER")
    (folder / name).write_text(text)


def rows_of(done: Any) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout)["passes"])


def test_passes_of_an_imported_satellite_over_two_coordinates(
    skytrunk: Command, tmp_path: Path
) -> None:
    stranger_omm(tmp_path)
    assert skytrunk("elements", "import", "sat.json").returncode == 0

    done = skytrunk("passes", "25544", *HERE, *DAY, "--forecast", "--json")
    by_name = skytrunk("passes", "stranger", *HERE, *DAY, "--forecast", "--json")

    rows = rows_of(done)
    assert rows_of(by_name) == rows
    assert {row["station"] for row in rows} == {"here"}
    assert max(row["secret_bits"] for row in rows) > 100_000
    assert [text for text in json.loads(done.stdout)["notes"] if "assumed" in text] == [
        "STRANGER is in no scenario: assumed to carry the transmitter of micius-2016-fitted",
        RECEIVER,
    ]


def test_a_larger_telescope_brings_more_key(skytrunk: Command) -> None:
    asked = ("passes", "micius", *HERE, *DAY, "--forecast", "--json", "--telescope-m")

    bits = [
        sum(row["secret_bits"] for row in rows_of(skytrunk(*asked, size)))
        for size in ("0.3", "1", "3")
    ]

    assert 0 < bits[0] < bits[1] < bits[2]


def test_a_window_with_a_gap_gives_what_there_is(skytrunk: Command, http: httpx.Client) -> None:
    # The sets of 2017-01-12 and 2017-02-12 are 31 days apart.
    window = ("--from", "2017-01-20", "--to", "2017-02-05")
    done = skytrunk("passes", "micius", "--station", "xinglong", *window, "--json")

    rows = rows_of(done)
    days = {row["rises_at"][:10] for row in rows}
    assert {"2017-01-25", "2017-01-30"} <= days
    assert not {"2017-01-27", "2017-01-28"} & days
    (note,) = json.loads(done.stdout)["notes"]
    assert note.startswith("not searched from 2017-01-26T18:59:03")
    assert "to 2017-01-29T17:11:59" in note
    assert "no element set of Micius (QSS) within 14 days" in note
    params = {"satellite": "micius", "station": "xinglong", "from": window[1], "to": window[3]}
    assert http.get("/passes", params=params).json() == json.loads(done.stdout)


@pytest.mark.parametrize(
    ("zone", "local"),
    [
        ("Asia/Shanghai", "12-20 00:48:43"),
        ("+02:00", "12-19 18:48:43"),
        ("-03:30", "12-19 13:18:43"),
    ],
)
def test_local_time_stands_beside_utc(skytrunk: Command, zone: str, local: str) -> None:
    done = skytrunk("passes", "micius", "--station", "xinglong", *DAY, "--tz", zone)

    assert done.returncode == 0, done.stderr
    assert f"rises ({zone})" in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if "16:48:43" in line]
    assert local in line


BAD_INPUT = [
    (("passes", "micius", *DAY, "--lat", "40"), ["in part", "--lon"]),
    (("passes", "micius", *DAY, *HERE, "--station", "graz"), ["--station beside"]),
    (("passes", "micius", *DAY, "--lat", "95", "--lon", "0"), ["lat_deg 95", "-90 to 90"]),
    (("passes", "micius", *DAY, *HERE, "--telescope-m", "0"), ["telescope_m 0", "0.01 to 40"]),
    (("passes", "micius", *DAY, "--tz", "Mars/Base"), ["'Mars/Base'", "Europe/Rome"]),
    (("passes", "micius", *DAY, "--tz", "../etc"), ["'../etc'", "allowed"]),
    (("passes", "micius", *DAY, "--tz", "+25:00"), ["'+25:00'", "allowed"]),
    (("passes", "micius", *DAY, "--tz", "+02:00", "--json"), ["--tz is for tables"]),
    (("passes", "micius", *DAY, "--picture", "x.png"), ["3 stations", "allowed: one station"]),
    (("passes", "99999", *DAY), ["'99999'", "no element set of that"]),
    (("next", "99999"), ["'99999'", "micius"]),
    (("next", "--at", "soon"), ["'soon'", "allowed"]),
    (("track", "micius", *DAY, "--json", "--csv"), ["--json, --csv"]),
    (("track", "micius", *DAY, "--step-s", "0"), ["step_s 0.0", "allowed: above 0"]),
    (("track", "micius", *DAY, "--step-s", "1"), ["86400 samples", "allowed: 1 to 20000"]),
    (("track", "micius", *DAY, "--out", "x"), ["--out with a table"]),
    (("track", "micius", "--at", "2016-12-19"), ["--at goes with a station"]),
    (("track", "micius", *HERE, *DAY, "--at", "2016-12-19"), ["without --from and --to"]),
]


@pytest.mark.parametrize(("arguments", "words"), BAD_INPUT, ids=lambda value: " ".join(value))
def test_bad_input_is_one_line_and_exit_code_2(
    skytrunk: Command, tmp_path: Path, arguments: tuple[str, ...], words: list[str]
) -> None:
    done = skytrunk(*arguments)

    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    (line,) = done.stderr.splitlines()
    for word in words:
        assert word in line
    assert not list(tmp_path.iterdir())


def test_windows_begin_now_and_last_a_week() -> None:
    before = datetime.now(UTC)
    start, end = window_of(None, None)
    after = datetime.now(UTC)

    assert before <= start <= after
    assert (end - start).days == 7
    start, end = window_of("2016-12-19", None)
    assert end == datetime(2016, 12, 26, tzinfo=UTC)
    with pytest.raises(InputError, match="not before"):
        window_of(None, "2016-12-19")
    assert zone_of(None) is None
    assert zone_of("local") is not None


def test_the_next_pass_is_told_with_a_countdown(skytrunk: Command) -> None:
    asked = ("next", "micius", "--station", "xinglong", "--at")
    done = skytrunk(*asked, "2016-12-19", "--tz", "Asia/Shanghai")

    lines = done.stdout.splitlines()
    assert lines[0].startswith("micius over xinglong in 16 h 48 min 4")
    assert "2016-12-19T16:48:4" in lines[1]
    assert "(2016-12-20 00:48:4" in lines[1]
    assert "up to 47.8 deg, nearest 645 km" in lines[1]
    assert "secret bits expected" in lines[2]
    document = json.loads(skytrunk(*asked, "2016-12-19", "--json").stdout)
    assert document["pass"]["dark"]
    assert document["pass"]["secret_bits"] > 0
    assert 16.8 * 3600 < document["starts_in_s"] < 16.82 * 3600
    under_way = skytrunk(*asked, "2016-12-19T16:52:00Z").stdout
    assert under_way.startswith("micius over xinglong under way\n")


def test_without_a_pass_the_next_one_says_so(skytrunk: Command) -> None:
    asked = ("next", "micius", "--lat", "-89", "--lon", "0", "--at", "2016-12-19")

    done = skytrunk(*asked)

    # At the south pole the Sun does not set in December.
    assert done.returncode == 0
    assert done.stdout == f"no pass within 7 days would give key\n{RECEIVER}\n"
    assert json.loads(skytrunk(*asked, "--json").stdout)["pass"] is None


WHOLE = ("track", "micius", "--station", "xinglong", "--from", "2016-12-19T16:50:14Z",
         "--to", "2016-12-19T16:55:14Z", "--step-s", "30")  # fmt: skip


def test_a_track_is_the_same_by_every_door(
    skytrunk: Command, http: httpx.Client, tmp_path: Path
) -> None:
    document = json.loads(skytrunk(*WHOLE, "--json").stdout)
    in_csv = skytrunk(*WHOLE, "--csv").stdout
    geo = skytrunk(*WHOLE, "--geojson", "--out", "way.geojson")
    params = {
        "satellite": "micius", "station": "xinglong", "from": WHOLE[5], "to": WHOLE[7],
        "step_s": "30",
    }  # fmt: skip

    points = document["points"]
    assert len(points) == 10
    assert [row["at"] for row in csv.DictReader(io.StringIO(in_csv))] == [p["at"] for p in points]
    assert geo.stdout == ""
    shown = json.loads((tmp_path / "way.geojson").read_text())
    (feature,) = shown["features"]
    (piece,) = feature["geometry"]["coordinates"]
    assert piece == [[point["lon_deg"], point["lat_deg"]] for point in points]
    assert http.get("/track", params=params).json() == document
    told = http.get("/track.csv", params=params)
    assert (told.headers["content-type"].split(";")[0], told.text) == ("text/csv", in_csv)
    told = http.get("/track.geojson", params=params)
    assert told.headers["content-type"] == "application/geo+json"
    assert told.json() == shown
    assert http.get("/track", params={**params, "satellite": "sputnik"}).status_code == 404
    assert http.get("/track", params={**params, "step_s": "0.001"}).status_code == 422
    table = skytrunk(*WHOLE).stdout
    assert "azimuth°" in table
    # Liao et al. (2017): the closest point of this pass is at 16:52:14, 47.8 degrees.
    nearest = min(points, key=lambda point: point["range_km"])
    assert nearest["at"] == "2016-12-19T16:52:14.000Z"
    assert nearest["elevation_deg"] == pytest.approx(47.8, abs=0.05)


@pytest.mark.parametrize("at", ["2016-12-19T15:00Z", "2016-12-19T16:52Z"])
def test_the_track_of_a_pass_is_all_of_it(skytrunk: Command, at: str) -> None:
    over = ("micius", "--station", "xinglong")
    (row,) = [
        one
        for one in rows_of(skytrunk("passes", *over, *DAY, "--json", "--dark"))
        if one["max_elevation_deg"] > 47.0
    ]

    done = skytrunk("track", *over, "--at", at, "--step-s", "1", "--json")

    points = json.loads(done.stdout)["points"]
    # Another window has another grid: the same pass, a millisecond off.
    assert points[0]["at"][:21] == row["rises_at"][:21]
    assert points[-1]["at"][:18] == row["sets_at"][:18]
    heights = [point["elevation_deg"] for point in points]
    assert heights[0] == pytest.approx(10.0, abs=0.01)
    assert max(heights) == pytest.approx(row["max_elevation_deg"], abs=0.01)


def test_a_track_of_no_station_is_the_ground_below(skytrunk: Command) -> None:
    done = skytrunk("track", "micius", "--from", "2016-12-19", "--csv")

    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 600
    assert {row["azimuth_deg"] for row in rows} == {""}
    assert max(float(row["lat_deg"]) for row in rows) == pytest.approx(82.6, abs=0.2)


def _track(*places: tuple[float, float]) -> Track:
    points = [
        {
            "at": datetime(2026, 1, 1, 0, number, tzinfo=UTC), "lat_deg": lat, "lon_deg": lon,
            "altitude_km": 500.0, "azimuth_deg": None, "elevation_deg": None, "range_km": None,
            "sun_elevation_deg": None, "satellite_sunlit": None,
        }
        for number, (lon, lat) in enumerate(places)
    ]  # fmt: skip
    return Track.model_validate(
        {
            "satellite": "x", "norad_id": 1, "station": None, "notes": [], "points": points,
            "elements_epoch": datetime(2026, 1, 1, tzinfo=UTC),
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("places", "pieces"),
    [
        ((), []),
        (((1.0, 2.0),), [[[1.0, 2.0]]]),
        (
            ((179.0, 0.0), (-179.0, 2.0)),
            [[[179.0, 0.0], [180.0, 1.0]], [[-180.0, 1.0], [-179.0, 2.0]]],
        ),
        (
            ((-179.0, 2.0), (178.0, 8.0)),
            [[[-179.0, 2.0], [-180.0, 4.0]], [[180.0, 4.0], [178.0, 8.0]]],
        ),
    ],
)  # fmt: skip
def test_a_line_is_cut_at_the_date_line(
    places: tuple[tuple[float, float], ...], pieces: list[Any]
) -> None:
    (feature,) = track_geojson(_track(*places))["features"]

    assert feature["geometry"] == {"type": "MultiLineString", "coordinates": pieces}
    assert [len(piece) for piece in feature["properties"]["times"]] == [len(p) for p in pieces]


def test_a_sky_and_a_map_are_drawn_of_any_pass(skytrunk: Command, tmp_path: Path) -> None:
    done = skytrunk("passes", "micius", *HERE, *DAY, "--picture", "sky.png", "--map", "map.png")
    way = skytrunk("track", "micius", *HERE, "--from", "2016-12-19", "--picture", "way.png")

    assert (done.returncode, way.returncode) == (0, 0), done.stderr + way.stderr
    assert done.stderr == "skytrunk: sky drawn to sky.png\nskytrunk: map drawn to map.png\n"
    for name in ("sky.png", "map.png", "way.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
