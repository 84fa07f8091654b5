"""Terminals, telescopes, detectors and sites, as plain checked facts."""

import math
from dataclasses import dataclass, field
from types import NoneType

from qkd import checks
from qkd.freespace.atmosphere import (
    Atmosphere,
    AtmosphereModel,
    HufnagelValley,
    TabulatedAtmosphere,
)
from qkd.freespace.beams import AnchoredBeam, Beam, FarFieldBeam, Pointing, TelescopeBeam


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """The sending end; decoy intensities are defined at its aperture.

    optics_transmittance is 1 unless the intensities were calibrated before the telescope.
    On the satellite, or with the direction "uplink" on the ground.
    """

    wavelength_nm: float
    beam: Beam
    pointing: Pointing = field(default_factory=Pointing)
    optics_transmittance: float = 1.0
    pulse_width_ps: float = 0.0  #: rms
    direction: str = "downlink"

    def __post_init__(self) -> None:
        checks.kinds(self, beam=(TelescopeBeam, FarFieldBeam, AnchoredBeam), pointing=Pointing)
        checks.number("wavelength_nm", self.wavelength_nm, 300.0, 2500.0, unit="nm")
        checks.number("optics_transmittance", self.optics_transmittance, 0.0, 1.0)
        checks.number("pulse_width_ps", self.pulse_width_ps, 0.0, 1e18, unit="ps")
        checks.choice("direction", self.direction, ("downlink", "uplink"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """The single-photon detectors of one receiver, all alike.

    dark_rate_hz is PER DETECTOR; gate_ns the window in which a click counts; timing_ps the
    rms of detector jitter and synchronisation together. joint_veto: any click makes every
    detector dead, which keeps the click statistics of both bases alike; without it each is
    dead alone, which no proof here covers. efficiency_mismatch is 1 less the worst detector's
    share of the best one's efficiency, `efficiency` their mean: clicks of the better ones are
    thrown away at random until all are alike, for a click must not tell the bit.
    """

    efficiency: float
    count: int
    gate_ns: float
    dark_rate_hz: float = 0.0
    timing_ps: float = 0.0
    dead_time_ns: float = 0.0
    after_pulse: float = 0.0
    joint_veto: bool = True
    efficiency_mismatch: float = 0.0

    def __post_init__(self) -> None:
        checks.number("efficiency", self.efficiency, 0.0, 1.0)
        checks.whole("count", self.count, 1, 64)
        checks.number("dark_rate_hz", self.dark_rate_hz, 0.0, 1e15, unit="Hz")
        checks.number("gate_ns", self.gate_ns, 0.0, 1e15, unit="ns", above=True)
        checks.number("timing_ps", self.timing_ps, 0.0, 1e18, unit="ps")
        checks.number("dead_time_ns", self.dead_time_ns, 0.0, 1e15, unit="ns")
        checks.number("after_pulse", self.after_pulse, 0.0, 0.5)
        checks.flag("joint_veto", self.joint_veto)
        checks.number("efficiency_mismatch", self.efficiency_mismatch, 0.0, 1.0)

    @property
    def counted_efficiency(self) -> float:
        """Efficiency after clicks were thrown away: that of the worst detector."""
        worst = 1.0 - self.efficiency_mismatch
        # Best and worst lie to either side of the mean.
        return self.efficiency * 2.0 * worst / (1.0 + worst)

    @property
    def dead_time_share(self) -> float:
        """Share of all clicks that make one detector dead: 1, or its own without the veto."""
        return 1.0 if self.joint_veto else 1.0 / self.count

    def gate_transmittance(self, *, pulse_width_ps: float = 0.0) -> float:
        """Return the share of a Gaussian pulse inside the gate: erf(t_g / (2 sqrt(2) sigma))."""
        checks.number("pulse_width_ps", pulse_width_ps, 0.0, 1e18, unit="ps")
        sigma_ns = math.hypot(pulse_width_ps, self.timing_ps) * 1e-3
        if sigma_ns == 0.0:
            return 1.0
        return math.erf(self.gate_ns / (2.0 * math.sqrt(2.0) * sigma_ns))


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyView:
    """How much sky a receiver sees: full field of view and filter width."""

    field_of_view_urad: float
    filter_width_nm: float

    def __post_init__(self) -> None:
        checks.number("field_of_view_urad", self.field_of_view_urad, 0.0, 1e5, unit="urad")
        checks.number("filter_width_nm", self.filter_width_nm, 0.0, 1e3, unit="nm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A telescope with its optics, filter and detectors; of an uplink it is in orbit.

    diameter_m and obscuration_m are diameters. sky None means that the sky background is
    not modelled, and the receiver works only in darkness. misalignment is the QBER of the
    signal clicks alone, (1 - visibility)/2 or 1/(1 + contrast). coupling says whether light
    reaches the detectors freely or through a single-mode fibre; fibre_coupling then is a
    constant (adaptive optics) or None (limited by turbulence). passive: a splitter chooses
    the basis before detectors of its own; their dark counts then fall half into either basis,
    however the light is split.
    """

    diameter_m: float
    detector: Detector
    obscuration_m: float = 0.0
    optics_transmittance: float = 1.0
    filter_transmittance: float = 1.0
    misalignment: float = 0.0
    sky: SkyView | None = None
    stray_rate_hz: float = 0.0  #: of a sunlit satellite, all detectors together
    field_stop_losses: bool = False
    coupling: str = "free-space"
    fibre_coupling: float | None = None
    min_elevation_deg: float = 0.0
    passive: bool = False

    def __post_init__(self) -> None:
        checks.kinds(self, detector=Detector, sky=(SkyView, NoneType))
        checks.flag("passive", self.passive)
        checks.flag("field_stop_losses", self.field_stop_losses)
        checks.number("diameter_m", self.diameter_m, 0.0, 50.0, unit="m", above=True)
        inside = math.nextafter(self.diameter_m, 0.0)
        checks.number("obscuration_m", self.obscuration_m, 0.0, inside, unit="m")
        checks.number("optics_transmittance", self.optics_transmittance, 0.0, 1.0)
        checks.number("filter_transmittance", self.filter_transmittance, 0.0, 1.0)
        checks.number("misalignment", self.misalignment, 0.0, 0.5)
        checks.number("stray_rate_hz", self.stray_rate_hz, 0.0, 1e15, unit="Hz")
        checks.choice("coupling", self.coupling, ("free-space", "single-mode"))
        if self.fibre_coupling is not None:
            checks.number("fibre_coupling", self.fibre_coupling, 0.0, 1.0)
        checks.number("min_elevation_deg", self.min_elevation_deg, 0.0, 90.0, unit="deg")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpticalSite:
    """A place with its air: extinction, turbulence and darkness of the sky.

    atmosphere None takes the standard one for the height; sky_brightness is the zenith sky
    in magnitudes per square arc second, 22 where there is no light pollution.
    """

    height_m: float
    atmosphere: AtmosphereModel | None = None
    turbulence: HufnagelValley = field(default_factory=HufnagelValley)
    sky_brightness: float = 22.0

    def __post_init__(self) -> None:
        checks.kinds(
            self,
            atmosphere=(Atmosphere, TabulatedAtmosphere, NoneType),
            turbulence=HufnagelValley,
        )
        checks.number("height_m", self.height_m, -500.0, 9000.0, unit="m")
        checks.number("sky_brightness", self.sky_brightness, 10.0, 23.0, unit="mag/arcsec2")
