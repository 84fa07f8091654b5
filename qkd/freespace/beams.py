"""Beams a satellite can send, each divergence convention under a name of its own."""

import math
from dataclasses import dataclass
from typing import Self

from qkd import checks

#: First dark ring of a uniformly lit circular aperture, in units of lambda / D.
AIRY_FIRST_ZERO = 1.2196698912665045


@dataclass(frozen=True, slots=True, kw_only=True)
class TelescopeBeam:
    """A Gaussian cut by the edge and the central obscuration of the sending telescope.

    waist_radius_m is the 1/e^2 intensity radius at the aperture. Far field only.
    """

    waist_radius_m: float
    aperture_radius_m: float
    obscuration_radius_m: float = 0.0

    def __post_init__(self) -> None:
        checks.number("waist_radius_m", self.waist_radius_m, 0.0, unit="m", above=True)
        checks.number("aperture_radius_m", self.aperture_radius_m, 0.0, unit="m", above=True)
        checks.number(
            "obscuration_radius_m",
            self.obscuration_radius_m,
            0.0,
            math.nextafter(self.aperture_radius_m, 0.0),
            unit="m",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FarFieldBeam:
    """A Gaussian beam known by its far-field divergence.

    half_angle_urad is the 1/e^2 intensity HALF angle. The class methods take the other
    conventions found in papers; they differ by up to a factor of four in angle, 12 dB in loss.
    """

    half_angle_urad: float
    waist_radius_m: float = 0.0

    def __post_init__(self) -> None:
        checks.number("half_angle_urad", self.half_angle_urad, 0.0, unit="urad", above=True)
        checks.number("waist_radius_m", self.waist_radius_m, 0.0, unit="m")

    @classmethod
    def from_full_angle_urad(cls, full_angle_urad: float, *, waist_radius_m: float = 0.0) -> Self:
        """Build from the 1/e^2 intensity FULL angle, twice the half angle."""
        checks.number("full_angle_urad", full_angle_urad, 0.0, unit="urad", above=True)
        return cls(half_angle_urad=full_angle_urad / 2.0, waist_radius_m=waist_radius_m)

    @classmethod
    def from_fwhm_urad(cls, fwhm_urad: float, *, waist_radius_m: float = 0.0) -> Self:
        """Build from the full width at half maximum: FWHM = sqrt(2 ln 2) x half angle."""
        checks.number("fwhm_urad", fwhm_urad, 0.0, unit="urad", above=True)
        half = fwhm_urad / math.sqrt(2.0 * math.log(2.0))
        return cls(half_angle_urad=half, waist_radius_m=waist_radius_m)

    @classmethod
    def from_first_dark_ring_urad(cls, ring_urad: float) -> Self:
        """Build from the angle 1.22 lambda/D of a uniformly lit aperture's first dark ring.

        The Gaussian has the same irradiance on the axis, which is what a small receiver
        sees: half angle = (2 sqrt(2) / pi) lambda/D = 0.900 lambda/D.
        """
        checks.number("ring_urad", ring_urad, 0.0, unit="urad", above=True)
        return cls(half_angle_urad=2.0 * math.sqrt(2.0) / math.pi * ring_urad / AIRY_FIRST_ZERO)

    @classmethod
    def from_waist_diameter_m(cls, waist_diameter_m: float, *, wavelength_nm: float) -> Self:
        """Build from an untruncated waist of 1/e^2 DIAMETER D: half angle 2 lambda/(pi D)."""
        checks.number("waist_diameter_m", waist_diameter_m, 0.0, unit="m", above=True)
        checks.number("wavelength_nm", wavelength_nm, 300.0, 2500.0, unit="nm")
        half = 2.0 * wavelength_nm * 1e-9 / (math.pi * waist_diameter_m)
        return cls(half_angle_urad=half * 1e6, waist_radius_m=waist_diameter_m / 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchoredBeam:
    """A beam known by one published diffraction loss into one receiver at one range.

    Loss grows as 20 log10(range) and falls with the receiver's area. Nearer than the
    range at which that would exceed unity the formula has no meaning.
    """

    loss_db: float
    range_km: float
    receiver_diameter_m: float

    def __post_init__(self) -> None:
        checks.number("loss_db", self.loss_db, 0.0, unit="dB")
        checks.number("range_km", self.range_km, 0.0, unit="km", above=True)
        checks.number("receiver_diameter_m", self.receiver_diameter_m, 0.0, unit="m", above=True)


Beam = TelescopeBeam | FarFieldBeam | AnchoredBeam
