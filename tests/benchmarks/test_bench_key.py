"""Timings of the key-yield model, CPU seconds of one process."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

import qkd
from qkd.geometry import circular_pass
from qkd.sky import CONDITIONS
from qkd.validation import reference_keys

SMOKE = os.environ.get("SKYTRUNK_BENCH_SMOKE") == "1"
BLOCKS = 200 if SMOKE else 20_000
PASSES = 50 if SMOKE else 10_000
MICIUS = qkd.DecoyProtocol(
    intensities=(0.8, 0.1, 0.0),
    probabilities=(0.5, 0.25, 0.25),
    pulse_rate_hz=1e8,
    key_basis_alice=0.7,
    key_basis_bob=0.7,
)


def cpu_seconds(call: Callable[[], object], *, repeat: int = 3) -> float:
    """Return the least CPU time of a few runs."""
    times = []
    for _ in range(1 if SMOKE else repeat):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.bench
def test_what_the_sky_costs_each_preset() -> None:
    seen = circular_pass(altitude_km=500.0, max_elevation_deg=60.0)
    print(
        "secret bits of the reference pass, 500 km, 60 deg, by older bounds and by the sound ones;"
    )
    print("  then under each sky")
    for one in reference_keys():
        print(f"{one.preset}: {one.parity_bits:,} -> {one.sound_bits:,}")
        lit = {
            condition.name: qkd.pass_yield(
                SimpleNamespace(
                    offset_s=seen.offset_s, elevation_deg=seen.elevation_deg,
                    range_km=seen.range_km, **condition.light(seen.offset_s.size),
                ),
                qkd.satellite_preset(one.preset), one.station_id,
            ).secret_bits
            for condition in CONDITIONS
        }  # fmt: skip
        print("  " + "; ".join(f"{words}: {bits:,}" for words, bits in lit.items()))


@dataclass(frozen=True)
class Flat:
    """Many passes, one after the other."""

    offset_s: NDArray[np.float64]
    elevation_deg: NDArray[np.float64]
    range_km: NDArray[np.float64]
    sun_elevation_deg: NDArray[np.float64]
    moon_elevation_deg: NDArray[np.float64]
    moon_phase_deg: NDArray[np.float64]
    satellite_sunlit: NDArray[np.bool_]


@pytest.mark.bench
@pytest.mark.parametrize(
    ("bound", "phase"),
    [
        ("hoeffding", "exact"),
        ("yin", "exact"),
        ("chernoff", "lim-parity"),
        ("chernoff", "yin-parity"),
        ("chernoff", "exact"),
    ],
)
def test_key_length_of_many_blocks(bound: str, phase: str) -> None:
    rng = np.random.default_rng(1)
    counts = qkd.expected_counts(
        10.0 ** rng.uniform(-5.0, -2.0, BLOCKS),
        MICIUS,
        background_per_gate=10.0 ** rng.uniform(-8.0, -5.0, BLOCKS),
        misalignment=0.01,
        sample_s=300.0,
    )

    seconds = cpu_seconds(
        lambda: qkd.secret_key(counts, MICIUS, qkd.Security(), bound=bound, phase=phase)
    )

    print(f"key length, {bound}/{phase}: {seconds / BLOCKS * 1e6:.2f} us a block, {BLOCKS} blocks")


@pytest.mark.bench
@pytest.mark.parametrize("bound", ["hoeffding", "chernoff"])
@pytest.mark.parametrize("name", ["micius-2016", "portable-280mm"])
def test_a_pass_from_track_to_optimised_key(bound: str, name: str) -> None:
    track = circular_pass(altitude_km=500.0, max_elevation_deg=60.0)
    preset = qkd.satellite_preset(name)
    station_id = next(iter(preset.receivers))

    seconds = cpu_seconds(lambda: qkd.optimise_pass(track, preset, station_id, bound=bound))

    print(
        f"track to optimised key, {name}, {bound}: {seconds * 1e3:.0f} ms, "
        f"{track.offset_s.size} samples"
    )


@pytest.mark.bench
def test_forecast_of_a_campaign() -> None:
    rng = np.random.default_rng(2)
    shapes = [
        circular_pass(altitude_km=500.0, max_elevation_deg=float(e))
        for e in rng.uniform(20.0, 89.0, 20)
    ]
    passes = [shapes[i % 20] for i in range(PASSES)]
    sizes = np.array([p.offset_s.size for p in passes])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    total = int(sizes.sum())
    flat = Flat(
        offset_s=np.concatenate([p.offset_s for p in passes]),
        elevation_deg=np.concatenate([p.elevation_deg for p in passes]),
        range_km=np.concatenate([p.range_km for p in passes]),
        sun_elevation_deg=np.full(total, -30.0),
        moon_elevation_deg=np.full(total, 20.0),
        moon_phase_deg=np.full(total, 80.0),
        satellite_sunlit=np.zeros(total, dtype=np.bool_),
    )
    preset = qkd.satellite_preset("micius-2016")

    seconds = cpu_seconds(lambda: qkd.campaign_yield(flat, starts, preset, "xinglong"), repeat=2)

    print(f"campaign forecast: {seconds:.2f} s, {PASSES} passes, {total} samples")
    single = cpu_seconds(lambda: qkd.pass_yield(passes[0], preset, "xinglong"))
    print(f"one pass yield: {single * 1e3:.2f} ms, {sizes[0]} samples")


@pytest.mark.bench
def test_samples_of_a_truncated_beam() -> None:
    track = circular_pass(altitude_km=500.0, max_elevation_deg=60.0)
    terminal = qkd.Terminal(
        wavelength_nm=810.0,
        beam=qkd.TelescopeBeam(waist_radius_m=0.15, aperture_radius_m=0.15),
        pointing=qkd.Pointing(jitter_urad=1.0),
    )
    receiver = qkd.Receiver(
        diameter_m=1.2, detector=qkd.Detector(efficiency=0.5, count=4, gate_ns=1.0)
    )
    site = qkd.OpticalSite(height_m=900.0)

    seconds = cpu_seconds(lambda: qkd.link_budget(track, terminal, receiver, site))

    print(f"link budget, truncated beam: {seconds * 1e3:.1f} ms, {track.offset_s.size} samples")
