"""One published pass run through a preset: what every comparison of passes needs."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from qkd import checks
from qkd.checks import FloatArray
from qkd.decoy import Counts, expected_counts
from qkd.errors import QkdInputError
from qkd.finite_key.key import block_keys
from qkd.finite_key.leak import BlockLeak
from qkd.freespace.budget import LinkBudget, link_budget, to_db
from qkd.noise import background
from qkd.ports import Track
from qkd.presets.facts import Preset
from qkd.tracks import track_seconds

_SAMPLES_MIN = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """The samples of a track nearer than a published range, taken to be dark."""

    offset_s: FloatArray
    elevation_deg: FloatArray
    range_km: FloatArray
    seconds: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Closest:
    """The closest approach, and how long the satellite is within a range."""

    offset_s: float
    range_km: float
    elevation_deg: float
    seconds_within: float

    def instant(self, start_utc: datetime | None) -> str | None:
        """Return the instant to the nearest second, given that of offset 0."""
        if start_utc is None:
            return None
        # strftime alone would cut.
        nearest = start_utc + timedelta(seconds=self.offset_s + 0.5)
        return nearest.strftime("%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """One run of a window: loss, counts by sample and in all, and what it was run with."""

    budget: LinkBudget
    transmittance: FloatArray
    samples: Counts
    total: Counts
    preset: Preset

    @property
    def qber(self) -> float:
        """Errors per sifted bit of the signal intensity."""
        errors = self.total.key_errors[0] + self.total.check_errors[0]
        return float(errors / self.signal_bits)

    @property
    def signal_bits(self) -> float:
        """Sifted bits of the signal intensity, both bases."""
        return float(self.total.key_clicks[0] + self.total.check_clicks[0])

    @property
    def detections(self) -> float:
        """Clicks before sifting."""
        clicks = self.total.key_clicks.sum() + self.total.check_clicks.sum()
        return float(clicks) / self.preset.protocol.matching_bases


def cut(track: Track, range_km_max: float) -> Window:
    """Return the samples within a range. Raises QkdInputError if they are too few."""
    ranges = checks.array("range_km", track.range_km, 1e-3, unit="km")
    near = ranges < range_km_max
    if ranges.ndim != 1 or int(near.sum()) < _SAMPLES_MIN:
        raise QkdInputError(
            f"track has {int(near.sum())} samples below {range_km_max:g} km, "
            f"allowed {_SAMPLES_MIN} or more in one row"
        )
    return Window(
        offset_s=np.asarray(track.offset_s, dtype=np.float64)[near],
        elevation_deg=np.asarray(track.elevation_deg, dtype=np.float64)[near],
        range_km=ranges[near],
        seconds=track_seconds(track)[near],
    )


def closest(track: Track, range_km_max: float) -> Closest:
    """Return the closest approach, by parabolas through three samples, and the time within."""
    ranges = np.asarray(track.range_km, dtype=np.float64)
    offsets = np.asarray(track.offset_s, dtype=np.float64)
    heights = np.asarray(track.elevation_deg, dtype=np.float64)
    middle = int(np.clip(np.argmin(ranges), 1, ranges.size - 2))
    around = slice(middle - 1, middle + 2)
    square = np.polyfit(offsets[around] - offsets[middle], ranges[around], 2)
    shift = -square[1] / (2.0 * square[0]) if square[0] > 0.0 else 0.0
    height = np.polyfit(offsets[around] - offsets[middle], heights[around], 2)
    # Before the closest approach the range falls, after it it grows: one crossing each.
    comes = np.interp(-range_km_max, -ranges[: middle + 1], offsets[: middle + 1])
    goes = np.interp(range_km_max, ranges[middle:], offsets[middle:])
    # A track that begins or ends within the range: its samples stand for half a step more.
    comes -= 0.5 * (offsets[1] - offsets[0]) if ranges[0] < range_km_max else 0.0
    goes += 0.5 * (offsets[-1] - offsets[-2]) if ranges[-1] < range_km_max else 0.0
    return Closest(
        offset_s=float(offsets[middle] + shift),
        range_km=float(np.polyval(square, shift)),
        elevation_deg=float(np.polyval(height, shift)),
        seconds_within=float(goes - comes),
    )


def run(window: Window, preset: Preset, station_id: str, *, scale: float = 1.0) -> Run:
    """Return what a preset expects of a window, its transmittance times `scale`."""
    receiver, site = preset.station(station_id)
    budget = link_budget(window, preset.terminal, receiver, site)
    eta = budget.transmittance * scale
    samples = expected_counts(
        eta,
        preset.pulses(),
        # The published dark counts alone: what the receiver saw of the sky is not printed.
        background_per_gate=background(window, preset.terminal, receiver, site).dark_per_gate,
        misalignment=receiver.misalignment,
        sample_s=window.seconds,
    )
    return Run(
        budget=budget, transmittance=eta, samples=samples, total=samples.total(), preset=preset
    )


def scaled_to(found: Run, window: Window, station_id: str, detections: float) -> Run:
    """Return the run with its transmittance scaled to a number of detections."""
    scale = 1.0
    for _ in range(4):
        scale *= detections / run(window, found.preset, station_id, scale=scale).detections
    return run(window, found.preset, station_id, scale=scale)


def bin_losses(
    window: Window, eta: FloatArray, bins: tuple[tuple[float, float, float], ...]
) -> list[float]:
    """Return -10 log10 of the mean transmittance of each bin's samples, NaN of none."""
    losses = []
    for low, high, _ in bins:
        inside = (window.range_km >= low) & (window.range_km < high)
        mean = eta[inside].mean() if inside.any() else np.nan
        losses.append(float(to_db(np.asarray(mean))))
    return losses


def signal_bps(found: Run, window: Window) -> FloatArray:
    """Return the sifted bits of the signal intensity per second, sample by sample."""
    clicks = found.samples.key_clicks[:, 0] + found.samples.check_clicks[:, 0]
    return np.asarray(clicks / window.seconds)


def key_of(
    found: Run,
    *,
    bound: str,
    efficiency: float,
    per_basis: bool = False,
    of_its_time: bool = False,
) -> float:
    """Return secret bits of both bases; per_basis gives each the whole epsilon, not half.

    of_its_time computes as was usual in 2017: a normal approximation of the phase error, the
    signal's photons in proportion, f_EC n h(Q). It is not secret key; it is to compare with.
    """
    security = found.preset.security
    if per_basis:
        security = replace(
            security, secrecy=2.0 * security.secrecy, correctness=2.0 * security.correctness
        )
    keys = block_keys(
        found.total,
        found.preset.protocol,
        security,
        bound=bound,
        leak=BlockLeak(efficiency=efficiency) if of_its_time else efficiency,
        phase="lim-parity" if of_its_time else "exact",
        signal_share="proportional-parity" if of_its_time else "bounded",
    )
    return float(sum(int(key.length_bits) for key in keys))
