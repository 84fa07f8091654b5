"""Element sets: TLE and OMM text to frozen Elements and back."""

from orbits.elements.omm import format_omm, omm_fields, parse_omm
from orbits.elements.reading import read_elements
from orbits.elements.record import Elements
from orbits.elements.tle import format_tle, parse_tle

__all__ = [
    "Elements",
    "format_omm",
    "format_tle",
    "omm_fields",
    "parse_omm",
    "parse_tle",
    "read_elements",
]
