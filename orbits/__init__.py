"""Where the satellite is and when a station can see it: arithmetic only, no I/O."""

from orbits.archive import (
    MAX_AGE,
    Archive,
    Decay,
    Finding,
    FindingKind,
    Segment,
    SetRule,
    find_passes_in_archive,
)
from orbits.elements import (
    Elements,
    Reading,
    format_omm,
    format_tle,
    format_tles,
    omm_fields,
    parse_omm,
    parse_tle,
    read_bulletin,
    read_elements,
)
from orbits.errors import (
    ArchiveError,
    ElementsError,
    NoElementsError,
    OrbitsError,
    PassTimesError,
    SearchError,
    StaleElementsError,
    StationError,
    TimeError,
)
from orbits.ground import subpoint
from orbits.horizon import HorizonMask, read_horizon
from orbits.light import Twilight
from orbits.passes import (
    PassLight,
    PassTable,
    SatellitePass,
    Unusable,
    Visibility,
    find_passes,
    iter_passes,
)
from orbits.station import GroundStation
from orbits.times import as_utc, iso_utc
from orbits.track import Track, sample_offsets, track, track_offsets

__all__ = [
    "MAX_AGE",
    "Archive",
    "ArchiveError",
    "Decay",
    "Elements",
    "ElementsError",
    "Finding",
    "FindingKind",
    "GroundStation",
    "HorizonMask",
    "NoElementsError",
    "OrbitsError",
    "PassLight",
    "PassTable",
    "PassTimesError",
    "Reading",
    "SatellitePass",
    "SearchError",
    "Segment",
    "SetRule",
    "StaleElementsError",
    "StationError",
    "TimeError",
    "Track",
    "Twilight",
    "Unusable",
    "Visibility",
    "as_utc",
    "find_passes",
    "find_passes_in_archive",
    "format_omm",
    "format_tle",
    "format_tles",
    "iso_utc",
    "iter_passes",
    "omm_fields",
    "parse_omm",
    "parse_tle",
    "read_bulletin",
    "read_elements",
    "read_horizon",
    "sample_offsets",
    "subpoint",
    "track",
    "track_offsets",
]
