"""What `qkd` asks of a pass and of a place, without knowing who computed them."""

from typing import Protocol, runtime_checkable

from qkd.checks import BoolArray, FloatArray

#: What `Track` must have, by name.
TRACK = ("offset_s", "elevation_deg", "range_km")


@runtime_checkable
class Track(Protocol):
    """One pass, or many along leading axes, sampled in time; time is the last axis."""

    @property
    def offset_s(self) -> FloatArray:
        """Seconds from the start, ascending."""

    @property
    def elevation_deg(self) -> FloatArray:
        """Angle of the satellite above the horizon, degrees."""

    @property
    def range_km(self) -> FloatArray:
        """Slant range, km."""


@runtime_checkable
class LitTrack(Track, Protocol):
    """A track that also knows the light around it, for the background."""

    @property
    def sun_elevation_deg(self) -> FloatArray:
        """Elevation of the Sun at the station, degrees."""

    @property
    def moon_elevation_deg(self) -> FloatArray:
        """Elevation of the Moon at the station, degrees."""

    @property
    def moon_phase_deg(self) -> FloatArray:
        """Phase ANGLE of the Moon, degrees: 0 at full Moon, 180 at new Moon."""

    @property
    def moon_separation_deg(self) -> FloatArray:
        """Angle between the Moon and the line of sight, degrees."""

    @property
    def satellite_sunlit(self) -> BoolArray:
        """Whether the Sun shines on the satellite."""


@runtime_checkable
class Site(Protocol):
    """A place on the ground. An `OpticalSite` also knows its air."""

    @property
    def height_m(self) -> float:
        """Height above the ellipsoid, metres."""
