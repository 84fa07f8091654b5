"""Archives of element sets: which set serves when, and what their history tells."""

from orbits.archive.decay import Decay
from orbits.archive.history import Finding, FindingKind
from orbits.archive.passes import find_passes_in_archive
from orbits.archive.store import LEAP_PENALTY, MAX_AGE, Archive, Segment, SetRule

__all__ = [
    "LEAP_PENALTY",
    "MAX_AGE",
    "Archive",
    "Decay",
    "Finding",
    "FindingKind",
    "Segment",
    "SetRule",
    "find_passes_in_archive",
]
