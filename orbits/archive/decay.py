"""Whether a satellite was coming down, by its mean motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from orbits.elements import Elements

# Scale height of the air in km by height in km. Source: Vallado, Fundamentals of
# Astrodynamics, 4th ed., table 8-4 (CIRA-72 and US Standard Atmosphere 1976).
_HEIGHT_KM = np.array([100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0, 600.0, 800.0, 1000.0])
_SCALE_KM = np.array([5.877, 22.523, 37.105, 45.546, 53.628, 58.515, 63.822, 71.835, 124.64, 268.0])
_COMING_DOWN = timedelta(days=730)
_RATE_OVER = timedelta(days=60)
_RATE_OVER_MIN = timedelta(days=2)
_LIFE_DAYS_MAX = 36500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decay:
    """What the last element sets of a satellite say of its end.

    The end is a rough guess: the air's density varies with the Sun by a factor of two.
    """

    norad_id: int
    satellite: str
    last_epoch: datetime
    mean_motion_rev_per_day: float
    mean_motion_rate: float  #: revolutions per day, per day
    perigee_height_km: float
    expected_end: datetime

    @property
    def sentence(self) -> str:
        """The same in words."""
        return (
            f"its last element set is of {self.last_epoch:%Y-%m-%d}, with the perigee at "
            f"{self.perigee_height_km:.0f} km and the mean motion rising by "
            f"{self.mean_motion_rate:.2g} rev/day a day: it was coming down, expected to "
            f"re-enter about {self.expected_end:%Y-%m-%d}"
        )


def scale_height_km(height_km: float) -> float:
    """Return over which height the air's density falls e-fold, by height in km."""
    return float(np.interp(height_km, _HEIGHT_KM, _SCALE_KM))


def decay_of(sets: Sequence[Elements]) -> Decay | None:
    """Return the end that a satellite's sets foretell, or None if it is years away.

    The orbit's height falls with the air's density, which grows e-fold each scale height
    H: what is left is H / |da/dt|, da/dt = -(2 a / 3) (dn/dt) / n.

    Parameters
    ----------
    sets : of one satellite by epoch, at least one

    Source: King-Hele, Satellite Orbits in an Atmosphere (1987), chapter 4, for a circular
    orbit. On Micius it foretells 2026-01-27 from the set of 2025-12-12; its last known set
    is of 2026-01-25.
    """
    last = sets[-1]
    rate = _mean_motion_rate(sets)
    if rate <= 0.0:
        return None
    scale_km = scale_height_km(last.perigee_height_km)
    fall_km = 2.0 / 3.0 * last.semi_major_axis_km * rate / last.mean_motion_rev_per_day
    left = timedelta(days=min(scale_km / fall_km, _LIFE_DAYS_MAX))
    if left > _COMING_DOWN:
        return None
    return Decay(
        norad_id=last.norad_id,
        satellite=last.label,
        last_epoch=last.epoch,
        mean_motion_rev_per_day=last.mean_motion_rev_per_day,
        mean_motion_rate=rate,
        perigee_height_km=last.perigee_height_km,
        expected_end=last.epoch + left,
    )


def _mean_motion_rate(sets: Sequence[Elements]) -> float:
    """Return the last rise of the mean motion per day, measured if there are sets for it."""
    last = sets[-1]
    for earlier in reversed(sets[:-1]):
        apart = last.epoch - earlier.epoch
        if apart > _RATE_OVER:
            break
        if apart >= _RATE_OVER_MIN:
            rise = last.mean_motion_rev_per_day - earlier.mean_motion_rev_per_day
            return rise / (apart / timedelta(days=1))
    # A TLE prints half of the derivative.
    return 2.0 * last.mean_motion_dot
