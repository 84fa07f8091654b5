"""Any station with any telescope, any satellite with any transmitter: what a scenario states."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import qkd
from qkd.geometry import circular_pass
from qkd.presets.terminals import RECEIVER_NUMBERS, TRANSMITTER_NUMBERS
from scheduler.errors import ScenarioError
from scheduler.hardware import link_preset
from scheduler.network import FIBRE_PRESETS, SATELLITE_PRESETS, Scenario, parse_scenario, schema
from tests.scheduler.network.test_parse import SMALL

MATERA = SMALL.replace('id = "east"\nname = "East"', 'id = "matera"\nname = "Matera"').replace(
    'from = "east"', 'from = "matera"'
)


def _matera(*lines: str, more: str = "") -> Scenario:
    text = MATERA.replace('name = "Matera"', "\n".join(['name = "Matera"', *lines]))
    return parse_scenario(text + more)


def _bits(scenario: Scenario, station: str = "matera") -> int:
    preset = link_preset(scenario.satellites[0], scenario.station(station), "chernoff")
    track = circular_pass(altitude_km=500.0, max_elevation_deg=70.0)
    return qkd.pass_yield(track, preset, station).secret_bits


def test_the_names_and_numbers_are_those_of_the_physics() -> None:
    kinds = {True: SATELLITE_PRESETS, False: FIBRE_PRESETS}
    for satellite, names in kinds.items():
        presets = [
            n for n in qkd.preset_names() if isinstance(qkd.preset(n), qkd.Preset) is satellite
        ]
        assert names == tuple(presets)
    plain = {"id", "like", "source", "sources", "air"}
    for table, numbers in (
        (schema.TRANSMITTERS, TRANSMITTER_NUMBERS),
        (schema.RECEIVERS, RECEIVER_NUMBERS),
    ):
        assert {key.name for key in table.keys} - plain == set(numbers)


def test_a_station_of_no_preset_has_a_key_yield_by_its_telescope() -> None:
    bits = [_bits(_matera(f"telescope_m = {size}")) for size in (0.3, 1.0, 3.0)]

    assert 0 < bits[0] < bits[1] < bits[2]
    # Without a telescope of its own it has the first station's, 1.0 m.
    assert _bits(_matera()) == bits[1]


@pytest.mark.parametrize("name", SATELLITE_PRESETS)
def test_a_station_of_a_preset_is_exactly_the_published_one(name: str) -> None:
    published = qkd.satellite_preset(name)
    for station, receiver in published.receivers.items():
        text = MATERA.replace("matera", station).replace('"micius-2016"', f'"{name}"')
        scenario = parse_scenario(text)
        made = link_preset(scenario.satellites[0], scenario.station(station), published.bound)
        assert made.station(station)[0] == receiver
        assert made.station(station)[1].atmosphere == published.sites[station].atmosphere
        assert (made.terminal, made.protocol) == (published.terminal, published.protocol)


OWN = """
[[transmitters]]
id = "laser"
like = "jinan-1"
source = "design review"
beam_full_angle_urad = 37.0
sources.beam_full_angle_urad = "assumed"
key_basis = 0.5

[[receivers]]
id = "dome"
like = "big-dome"
source = "assumed"
dark_rate_hz = 100

