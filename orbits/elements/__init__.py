"""Element sets: TLE and OMM text to frozen Elements and back."""

from orbits.elements.omm import format_omm, omm_fields, parse_omm
from orbits.elements.reading import Reading, read_bulletin, read_elements
from orbits.elements.record import Elements
from orbits.elements.tle import format_tle, format_tles, parse_tle

__all__ = [
    "Elements",
    "Reading",
    "format_omm",
    "format_tle",
    "format_tles",
    "omm_fields",
    "parse_omm",
    "parse_tle",
    "read_bulletin",
    "read_elements",
]
