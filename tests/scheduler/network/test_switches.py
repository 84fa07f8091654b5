"""Optical switches, stated rates and trust domains of a scenario."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.errors import ScenarioError
from scheduler.fibre import link_rate_bps, span_eps, span_rate_bps, span_secret_bits
from scheduler.network import Scenario, parse_scenario
from tests.scheduler.network.test_parse import SMALL

NODE = """
[[nodes]]
id = "{id}"
kind = "user"
name = "{id}"
lat_deg = 40.0
lon_deg = 112.0
synthetic = true
"""
LINK = """
[[links]]
from = "town"
to = "{id}"
kind = "access"
length_km = 10.0
preset = "trunk-span"
synthetic = true
{more}
"""
SWITCH = '[[switches]]\nid = "{id}"\nat_once = {at_once}\nsynthetic = true\n{more}\n'


def user(name: str, *more: str) -> str:
    return NODE.format(id=name) + LINK.format(id=name, more="\n".join(more))


def switch(name: str, at_once: int = 1, more: str = "") -> str:
    return SWITCH.format(id=name, at_once=at_once, more=more)


def read(*parts: str) -> Scenario:
    return parse_scenario(SMALL + "".join(parts))


def shares(scenario: Scenario) -> list[float]:
    return [link.share for link in scenario.links if link.switch]


def test_links_of_a_switch_have_equal_shares_of_its_time() -> None:
    users = [user(name, 'switch = "s"') for name in "abcde"]

    assert shares(read(switch("s"), *users)) == [0.2] * 5
    assert shares(read(switch("s", 2), *users)) == [0.4] * 5
    assert shares(read(switch("s", 9), *users)) == [1.0] * 5


def test_a_stated_share_leaves_the_others_equal_parts_of_the_rest() -> None:
    scenario = read(
        switch("s"), user("a", 'switch = "s"', "share = 0.5"),
        user("b", 'switch = "s"'), user("c", 'switch = "s"'),
    )  # fmt: skip

    assert shares(scenario) == [0.5, 0.25, 0.25]


def test_a_switch_behind_another_has_one_port_of_it() -> None:
    scenario = read(
        switch("near"), switch("far", 2, 'behind = "near"'), user("a", 'switch = "near"'),
        *(user(name, 'switch = "far"') for name in "bcd"),
    )  # fmt: skip

    # `near` turns to a for half of the time, and to `far` for the other half.
    assert shares(scenario) == pytest.approx([1 / 2, 1 / 3, 1 / 3, 1 / 3])


@settings(max_examples=40)
@given(
    st.integers(1, 6),
    st.lists(st.one_of(st.none(), st.floats(0.01, 0.3)), min_size=1, max_size=12),
)
def test_no_switch_gives_more_time_than_it_has(at_once: int, stated: list[float | None]) -> None:
    users = [
        user(f"u{n}", 'switch = "s"', *([] if one is None else [f"share = {one}"]))
        for n, one in enumerate(stated)
    ]
    total = sum(one for one in stated if one is not None)

    if total > at_once or (None in stated and total >= at_once):
        with pytest.raises(ScenarioError, match="stated shares add up to"):
            read(switch("s", at_once), *users)
        return
    found = shares(read(switch("s", at_once), *users))
    assert sum(found) <= at_once + 1e-9
    assert all(0.0 < one <= 1.0 for one in found)
    given_out = {n: one for n, one in enumerate(stated) if one is not None}
    assert {n: found[n] for n in given_out} == given_out


def test_a_switched_link_makes_its_rate_times_its_share_of_time() -> None:
    scenario = read(switch("s"), *(user(name, 'switch = "s"') for name in "abcd"))
    link = scenario.link("link:a--town")

    assert link_rate_bps(link) == span_rate_bps("trunk-span", 10.0) / 4
    assert span_secret_bits(link, duration_s=3600.0) == int(span_rate_bps("trunk-span", 10.0) * 900)
    always = parse_scenario(SMALL + user("a")).link("link:a--town")
    assert span_eps(link, duration_s=4e6) == pytest.approx(span_eps(always, duration_s=1e6))


def test_a_stated_rate_stands_instead_of_the_presets() -> None:
    (link,) = [x for x in read(user("a", "rate_bps = 1e5")).links if x.kind == "access"]

    assert link_rate_bps(link) == 1e5
    assert span_secret_bits(link, duration_s=10.0) == 1_000_000


DOMAINS = SMALL.replace('id = "town"', 'id = "town"\ndomain = "grid"').replace(
    'id = "east"', 'id = "east"\ndomain = "state"', 1
).replace('id = "sat"', 'id = "sat"\ndomain = "state"')  # fmt: skip


def test_satellites_stations_nodes_and_relays_have_a_domain() -> None:
    text = DOMAINS.replace("length_km = 200.0", 'length_km = 200.0\ndomain = "grid"')

    nodes = {node.node_id: node.domain for node in parse_scenario(text).nodes}

    assert nodes == {
        "sat": "state", "east": "state", "west": "", "town": "grid",
        "east-town-1": "grid", "east-town-2": "grid",
    }  # fmt: skip


def test_a_demand_names_the_domains_of_its_relays() -> None:
    text = DOMAINS.replace(
        "bits_per_day = 1000",
        'bits_per_day = 1000\nrequire_domains = ["state"]\navoid_domains = ["grid"]',
    )

    demand = parse_scenario(text).demand("west--town")

    assert demand.may_pass("east", "state")
    assert not demand.may_pass("east", "")
    assert not demand.may_pass("town", "grid")


REFUSED = [
    (user("a", 'switch = "x"'), "link link:a--town names switch 'x'; known: none"),
    (switch("s", 1, 'behind = "t"'), "switch s names switch 't'; known: s"),
    (
        switch("s", 1, 'behind = "t"') + switch("t", 1, 'behind = "s"'),
        "switch s behind t behind s; allowed: a chain that ends",
    ),
    (switch("s", 1, 'behind = "s"'), "switch s behind s; allowed"),
    (switch("s") + switch("s"), "switch 's' is there twice"),
    (switch("s", 0), r"switches[0].at_once is 0; allowed: an integer, 1 to"),
    (user("a", "share = 0.5"), "link:a--town: share 0.5 without a switch; allowed: with one"),
    (user("a", 'switch = "s"', "share = 2"), "links[0].share is 2; allowed: a finite number, 0 to"),
    (user("a", "rate_bps = -1"), "links[0].rate_bps is -1; allowed: a finite number, 0 to"),
    (
        user("a").replace("10.0", "120.0"),
        "links[0].length_km is 120.0; allowed: a finite number, 0.001 to 90, for a longer one",
    ),
    (
        switch("s")
        + user("a", 'switch = "s"', "share = 0.75")
        + user("b", 'switch = "s"', "share = 0.5"),
        "switch s: stated shares add up to 1.25; allowed: up to at_once, 1",
    ),
    (
        switch("s") + user("a", 'switch = "s"', "share = 1") + user("b", 'switch = "s"'),
        "switch s: stated shares add up to 1 and leave none for 1 more; allowed",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_no_switch_can_do_is_refused_in_its_line(text: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=r"line [0-9]+: .*" + re.escape(message)):
        read(text)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ('avoid_domains = ["x"]', "demand west--town names domain 'x'; known: grid, state"),
        (
            'avoid_domains = ["grid"]\nrequire_domains = ["grid"]',
            "demand west--town: requires and avoids domain grid; allowed: one of them",
        ),
    ],
)
def test_domains_that_are_nobodys_are_refused(key: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        parse_scenario(DOMAINS.replace("bits_per_day", f"{key}\nbits_per_day"))


def test_a_span_beyond_a_relay_chain_is_refused_with_the_reason() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(SMALL.replace("[50.0, 70.0, 80.0]", "[109.0, 91.0]"))

    line = SMALL.splitlines().index("spans_km = [50.0, 70.0, 80.0]") + 1
    assert str(caught.value) == (
        f"line {line}: legs[0].spans_km has a span of 109 km; allowed: 30 to 90, for a longer one"
        " gives next to no key, and no chain has relays that stand closer"
    )
