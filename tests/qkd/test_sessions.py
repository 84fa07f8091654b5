"""Kinds of session: an uplink's beam, pairs to two stations, and passes without key."""

from dataclasses import replace
from math import pi
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qkd
from qkd.entangled import Arm, coincidence_rates
from qkd.finite_key.leak import binary_entropy
from qkd.freespace.atmosphere import HufnagelValley
from qkd.freespace.uplink import turbulent_spot
from qkd.noise import background
from qkd.sky import ground_radiance, sunlight
from qkd.validation import validate_entangled
from qkd.validation.entangled import key_of_published

MICIUS = qkd.satellite_preset("micius-entangled-2020")
PROTOCOL = qkd.PairProtocol(pair_rate_hz=1e6)
UP = qkd.satellite_preset("qeyssat-like")
DETECTOR = qkd.Detector(efficiency=1.0, count=4, gate_ns=1.0)
STATIONS = ("delingha", "nanshan")
GAUSS = np.polynomial.legendre.leggauss(100)


def way(elevation_deg: float = 40.0, range_km: float = 750.0, **light: object) -> SimpleNamespace:
    """Return ten samples of a second at one place in the sky."""
    return SimpleNamespace(
        offset_s=np.arange(10.0),
        elevation_deg=np.full(10, elevation_deg),
        range_km=np.full(10, range_km),
        **light,
    )


def arm(eta: float, noise_hz: float = 0.0, misalignment: float = 0.0) -> Arm:
    return Arm(
        transmittance=np.array([eta]),
        noise_hz=np.array([noise_hz]),
        misalignment=misalignment,
        detector=DETECTOR,
    )


# By hand from S = B eta + noise, C = B eta_A eta_B + S_A S_B t (Neumann et al., Phys. Rev. A
# 104, 022406 (2021)): pairs a second, the two transmittances, noise, coincidences, wrong ones.
BY_HAND = [
    (1e6, 1e-2, 1e-2, 0.0, 100.0 + 0.1, 0.05),
    (1e6, 1e-3, 1e-3, 1e3, 1.0 + 4e-3, 2e-3),
    (5.9e6, 1e-3, 2e-3, 100.0, 11.8 + 6000.0 * 11900.0 * 1e-9, 3000.0 * 11900.0 * 1e-9),
]


@pytest.mark.parametrize(("pairs", "one", "other", "noise", "rate", "wrong"), BY_HAND)
def test_coincidences_are_true_pairs_and_accidents(
    pairs: float, one: float, other: float, noise: float, rate: float, wrong: float
) -> None:
    found = coincidence_rates(
        (arm(one, noise), arm(other, noise)), qkd.PairProtocol(pair_rate_hz=pairs)
    )

    assert found[0] == pytest.approx([rate], rel=1e-12)
    assert found[1] == pytest.approx([wrong], rel=1e-12)


LOSS = st.floats(1e-6, 1e-2)
NOISE = st.floats(0.0, 1e5)


@given(one=LOSS, other=LOSS, noise=NOISE, more=NOISE, source=st.floats(0.0, 0.1))
def test_more_noise_never_lowers_the_error_rate(
    one: float, other: float, noise: float, more: float, source: float
) -> None:
    protocol = qkd.PairProtocol(pair_rate_hz=1e6, misalignment=source)

    qbers = [
        float(wrong[0] / rate[0])
        for rate, wrong in (
            coincidence_rates((arm(one, n), arm(other, n)), protocol) for n in (noise, noise + more)
        )
    ]

    assert source - 1e-12 <= qbers[0] <= qbers[1] + 1e-12 <= 0.5 + 1e-9


@given(n=st.integers(0, 200_000), qber=st.floats(0.0, 0.2), worse=st.floats(0.0, 0.2))
def test_a_pair_key_is_no_longer_than_its_block_and_falls_with_errors(
    n: int, qber: float, worse: float
) -> None:
    def signed(rate: float) -> float:
        wrong = float(int(n * rate))
        counts = qkd.Counts(
            key_clicks=np.array([float(n)]),
            key_errors=np.array([wrong]),
            check_clicks=np.array([float(n)]),
            check_errors=np.array([wrong]),
        )
        found = qkd.pair_key(counts, PROTOCOL, qkd.Security())
        assert 0 <= int(found.length_bits) <= n
        # Before the leak, whose finite limit goes by whole steps of a binomial's quantile.
        return float(found.signed_length + found.leak_bits)

    assert signed(qber + worse) <= signed(qber) + 1e-6


