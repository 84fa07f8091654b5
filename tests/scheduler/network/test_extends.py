"""A scenario that extends another one adds to its tables, or replaces some of them."""

from pathlib import Path

import pytest

from scheduler.errors import ScenarioError
from scheduler.network import Scenario, parse_scenario
from scheduler.sources.scenarios import load_scenario
from tests.scheduler.network.test_parse import SMALL

HEAD = 'name = "more"\ntitle = "More"\nextends = "small"\n'
CITY = """
[[nodes]]
id = "{id}"
kind = "backbone"
name = "City"
lat_deg = 39.0
lon_deg = 113.0
synthetic = true
"""


def extended(text: str, base: str = SMALL) -> Scenario:
    return parse_scenario(text, base=lambda name: {"small": base}[name])


def refusal(text: str, base: str = SMALL) -> str:
    with pytest.raises(ScenarioError) as caught:
        extended(text, base)
    return str(caught.value)


def test_what_is_added_comes_behind_what_was_there() -> None:
    base, more = parse_scenario(SMALL), extended(HEAD + CITY.format(id="city"))

    assert (more.name, more.title) == ("more", "More")
    assert more.nodes[: len(base.nodes) - 2] == base.nodes[:-2]  # the leg's relays come last
    assert {node.node_id for node in more.nodes} - {n.node_id for n in base.nodes} == {"city"}
    assert (more.links, more.demands, more.stations) == (base.links, base.demands, base.stations)


def test_a_table_of_the_same_id_is_replaced_as_a_whole_and_in_its_place() -> None:
    base, more = parse_scenario(SMALL), extended(HEAD + CITY.format(id="town"))

    assert [n.node_id for n in more.nodes] == [n.node_id for n in base.nodes]
    assert (more.node("town").name, more.node("town").lat_deg) == ("City", 39.0)


LEG = """[[legs]]
from = "east"
to = "town"
length_km = 80
span_count = 1
preset = "trunk-span"
synthetic = true
"""


def test_tables_without_an_id_are_known_by_their_ends() -> None:
    demand = '[[demands]]\nfrom = "west"\nto = "town"\nbits_per_day = 5\n'

    more = extended(HEAD + LEG + demand)

    assert [link.length_km for link in more.links if link.length_km] == [80.0]
    assert [one.bits_per_day for one in more.demands] == [5]


def test_single_keys_of_a_single_table_are_replaced_and_notes_added() -> None:
    base = SMALL.replace("title", 'notes = ["a"]\ntitle').replace(
        "[[nodes]]", "[planning]\nsetup_s = 5.0\nslew_s = 6.0\n[[nodes]]", 1
    )

    more = extended(HEAD + 'notes = ["b"]\n[planning]\nslew_s = 7.0\n', base)

    assert (more.planning.setup_s, more.planning.slew_s) == (5.0, 7.0)
    assert more.notes == ("a", "b")


def test_the_name_is_no_inheritance() -> None:
    assert "key 'name' is missing" in refusal('extends = "small"\ntitle = "x"\n')


def test_a_mistake_is_told_where_it_stands() -> None:
    broken = SMALL.replace("lat_deg = 41.0", "lat_deg = 95")
    text = HEAD + CITY.format(id="city").replace("39.0", '"north"')

    told = refusal(text, broken).splitlines()

    assert told == [
        "2 mistakes:",
        "line 9: nodes[1].lat_deg is 'north'; allowed: a finite number, -90 to 90",
        "small, line 22: stations[1].lat_deg is 95; allowed: a finite number, -90 to 90",
    ]


def test_a_replaced_table_has_no_line_of_the_base_left() -> None:
    told = refusal(HEAD + '[[nodes]]\nid = "town"\nkind = "backbone"\nname = "x"\n')

    assert [one.split(":")[0] for one in told.splitlines()[1:]] == ["line 4"] * 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('extends = "big"\n', "line 1: extends is 'big': scenario 'big' is not known; known: "),
        ("extends = 3\n", "scenario.extends is 3; allowed: a string"),
        ('extends = "self.toml"\n', "extends is 'self.toml': self.toml extends self.toml; allowed"),
        ('extends = "../none.toml"\n', "file '../none.toml': No such file"),
        ('extends = "broken.toml"\n', "broken.toml is not TOML"),
        ('extends = "one.toml"\n', "one.toml extends two.toml extends one.toml; allowed: a chain"),
    ],
)
def test_what_cannot_be_extended_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text('extends = "two.toml"\n')
    (tmp_path / "two.toml").write_text('extends = "one.toml"\n')
    (tmp_path / "broken.toml").write_text("= 3")
    (tmp_path / "self.toml").write_text(text)

    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(tmp_path / "self.toml"))

    assert message in str(caught.value)


def test_files_are_found_from_the_file_that_names_them(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    (tmp_path / "deep" / "hills.csv").write_text("0,3\n180,9\n")
    (tmp_path / "deep" / "base.toml").write_text(
        SMALL.replace("mask_deg = 12.5", 'mask_deg = 1.0\nhorizon = "hills.csv"')
    )
    (folder / "middle.toml").write_text(HEAD.replace("small", "../base.toml"))
    (tmp_path / "top.toml").write_text(HEAD.replace("small", "deep/er/middle.toml"))

    horizon = load_scenario(str(tmp_path / "top.toml")).station("west").horizon

    assert horizon is not None
    assert float(horizon.at(180.0)) == 9.0


def test_a_file_extends_a_shipped_scenario(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\ntitle = "Mine"\nextends = "micius-2016"\n')

    mine, base = load_scenario(str(path)), load_scenario("micius-2016")

    assert (mine.nodes, mine.links, mine.demands) == (base.nodes, base.links, base.demands)
    assert mine.notes == base.notes
