"""The whole loss of a free-space link, down or up, factor by factor."""

import math
from dataclasses import dataclass, fields

import numpy as np

from qkd import checks
from qkd.checks import FloatArray
from qkd.errors import NotModelledError, QkdInputError
from qkd.freespace.atmosphere import fibre_coupling, field_stop, standard_atmosphere
from qkd.freespace.beams import (
    FarFieldBeam,
    collected,
    collected_fraction,
    mean_pointing,
    spot_radius_m,
)
from qkd.freespace.uplink import diffracted_m, turbulent_spot
from qkd.hardware import OpticalSite, Receiver, Terminal
from qkd.ports import Site, Track

SPEED_OF_LIGHT_M_S = 299_792_458.0
RANGE_KM_MAX = 1e9  # beyond the outer planets; squares stay finite


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinkBudget:
    """Loss of every factor of a link, positive decibels, one value a sample of the track.

    transmittance is the product of all, from the sender's aperture to a click. A sample
    below the lowest elevation, or so near that the far-field formula of its beam exceeds
    one, is no link: its transmittance is 0. Scintillation is no factor: it conserves the
    mean count.
    """

    diffraction_db: FloatArray
    turbulence_db: FloatArray  #: spread and wander of an uplink's beam; 0 of a downlink
    pointing_db: FloatArray
    atmosphere_db: FloatArray
    field_stop_db: FloatArray
    coupling_db: FloatArray
    transmitter_db: FloatArray
    receiver_db: FloatArray
    gate_db: FloatArray
    detector_db: FloatArray
    transmittance: FloatArray

    @property
    def loss_db(self) -> FloatArray:
        """Total loss in decibels, infinite where there is no link."""
        return to_db(self.transmittance)

    def factors(self) -> dict[str, FloatArray]:
        """Return every factor by name, in the order of the light's way, decibels."""
        names = [f.name for f in fields(self) if f.name.endswith("_db")]
        return {name: getattr(self, name) for name in names}


def to_db(transmittance: FloatArray) -> FloatArray:
    """Return positive decibels of a transmittance, infinite where it is 0."""
    positive = np.where(transmittance > 0.0, transmittance, 1.0)
    # The sum makes 0.0 of the -0.0 of a factor of one.
    return np.where(transmittance > 0.0, 0.0 - 10.0 * np.log10(positive), np.inf)


def _coupled(
    elevation_deg: FloatArray, terminal: Terminal, receiver: Receiver, site: OpticalSite
) -> tuple[FloatArray, FloatArray]:
    """Return the factors of the field stop and of the single-mode fibre."""
    one = np.ones_like(elevation_deg)
    stop, fibre = one, one
    in_air = terminal.direction == "downlink"
    fried = site.turbulence.fried_m(elevation_deg, wavelength_nm=terminal.wavelength_nm)
    if receiver.field_stop_losses and receiver.sky is not None and in_air:
        stop = field_stop(
            fried,
            wavelength_nm=terminal.wavelength_nm,
            diameter_m=receiver.diameter_m,
            field_of_view_urad=receiver.sky.field_of_view_urad,
        )
    if receiver.coupling == "single-mode":
        if receiver.fibre_coupling is not None:
            fibre = one * receiver.fibre_coupling
        elif in_air:
            fibre = fibre_coupling(fried, diameter_m=receiver.diameter_m)
        else:
            raise NotModelledError(
                "a fibre in orbit has no turbulence; allowed: fibre_coupling as a number"
            )
    return stop, fibre


def _uplink_spots(
    elevation_deg: FloatArray, range_m: FloatArray, terminal: Terminal, site: OpticalSite
) -> tuple[FloatArray, FloatArray]:
    """Return the spots that turbulence at the sender makes, metres: well pointed, and with jitter.

    Raises NotModelledError for a beam of which the radius at the telescope is not known.
    """
    beam, wavelength_nm = terminal.beam, terminal.wavelength_nm
    if not (isinstance(beam, FarFieldBeam) and beam.waist_radius_m > 0.0):
        raise NotModelledError(
            f"an uplink by {type(beam).__name__} is not modelled; allowed: FarFieldBeam with a"
            " waist_radius_m above 0, which its spot cannot be narrower than"
        )
    # A divergence below what diffraction at the waist allows is a mistake, not a better link.
    vacuum_m = np.maximum(
        spot_radius_m(range_m, beam, wavelength_m=wavelength_nm * 1e-9),
        diffracted_m(range_m, waist_radius_m=beam.waist_radius_m, wavelength_nm=wavelength_nm),
    )
    jitter_m = 2.0 * terminal.pointing.jitter_urad * 1e-6 * range_m
    still, moved = (
        turbulent_spot(
            spot_m, range_m, elevation_deg, turbulence=site.turbulence, wavelength_nm=wavelength_nm
        )
        for spot_m in (vacuum_m, np.hypot(vacuum_m, jitter_m))
    )
    return still, moved


