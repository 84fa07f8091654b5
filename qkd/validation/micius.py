"""The Micius pass over Xinglong of 2016-12-19: published, unfitted and fitted."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from scipy.optimize import least_squares, minimize

from qkd.checks import BoolArray, FloatArray
from qkd.decoy import Counts, expected_counts
from qkd.errors import ParameterRangeError
from qkd.finite_key.key import block_keys
from qkd.freespace.atmosphere import DB_PER_NEPER, Atmosphere, airmass
from qkd.freespace.budget import LinkBudget, link_budget, to_db
from qkd.hardware import OpticalSite
from qkd.noise import background
from qkd.ports import Track
from qkd.presets.catalogue import satellite_preset
from qkd.presets.facts import Preset
from qkd.presets.micius import LIAO
from qkd.validation.rows import ValidationRow
from qkd.yields import sample_seconds, yield_of_counts

STATION = "xinglong"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPass:
    """What a paper prints of one pass; loss_bins holds (from km, to km, mean loss in dB)."""

    case: str
    source: str
    range_km_min: float
    range_km_max: float
    duration_s: float
    loss_bins: tuple[tuple[float, float, float], ...]
    detections: float
    sifted_bits: float
    sifted_bps_near: float
    sifted_bps_far: float
    qber: float
    final_key_bits: float


MICIUS_2016_12_19 = PublishedPass(
    case="Micius over Xinglong, 2016-12-19",
    source=LIAO,
    range_km_min=645.0,
    range_km_max=1200.0,
    duration_s=273.0,
    loss_bins=(
        (645.0, 660.0, 33.2),
        (660.0, 700.0, 33.5),
        (700.0, 800.0, 34.2),
        (800.0, 900.0, 35.0),
        (900.0, 1000.0, 36.8),
        (1000.0, 1100.0, 38.3),
        (1100.0, 1200.0, 41.4),
    ),
    detections=3_551_136.0,
    sifted_bits=1_671_072.0,
    sifted_bps_near=12_000.0,
    sifted_bps_far=1_000.0,
    qber=0.011,
    final_key_bits=300_939.0,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MiciusValidation:
    """The rows, and the sifted signal bits per second along the pass for its picture."""

    rows: tuple[ValidationRow, ...]
    offset_s: FloatArray
    range_km: FloatArray
    sifted_bps_unfitted: FloatArray
    sifted_bps_fitted: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Window:
    """The samples of a track nearer than the published range, taken to be dark."""

    offset_s: FloatArray
    elevation_deg: FloatArray
    range_km: FloatArray
    seconds: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Model:
    """One run: loss, counts by sample and in all, and what it was run with."""

    budget: LinkBudget
    transmittance: FloatArray
    samples: Counts
    total: Counts
    preset: Preset


def _window(track: Track, range_km_max: float) -> _Window:
    ranges = np.asarray(track.range_km, dtype=np.float64)
    near: BoolArray = ranges < range_km_max
    if ranges.ndim != 1 or int(near.sum()) < 10:
        raise ParameterRangeError(
            f"track has {int(near.sum())} samples below {range_km_max:g} km, allowed 10 or more"
        )
    return _Window(
        offset_s=np.asarray(track.offset_s, dtype=np.float64)[near],
        elevation_deg=np.asarray(track.elevation_deg, dtype=np.float64)[near],
        range_km=ranges[near],
        seconds=sample_seconds(track.offset_s)[near],
    )


def _run(window: _Window, preset: Preset, *, scale: float = 1.0) -> _Model:
    receiver, site = preset.station(STATION)
    budget = link_budget(window, preset.terminal, receiver, site)
    eta = budget.transmittance * scale
    samples = expected_counts(
        eta,
        preset.protocol,
        background_per_gate=background(window, preset.terminal, receiver, site).per_gate,
        misalignment=receiver.misalignment,
        sample_s=window.seconds,
    )
    return _Model(
        budget=budget, transmittance=eta, samples=samples, total=samples.total(), preset=preset
    )


def _bin_losses(
    window: _Window, eta: FloatArray, bins: tuple[tuple[float, float, float], ...]
) -> list[float]:
    """Return -10 log10 of the mean transmittance of each bin's samples."""
    losses = []
    for low, high, _ in bins:
        inside = (window.range_km >= low) & (window.range_km < high)
        mean = eta[inside].mean() if inside.any() else np.nan
        losses.append(float(to_db(np.asarray(mean))))
    return losses