[[receivers]]
id = "big-dome"
like = "graz"
source = "site log"
telescope_m = 2.0
air = "standard"
"""


def test_tables_of_ones_own_start_from_another_and_override() -> None:
    text = MATERA.replace('preset = "micius-2016"', 'preset = "laser"')
    text = text.replace('name = "Matera"', 'name = "Matera"\npreset = "dome"')
    scenario = parse_scenario(text + OWN)

    made = link_preset(scenario.satellites[0], scenario.station("matera"), "chernoff")
    receiver, site = made.station("matera")
    told = {number.name: number for number in made.numbers}
    assert (receiver.diameter_m, receiver.detector.dark_rate_hz) == (2.0, 100.0)
    assert (site.height_m, site.atmosphere) == (10.0, None)
    assert made.protocol.pulse_rate_hz == 6.25e8
    assert told["receivers.matera.diameter_m"].source == "site log"
    assert told["receivers.matera.detector.dark_rate_hz"].standing is qkd.Standing.ASSUMED
    assert told["protocol.key_basis_alice"].source == "design review"
    assert "assumed" in told["terminal.beam.half_angle_urad"].source
    # The station beside it takes the receiver of what the laser starts from.
    assert link_preset(
        scenario.satellites[0], scenario.station("west"), "chernoff"
    ).station("west")[0].diameter_m == pytest.approx(0.28)  # fmt: skip


def test_a_later_beam_stands_instead_of_an_earlier_one() -> None:
    more = OWN.replace("beam_full", "beam_half") + (
        '[[transmitters]]\nid = "newer"\nlike = "laser"\nsource = "assumed"\nbeam_fwhm_urad = 20\n'
    )
    text = MATERA.replace('preset = "micius-2016"', 'preset = "newer"').replace(
        'name = "Matera"', 'name = "Matera"\npreset = "dome"'
    )
    (satellite,) = parse_scenario(text + more).satellites

    assert [one.key for one in satellite.transmitter.numbers] == ["key_basis", "beam_fwhm_urad"]


REFUSED = [
    ('preset = "nowhere"', "", "'nowhere' is not known; known: micius-2016"),
    ("telescope_m = 0", "", "telescope_m is 0; allowed: a finite number, 0.01 to 40"),
    ('preset = "r"', '[[receivers]]\nid = "r"\nlike = "x"\n', "'x' is not known; known: r, micius"),
    ('preset = "r"', '[[receivers]]\nid = "r"\nlike = "r"\n', "r like r; allowed: a chain"),
    ('preset = "r"', '[[receivers]]\nid = "r"\nlike = "graz"\ngate_ns = 1\n',
     "gate_ns without a source; allowed: source = where it is from"),
    ('preset = "r"', '[[receivers]]\nid = "r"\nlike = "graz"\nsources.gate_ns = "x"\n',
     "names 'gate_ns', which the table does not state"),
    ('preset = "r"', ('[[receivers]]\nid = "r"\nlike = "graz"\nsource = "s"\nair_zenith_db = 1\n'
     'air = "standard"\n'), "allowed: one of them"),
    ("", '[[receivers]]\nid = "r"\nlike = "graz"\n', "'r' is the preset of nobody"),
    ('preset = "graz"', '[[receivers]]\nid = "graz"\nlike = "graz"\n', "that of a published one"),
    ("", '[[transmitters]]\nid = "t"\nlike = "graz"\nsource = "s"\nbeam_loss_db = 3\n',
     "together"),
    ("", '[[transmitters]]\nid = "t"\nlike = "graz"\nsource = "s"\nprobabilities = [0.5, 0.6, 1]\n',
     "each above 0, their sum 1"),
    ("", '[[transmitters]]\nid = "t"\nlike = "graz"\nsource = "s"\nintensities = [0.5, 0.6, 1]\n',
     "the first above the sum of the others"),
    ("", '[[transmitters]]\nid = "t"\nlike = "graz"\nsource = "s"\nintensities = [0.5, 0.1]\n',
     "allowed: three, or both rows"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "more", "words"), REFUSED)
def test_what_does_not_hold_together_is_refused_by_name(line: str, more: str, words: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        _matera(*([line] if line else []), more=more)

    assert words in str(caught.value)


def test_the_stations_own_mask_counts_beside_the_least_elevation() -> None:
    from orbits import Archive
    from scheduler.forecast import Flight, forecast_flights
    from scheduler.sources.elements import packaged_elements

    text = SMALL.replace("norad_id = 7", "norad_id = 41731").replace(
        "mask_deg = 12.5", "mask_deg = 40"
    )
    scenario = parse_scenario(text)
    start, end = datetime(2016, 12, 19, tzinfo=UTC), datetime(2016, 12, 21, tzinfo=UTC)
    elements = Archive(packaged_elements()).nearest(start)
    found = forecast_flights(
        [Flight(satellite=scenario.satellites[0], elements=elements, start=start, end=end)],
        stations=scenario.stations,
        planning=scenario.planning,
        step_s=5.0,
        bound="chernoff",
    )

    heights = {
        station: [one.row.max_elevation_deg for one in found if one.row.station == station]
        for station in ("east", "west")
    }
    assert min(heights["west"]) >= 40.0
    assert min(heights["east"]) < 40.0
