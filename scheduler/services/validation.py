"""Use case: hold the model to the pass that was published, Micius to Xinglong on 2016-12-19."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from orbits import ArchiveError, track
from scheduler.errors import UnknownName
from scheduler.facts import RateModel, Validation, ValidationRow
from scheduler.forecast import Samples, ground_station

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits import Track
    from qkd import Preset, Standing
    from scheduler.services.context import Context

SOURCE = (
    "Liao et al., Nature 549, 43 (2017); range, instant and duration by SGP4 on the element set of"
    " that day, the loss bins from the published rate curve"
)
SATELLITE, STATION = "micius", "xinglong"
NEAREST_AT = datetime(2016, 12, 19, 16, 52, 14, tzinfo=UTC)
HALF_WINDOW = timedelta(minutes=4)
RANGE_KM_MAX = 1200.0  # the published 273 s are those within this range
STEP_S = 1.0

# Of the paper: detections, sifted bits of the signal intensity, QBER, final key.
DETECTIONS, SIFTED_BITS, QBER, SECRET_BITS = 3_551_136.0, 1_671_072.0, 0.011, 300_939.0
DURATION_S = 273.0
RANGE_KM_MIN = 645.0
SIFTED_MEANS = (
    "Sifted bits of this table are those of the signal intensity in matching bases, as in the paper"
)
NEVER, FITTED, FOLLOWS = "never fitted", "fitted to this", "follows from the fit"
LOSS_BINS = (
    (645.0, 660.0, 33.2),
    (660.0, 700.0, 33.5),
    (700.0, 800.0, 34.2),
    (800.0, 900.0, 35.0),
    (900.0, 1000.0, 36.8),
    (1000.0, 1100.0, 38.3),
    (1100.0, 1200.0, 41.4),
)
"""Range from and to in km, mean end-to-end loss in dB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Modelled:
    """What one preset makes of the pass."""

    detections: float
    sifted_bits: float
    qber: float
    secret_bits: float
    loss_db: tuple[float, ...]
    rate_bps: NDArray[np.float64]


def validate_published_pass(context: Context) -> Validation | None:
    """Compare the published pass with the unfitted and the fitted model.

    Returns None for a scenario without Micius or without Xinglong, and where no element set of
    that time is known.
    """
    from qkd import Standing, satellite_preset

    try:
        satellite = context.satellite(SATELLITE)
        (station,) = context.stations([STATION])
    except UnknownName:
        return None
    try:
        elements = context.archive.nearest(
            NEAREST_AT, norad_id=satellite.norad_id, max_age=context.max_element_age
        )
    except ArchiveError:
        return None
    start = NEAREST_AT - HALF_WINDOW
    seconds = range(int(2 * HALF_WINDOW.total_seconds()) + 1)
    times = [start + timedelta(seconds=second) for second in seconds]
    samples = _in_range(track(elements, ground_station(station), times))
    unfitted, fitted = satellite_preset("micius-2016"), satellite_preset("micius-2016-fitted")
    plain, adapted = _model(samples, unfitted), _model(samples, fitted)
    nearest = int(np.argmin(samples.range_km))
    return Validation(
        title="Published pass and model: Micius to Xinglong, 2016-12-19",
        source=SOURCE,
        elements_epoch=elements.epoch,
        nearest_at=start + timedelta(seconds=float(samples.offset_s[nearest])),
        rows=(*_geometry(samples), *_losses(plain, adapted), *_outcome(plain, adapted)),
        rate=RateModel(
            start=start,
            offset_s=_floats(samples.offset_s),
            range_km=_floats(samples.range_km),
            unfitted_bps=_floats(plain.rate_bps),
            fitted_bps=_floats(adapted.rate_bps),
        ),
        assumptions=(*_numbers(unfitted, Standing.ASSUMED), *unfitted.missing),
        fitted=_numbers(fitted, Standing.FITTED),
        sifted_means=SIFTED_MEANS,
    )


