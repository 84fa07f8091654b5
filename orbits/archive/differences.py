"""How one element set of a satellite differs from another of its sets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from orbits.elements import Elements

# Usual differences, medians over 421 sets of Micius: 0.3 km up to 1 day, 1.7 km at 1 to 3
# days, 10 km at 3 to 8, nearly all along the track, where drag acts. Across it they were
# under 0.4 km, and under 2 km for the poorest satellite tried (SpooQy-1).
_USUAL_KM = (0.3, 0.3, 0.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where one set puts the satellite at another's epoch, less where that other puts it.

    `distance_km`, of which `across_km` is out of the plane; `late_s` along the track,
    positive if the first is behind; `age_days` of the first at that epoch.
    """

    age_days: float
    distance_km: float
    across_km: float
    late_s: float


class Known:
    """A set with its SGP4 record made, and where it puts the satellite at its own epoch.

    Making a record takes longer than asking it, and each set meets many others.
    """

    def __init__(self, elements: Elements) -> None:
        self.elements = elements
        self.epoch = elements.epoch
        self.record = elements.satrec()
        self.jd, self.fraction = elements.epoch_jd()
        code, place_km, velocity_km_s = self.record.sgp4(self.jd, self.fraction)
        self.valid = not code
        self.place_km, self.velocity_km_s = np.array(place_km), np.array(velocity_km_s)
        self.pole = np.cross(self.place_km, self.velocity_km_s)
        if self.valid:
            self.pole /= np.linalg.norm(self.pole)


def difference(first: Elements, second: Elements) -> Difference | None:
    """Return how one set differs from another at the latter's epoch; None if it decays."""
    return difference_of(Known(first), Known(second))


def difference_of(first: Known, second: Known) -> Difference | None:
    """Return the same of sets whose records are made."""
    code, there, _ = first.record.sgp4(second.jd, second.fraction)
    if code or not second.valid:
        return None
    gap = second.place_km - np.array(there)
    speed = second.velocity_km_s
    return Difference(
        age_days=(second.epoch - first.epoch) / timedelta(days=1),
        distance_km=float(np.sqrt(gap @ gap)),
        across_km=float(abs(gap @ second.pole)),
        late_s=float(gap @ speed / (speed @ speed)),
    )


def usual_km(age_days: float) -> float:
    """Return a usual difference of consecutive sets in a low orbit at some age."""
    constant, linear, square = _USUAL_KM
    age = abs(age_days)
    return constant + linear * age + square * age * age
