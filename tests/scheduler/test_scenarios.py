"""The scenarios that come with Skytrunk are what their notes say."""

from importlib.resources import files

import pytest

from scheduler.network import LinkKind, NodeKind, Scenario, parse_scenario

# FACTS "Stations": Liao et al. (2017) for Xinglong, Yin et al. (2020) for the other two.
PUBLISHED_STATIONS = {
    "xinglong": (40.3958667, 117.5774583, 890.0),
    "nanshan": (43.4754611, 87.1766861, 2028.0),
    "delingha": (37.3790083, 97.7269472, 3153.0),
}
NAMES = sorted(
    path.name.removesuffix(".toml")
    for path in files("scheduler").joinpath("scenarios").iterdir()
    if path.name.endswith(".toml")
)


def load(name: str) -> Scenario:
    return parse_scenario(
        files("scheduler").joinpath("scenarios", f"{name}.toml").read_text("utf-8")
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_reads_and_carries_its_own_name(name: str) -> None:
    assert load(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_what_is_synthetic_says_so(name: str) -> None:
    scenario = load(name)

    assert all(node.synthetic for node in scenario.nodes if node.kind is NodeKind.RELAY)
    assert any("synthetic" in note for note in scenario.notes)
    for link in scenario.links:
        assert link.source, link.pool.pool_id


@pytest.mark.parametrize("name", NAMES)
def test_every_span_lies_between_30_and_90_km(name: str) -> None:
    spans = [link for link in load(name).links if link.kind is LinkKind.FIBRE]

    assert all(link.length_km is not None and 30.0 <= link.length_km <= 90.0 for link in spans)


def test_the_campaigns_stations_stand_where_they_were_published() -> None:
    scenario = load("micius-2016")

    actual = {s.station_id: (s.lat_deg, s.lon_deg, s.height_m) for s in scenario.stations}
    assert actual == PUBLISHED_STATIONS
    assert scenario.satellite("micius").norad_id == 41731
    assert {s.mask_deg for s in scenario.stations} == {10.0}


def test_xinglong_to_beijing_is_280_km_of_fibre() -> None:
    scenario = load("micius-2016")
    spans = [
        link.length_km
        for link in scenario.links
        if link.length_km and "xinglong-beijing" in link.pool.pool_id
    ]

    assert sum(spans) == pytest.approx(280.0)
    assert len(spans) == 4
