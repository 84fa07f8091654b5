"""Rise, culmination and set search: element sets and stations to passes."""

from orbits.passes.engine import Engine
from orbits.passes.lighting import PassLight
from orbits.passes.search import find_passes, iter_passes
from orbits.passes.table import PassTable, SatellitePass, Unusable, Visibility

__all__ = [
    "Engine",
    "PassLight",
    "PassTable",
    "SatellitePass",
    "Unusable",
    "Visibility",
    "find_passes",
    "iter_passes",
]
