"""Where the optimiser looks."""

from dataclasses import dataclass

import numpy as np

from qkd import checks
from qkd.checks import FloatArray
from qkd.errors import ParameterRangeError


def _pair(name: str, value: object) -> tuple[float, float]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ParameterRangeError(f"{name} is {checks.shown(value)}, allowed (low, high)")
    return value[0], value[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchBox:
    """Where the optimiser looks, each a (low, high) pair.

    decoy_share is p_2 / (1 - p_1) and decoy_ratio mu_2 / mu_1. With one decoy there is no
    decoy_share to choose.
    """

    key_basis: tuple[float, float] = (0.05, 0.99)
    signal_probability: tuple[float, float] = (0.05, 0.995)
    decoy_share: tuple[float, float] = (0.01, 0.99)
    signal_photons: tuple[float, float] = (0.1, 1.2)
    decoy_ratio: tuple[float, float] = (0.02, 0.9)

    def __post_init__(self) -> None:
        for name in ("key_basis", "signal_probability", "decoy_share", "decoy_ratio"):
            low, high = _pair(name, getattr(self, name))
            checks.number(f"{name}, low", low, 1e-6, 1.0 - 1e-6)
            checks.number(f"{name}, high", high, low, 1.0 - 1e-6)
        low, high = _pair("signal_photons", self.signal_photons)
        checks.number("signal_photons, low", low, 1e-3, 10.0)
        checks.number("signal_photons, high", high, low, 10.0)

    def edges(self) -> tuple[FloatArray, FloatArray]:
        """Return the lower and the upper corner of the box."""
        pairs = np.array(
            [
                self.key_basis,
                self.signal_probability,
                self.decoy_share,
                self.signal_photons,
                self.decoy_ratio,
            ]
        )
        return pairs[:, 0], pairs[:, 1]
