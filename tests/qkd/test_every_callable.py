"""Every public callable refuses what is no value of its arguments, or says what it makes of it."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from types import SimpleNamespace

import numpy as np
import pytest

import qkd
from qkd.geometry import circular_pass
from qkd.sky import CONDITIONS

MICIUS = qkd.satellite_preset("micius-2016")
TRUNK = qkd.fibre_preset("trunk-span")
RECEIVER, SITE = MICIUS.station("xinglong")
SKY = qkd.SkyView(field_of_view_urad=100.0, filter_width_nm=1.0)
PROTOCOL = MICIUS.protocol
SECURITY = qkd.Security()
THREE = np.array([1e6, 1e5, 1e3])
COUNTS = qkd.Counts(
    key_clicks=THREE, key_errors=THREE / 100, check_clicks=THREE, check_errors=THREE / 100
)
ROWS = qkd.Counts(
    **{name: np.stack([getattr(COUNTS, name)] * 4) for name in COUNTS.__dataclass_fields__}
)
SEEN = circular_pass(altitude_km=500.0, max_elevation_deg=60.0, step_s=30.0)
TRACK = SimpleNamespace(
    offset_s=SEEN.offset_s, elevation_deg=SEEN.elevation_deg, range_km=SEEN.range_km
)
DETECTOR = RECEIVER.detector
SENDS, RECEIVES = qkd.transmitter_of(MICIUS), qkd.receiver_of(MICIUS, "xinglong")
BUDGET = qkd.link_budget(TRACK, MICIUS.terminal, RECEIVER, SITE)
BELIEF = qkd.LinkBelief.prior(MICIUS.spread)
POLICY = qkd.PoolPolicy(target_sifted_bits=1e6)
SPAN = TRUNK.span
BLOCK = {"protocol": PROTOCOL, "security": SECURITY}
PROOF = {"bound": "chernoff", "leak": 1.16, "phase": "exact"}
LINK = {"background_per_gate": 1e-6, "misalignment": 0.01}
PLACE = {"track": TRACK, "terminal": MICIUS.terminal, "receiver": RECEIVER, "site": SITE}
PASS = {"track": TRACK, "preset": MICIUS, "station_id": "xinglong"}
STARTS = [0, 5]
ENTANGLED = qkd.satellite_preset("micius-entangled-2020")
PAIRS = qkd.Counts(key_clicks=[1e5], key_errors=[2e3], check_clicks=[1e5], check_errors=[2e3])


def values(one: object) -> dict[str, object]:
    """Return the fields of a fact, as a call that builds it again."""
    return {field.name: getattr(one, field.name) for field in fields(one) if field.init}  # type: ignore[arg-type]


#: Every public callable with a call that works; facts are built again from their fields.
CALLS: dict[str, tuple[Callable[..., object], dict[str, object]]] = {
    **{
        type(one).__name__: (type(one), values(one))
        for one in (
            qkd.AnchoredBeam(loss_db=22.0, range_km=1200.0, receiver_diameter_m=1.0),
            qkd.Atmosphere(continuum_depth=0.2, line_depth=0.1, fixed_loss_db=1.0),
            qkd.Authentication(),
            qkd.BlockLeak(),
            COUNTS,
            PROTOCOL,
            ENTANGLED.protocol,
            DETECTOR,
            qkd.Epsilons(secrecy=1e-9, correctness=1e-15, terms=21),
            qkd.ErrorCountLeak(),
            qkd.FarFieldBeam(half_angle_urad=5.0, waist_radius_m=0.1),
            TRUNK,
            TRUNK.receiver,
            SPAN,
            qkd.FiniteLeak(),
            qkd.HufnagelValley(),
            BELIEF,
            qkd.LinkSpread(loss_sigma_db=1.0, spread_db=1.0),
            qkd.MeasuredLeak(revealed_bits=100.0),
            SITE,
            qkd.Pointing(jitter_urad=1.0),
            qkd.PoolPolicy(target_sifted_bits=1e6, age_s_max=1e6),
            MICIUS,
            MICIUS.numbers[0],
            RECEIVER,
            qkd.SearchBox(),
            SECURITY,
            SKY,
            CONDITIONS[0],
            qkd.TabulatedAtmosphere(elevations_deg=(10.0, 90.0), transmittances=(0.4, 0.8)),
            qkd.TelescopeBeam(waist_radius_m=0.1, aperture_radius_m=0.1),
            MICIUS.terminal,
            qkd.Stated(value=1.0, source="assumed"),
            SENDS,
            RECEIVES,
        )
    },
    "Stated.origin": (qkd.Stated(value=1.0, source="assumed").origin, {"unit": "m"}),
    "Transmitter.changed": (
        SENDS.changed,
        {"name": "own", "numbers": {"wavelength_nm": qkd.Stated(value=810.0, source="assumed")}},
    ),
    "GroundReceiver.changed": (
        RECEIVES.changed,
        {
            "name": "own",
            "numbers": {"telescope_m": qkd.Stated(value=0.7, source="assumed")},
            "standard_air": True,
        },
    ),
    "pair_key": (
        qkd.pair_key,
        {
            "counts": PAIRS,
            "protocol": ENTANGLED.protocol,
            "security": SECURITY,
            "leak": qkd.FiniteLeak(),
            "phase": "exact",
        },
    ),
    "session_counts": (
        qkd.session_counts,
        {
            "tracks": (TRACK, TRACK),
            "preset": ENTANGLED,
            "station_ids": ("delingha", "nanshan"),
            "commissioning": False,
            "sample_s": 1.0,
            "ratio": 1.0,
        },
    ),
    "session_yield": (
        qkd.session_yield,
        {
            "tracks": (TRACK, TRACK),
            "preset": ENTANGLED,
            "station_ids": ("delingha", "nanshan"),
            "commissioning": False,
            "rng": None,
            "sample_s": 1.0,
            "ratio": 1.0,
        },
    ),
    "transmitter_of": (qkd.transmitter_of, {"preset": MICIUS}),
    "receiver_of": (qkd.receiver_of, {"preset": MICIUS, "station_id": "xinglong"}),
    "compose": (
        qkd.compose,
        {"transmitter": SENDS, "receiver": RECEIVES, "station_id": "own", "height_m": 100.0},
    ),
    "FarFieldBeam.from_full_angle_urad": (
        qkd.FarFieldBeam.from_full_angle_urad,
        {"full_angle_urad": 10.0, "waist_radius_m": 0.1},
    ),
    "FarFieldBeam.from_fwhm_urad": (
        qkd.FarFieldBeam.from_fwhm_urad,
        {"fwhm_urad": 10.0, "waist_radius_m": 0.1},
    ),
    "FarFieldBeam.from_first_dark_ring_urad": (
        qkd.FarFieldBeam.from_first_dark_ring_urad,
        {"ring_urad": 10.0},
    ),
    "FarFieldBeam.from_waist_diameter_m": (
        qkd.FarFieldBeam.from_waist_diameter_m,
        {"waist_diameter_m": 0.3, "wavelength_nm": 850.0},
    ),
    "Atmosphere.from_slant_loss_db": (
        qkd.Atmosphere.from_slant_loss_db,
        {"loss_db": 5.5, "elevation_deg": 19.6},
    ),
    "Atmosphere.transmittance": (
        qkd.Atmosphere(continuum_depth=0.2).transmittance,
        {"elevation_deg": 20.0},
    ),
    "TabulatedAtmosphere.transmittance": (
        qkd.TabulatedAtmosphere(
            elevations_deg=(10.0, 90.0), transmittances=(0.4, 0.8)
        ).transmittance,
        {"elevation_deg": 20.0},
    ),
    "HufnagelValley.cn2": (qkd.HufnagelValley().cn2, {"height_m": 100.0}),
    "HufnagelValley.moment": (qkd.HufnagelValley().moment, {"power": 1.0}),
    "HufnagelValley.fried_m": (
        qkd.HufnagelValley().fried_m,
        {"elevation_deg": 30.0, "wavelength_nm": 850.0},
    ),
    "HufnagelValley.isoplanatic_urad": (
        qkd.HufnagelValley().isoplanatic_urad,
        {"elevation_deg": 30.0, "wavelength_nm": 850.0},
    ),
    "HufnagelValley.rytov": (
        qkd.HufnagelValley().rytov,
        {"elevation_deg": 30.0, "wavelength_nm": 850.0},
    ),
    "HufnagelValley.point_scintillation": (
        qkd.HufnagelValley().point_scintillation,
        {"elevation_deg": 30.0, "wavelength_nm": 850.0},
    ),
    "HufnagelValley.aperture_scintillation": (
        qkd.HufnagelValley().aperture_scintillation,
        {"elevation_deg": 30.0, "diameter_m": 1.0},
    ),
    "Detector.gate_transmittance": (DETECTOR.gate_transmittance, {"pulse_width_ps": 80.0}),
    "Security.split": (SECURITY.split, {"blocks": 2}),
    "Counts.total": (ROWS.total, {"axis": -2}),
    "Counts.summed_from": (ROWS.summed_from, {"starts": np.array([0, 2])}),
    "Counts.part": (ROWS.part, {"chosen": np.array([0, 2])}),
    "Counts.cumulative": (ROWS.cumulative, {"order": np.array([1, 0, 2, 3])}),
    "Counts.scaled": (ROWS.scaled, {"factor": 2.0}),
    "LinkBelief.prior": (qkd.LinkBelief.prior, {"spread": MICIUS.spread}),
    "LinkBelief.updated": (BELIEF.updated, {"ratios": [0.9, 1.1]}),
    "LinkBelief.ratio_quantiles": (BELIEF.ratio_quantiles, {"probabilities": [0.1, 0.9]}),
    "LinkBelief.probability_below": (BELIEF.probability_below, {"ratio": 1.0}),
    "LinkSpread.draw_ratio": (MICIUS.spread.draw_ratio, {"rng": np.random.default_rng(1)}),
    "LinkBelief.draw_ratio": (BELIEF.draw_ratio, {"rng": np.random.default_rng(1)}),
    "Preset.station": (MICIUS.station, {"station_id": "xinglong"}),
    "add_epsilons": (
        qkd.add_epsilons,
        {"blocks": [qkd.Epsilons(secrecy=1e-9, correctness=1e-15, terms=21)]},
    ),
    "added_bits": (
        qkd.added_bits,
        {"expected": COUNTS, "one": COUNTS, **BLOCK, "passes": 2, **PROOF},
    ),
    "airmass": (qkd.airmass, {"elevation_deg": 30.0}),
    "background": (qkd.background, PLACE),
    "best_subset": (
        qkd.best_subset,
        {"expected": ROWS, **BLOCK, "observed": ROWS, "quality": np.ones(4), **PROOF},
    ),
    "block_keys": (qkd.block_keys, {"counts": ROWS, **BLOCK, **PROOF, "signal_share": "bounded"}),
    "campaign_yield": (
        qkd.campaign_yield,
        {**PASS, "starts": STARTS, "sample_s": 1.0, "samples_at_once": 10},
    ),
    "chain_rate_bps": (qkd.chain_rate_bps, {"hop_rates_bps": [1.0, 2.0]}),
    "click_quality": (qkd.click_quality, {"counts": ROWS, "protocol": PROTOCOL}),
    "close_blocks": (
        qkd.close_blocks,
        {"expected": ROWS, **BLOCK, "passes_max": 2, "observed": ROWS, **PROOF},
    ),
    "cumulative_keys": (qkd.cumulative_keys, {"counts": ROWS, **BLOCK, **PROOF}),
    "draw_counts": (qkd.draw_counts, {"counts": COUNTS, "rng": np.random.default_rng(1)}),
    "expected_counts": (
        qkd.expected_counts,
        {
            "transmittance": [1e-3, 2e-3],
            "protocol": PROTOCOL,
            **LINK,
            "dark_per_gate": 1e-7,
            "sample_s": 1.0,
            "after_pulse": 0.01,
            "dead_time_ns": 10.0,
            "dead_time_share": 1.0,
            "uptime": 0.9,
            "gate_ns": 2.0,
        },
    ),
    "fibre_preset": (qkd.fibre_preset, {"name": "trunk-span"}),
    "fibre_rate": (
        qkd.fibre_rate,
        {
            "span": [10.0, 20.0],
            "receiver": TRUNK.receiver,
            "protocol": TRUNK.protocol,
            "security": SECURITY,
            "block_bits": 1e7,
            "parallel_links": 2,
            "uptime": 0.9,
            **PROOF,
        },
    ),
    "gllp_rate": (
        qkd.gllp_rate,
        {
            "transmittance": [1e-3, 2e-3],
            "signal_photons": 0.5,
            "decoy_photons": 0.1,
            **LINK,
            "error_correction": 1.16,
            "sifting": 0.5,
        },
    ),
    "link_budget": (qkd.link_budget, PLACE),
    "mixed_block_key": (
        qkd.mixed_block_key,
        {"parts": [(COUNTS, PROTOCOL)] * 2, "security": SECURITY, **PROOF},
    ),
    "optimise": (
        qkd.optimise,
        {
            "transmittance": [1e-3, 2e-3],
            "template": PROTOCOL,
            "security": SECURITY,
            **LINK,
            "dark_per_gate": 1e-7,
            "sample_s": 100.0,
            "after_pulse": 0.01,
            "dead_time_ns": 10.0,
            "dead_time_share": 1.0,
            "passes": 1.0,
            **PROOF,
            "box": qkd.SearchBox(),
            "fixed_bases": False,
            "start": PROTOCOL,
        },
    ),
    "optimise_campaign": (
        qkd.optimise_campaign,
        {
            **PASS,
            "starts": STARTS,
            "sample_s": 1.0,
            "bound": None,
            "box": qkd.SearchBox(),
            "fixed_bases": False,
        },
    ),
    "optimise_pass": (
        qkd.optimise_pass,
        {
            **PASS,
            "passes": 1.0,
            "bound": None,
            "box": qkd.SearchBox(),
            "fixed_bases": False,
            "segments": True,
        },
    ),
    "pass_counts": (qkd.pass_counts, {**PASS, "sample_s": 1.0, "ratio": 1.0}),
    "pass_yield": (qkd.pass_yield, {**PASS, "rng": None, "sample_s": 1.0, "ratio": 1.0}),
    "pooled": (qkd.pooled, {"parts": [(COUNTS, PROTOCOL)] * 2}),
    "preset": (qkd.preset, {"name": "trunk-span"}),
    "preset_names": (qkd.preset_names, {}),
    "reliability": (qkd.reliability, {"below": [0.2, 0.8], "levels": [0.1, 0.9]}),
    "binomial_bars": (qkd.binomial_bars, {"hits": [1.0, 4.0], "sessions": 5, "within": 0.5}),
    "satellite_preset": (qkd.satellite_preset, {"name": "micius-2016"}),
    "secret_key": (
        qkd.secret_key,
        {
            "counts": COUNTS,
            **BLOCK,
            **PROOF,
            "decoys": 2,
            "signal_share": "bounded",
            "satquma_parity": False,
        },
    ),
    "select_segment": (
        qkd.select_segment,
        {"expected": ROWS, "quality": np.arange(4.0), **BLOCK, "observed": ROWS, **PROOF},
    ),
    "SkyCondition.light": (CONDITIONS[0].light, {"samples": 3}),
    "sky_radiance": (
        qkd.sky_radiance,
        {
            "sun_elevation_deg": -10.0,
            "moon_elevation_deg": 10.0,
            "moon_phase_deg": 10.0,
            "moon_separation_deg": 30.0,
            "wavelength_nm": 850.0,
            "sky_brightness": 21.0,
        },
    ),
    "sifted_key_bits": (qkd.sifted_key_bits, {"counts": COUNTS, "protocol": PROTOCOL}),
    "standard_atmosphere": (
        qkd.standard_atmosphere,
        {
            "wavelength_nm": 850.0,
            "height_m": 100.0,
            "aerosol_depth_550": 0.1,
            "residual_depth": 0.0,
        },
    ),
    "why_close": (
        qkd.why_close,
        {"policy": POLICY, "expected": COUNTS, **BLOCK, "age_s": 1.0, "epsilon_spent": 0.0},
    ),
    "yield_of_counts": (
        qkd.yield_of_counts,
        {"counts": COUNTS, "preset": MICIUS, "budget": BUDGET},
    ),
    "yield_quantiles": (
        qkd.yield_quantiles,
        {**PASS, "belief": BELIEF, "probabilities": [0.5], "sample_s": 1.0},
    ),
}

#: Made by the package and taken by none of its functions; kinds without a call of their own.
RESULTS = {
    "Background",
    "Block",
    "CampaignOptimum",
    "CampaignYield",
    "FibreRate",
    "KeyLength",
    "LinkBudget",
    "NoLeak",
    "Optimum",
    "PassOptimum",
    "PassYield",
    "Segment",
}
PROTOCOLS = {"LeakModel", "LitTrack", "Site", "Track"}

#: What is a value of no argument, and must be refused.
NEVER: list[object] = ["x", object(), float("nan"), 1j, b"1"]
#: What some arguments take and others must refuse.
SOMETIMES: list[object] = [
    None,
    float("inf"),
    float("-inf"),
    -1.0,
    0.0,
    1.5,
    1e300,
    10**400,
    True,
    [],
    {},
    [1.0, 2.0, 3.0],
    [[1.0], [2.0, 3.0]],
    np.ones((7, 5)),
    np.array([0.5, np.nan]),
]
#: Ratios of nothing to nothing, as their docstrings say.
NAN_IS_AN_ANSWER = {
    "reliability",
    *(f"{name}.qber" for name in ("campaign_yield", "fibre_rate", "pass_yield", "session_yield")),
    *(f"{name}.qber" for name in ("yield_of_counts", "yield_quantiles")),
}
#: Arguments that are free text.
TEXTS = {"name", "title", "missing", "unit", "source"}
#: Names that are looked up, and one that is not.
LOOKED_UP = {"preset", "satellite_preset", "fibre_preset"}
NEW_PLACES = {"compose(station_id)", "receiver_of(station_id)"}


def leaves(value: object, path: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Yield every number inside a result."""
    if isinstance(value, int | float | np.ndarray | np.generic):
        yield path, np.asarray(value)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from leaves(item, path)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from leaves(getattr(value, field.name), f"{path}.{field.name}")


