"""Scenario files are read strictly, and legs become chains of relays."""

import pytest

from scheduler.domain import Pool
from scheduler.errors import ScenarioError, UnknownName
from scheduler.network import Announces, LinkKind, NodeKind, parse_scenario

SMALL = """
name = "small"
title = "Two stations, one leg"

[[satellites]]
id = "sat"
name = "Sat"
norad_id = 7
preset = "micius-2016"

[[stations]]
id = "east"
name = "East"
lat_deg = 40.0
lon_deg = 110.0
height_m = 10.0
mask_deg = 10.0

[[stations]]
id = "west"
name = "West"
lat_deg = 41.0
lon_deg = 80.0
height_m = 10.0
mask_deg = 12.5

[[nodes]]
id = "town"
kind = "backbone"
name = "Town"
lat_deg = 40.0
lon_deg = 112.0
synthetic = true

[[legs]]
from = "east"
to = "town"
length_km = 200.0
spans_km = [50.0, 70.0, 80.0]
preset = "trunk-span"
buffer_bits = 1000
reserve_bits = 10
synthetic = true

[[demands]]
from = "west"
to = "town"
bits_per_day = 1000
"""


def test_a_leg_becomes_a_chain_of_relays() -> None:
    scenario = parse_scenario(SMALL)

    relays = [node for node in scenario.nodes if node.kind is NodeKind.RELAY]
    fibre = [link for link in scenario.links if link.kind is LinkKind.FIBRE]
    assert [node.node_id for node in relays] == ["east-town-1", "east-town-2"]
    assert all(node.synthetic for node in relays)
    assert [(node.lat_deg, node.lon_deg) for node in relays] == [(40.0, 110.5), (40.0, 111.2)]
    assert [link.length_km for link in fibre] == [50.0, 70.0, 80.0]
    assert [link.pool.pool_id for link in fibre] == [
        "link:east--east-town-1",
        "link:east-town-1--east-town-2",
        "link:east-town-2--town",
    ]
    assert {(link.buffer_bits, link.reserve_bits) for link in fibre} == {(1000, 10)}


def test_a_satellite_is_a_node_with_a_link_to_every_station() -> None:
    scenario = parse_scenario(SMALL)

    assert scenario.node("sat").kind is NodeKind.SATELLITE
    assert scenario.node("sat").lat_deg is None
    assert scenario.link("link:east--sat").kind is LinkKind.SATELLITE
    assert scenario.link("link:sat--west").preset == "micius-2016"


def test_two_stations_may_keep_their_key_at_one_node() -> None:
    text = SMALL.replace('id = "west"\nname', 'id = "west"\nnode = "east"\nname').replace(
        'from = "west"', 'from = "east"'
    )

    scenario = parse_scenario(text)

    satellite_links = [link for link in scenario.links if link.kind is LinkKind.SATELLITE]
    assert [link.pool.pool_id for link in satellite_links] == ["link:east--sat"]


def test_parallel_spans_are_links_of_their_own() -> None:
    scenario = parse_scenario(
        SMALL.replace("reserve_bits = 10", "reserve_bits = 10\nparallel = [1, 3, 2]")
    )

    ids = [link.pool.pool_id for link in scenario.links if link.kind is LinkKind.FIBRE]
    assert len(ids) == 6
    assert "link:east-town-1--east-town-2#3" in ids
    assert Pool.parse("link:east-town-1--east-town-2#3").parallel == 3


def test_equal_spans_may_be_counted() -> None:
    scenario = parse_scenario(SMALL.replace("spans_km = [50.0, 70.0, 80.0]", "span_count = 4"))

    assert [link.length_km for link in scenario.links if link.length_km] == [50.0] * 4


def test_what_is_left_out_takes_its_default() -> None:
    scenario = parse_scenario(SMALL)

    assert scenario.schedule.plan_interval_s == 86_400
    assert scenario.planning.sun_elevation_deg_max == -6.0
    assert scenario.demand("west--town").min_disjoint_paths == 1
    assert scenario.station("east").node == "east"


def _announcing(*lines: str) -> str:
    return SMALL.replace("norad_id = 7", "\n".join(["norad_id = 7", *lines]))


@pytest.mark.parametrize(
    ("lines", "choice", "delay_s", "told"),
    [
        ((), Announces.NEXT_CONTACT, 0.0, "next-contact"),
        (('announces = "next-contact"',), Announces.NEXT_CONTACT, 0.0, "next-contact"),
        (('announces = "at-once"',), Announces.AT_ONCE, 0.0, "at-once"),
        (("announces = 5400", 'announces_because = "x"'), Announces.DELAY, 5400.0, "5400 s"),
        (("announces = 0.5e4", 'announces_because = "x"'), Announces.DELAY, 5000.0, "5000 s"),
    ],
)
def test_a_satellite_announces_as_its_scenario_says(
    lines: tuple[str, ...], choice: Announces, delay_s: float, told: str
) -> None:
    satellite = parse_scenario(_announcing(*lines)).satellite("sat")

    assert (satellite.announces, satellite.announce_delay_s) == (choice, delay_s)
    assert satellite.announcing == told