def _spread(
    elevation_deg: FloatArray,
    range_m: FloatArray,
    terminal: Terminal,
    receiver: Receiver,
    site: OpticalSite,
) -> tuple[FloatArray, FloatArray]:
    """Return the factors of turbulence at the sender and of pointing."""
    spot_m = spot_radius_m(range_m, terminal.beam, wavelength_m=terminal.wavelength_nm * 1e-9)
    turbulence, smeared_m = np.ones_like(spot_m), None
    outer, inner = receiver.diameter_m / 2.0, receiver.obscuration_m / 2.0
    if terminal.direction == "uplink":
        vacuum = collected(spot_m**2, outer, inner)
        spot_m, smeared_m = _uplink_spots(elevation_deg, range_m, terminal, site)
        # A spot that falls wholly into the obscuration gives no light to lose.
        turbulence = np.divide(
            collected(spot_m**2, outer, inner), vacuum, out=turbulence, where=vacuum > 1e-200
        )
    pointing = mean_pointing(
        spot_m,
        range_m,
        terminal.pointing,
        receiver_radius_m=outer,
        receiver_obscuration_m=inner,
        smeared_m=smeared_m,
    )
    return turbulence, pointing


def optical_site(site: Site) -> OpticalSite:
    """Return `site` itself if it knows its air, else standard air at its height."""
    if isinstance(site, OpticalSite):
        return site
    return OpticalSite(height_m=checks.number("height_m", site.height_m, -500.0, 9000.0, unit="m"))


@checks.takes(
    track=("elevation_deg", "range_km"), terminal=Terminal, receiver=Receiver, site=("height_m",)
)
def link_budget(track: Track, terminal: Terminal, receiver: Receiver, site: Site) -> LinkBudget:
    """Return the mean loss of a link at every sample of a track, factor by factor.

    transmittance = transmitter x diffraction x turbulence x pointing x atmosphere x field stop
    x fibre coupling x receiver x gate x detector.

    Parameters
    ----------
    track : elevation_deg and range_km of any one shape; time last, passes before it
    terminal, receiver : sending and receiving hardware; of an uplink on the ground and in orbit
    site : the place on the ground, with height_m at least; an `OpticalSite` brings its own
        atmosphere and turbulence

    Raises
    ------
    NotModelledError if the beam of an uplink is not known at its telescope (turbulence at the
    SENDING end spreads and steers it; a downlink's figure would be far too good)
    QkdInputError if a range is not positive, or shapes do not match
    """
    ground = optical_site(site)
    elevation = checks.array("elevation_deg", track.elevation_deg, -90.0, 90.0, unit="deg")
    ranges = checks.array("range_km", track.range_km, 1e-3, RANGE_KM_MAX, unit="km")
    if elevation.shape != ranges.shape:
        raise QkdInputError(
            f"range_km has shape {ranges.shape}, allowed that of elevation_deg {elevation.shape}"
        )
    air = ground.atmosphere or standard_atmosphere(terminal.wavelength_nm, height_m=ground.height_m)
    diffraction = collected_fraction(
        ranges,
        terminal.beam,
        wavelength_nm=terminal.wavelength_nm,
        receiver_diameter_m=receiver.diameter_m,
        receiver_obscuration_m=receiver.obscuration_m,
    )
    turbulence, pointing = _spread(elevation, ranges * 1e3, terminal, receiver, ground)
    stop, fibre = _coupled(elevation, terminal, receiver, ground)
    one = np.ones_like(elevation)
    factors = {
        "diffraction_db": diffraction,
        "turbulence_db": turbulence,
        "pointing_db": pointing,
        "atmosphere_db": air.transmittance(elevation),
        "field_stop_db": stop,
        "coupling_db": fibre,
        "transmitter_db": one * terminal.optics_transmittance,
        "receiver_db": one * (receiver.optics_transmittance * receiver.filter_transmittance),
        "gate_db": one
        * receiver.detector.gate_transmittance(pulse_width_ps=terminal.pulse_width_ps),
        "detector_db": one * receiver.detector.counted_efficiency,
    }
    total = math.prod(factors.values(), start=one)
    linked = (elevation >= receiver.min_elevation_deg) & (diffraction <= 1.0 + 1e-12)
    return LinkBudget(
        **{name: to_db(value) for name, value in factors.items()},
        transmittance=np.where(linked, np.clip(total, 0.0, 1.0), 0.0),
    )


def doppler_shift_pm(wavelength_nm: float, *, range_rate_km_s: float) -> float:
    """Return how far a filter must follow the line, picometres: lambda v / c."""
    return wavelength_nm * 1e3 * range_rate_km_s * 1e3 / SPEED_OF_LIGHT_M_S