def outcome(function: Callable[..., object], given: dict[str, object]) -> tuple[object, str | None]:
    """Return what a call gives, or the message with which it is refused."""
    try:
        return function(**given), None
    except qkd.QkdInputError as error:
        return None, str(error)


@dataclass(frozen=True)
class Case:
    """One argument of one callable."""

    name: str
    argument: str

    def __str__(self) -> str:
        return f"{self.name}({self.argument})"


CASES = [Case(name, argument) for name, (_, given) in CALLS.items() for argument in given]


def test_every_public_callable_is_in_the_table() -> None:
    public = {
        name
        for name in qkd.__all__
        if callable(getattr(qkd, name))
        and not (
            isinstance(getattr(qkd, name), type)
            and issubclass(getattr(qkd, name), Exception | Enum)
        )
    }
    assert public == {name for name in CALLS if "." not in name} | RESULTS | PROTOCOLS
    methods = {
        f"{name}.{method}"
        for name in public - RESULTS - PROTOCOLS
        if isinstance(getattr(qkd, name), type)
        for method, found in inspect.getmembers(getattr(qkd, name), inspect.isroutine)
        if not method.startswith("_")
        # Called by the package alone, or without an argument.
        and method not in {"bits", "swapped", "edges", "terms_for", "pulses"}
        and found is not None
    }
    assert methods == {name for name in CALLS if "." in name}