REFUSED = [
    (
        "an unknown way to announce",
        _announcing('announces = "sometimes"'),
        r"satellites\[0\].announces is 'sometimes'; allowed: next-contact, at-once, or seconds",
    ),
    ("delay in words only", _announcing('announces = "delay"'), "allowed: next-contact, at-once"),
    ("a flag is no delay", _announcing("announces = true"), "announces is True; allowed"),
    ("not a delay", _announcing("announces = nan"), "announces is nan; allowed"),
    (
        "delay without a reason",
        _announcing("announces = 60"),
        "sat: announces 60 s after a session, but announces_because is empty; allowed",
    ),
    (
        "an empty reason",
        _announcing("announces = 60", 'announces_because = " "'),
        "announces_because is empty",
    ),
    (
        "negative delay",
        _announcing("announces = -1", 'announces_because = "x"'),
        "announces -1.0; allowed: 1 to",
    ),
    (
        "delay of a year",
        _announcing("announces = 31536000", 'announces_because = "x"'),
        "announces 31536000.0; allowed: 1 to 2,678,400",
    ),
    (
        "a reason without a delay",
        _announcing('announces_because = "x"'),
        "next-contact with announces_because 'x'; allowed: only with a delay",
    ),
    ("not TOML", "name = \n", "not TOML"),
    ("unknown key at the top", SMALL.replace("title", "colour = 1\ntitle"), "'colour'.*allowed"),
    ("unknown key in a table", SMALL.replace("norad_id = 7", "norad_id = 7\nmass = 1"), "'mass'"),
    ("missing key", SMALL.replace("norad_id = 7", ""), r"satellites\[0\].*'norad_id' is missing"),
    ("wrong type", SMALL.replace("norad_id = 7", "norad_id = 'x'"), r"norad_id is 'x'.*integer"),
    ("a flag is no integer", SMALL.replace("norad_id = 7", "norad_id = true"), "integer"),
    ("not a number", SMALL.replace("height_m = 10.0", "height_m = nan", 1), "height_m.*finite"),
    ("latitude", SMALL.replace("lat_deg = 40.0", "lat_deg = 91", 1), "lat_deg is 91; .*-90 to 90"),
    ("mask", SMALL.replace("12.5", "-1"), "mask_deg is -1; allowed: a finite number, 0 to 89"),
    ("node kind", SMALL.replace('"backbone"', '"cloud"'), "'cloud'; allowed: station, relay"),
    ("name", SMALL.replace('id = "town"', 'id = "to--wn"'), "node 'to--wn'; allowed: lower-case"),
    ("span too long", SMALL.replace("[50.0, 70.0, 80.0]", "[109.0, 91.0]"), "span of 109 km"),
    ("span too short", SMALL.replace("[50.0, 70.0, 80.0]", "[80.0, 90.0, 30.5]"), "add up to"),
    ("leg to nowhere", SMALL.replace('to = "town"', 'to = "city"', 1), r"legs\[0\].to is 'city'"),
    ("leg to a satellite", SMALL.replace('to = "town"', 'to = "sat"', 1), r"legs\[0\].to is 'sat'"),
    ("demand of nobody", SMALL.replace('from = "west"', 'from = "moon"'), "'moon'; known: east"),
    ("demand with itself", SMALL.replace('from = "west"', 'from = "town"'), r"demands\[0\].*both"),
    ("demand of nothing", SMALL.replace("per_day = 1000", "per_day = 0"), "day is 0; .* 1 to 2"),
    (
        "spare paths",
        SMALL.replace("bits_per_day", "spare_paths = 9\nbits_per_day"),
        "spare_paths is 9; allowed: an integer, 0 to 8",
    ),
    ("reserve above the buffer", SMALL.replace("= 10\n", "= 1001\n"), "reserve_bits 1001"),
    ("a station twice", SMALL.replace('"west"', '"east"', 1), "station 'east' is there twice"),
    ("parallel count", SMALL.replace("reserve_bits = 10", "parallel = [1]"), "each of 3 spans"),
    ("interval", SMALL + "\n[schedule]\nplan_interval_s = 0\n", "schedule.plan_interval_s is 0"),
    ("rule", SMALL + "\n[planning]\nmin_elevation_deg = 95\n", "min_elevation_deg is 95"),
]


@pytest.mark.parametrize(
    ("text", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_does_not_hold_together_is_refused(text: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        parse_scenario(text)


def test_a_leg_over_the_date_line_takes_the_short_way() -> None:
    text = SMALL.replace("lon_deg = 110.0", "lon_deg = 178.5").replace(
        "lon_deg = 112.0", "lon_deg = -179.5"
    )

    scenario = parse_scenario(text.replace("[50.0, 70.0, 80.0]", "[50.0, 50.0, 50.0, 50.0]"))

    relays = [node.lon_deg for node in scenario.nodes if node.kind is NodeKind.RELAY]
    assert relays == [179.0, 179.5, 180.0]
    back = parse_scenario(text.replace('from = "east"\nto = "town"', 'from = "town"\nto = "east"'))
    relays = [node.lon_deg for node in back.nodes if node.kind is NodeKind.RELAY]
    assert relays == [-180.0, 179.3]


def test_unknown_names_list_the_known_ones() -> None:
    scenario = parse_scenario(SMALL)

    with pytest.raises(UnknownName, match="no station 'graz'; known: east, west"):
        scenario.station("graz")
    with pytest.raises(UnknownName, match="known: sat"):
        scenario.satellite("moon")
    with pytest.raises(UnknownName, match="known: west--town"):
        scenario.demand("x")
