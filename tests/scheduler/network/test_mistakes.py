"""All that is wrong with a scenario file is told at once, each with its line."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import ScenarioError
from scheduler.network import parse_scenario
from scheduler.network.lines import key_lines
from scheduler.sources.scenarios import load_scenario
from tests.scheduler.network.test_parse import SMALL


def mistakes(text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text)
    return str(caught.value).splitlines()


def line_of(text: str, words: str, nth: int = 1) -> int:
    found = [n for n, line in enumerate(text.splitlines(), start=1) if words in line]
    return found[nth - 1]


def test_every_mistake_is_told_with_its_line() -> None:
    text = (
        SMALL.replace("norad_id = 7", "norad_id = true\nmass = 3")
        .replace("lat_deg = 41.0", "lat_deg = 95")
        .replace("mask_deg = 12.5", "mask_dge = 12.5")
        .replace('kind = "backbone"', 'kind = "cloud"')
        .replace("bits_per_day = 1000", "bits_per_day = 0")
    )

    head, *told = mistakes(text)

    assert head == "7 mistakes:"
    expected = """\
norad_id|satellites[0].norad_id is True; allowed: an integer, 1 to 999,999,999
mass|satellites[0]: unknown key 'mass'; allowed: id, name, norad_id, preset, source,\
 announces, announces_because, elements, session, domain
height_m = 10.0|stations[1]: key 'mask_deg' is missing
lat_deg = 95|stations[1].lat_deg is 95; allowed: a finite number, -90 to 90
mask_dge|stations[1]: unknown key 'mask_dge' (perhaps 'mask_deg'); allowed: id, name, lat_deg,\
 lon_deg, height_m, mask_deg, horizon, horizon_refraction, node, preset, telescope_m,\
 mount, slew_rate_deg_s, owner, quiet_hours, domain, source
cloud|nodes[0].kind is 'cloud'; allowed: station, relay, backbone, user
bits_per_day|demands[0].bits_per_day is 0; allowed: an integer, 1 to 2^62"""
    wanted = [one.split("|") for one in expected.splitlines()]
    wanted[2][0] = "[[stations]]"  # a key that misses has no line of its own
    nth = {"[[stations]]": 2}
    assert told == [
        f"line {line_of(text, words, nth.get(words, 1))}: {message}" for words, message in wanted
    ]


def test_downlinks_of_nobody_and_downlinks_named_twice_are_told_with_their_lines() -> None:
    satellite, station = parse_scenario(SMALL).satellites[0], parse_scenario(SMALL).stations[0]
    downlink = '[[downlinks]]\nsatellite = "{}"\nstation = "{}"\n'
    known = downlink.format(satellite.satellite_id, station.station_id)
    text = f"{SMALL}\n{downlink.format('moon', 'atlantis')}{known}{known}"

    _, *told = mistakes(text)

    twice, *strange = sorted(told, key=lambda line: "twice" not in line)
    assert twice == (
        f"line {line_of(text, '[[downlinks]]', 3)}: downlink"
        f" '{satellite.satellite_id} over {station.station_id}' is there twice"
    )
    line = line_of(text, "[[downlinks]]")
    assert [one.split(";")[0] for one in strange] == [
        f"line {line}: downlink moon over atlantis names satellite 'moon'",
        f"line {line}: downlink moon over atlantis names station 'atlantis'",
    ]


def test_what_hangs_on_a_mistake_is_no_second_one() -> None:
    # The leg and the demand name a station and a town that could not be read.
    text = SMALL.replace('name = "East"', "name = 1").replace(
        "synthetic = true", "synthetic = 1", 1
    )

    _, *told = mistakes(text)

    assert len(told) == 2
    assert "stations[0].name is 1" in told[0]
    assert "nodes[0].synthetic is 1" in told[1]


def test_names_that_do_not_fit_together_are_all_told() -> None:
    text = SMALL + '[[demands]]\nfrom = "moon"\nto = "town"\nbits_per_day = 5\n'
    text = text.replace('[[demands]]\nfrom = "west"', '[[demands]]\nfrom = "mars"')

    _, *told = mistakes(text)

    assert [re.sub("; known.*", "", one) for one in told] == [
        f"line {line_of(text, '[[demands]]')}: demand mars--town names node 'mars'",
        f"line {line_of(text, '[[demands]]', 2)}: demand moon--town names node 'moon'",
    ]


def test_a_station_twice_is_told_once() -> None:
    text = SMALL.replace('id = "west"', 'id = "east"').replace('"west"', '"east"')

    assert [re.sub("^line [0-9]+: ", "", one) for one in mistakes(text)] == [
        "station 'east' is there twice"
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("satellites = 3\n" + SMALL, "satellites is 3; allowed: [[satellites]] tables"),
        ("planning = 3\n" + SMALL, "planning is 3; allowed: a table"),
        (SMALL + "[[planet]]\nx = 1\n", "unknown key 'planet'; allowed: name, title"),
        (SMALL + "[plannning]\nsetup_s = 1\n", "unknown key 'plannning' (perhaps 'planning')"),
    ],
)
def test_tables_of_another_form_are_refused(text: str, words: str) -> None:
    if text.startswith("satellites"):
        text = re.sub(r"\[\[satellites\]\].*?\n\n", "", text, flags=re.DOTALL)

    (told,) = mistakes(text)

    assert words in told
    assert told.startswith("line ")


def test_a_great_many_mistakes_are_cut() -> None:
    text = SMALL + "".join(f"wrong_{n} = 1\n" for n in range(80))

    told = mistakes(text)

    assert told[0] == "80 mistakes:"
    assert len(told) == 52
    assert told[-1] == "and 30 more"


def test_lines_are_found_behind_long_strings_and_lists() -> None:
    text = '''\
name = "a" # [[stations]]
notes = [
  "x = 1 ]",  # ] y = 2
  """
  [[nodes]]
  id = 7 """,
]
title = """
[planning]
""" # done
[[ stations ]]
id = "[[nodes]]"
"lat_deg" = 1
[[stations]]
lon_deg = [1, [2,
3]]
mask_deg = { a = 1 }
[transmitters.sources]
x = "y"
'''

    found = key_lines(text)

    assert tomllib.loads(text)
    assert found == {
        ("", 0, "name"): 1, ("", 0, "notes"): 2, ("", 0, "title"): 8,
        ("stations", 0, ""): 11, ("stations", 0, "id"): 12, ("stations", 0, "lat_deg"): 13,
        ("stations", 1, ""): 14, ("stations", 1, "lon_deg"): 15, ("stations", 1, "mask_deg"): 17,
        ("transmitters", 0, "sources"): 18,
    }  # fmt: skip


@given(st.text(alphabet="ab=\"'[]{}#\n\\., 1-", max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    key_lines(text)
    with pytest.raises(ScenarioError):
        parse_scenario(text)


def test_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL, encoding="utf-8-sig")

    assert load_scenario(str(tmp_path / "small.toml")).name == "small"


def test_a_file_in_another_code_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(SMALL.replace('"East"', '"Èst"').encode("latin-1"))

    with pytest.raises(ScenarioError, match=r"latin\.toml: byte [0-9]+ in line 13 is not UTF-8"):
        load_scenario(str(path))


def test_mistakes_of_a_file_name_it(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(SMALL.replace("norad_id = 7", "norad_id = 0"))

    with pytest.raises(ScenarioError, match=r"small\.toml: line 8: satellites\[0\]\.norad_id is 0"):
        load_scenario(str(path))