def fit_pass(track: Track, published: PublishedPass = MICIUS_2016_12_19) -> Preset:
    """Return the preset fitted to a pass's loss bins and QBER.

    a x airmass + b dB replaces the atmosphere and pointing terms of the unfitted model, so
    that the worst bin misses least; then the misalignment that gives the published QBER of
    the signal. Diffraction, receiver, noise and geometry are not touched.
    """
    window = _window(track, published.range_km_max)
    base = satellite_preset("micius-2016-fitted")
    receiver, site = base.station(STATION)
    bare = replace(site, atmosphere=Atmosphere(continuum_depth=0.0))
    vacuum = link_budget(window, base.terminal, receiver, bare).transmittance
    mass = airmass(window.elevation_deg)
    target = np.array([loss for _, _, loss in published.loss_bins])

    def residual(parameters: FloatArray) -> FloatArray:
        eta = vacuum * 10.0 ** (-(parameters[0] * mass + parameters[1]) / 10.0)
        miss = np.array(_bin_losses(window, eta, published.loss_bins)) - target
        return np.where(np.isfinite(miss), miss, 0.0)

    def worst(parameters: FloatArray) -> float:
        return float(np.abs(residual(parameters)).max())

    start = least_squares(residual, np.array([2.0, 2.0])).x
    a, b = minimize(worst, start, method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-7}).x
    air = Atmosphere(continuum_depth=max(a, 0.0) / DB_PER_NEPER, fixed_loss_db=max(b, 0.0))
    aired = _with(base, site=replace(site, atmosphere=air))
    # The QBER of the signal is linear in the misalignment.
    low, high = (_qber(_run(window, _with(aired, misalignment=e)).total) for e in (0.0, 0.1))
    return _with(aired, misalignment=0.1 * (published.qber - low) / (high - low))


def _with(
    preset: Preset, *, site: OpticalSite | None = None, misalignment: float | None = None
) -> Preset:
    receivers, sites = dict(preset.receivers), dict(preset.sites)
    if site is not None:
        sites[STATION] = site
    if misalignment is not None:
        receivers[STATION] = replace(receivers[STATION], misalignment=misalignment)
    return replace(preset, receivers=receivers, sites=sites)


def _qber(total: Counts) -> float:
    errors = total.key_errors[0] + total.check_errors[0]
    return float(errors / (total.key_clicks[0] + total.check_clicks[0]))


def _detections(model: _Model) -> float:
    clicks = model.total.key_clicks.sum() + model.total.check_clicks.sum()
    return float(clicks) / model.preset.protocol.matching_bases


def scaled_to(model: _Model, window: _Window, detections: float) -> _Model:
    """Return the model with its transmittance scaled to a number of detections."""
    scale = 1.0
    for _ in range(3):
        found = _run(window, model.preset, scale=scale)
        scale *= detections / _detections(found)
    return _run(window, model.preset, scale=scale)


def _key(model: _Model, *, bound: str, efficiency: float = 1.16, share: int = 2) -> float:
    """Return secret bits of both bases; share 1 gives each basis the whole epsilon."""
    security = model.preset.security.split(1)
    if share == 1:
        security = replace(
            security, secrecy=2.0 * security.secrecy, correctness=2.0 * security.correctness
        )
    keys = block_keys(model.total, model.preset.protocol, security, bound=bound, leak=efficiency)
    return float(sum(int(key.length_bits) for key in keys))


def _closest(track: Track) -> tuple[float, float]:
    """Return instant and range of the closest approach, by a parabola through three samples."""
    ranges = np.asarray(track.range_km, dtype=np.float64)
    offsets = np.asarray(track.offset_s, dtype=np.float64)
    middle = int(np.clip(np.argmin(ranges), 1, ranges.size - 2))
    around = slice(middle - 1, middle + 2)
    square = np.polyfit(offsets[around] - offsets[middle], ranges[around], 2)
    shift = -square[1] / (2.0 * square[0]) if square[0] > 0.0 else 0.0
    return float(offsets[middle] + shift), float(np.polyval(square, shift))


def _geometry_rows(
    track: Track, window: _Window, published: PublishedPass, start_utc: datetime | None
) -> list[ValidationRow]:
    offset, nearest = _closest(track)
    instant = None
    if start_utc is not None:
        # To the nearest second; strftime alone would cut.
        nearest_second = start_utc + timedelta(seconds=offset + 0.5)
        instant = nearest_second.strftime("%Y-%m-%d %H:%M:%S")
    return [
        _row(published, "closest range", "km", published.range_km_min, nearest, None, "geometry"),
        _row(published, "instant of closest range", "UTC", None, instant, None, "geometry"),
        _row(
            published,
            f"time within {published.range_km_max:g} km",
            "s",
            published.duration_s,
            float(window.seconds.sum()),
            None,
            "geometry",
        ),
    ]


