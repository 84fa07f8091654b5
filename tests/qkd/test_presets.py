"""Every number of every preset has a source and a standing."""

import pytest

import qkd
from qkd.geometry import circular_pass
from qkd.presets.facts import document, numeric_leaves, published

SATELLITES = (
    "micius-2016",
    "micius-2016-fitted",
    "graz",
    "nanshan-2020",
    "portable-280mm",
    "zvenigorod",
    "jinan-1",
)
OTHERS = ("micius-entangled-2020", "speqtre-like", "qeyssat-like")
FIBRES = ("trunk-span", "toshiba-like")


def test_the_catalogue_is_complete() -> None:
    assert set(qkd.preset_names()) == {*SATELLITES, *OTHERS, *FIBRES}


@pytest.mark.parametrize("name", [*SATELLITES, *OTHERS, *FIBRES])
def test_every_number_has_its_origin(name: str) -> None:
    preset = qkd.preset(name)
    assert preset.name == name
    told = {number.name: number for number in preset.numbers}
    parts = (
        ("terminal", "receivers", "sites", "protocol", "security", "leak")
        if isinstance(preset, qkd.Preset)
        else ("span", "receiver", "protocol", "security", "leak", "block_bits")
    )
    for part in parts:
        for path, value in numeric_leaves(getattr(preset, part), part):
            assert told[path].value == value, path
            assert told[path].source
            assert told[path].unit
    assert preset.missing


def test_only_the_fitted_preset_is_fitted() -> None:
    for name in (*SATELLITES, *FIBRES):
        standings = {number.standing for number in qkd.preset(name).numbers}
        assert (qkd.Standing.FITTED in standings) == (name == "micius-2016-fitted")


@pytest.mark.parametrize("name", SATELLITES)
def test_every_station_yields_key_from_a_good_pass(name: str) -> None:
    preset = qkd.satellite_preset(name)
    track = circular_pass(altitude_km=500.0, max_elevation_deg=70.0)
    for station_id in preset.receivers:
        found = qkd.pass_yield(track, preset, station_id)
        assert found.secret_bits > 0
        assert 0.0 < found.qber < 0.05


def test_the_campaign_stations_have_their_telescopes() -> None:
    receivers = qkd.satellite_preset("micius-2016").receivers
    assert {k: r.diameter_m for k, r in receivers.items()} == {
        "xinglong": 1.0,
        "nanshan": 1.0,
        "delingha": 1.2,
    }


def test_a_number_without_an_origin_is_noticed() -> None:
    security = qkd.Security()
    origins = {"security.secrecy": published("1", "somewhere")}
    with pytest.raises(AssertionError, match=r"no origin for security\.correctness"):
        document({"security": security}, origins)
    origins["security.correctness"] = published("1", "somewhere")
    origins["security.third"] = published("1", "somewhere")
    with pytest.raises(AssertionError, match="no number for"):
        document({"security": security}, origins)