@pytest.mark.parametrize("name", CALLS)
def test_the_call_of_the_table_works(name: str) -> None:
    function, given = CALLS[name]
    function(**given)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_value_is_refused_by_name_or_has_a_result(case: Case) -> None:
    function, given = CALLS[case.name]
    if case.argument in TEXTS and case.name not in LOOKED_UP:
        return
    if case.name == "Counts.part" or str(case) in NEW_PLACES:
        return
    for value in [*NEVER, *SOMETIMES]:
        result, message = outcome(function, {**given, case.argument: value})
        if message is not None:
            assert "allowed" in message or repr(value) in message, f"{value!r}: {message}"
            continue
        assert not any(value is one for one in NEVER), f"{value!r} was taken"
        for path, number in leaves(result):
            if number.dtype.kind == "f" and f"{case.name}{path}" not in NAN_IS_AN_ANSWER:
                assert not np.any(np.isnan(number)), f"{value!r} gives NaN in {path}"


@pytest.mark.parametrize("attribute", ["offset_s", "elevation_deg", "range_km"])
def test_a_track_without_an_attribute_is_refused(attribute: str) -> None:
    lame = SimpleNamespace(**{k: v for k, v in vars(TRACK).items() if k != attribute})
    with pytest.raises(qkd.QkdInputError, match=attribute):
        qkd.pass_yield(lame, MICIUS, "xinglong")


def test_counts_of_other_intensities_do_not_add() -> None:
    two = qkd.Counts(**{name: np.ones(2) for name in COUNTS.__dataclass_fields__})
    with pytest.raises(qkd.QkdInputError, match="counts of 3 and of 2 intensities"):
        COUNTS + two
    with pytest.raises(qkd.QkdInputError, match="axis is -1"):
        ROWS.total(axis=-1)
    with pytest.raises(qkd.QkdInputError, match=r"shape \(3,\)"):
        COUNTS.total()
    with pytest.raises(TypeError):
        COUNTS + 1  # type: ignore[operator]


def test_parts_of_other_shapes_make_no_block() -> None:
    with pytest.raises(qkd.QkdInputError, match="parts have"):
        qkd.mixed_block_key([(COUNTS, PROTOCOL), (ROWS, PROTOCOL)], SECURITY)
    other = qkd.DecoyProtocol(
        intensities=(0.5, 0.1, 0.0), probabilities=(0.5, 0.25, 0.25), pulse_rate_hz=1e8
    )
    with pytest.raises(qkd.QkdInputError, match="intensities is"):
        qkd.pooled([(COUNTS, PROTOCOL), (COUNTS, other)])