def block_of(n: float, qber: float) -> qkd.Counts:
    clicks, wrong = np.array([n]), np.array([n * qber])
    return qkd.Counts(key_clicks=clicks, key_errors=wrong, check_clicks=clicks, check_errors=wrong)


def entropy(qber: float) -> float:
    return float(binary_entropy(np.array(qber)))


@given(n=st.floats(0.0, 1e9), qber=st.floats(0.0, 0.5))
def test_a_pair_key_is_never_above_its_asymptotic_bound(n: float, qber: float) -> None:
    # 1 - 2 h(Q) of Shor and Preskill, which no finite block reaches.
    found = qkd.pair_key(block_of(n, qber), PROTOCOL, qkd.Security())

    assert int(found.length_bits) <= max(n * (1.0 - 2.0 * entropy(qber)), 0.0)


@given(n=st.floats(0.0, 1e12), qber=st.floats(0.11003, 0.5))
def test_a_pair_key_ends_at_eleven_per_cent(n: float, qber: float) -> None:
    # 1 - 2 h(Q) = 0 at Q = 0.11003 (Shor and Preskill, Phys. Rev. Lett. 85, 441 (2000): 11 %).
    assert int(qkd.pair_key(block_of(n, qber), PROTOCOL, qkd.Security()).length_bits) == 0


@given(thousands=st.integers(1, 5000), factor=st.integers(2, 8), per_mille=st.integers(0, 110))
def test_a_pair_key_grows_with_its_block(thousands: int, factor: int, per_mille: int) -> None:
    # Whole errors at one rate: else a rounded error would make the small block the better one.
    lengths = [
        int(
            qkd.pair_key(
                block_of(1000.0 * thousands * times, per_mille / 1000.0),
                PROTOCOL,
                qkd.Security(),
            ).length_bits
        )
        for times in (1, factor)
    ]

    assert lengths[1] >= factor * lengths[0]


@given(n=st.integers(1000, 10**7), qber=st.floats(0.0, 0.1))
def test_the_sampling_of_a_pair_key_is_no_looser_than_serfling(n: int, qber: float) -> None:
    # Tomamichel et al. 2012, equation 2: mu, which may fail as often as the exact tail here.
    wrong = float(int(n * qber))
    found = qkd.pair_key(block_of(float(n), wrong / n), PROTOCOL, qkd.Security(secrecy=1e-9))
    mu = np.sqrt(2.0 / n * (n + 1.0) / n * np.log(4.0 / 1e-9))

    assert wrong / n < float(found.phase_error) <= wrong / n + mu + 1.0 / n


def test_both_stations_change_places() -> None:
    ways = (way(40.0, 750.0), way(25.0, 1000.0))

    one = qkd.session_yield(ways, MICIUS, STATIONS)
    other = qkd.session_yield(ways[::-1], MICIUS, STATIONS[::-1])

    assert one.sifted_bits == pytest.approx(other.sifted_bits, rel=1e-12)
    assert one.qber == pytest.approx(other.qber, rel=1e-12)


def test_losses_of_both_ways_add() -> None:
    both = qkd.session_yield((way(), way()), MICIUS, STATIONS).budget
    single = qkd.link_budget(way(), MICIUS.terminal, *MICIUS.station("nanshan"))

    np.testing.assert_allclose(both.loss_db, 2.0 * single.loss_db, rtol=1e-12)


def test_a_dual_downlink_gives_nothing_while_one_station_has_daylight() -> None:
    day = way(sun_elevation_deg=np.full(10, 20.0))
    receivers = {name: replace(one, sky=None) for name, one in MICIUS.receivers.items()}
    preset = replace(MICIUS, receivers=receivers)

    assert qkd.session_yield((way(), way()), preset, STATIONS).sifted_bits > 1.0
    assert qkd.session_yield((way(), day), preset, STATIONS).sifted_bits == 0.0


