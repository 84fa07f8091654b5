"""Any transmitter goes with any receiver, and what is put together again is what it was."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import qkd
from qkd import QkdInputError, Stated, compose, receiver_of, transmitter_of
from qkd.geometry import circular_pass
from qkd.presets.facts import numeric_leaves
from qkd.presets.terminals import RECEIVER_NUMBERS, TRANSMITTER_NUMBERS

SATELLITES = [
    name
    for name in qkd.preset_names()
    if isinstance(found := qkd.preset(name), qkd.Preset)
    and found.kind is not qkd.SessionKind.DUAL_DOWNLINK
]
PAIRS = qkd.satellite_preset("micius-entangled-2020")
TRACK = circular_pass(altitude_km=500.0, max_elevation_deg=70.0)
MICIUS = qkd.satellite_preset("micius-2016")


def _assumed(**numbers: float | tuple[float, ...]) -> dict[str, Stated]:
    return {key: Stated(value=value, source="assumed") for key, value in numbers.items()}


def _bits(sent: qkd.Transmitter, received: qkd.GroundReceiver) -> int:
    preset = compose(sent, received, station_id="here", height_m=400.0)
    return qkd.pass_yield(TRACK, preset, "here").secret_bits


@pytest.mark.parametrize(
    ("name", "station"),
    [(name, station) for name in SATELLITES for station in qkd.satellite_preset(name).receivers],
)
def test_a_preset_taken_apart_and_put_together_gives_the_same_key(name: str, station: str) -> None:
    preset = qkd.satellite_preset(name)
    _, site = preset.station(station)

    again = compose(
        transmitter_of(preset), receiver_of(preset, station),
        station_id=station, height_m=site.height_m,
    )  # fmt: skip

    before, after = (qkd.pass_yield(TRACK, one, station) for one in (preset, again))
    assert (after.secret_bits, after.sifted_bits) == (before.secret_bits, before.sifted_bits)
    assert after.qber == before.qber
    assert again.station(station) == preset.station(station)
    assert (again.protocol, again.security, again.leak) == (
        preset.protocol, preset.security, preset.leak,
    )  # fmt: skip


@pytest.mark.parametrize("name", SATELLITES)
def test_every_number_of_what_is_put_together_has_its_origin(name: str) -> None:
    preset = qkd.satellite_preset(name)
    sent = transmitter_of(preset).changed(
        "mine",
        _assumed(
            beam_full_angle_urad=37.0, pointing_jitter_urad=1.0, probabilities=(0.7, 0.2, 0.1)
        ),
    )
    received = receiver_of(MICIUS, "nowhere").changed(
        "own", _assumed(telescope_m=0.7, field_of_view_urad=100.0, filter_width_nm=1.0)
    )

    made = compose(sent, received, station_id="here", height_m=100.0)

    told = {number.name: number for number in made.numbers}
    for part in ("terminal", "receivers", "sites", "protocol", "security", "leak"):
        for path, value in numeric_leaves(getattr(made, part), part):
            assert told[path].value == value, path
            assert told[path].source
    assert len(told) == len(made.numbers)
    assert told["receivers.here.diameter_m"].standing is qkd.Standing.ASSUMED
    assert told["terminal.beam.half_angle_urad"].value == 18.5
    assert told["protocol.pulse_rate_hz"] in preset.numbers


def test_a_stated_number_keeps_its_source() -> None:
    stated = Stated(value=0.7, source="HOGS, design report")

    changed = receiver_of(MICIUS, "xinglong").changed("hogs", {"telescope_m": stated})

    (number,) = [one for one in changed.numbers if one.name == "receiver.diameter_m"]
    assert (number.source, number.standing) == ("HOGS, design report", qkd.Standing.STATED)


@given(st.lists(st.floats(min_value=0.2, max_value=3.0), min_size=2, max_size=2, unique=True))
def test_a_larger_telescope_never_gives_less(diameters_m: list[float]) -> None:
    sent, received = transmitter_of(MICIUS), receiver_of(MICIUS, "xinglong")
    small, large = (received.changed("own", _assumed(telescope_m=d)) for d in sorted(diameters_m))

    assert _bits(sent, small) <= _bits(sent, large)


def test_air_is_that_of_the_receiver_or_the_standard_one_of_the_height() -> None:
    sent, received = transmitter_of(MICIUS), receiver_of(MICIUS, "xinglong")
    standard = received.changed("own", {}, standard_air=True)
    high, low = (
        qkd.pass_yield(
            TRACK, compose(sent, standard, station_id="here", height_m=height_m), "here"
        ).secret_bits
        for height_m in (3000.0, 0.0)
    )

    assert high > low > _bits(sent, received)
    assert _bits(sent, received.changed("own", _assumed(air_zenith_db=0.0))) > high


def test_pointing_figures_stand_in_each_others_stead() -> None:
    changed = transmitter_of(MICIUS).changed("own", _assumed(pointing_jitter_urad=1.0))

    assert changed.terminal.pointing == qkd.Pointing(jitter_urad=1.0)


@pytest.mark.parametrize(
    ("key", "half_angle_urad"),
    [
        ("beam_half_angle_urad", 10.0),
        ("beam_full_angle_urad", 5.0),
        ("beam_fwhm_urad", 8.493218),  # FWHM / sqrt(2 ln 2)
    ],
)
def test_each_convention_of_divergence_has_its_name(key: str, half_angle_urad: float) -> None:
    beam = transmitter_of(MICIUS).changed("own", _assumed(**{key: 10.0})).terminal.beam

    assert isinstance(beam, qkd.FarFieldBeam)
    assert beam.half_angle_urad == pytest.approx(half_angle_urad, rel=1e-6)


def test_a_beam_known_by_its_loss_is_micius_own() -> None:
    numbers = _assumed(beam_loss_db=22.0, beam_range_km=1200.0, beam_telescope_m=1.0)

    changed = transmitter_of(MICIUS).changed("own", numbers)

    assert changed.terminal.beam == MICIUS.terminal.beam


REFUSED = [
    ("transmitter", {"mass_kg": 1.0}, "number 'mass_kg' is not known, allowed wavelength_nm"),
    ("transmitter", {"beam_fwhm_urad": 1.0, "beam_half_angle_urad": 1.0}, "allowed one angle"),
    ("transmitter", {"beam_fwhm_urad": 1.0, "beam_loss_db": 1.0}, "allowed one angle"),
    ("transmitter", {"beam_loss_db": 22.0}, "together"),
    ("transmitter", {"intensities": (0.1, 0.8, 0.0)}, "intensities are"),
    ("transmitter", {"pulse_rate_hz": (1.0, 2.0)}, "pulse_rate_hz"),
    ("transmitter", {"pointing_jitter_urad": (1.0, 2.0)}, "allowed one number"),
    ("receiver", {"telescope_m": 0.0}, "diameter_m is 0.0"),
    ("receiver", {"wavelength_nm": 850.0}, "number 'wavelength_nm' is not known"),
]


@pytest.mark.parametrize(("end", "numbers", "words"), REFUSED)
def test_what_does_not_hold_together_is_refused(
    end: str, numbers: dict[str, float], words: str
) -> None:
    part = transmitter_of(MICIUS) if end == "transmitter" else receiver_of(MICIUS, "xinglong")

    with pytest.raises(QkdInputError, match=words):
        part.changed("own", _assumed(**numbers))


def test_half_a_view_of_the_sky_is_refused_where_there_was_none() -> None:
    seeing = receiver_of(MICIUS, "xinglong")
    assert seeing.changed("own", _assumed(field_of_view_urad=10.0)).receiver.sky == qkd.SkyView(
        field_of_view_urad=10.0, filter_width_nm=1.0
    )
    blind = replace(seeing, receiver=replace(seeing.receiver, sky=None))
    with pytest.raises(QkdInputError, match="allowed both or none"):
        blind.changed("own", _assumed(field_of_view_urad=10.0))


def test_two_kinds_of_air_are_refused() -> None:
    with pytest.raises(QkdInputError, match="allowed one of them"):
        receiver_of(MICIUS, "xinglong").changed(
            "own", _assumed(air_zenith_db=1.0), standard_air=True
        )


def test_every_number_that_can_be_stated_changes_something() -> None:
    sent, received = transmitter_of(MICIUS), receiver_of(MICIUS, "xinglong")
    rows: dict[str, tuple[float, ...]] = {
        "intensities": (0.5, 0.2, 0.1), "probabilities": (0.6, 0.3, 0.1),
    }  # fmt: skip
    together = ("beam_loss_db", "beam_range_km", "beam_telescope_m")
    for key in TRANSMITTER_NUMBERS:
        extra = dict.fromkeys(together, 1.5) if key in together else {}
        numbers = _assumed(**{**extra, key: rows.get(key, 0.25 if "basis" in key else 1.25)})
        if key in ("secrecy", "correctness", "optics_transmittance", "intensity_uncertainty"):
            numbers = _assumed(**{key: 0.125})
        if key == "wavelength_nm":
            numbers = _assumed(wavelength_nm=1550.0)
        if key in ("pair_rate_hz", "source_error"):
            pairs = transmitter_of(PAIRS)
            assert pairs.changed("own", _assumed(**{key: 0.25})) != pairs, key
            continue
        changed = sent.changed("micius-2016", numbers)
        assert changed != sent, key
    for key in RECEIVER_NUMBERS:
        numbers = _assumed(**{key: {"detector_count": 2.0, "sky_brightness": 20.0}.get(key, 0.25)})
        if key in ("field_of_view_urad", "filter_width_nm"):
            numbers = _assumed(field_of_view_urad=10.0, filter_width_nm=1.0)
        assert received.changed("micius-2016", numbers) != received, key
