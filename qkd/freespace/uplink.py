"""What turbulence at the sending end does to an uplink's beam: spread and wander."""

import math
from typing import NamedTuple

import numpy as np

from qkd.checks import FloatArray
from qkd.freespace.atmosphere import HufnagelValley


class Spread(NamedTuple):
    """Spot radii at the satellite, 1/e^2 of intensity, metres."""

    long_term_m: FloatArray  #: of the mean over many seconds, wander included
    short_term_m: FloatArray  #: of one moment, about its own centre

    @property
    def wander_m(self) -> FloatArray:
        """The rms by which the spot's centre wanders, per axis."""
        square = np.maximum(self.long_term_m**2 - self.short_term_m**2, 0.0)
        return np.asarray(np.sqrt(square) / 2.0)


def turbulent_spot(
    vacuum_m: FloatArray,
    range_m: FloatArray,
    elevation_deg: FloatArray,
    *,
    turbulence: HufnagelValley,
    wavelength_nm: float,
    waist_radius_m: float,
) -> Spread:
    """Return the spot that turbulence near the ground makes of an uplink's beam.

        w_LT^2 = w^2 + 2 (4 L / (k r0))^2
        w_ST^2 = w^2 + 2 (4 L / (k r0))^2 [1 - 0.26 (r0 / W0)^(1/3)]^2

    w is the spot in vacuum, W0 the beam's radius at the telescope, L the range. The mean count
    takes the long-term spot: a Gaussian that wanders by a Gaussian is one again. r0 is that of
    a plane wave; a point source at 500 km has one that is less than 3 % larger, for all the
    turbulence lies within 20 km of the telescope.

    Parameters
    ----------
    vacuum_m, range_m, elevation_deg : arrays of one shape
    waist_radius_m : above 0; the 1/e^2 radius at the telescope

    Source: Dios et al., Appl. Opt. 43, 3866 (2004), long- and short-term radii; used for an
    uplink to low orbit by Bourgoin et al., New J. Phys. 15, 023006 (2013).
    """
    fried_m = turbulence.fried_m(elevation_deg, wavelength_nm=wavelength_nm)
    wavenumber = 2.0 * math.pi / (wavelength_nm * 1e-9)
    blur = 2.0 * (4.0 * range_m / (wavenumber * fried_m)) ** 2
    residue = np.maximum(1.0 - 0.26 * np.cbrt(fried_m / waist_radius_m), 0.0)
    return Spread(
        np.asarray(np.sqrt(vacuum_m**2 + blur)),
        np.asarray(np.sqrt(vacuum_m**2 + blur * residue**2)),
    )
