"""Element sets: TLE and OMM text to frozen Elements and back."""

from orbits.elements.omm import format_omm
from orbits.elements.reading import read_elements
from orbits.elements.record import Elements

__all__ = ["Elements", "format_omm", "read_elements"]
