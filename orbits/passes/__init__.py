"""Rise, culmination and set search: element sets and stations to passes."""

from orbits.passes.engine import Engine
from orbits.passes.lighting import PassLight
from orbits.passes.pairs import Overlaps, Sequences, overlaps, sequences
from orbits.passes.search import find_passes, iter_passes
from orbits.passes.table import PassTable, SatellitePass, Unusable, Visibility

__all__ = [
    "Engine",
    "Overlaps",
    "PassLight",
    "PassTable",
    "SatellitePass",
    "Sequences",
    "Unusable",
    "Visibility",
    "find_passes",
    "iter_passes",
    "overlaps",
    "sequences",
]
