"""Archives of element sets: which set serves when, and what their history tells."""

from orbits.archive.check import Finding, FindingKind
from orbits.archive.history import Decay
from orbits.archive.passes import find_passes_in_archive
from orbits.archive.standing import Standing, Verdict, Verdicts, judge
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
    "Standing",
    "Verdict",
    "Verdicts",
    "find_passes_in_archive",
    "judge",
]