def test_a_dual_downlink_takes_two_tracks_and_the_others_one() -> None:
    with pytest.raises(qkd.QkdInputError, match="1 tracks of 1 stations, allowed 2 of each"):
        qkd.session_counts((way(),), MICIUS, STATIONS[:1])
    with pytest.raises(qkd.QkdInputError, match="allowed 1 of each in a session of kind uplink"):
        qkd.session_counts((way(), way()), UP, ("ground", "ground"))
    with pytest.raises(qkd.QkdInputError, match="entangled source, allowed one of weak pulses"):
        qkd.pass_counts(way(), MICIUS, "nanshan")


def test_a_commissioning_pass_has_a_budget_and_no_key() -> None:
    found = qkd.session_yield((way(),), UP, ("ground",), commissioning=True)

    assert found.secret_bits == 0
    assert found.sifted_bits == 0.0
    assert np.all(np.isfinite(found.budget.loss_db))


def test_pairs_are_pooled_with_pairs_alone() -> None:
    block = qkd.session_counts((way(), way()), MICIUS, STATIONS)[0].total()
    whole = qkd.pooled([(block, MICIUS.protocol)] * 3)

    assert whole.key_clicks[0] == pytest.approx(3.0 * block.key_clicks[0])
    pulses = qkd.satellite_preset("micius-2016").protocol
    with pytest.raises(qkd.QkdInputError, match="allowed one in a block"):
        qkd.pooled([(block, MICIUS.protocol), (block, pulses)])
    with pytest.raises(qkd.QkdInputError, match="protocol of parts"):
        qkd.mixed_block_key([(block, MICIUS.protocol)], qkd.Security())  # type: ignore[list-item]


def spot_at(spot_m: float, elevation_deg: float = 90.0) -> float:
    found = turbulent_spot(
        np.array([spot_m]),
        np.array([500e3]),
        np.array([elevation_deg]),
        turbulence=HufnagelValley(),
        wavelength_nm=500.0,
    )
    return float(found[0])


def test_turbulence_spreads_an_uplink_by_the_fried_angle() -> None:
    # HV5/7 at 500 nm has r0 = 4.96 cm at the zenith (docs/key-rate.md); the long-term blur of
    # a beam without width is sqrt(2) 4 L / (k r0) (Dios et al. 2004, equation 2).
    expected = np.sqrt(2.0) * 4.0 * 500e3 / (2.0 * pi / 500e-9 * 0.0496)

    # r0 is quoted to three digits.
    assert spot_at(0.0) == pytest.approx(expected, rel=3e-3)


@given(waist_m=st.floats(2e-3, 2.0), elevation=st.floats(15.0, 90.0))
def test_an_uplink_is_no_brighter_than_its_structure_function_allows(
    waist_m: float, elevation: float
) -> None:
    # The mean irradiance on the axis against that in vacuum, by quadrature; the spot's formula
    # gives less, by 0.32 dB at most.
    r0 = float(HufnagelValley().fried_m(elevation, wavelength_nm=500.0))
    reach = min(1.0, r0 / waist_m)
    nodes, weight = GAUSS
    x = 4.0 * reach * (nodes + 1.0)
    lit = np.exp(-(x**2) / 2.0 - 3.44 * (x * waist_m / r0) ** (5.0 / 3.0))
    exact_db = -10.0 * np.log10(float((4.0 * reach * weight * x * lit).sum()))

    vacuum_m = 500e-9 * 500e3 / (pi * waist_m)
    found_db = 20.0 * np.log10(spot_at(vacuum_m, elevation) / vacuum_m)

    assert exact_db - 1e-3 <= found_db <= exact_db + 0.33


@given(
    waist_m=st.floats(0.02, 1.0), elevation=st.floats(10.0, 90.0), said_urad=st.floats(0.01, 20.0)
)
def test_an_uplink_is_never_below_the_diffraction_limit(
    waist_m: float, elevation: float, said_urad: float
) -> None:
    # A divergence below what the waist allows, too.
    beam = qkd.FarFieldBeam(half_angle_urad=said_urad, waist_radius_m=waist_m)
    receiver, site = UP.station("ground")
    track = way(elevation)

    found = qkd.link_budget(track, replace(UP.terminal, beam=beam), receiver, site)

    spot_m = np.hypot(waist_m, 785e-9 * track.range_km * 1e3 / (pi * waist_m))
    limit = -np.expm1(-2.0 * (receiver.diameter_m / 2.0) ** 2 / spot_m**2)
    geometric_db = found.diffraction_db + found.turbulence_db + found.pointing_db
    assert np.all(geometric_db >= -10.0 * np.log10(limit) - 1e-9)


