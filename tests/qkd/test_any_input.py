"""Whatever the public names are given: an answer without NaN, or an error of our own."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import qkd
from qkd.finite_key.leak import finite_leak_bits
from qkd.geometry import circular_pass
from qkd.optimiser.search import SearchBox

MICIUS = qkd.satellite_preset("micius-2016")
TRUNK = qkd.fibre_preset("trunk-span")
RECEIVER, SITE = MICIUS.station("xinglong")
SKY = replace(RECEIVER, sky=qkd.SkyView(field_of_view_urad=100.0, filter_width_nm=1.0))
THREE = np.array([1e6, 1e4, 10.0])
COUNTS = qkd.Counts(
    key_clicks=THREE, key_errors=THREE / 100, check_clicks=THREE, check_errors=THREE / 100
)
LIGHT = {
    "sun_elevation_deg": -30.0,
    "moon_elevation_deg": 20.0,
    "moon_phase_deg": 90.0,
    "moon_separation_deg": 60.0,
    "satellite_sunlit": True,
}


def track(**changes: object) -> SimpleNamespace:
    seen = circular_pass(altitude_km=500.0, max_elevation_deg=60.0, step_s=60.0)
    plain: dict[str, object] = {
        "offset_s": seen.offset_s,
        "elevation_deg": seen.elevation_deg,
        "range_km": seen.range_km,
    }
    lit = {name: np.full(seen.offset_s.shape, value) for name, value in LIGHT.items()}
    return SimpleNamespace(**{**plain, **lit, **changes})


def expect(**changes: object) -> object:
    usual: dict[str, object] = {"background_per_gate": 1e-6, "misalignment": 0.01}
    eta = changes.pop("transmittance", [0.1, 0.2])
    return qkd.expected_counts(eta, MICIUS.protocol, **{**usual, **changes})  # type: ignore[arg-type]


def best(**changes: object) -> object:
    usual: dict[str, object] = {"background_per_gate": 1e-6, "misalignment": 0.01}
    eta = changes.pop("transmittance", [1e-3, 2e-3])
    return qkd.optimise(eta, MICIUS.protocol, MICIUS.security, **{**usual, **changes})  # type: ignore[arg-type]


def fibre(span: object = 10.0, **changes: object) -> object:
    return qkd.fibre_rate(span, TRUNK.receiver, TRUNK.protocol, TRUNK.security, **changes)  # type: ignore[arg-type]


def budget(**changes: object) -> object:
    return qkd.link_budget(track(**changes), MICIUS.terminal, RECEIVER, SITE)


def sky(**changes: object) -> object:
    return qkd.background(track(**changes), MICIUS.terminal, SKY, SITE)


def at_height(value: object) -> object:
    return qkd.link_budget(track(), MICIUS.terminal, RECEIVER, SimpleNamespace(height_m=value))


def key(**changes: object) -> object:
    return qkd.secret_key(COUNTS, MICIUS.protocol, MICIUS.security, **changes)  # type: ignore[arg-type]


NO_NUMBERS: list[object] = [None, "0.5", b"1", {}, object(), 1j, [[1, 2], [3]], np.nan, 10**400]
UNFITTING: list[object] = [[], [1.0, 2.0, 3.0], np.full((7, 5), 0.5)]
DOORS: list[tuple[Callable[[object], object], list[object]]] = [
    (lambda v: budget(elevation_deg=v), NO_NUMBERS + UNFITTING),
    (lambda v: budget(range_km=v), NO_NUMBERS + UNFITTING),
    (lambda v: sky(sun_elevation_deg=v), NO_NUMBERS + UNFITTING),
    (lambda v: sky(moon_elevation_deg=v), NO_NUMBERS + UNFITTING),
    (lambda v: sky(moon_phase_deg=v), NO_NUMBERS + UNFITTING),
    (lambda v: sky(moon_separation_deg=v), NO_NUMBERS + UNFITTING),
    (lambda v: sky(satellite_sunlit=v), NO_NUMBERS + UNFITTING),
    (at_height, NO_NUMBERS + UNFITTING),
    (lambda v: expect(transmittance=v), NO_NUMBERS),
    (lambda v: expect(background_per_gate=v), NO_NUMBERS + UNFITTING),
    (lambda v: expect(sample_s=v), NO_NUMBERS + UNFITTING),
    (lambda v: expect(misalignment=v), NO_NUMBERS + UNFITTING),
    (lambda v: expect(dead_time_ns=v), NO_NUMBERS + UNFITTING),
    (lambda v: key(leak=v), NO_NUMBERS + UNFITTING),
    (lambda v: key(decoys=v), NO_NUMBERS + UNFITTING),
    (lambda v: key(bound=v), NO_NUMBERS + UNFITTING),
    (lambda v: replace(COUNTS, key_clicks=v), NO_NUMBERS + UNFITTING),
    (lambda v: replace(MICIUS.protocol, intensities=v), NO_NUMBERS),
    (lambda v: replace(MICIUS.protocol, probabilities=v), NO_NUMBERS),
    (lambda v: qkd.Security(secrecy=v), NO_NUMBERS + UNFITTING),  # type: ignore[arg-type]
    (fibre, NO_NUMBERS),
    (lambda v: fibre(block_bits=v), NO_NUMBERS + UNFITTING),
    (lambda v: fibre(uptime=v), NO_NUMBERS + UNFITTING),
    (lambda v: best(transmittance=v), [*NO_NUMBERS, np.full((7, 5), 0.5)]),
    (lambda v: best(background_per_gate=v), NO_NUMBERS + UNFITTING),
    (lambda v: best(dead_time_ns=v), NO_NUMBERS + UNFITTING),
    (lambda v: best(passes=v), NO_NUMBERS + UNFITTING),
]


@pytest.mark.parametrize("door", range(len(DOORS)))
def test_what_is_no_number_or_has_no_fitting_shape_is_refused(door: int) -> None:
    call, values = DOORS[door]
    for value in values:
        with pytest.raises(qkd.QkdInputError):
            call(value)


positive = st.floats(-12.0, 0.5).map(lambda x: 10.0**x)
fractions = st.floats(0.0, 1.0)
edges = st.sampled_from([0.0, 1.0, 1.5, 1e-300, 1e300])


@st.composite
def protocols(draw: st.DrawFn) -> qkd.DecoyProtocol:
    """Two or three intensities, near and far apart, likely and hardly ever sent."""
    size = draw(st.sampled_from([2, 3]))
    first = draw(st.floats(-3.0, 1.0).map(lambda x: 10.0**x))
    second = first * draw(st.one_of(st.floats(1e-9, 0.99), st.just(1e-9)))
    third = min(second, first - second) * draw(st.sampled_from([0.0, 0.5, 1.0 - 1e-6]))
    rare = draw(st.floats(-12.0, -0.7).map(lambda x: 10.0**x))
    share = draw(st.floats(1e-6, 1.0 - 1e-6))
    two, three = (first, second), (first, second, third)
    return qkd.DecoyProtocol(
        intensities=two if size == 2 else three,
        probabilities=(1.0 - rare, rare)
        if size == 2
        else (1.0 - rare, rare * share, rare * (1.0 - share)),
        pulse_rate_hz=1e8,
        key_basis_alice=draw(fractions),
        key_basis_bob=draw(fractions),
        key_intensities=draw(st.sampled_from(["all", "signal"])),
        both_bases=draw(st.booleans()),
    )


def sound(result: qkd.KeyLength, clicks: NDArray[np.float64]) -> None:
    """Assert that a key length is a possible one."""
    for name in qkd.KeyLength.__slots__:
        if name != "epsilons":
            assert np.all(np.isfinite(getattr(result, name))), name
    assert np.all(np.asarray(result.length_bits) >= 0)
    assert np.all(np.asarray(result.length_bits) <= clicks.sum(axis=-1))
    assert np.all((np.asarray(result.phase_error) >= 0.0) & (np.asarray(result.phase_error) <= 0.5))


@settings(max_examples=150)
@given(
    protocol=protocols(),
    eta=st.lists(st.one_of(positive, edges), max_size=5),
    noise=st.one_of(positive, st.just(0.0), st.just(1.0)).map(lambda x: min(x, 1.0)),
    misalignment=st.floats(0.0, 0.5),
    seconds=st.sampled_from([0.0, 1e-9, 1.0, 1e6]),
    bound=st.sampled_from(["chernoff", "yin", "hoeffding", "asymptotic"]),
    phase=st.sampled_from(["exact", "lim-parity", "yin-parity"]),
    leak=st.sampled_from([qkd.BlockLeak(), qkd.FiniteLeak(), np.float32(1.2), 2]),
    secrecy=st.floats(-100.0, -0.01).map(lambda x: 10.0**x),
)
def test_any_link_has_a_sound_key(
    protocol: qkd.DecoyProtocol,
    eta: list[float],
    noise: float,
    misalignment: float,
    seconds: float,
    bound: str,
    phase: str,
    leak: qkd.LeakModel | float,
    secrecy: float,
) -> None:
    counts = qkd.expected_counts(
        eta,
        protocol,
        background_per_gate=noise,
        misalignment=misalignment,
        sample_s=seconds,
        dead_time_ns=50.0,
    )
    assert counts.key_clicks.shape == (len(eta), len(protocol.intensities))
    security = qkd.Security(secrecy=secrecy)
    for part in (counts, counts.total()):
        for block in (part, part.swapped()):
            found = qkd.secret_key(
                block,
                protocol,
                security,
                bound=bound,
                decoys=len(protocol.intensities) - 1,
                leak=leak,
                phase=phase,
            )
            sound(found, block.key_clicks)


@pytest.mark.parametrize("bound", ["chernoff", "yin", "hoeffding", "asymptotic"])
@pytest.mark.parametrize("size", [1e-300, 1.0, 1e9, 1e16, 1e18])
def test_blocks_of_any_size_have_a_sound_key(size: float, bound: str) -> None:
    clicks = size * np.array([0.9, 0.09, 0.01])
    block = qkd.Counts(
        key_clicks=clicks, key_errors=clicks / 50, check_clicks=clicks, check_errors=clicks / 50
    )
    for leak in (qkd.BlockLeak(), qkd.FiniteLeak(), qkd.FiniteLeak(smooth=True)):
        found = qkd.secret_key(block, MICIUS.protocol, qkd.Security(), bound=bound, leak=leak)
        sound(found, clicks)


def test_the_finite_leak_has_no_seam_where_its_quantile_changes() -> None:
    # The exact quantile up to 1e12 bits, the smooth one beyond: a few bits in 1e11.
    for qber in (1e-9, 1e-4, 0.01, 0.2):
        below, above = finite_leak_bits([1e12, 1e12 + 10.0], qber, correctness=1e-15)
        assert above == pytest.approx(below, rel=1e-8, abs=100.0)
    assert np.all(np.isfinite(finite_leak_bits([1e16, 1e18], 0.01, correctness=1e-15)))


@pytest.mark.parametrize(
    "eta",
    [np.zeros(5), np.full(5, 1e300), np.array([]), 1e-3, np.array([1e-3, 5.0, 1e-300])],
    ids=["dark", "near field", "none", "one number", "all kinds"],
)
@pytest.mark.parametrize("noise", [0.0, 1e-6, 1.0])
def test_any_samples_have_an_optimum(eta: NDArray[np.float64], noise: float) -> None:
    found = qkd.optimise(
        eta,
        MICIUS.protocol,
        MICIUS.security,
        background_per_gate=noise,
        misalignment=0.01,
        sample_s=100.0,
    )
    assert np.isfinite(found.signed_length)
    assert found.secret_bits >= 0


def test_near_field_samples_are_no_link_for_the_optimiser_too() -> None:
    weak = np.geomspace(1e-4, 1e-3, 100)
    options = {"background_per_gate": 1e-6, "misalignment": 0.01}
    plain = qkd.optimise(weak, MICIUS.protocol, MICIUS.security, **options)  # type: ignore[arg-type]
    mixed = qkd.optimise(
        np.concatenate([weak, np.full(20, 3.0)]),
        MICIUS.protocol,
        MICIUS.security,
        background_per_gate=np.concatenate([np.full(100, 1e-6), np.zeros(20)]),
        misalignment=0.01,
    )
    assert mixed.signed_length == pytest.approx(plain.signed_length, rel=1e-3)


def test_a_weakest_intensity_beyond_the_box_is_refused() -> None:
    template = replace(MICIUS.protocol, intensities=(5.0, 2.0, 1.5))
    with pytest.raises(qkd.QkdInputError, match=r"end in 1\.5"):
        qkd.optimise(
            1e-3, template, MICIUS.security, background_per_gate=0.0, misalignment=0.0,
            box=SearchBox(),
        )  # fmt: skip


def test_daylight_and_an_unknown_sky_give_no_key() -> None:
    day = track(sun_elevation_deg=np.full(track().offset_s.shape, 20.0))
    for receiver in (RECEIVER, SKY):
        lit = replace(MICIUS, receivers={"xinglong": receiver}, sites={"xinglong": SITE})
        found = qkd.pass_yield(day, lit, "xinglong")
        assert found.secret_bits == 0
        assert np.isfinite(found.signed_length)


def test_a_loss_beyond_all_light_is_no_key_and_no_error() -> None:
    rate = qkd.fibre_rate([0.0, 400.0, 5000.0], TRUNK.receiver, TRUNK.protocol, TRUNK.security)
    assert rate.secret_bps[0] > 0.0
    assert rate.secret_bps[1:].tolist() == [0.0, 0.0]
    dark = replace(TRUNK.receiver, detector=replace(TRUNK.receiver.detector, dark_rate_hz=0.0))
    silent = qkd.fibre_rate(5000.0, dark, TRUNK.protocol, TRUNK.security)
    assert silent.secret_bps == 0.0
    assert silent.block_s == np.inf
    assert np.isnan(silent.qber)


@dataclass(frozen=True)
class Hill:
    """The least that a site must be."""

    height_m: float


@pytest.mark.parametrize("height_m", [0, 890.0, np.float32(3153.0), np.int64(2028)])
def test_any_object_with_a_height_is_a_site(height_m: float) -> None:
    found = qkd.link_budget(track(), MICIUS.terminal, RECEIVER, Hill(height_m))
    same = qkd.link_budget(
        track(), MICIUS.terminal, RECEIVER, qkd.OpticalSite(height_m=float(height_m))
    )
    assert np.array_equal(found.transmittance, same.transmittance)
    assert isinstance(Hill(0.0), qkd.Site)
    noise = qkd.background(track(), MICIUS.terminal, SKY, Hill(height_m))
    assert np.all((noise.per_gate > 0.0) & (noise.per_gate < 1.0))


def test_lists_and_leading_axes_give_what_arrays_of_one_pass_give() -> None:
    one = track()
    listed = SimpleNamespace(**{name: value.tolist() for name, value in vars(one).items()})
    stacked = SimpleNamespace(
        **{name: np.stack([[value] * 3] * 2) for name, value in vars(one).items()}
    )
    nested = SimpleNamespace(**{name: value.tolist() for name, value in vars(stacked).items()})
    assert isinstance(listed, qkd.LitTrack)
    size = one.offset_s.size
    for seen, lead in ((listed, ()), (stacked, (2, 3)), (nested, (2, 3))):
        link = qkd.link_budget(seen, MICIUS.terminal, SKY, SITE)
        plain = qkd.link_budget(one, MICIUS.terminal, SKY, SITE)
        assert link.transmittance.shape == (*lead, size)
        for name, values in link.factors().items():
            expected = np.broadcast_to(plain.factors()[name], (*lead, size))
            assert np.allclose(values, expected, rtol=1e-12), name
        noise = qkd.background(seen, MICIUS.terminal, SKY, SITE).per_gate
        counts = qkd.expected_counts(
            link, MICIUS.protocol, background_per_gate=noise, misalignment=0.01
        )
        assert counts.key_clicks.shape == (*lead, size, 3)
        found = qkd.secret_key(counts.total(), MICIUS.protocol, MICIUS.security)
        assert np.shape(found.length_bits) == lead
        alone = qkd.expected_counts(
            plain,
            MICIUS.protocol,
            background_per_gate=qkd.background(one, MICIUS.terminal, SKY, SITE).per_gate,
            misalignment=0.01,
        )
        single = qkd.secret_key(alone.total(), MICIUS.protocol, MICIUS.security)
        assert np.all(np.asarray(found.length_bits) == single.length_bits)


def test_a_spot_inside_the_obscuration_is_dark_and_no_error() -> None:
    near = track(range_km=np.full(track().offset_s.shape, 0.1))
    beam = replace(MICIUS.terminal, beam=qkd.FarFieldBeam(half_angle_urad=1.0))
    hollow = replace(RECEIVER, diameter_m=2.0, obscuration_m=1.9)
    found = qkd.link_budget(near, beam, hollow, SITE)
    assert found.transmittance.tolist() == [0.0] * near.offset_s.size
    assert not np.any(np.isnan(found.pointing_db))