def _in_range(seen: Track) -> Samples:
    """Return the samples nearer than the published limit; they are one run."""
    near = np.flatnonzero(seen.range_km < RANGE_KM_MAX)
    return Samples.of(seen, slice(int(near[0]), int(near[-1]) + 1))


def _model(samples: Samples, preset: Preset) -> _Modelled:
    """Return what a preset makes of the samples, one second each."""
    from qkd import pass_counts, yield_of_counts

    counts, budget = pass_counts(samples, preset, STATION, sample_s=STEP_S)
    gained = yield_of_counts(counts.total(axis=-2), preset, budget)
    signal = counts.key_clicks[:, 0] + counts.check_clicks[:, 0]
    return _Modelled(
        detections=gained.detections,
        sifted_bits=gained.signal_sifted_bits,
        qber=gained.qber,
        secret_bits=float(gained.secret_bits),
        loss_db=tuple(
            _mean_loss_db(samples, budget.transmittance, low, high) for low, high, _ in LOSS_BINS
        ),
        rate_bps=np.asarray(signal / STEP_S, dtype=np.float64),
    )


def _mean_loss_db(
    samples: Samples, transmittance: NDArray[np.float64], low_km: float, high_km: float
) -> float:
    """Return the loss of the mean transmittance of the samples within [low, high) km."""
    inside = (samples.range_km >= low_km) & (samples.range_km < high_km)
    return float(-10.0 * np.log10(transmittance[inside].mean()))


def _geometry(samples: Samples) -> list[ValidationRow]:
    duration_s = float(len(samples.offset_s)) * STEP_S
    nearest = int(np.argmin(samples.range_km))
    figures = (
        ("least range", "km", RANGE_KM_MIN, float(samples.range_km[nearest])),
        ("elevation there", "deg", None, float(samples.elevation_deg[nearest])),
        ("time within 1200 km", "s", DURATION_S, duration_s),
    )
    return [
        ValidationRow(
            quantity=quantity, unit=unit, published=published, unfitted=model, fitted=model,
            standing=NEVER,
        )
        for quantity, unit, published, model in figures
    ]  # fmt: skip


def _losses(plain: _Modelled, adapted: _Modelled) -> list[ValidationRow]:
    return [
        ValidationRow(
            quantity=f"mean loss, {low_km:g} to {high_km:g} km", unit="dB", published=loss_db,
            unfitted=plain.loss_db[index], fitted=adapted.loss_db[index], standing=FITTED,
        )
        for index, (low_km, high_km, loss_db) in enumerate(LOSS_BINS)
    ]  # fmt: skip


def _outcome(plain: _Modelled, adapted: _Modelled) -> list[ValidationRow]:
    figures = (
        ("detections", "", DETECTIONS, plain.detections, adapted.detections, FOLLOWS),
        ("sifted bits, signal intensity", "bit", SIFTED_BITS, plain.sifted_bits,
         adapted.sifted_bits, FOLLOWS),
        ("QBER, signal intensity", "", QBER, plain.qber, adapted.qber, FITTED),
        ("final key", "bit", SECRET_BITS, plain.secret_bits, adapted.secret_bits, FOLLOWS),
    )  # fmt: skip
    return [
        ValidationRow(
            quantity=quantity, unit=unit, published=published, unfitted=unfitted, fitted=fitted,
            standing=standing,
        )
        for quantity, unit, published, unfitted, fitted, standing in figures
    ]  # fmt: skip


def _numbers(preset: Preset, standing: Standing) -> tuple[str, ...]:
    """Return the preset's numbers of one standing, in words; one line for all stations."""
    lines = {
        f"{number.name.replace(f'.{STATION}.', '.')} = {number.value:.4g}"
        f" {number.unit if number.unit != '1' else ''}".rstrip()
        + f" ({number.source})": None
        for number in preset.numbers
        if number.standing is standing
        and (not number.name.startswith(("sites.", "receivers.")) or f".{STATION}." in number.name)
    }
    return tuple(lines)


def _floats(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