def test_the_uplink_of_the_study_keeps_to_its_telescope() -> None:
    # The most that an aperture puts on the axis is pi a^2 / (lambda L)^2 of its power.
    beam = UP.terminal.beam
    assert isinstance(beam, qkd.FarFieldBeam)
    on_axis = 2.0 / (pi * (beam.half_angle_urad * 1e-6) ** 2)

    assert 0.8 < on_axis / (pi * 0.125**2 / 785e-9**2) < 1.0


@given(waist_m=st.floats(0.02, 1.0), elevation=st.floats(10.0, 90.0))
def test_an_uplink_loses_more_than_the_same_downlink(waist_m: float, elevation: float) -> None:
    beam = qkd.FarFieldBeam.from_waist_diameter_m(waist_m, wavelength_nm=785.0)
    up = replace(UP.terminal, beam=beam)
    down = replace(up, direction="downlink")
    receiver, site = UP.station("ground")

    budgets = [qkd.link_budget(way(elevation), one, receiver, site) for one in (up, down)]

    # A beam spread by turbulence loses less by pointing, never all that it lost by spreading.
    assert np.all(budgets[0].loss_db >= budgets[1].loss_db - 1e-9)
    assert np.all(budgets[1].turbulence_db == 0.0)


def test_an_uplink_needs_eclipse_and_night() -> None:
    receiver, site = UP.station("ground")
    sunlit = way(satellite_sunlit=np.ones(10, dtype=bool))
    dusk = way(sun_elevation_deg=np.full(10, -3.0))

    for track, clear in ((way(), True), (sunlit, False), (dusk, False)):
        seen = background(track, UP.terminal, receiver, site)
        assert np.all(np.isfinite(seen.sky_hz)) == clear
    assert qkd.session_yield((sunlit,), UP, ("ground",)).secret_bits == 0


def test_the_moonlit_ground_outshines_the_dark_one() -> None:
    # The Sun's irradiance at 800 nm is 1.1 W m^-2 nm^-1 (ASTM E490: 1.14 at 800 nm); a black
    # body is within 10 % of it there.
    assert sunlight(800.0) == pytest.approx(1.14, rel=0.1)
    dark, moonlit = (
        float(ground_radiance(moon_elevation_deg=up, moon_phase_deg=0.0)) for up in (-10.0, 60.0)
    )
    assert moonlit > 5.0 * dark


def test_a_beam_without_a_waist_is_no_uplink() -> None:
    terminal = replace(UP.terminal, beam=qkd.FarFieldBeam(half_angle_urad=5.0))
    with pytest.raises(qkd.NotModelledError, match="waist_radius_m above 0"):
        qkd.link_budget(way(), terminal, *UP.station("ground"))


def test_numbers_of_another_kind_of_session_are_refused() -> None:
    pulses = {"pulse_rate_hz": qkd.Stated(value=1e8, source="assumed")}
    with pytest.raises(
        qkd.QkdInputError,
        match="pulse_rate_hz on 'micius-entangled-2020', allowed those of a dual-downlink",
    ):
        qkd.transmitter_of(MICIUS).changed("own", pulses)


def test_micius_pairs_come_near_what_was_published() -> None:
    rows = {row.quantity: row for row in validate_entangled()}

    # Each way follows from the rate of both: within a decibel of what is published.
    for range_km in (530, 1000):
        row = rows[f"loss of one way at {range_km} km"]
        assert abs(float(row.fitted or 0.0) - float(row.published or 0.0)) < 1.0
    sifted = rows["sifted rate, mean of a pass"]
    assert float(sifted.fitted or 0.0) == pytest.approx(float(sifted.published or 0.0), rel=0.02)
    # Within the error of the published QBER, 0.37 %: not checked against the paper.
    qber = rows["QBER of a pass"]
    assert abs(float(qber.fitted or 0.0) - float(qber.published or 0.0)) < 0.0037


def test_the_key_of_the_published_bits_is_that_of_the_later_analysis() -> None:
    # Lim et al. 2021: positive at 1e-5; six bits at 1e-6 and none beyond.
    assert key_of_published(1e-5) > 0.0
    assert abs(key_of_published(1e-6)) < 100.0
    assert key_of_published(1e-10) < 0.0