_ASSUMED = {
    "geometry": "element set of that day; never fitted",
    "loss": "unfitted: 22 dB at 1200 km, 10.97 dB receiver, midpoints 5.5 dB air at 19.6 deg "
    "and 1.5 dB pointing; fitted: air and pointing as a x airmass + b dB to these seven bins",
    "counts": "4 x 25 Hz dark counts in 2 ns gates; sifted counts signal pulses alone",
    "qber": "unfitted: contrast 280:1 and dark counts alone; fitted: misalignment to this figure",
    "hoeffding": "Hoeffding bounds, f_EC 1.16, each basis a block of eps/2; the paper prints "
    "neither bounds nor f_EC",
    "chernoff": "the same with exact Chernoff bounds",
    "scaled": "fitted profile scaled to the published detections; eps 1e-9 per basis",
}


def _row(
    published: PublishedPass,
    quantity: str,
    unit: str,
    printed: float | None,
    unfitted: float | str | None,
    fitted: float | None,
    assumption: str,
) -> ValidationRow:
    return ValidationRow(
        case=published.case,
        quantity=quantity,
        unit=unit,
        published=printed,
        unfitted=unfitted,
        fitted=fitted,
        assumption=_ASSUMED[assumption],
        source=published.source,
    )


def _signal_bps(model: _Model, window: _Window) -> FloatArray:
    clicks = model.samples.key_clicks[:, 0] + model.samples.check_clicks[:, 0]
    return np.asarray(clicks / window.seconds)


def validate_micius(
    track: Track,
    published: PublishedPass = MICIUS_2016_12_19,
    *,
    start_utc: datetime | None = None,
) -> MiciusValidation:
    """Return published, unfitted and fitted figures of the pass side by side.

    Parameters
    ----------
    track : the pass over Xinglong, about a second a sample, reaching beyond 1200 km
    published : what the paper prints
    start_utc : instant of the track's offset 0, for the row of the closest approach

    Raises ParameterRangeError if the track has fewer than ten samples within the range.
    """
    window = _window(track, published.range_km_max)
    unfitted = _run(window, satellite_preset("micius-2016"))
    fitted = _run(window, fit_pass(track, published))
    models = (unfitted, fitted)
    rows = _geometry_rows(track, window, published, start_utc)
    losses = [_bin_losses(window, m.transmittance, published.loss_bins) for m in models]
    for (low, high, loss), ours, fit in zip(published.loss_bins, *losses, strict=True):
        quantity = f"mean loss, {low:g}-{high:g} km"
        rows.append(_row(published, quantity, "dB", loss, ours, fit, "loss"))
    a, b = (yield_of_counts(m.total, m.preset, m.budget) for m in models)
    curves = [_signal_bps(m, window) for m in models]
    near, far = int(np.argmin(window.range_km)), int(np.argmax(window.range_km))
    pairs = (
        ("detections", "1", published.detections, a.detections, b.detections, "counts"),
        (
            "sifted bits",
            "bit",
            published.sifted_bits,
            a.signal_sifted_bits,
            b.signal_sifted_bits,
            "counts",
        ),
        ("QBER", "1", published.qber, a.qber, b.qber, "qber"),
    )
    rows += [_row(published, *pair) for pair in pairs]
    for name, index, printed in (
        ("nearest", near, published.sifted_bps_near),
        ("farthest", far, published.sifted_bps_far),
    ):
        ours, fit = (float(curve[index]) for curve in curves)
        rows.append(_row(published, f"sifted rate, {name}", "bit/s", printed, ours, fit, "counts"))
    rows += _key_rows(window, published, unfitted, fitted)
    return MiciusValidation(
        rows=tuple(rows),
        offset_s=window.offset_s,
        range_km=window.range_km,
        sifted_bps_unfitted=curves[0],
        sifted_bps_fitted=curves[1],
    )


def _key_rows(
    window: _Window, published: PublishedPass, unfitted: _Model, fitted: _Model
) -> list[ValidationRow]:
    printed = published.final_key_bits
    rows = [
        _row(
            published,
            "final key",
            "bit",
            printed,
            _key(unfitted, bound=bound),
            _key(fitted, bound=bound),
            bound,
        )
        for bound in ("hoeffding", "chernoff")
    ]
    scaled = scaled_to(fitted, window, published.detections)
    for efficiency in (1.16, 1.179):
        bits = _key(scaled, bound="hoeffding", efficiency=efficiency, share=1)
        quantity = f"final key at the published detections, f_EC {efficiency:g}"
        rows.append(_row(published, quantity, "bit", printed, None, bits, "scaled"))
    return rows
