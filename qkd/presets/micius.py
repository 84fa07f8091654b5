"""Micius as it was in 2016-17, unfitted and fitted to its published pass."""

import math
from collections.abc import Mapping
from typing import Any

from qkd.decoy import DecoyProtocol
from qkd.finite_key.leak import FiniteLeak
from qkd.finite_key.terms import Authentication, Security
from qkd.freespace.atmosphere import DB_PER_NEPER, Atmosphere
from qkd.freespace.beams import AnchoredBeam, Pointing
from qkd.hardware import Detector, OpticalSite, Receiver, SkyView, Terminal
from qkd.learning import LinkSpread
from qkd.presets.facts import (
    AUTHENTICATION,
    Origin,
    Preset,
    assumed,
    derived,
    document,
    fitted,
    published,
)

LIAO = "Liao et al., Nature 549, 43 (2017)"
YIN = "Yin et al., Nature 582, 501 (2020)"

#: FWHM to rms of a Gaussian.
_FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))

#: Height in metres and telescope diameter in 2016-17, metres.
_STATIONS = {"xinglong": (890.0, 1.0), "nanshan": (2028.0, 1.0), "delingha": (3153.0, 1.2)}

PROTOCOL = DecoyProtocol(
    intensities=(0.8, 0.1, 0.0),
    probabilities=(0.5, 0.25, 0.25),
    pulse_rate_hz=1e8,
    key_basis_alice=0.5,
    key_basis_bob=0.5,
    key_intensities="signal",
    both_bases=True,
)

#: What the receivers see of the sky; no source prints it.
SKY = SkyView(field_of_view_urad=100.0, filter_width_nm=1.0)
SKY_WORDS = (
    "full field: seeing of some 10 urad, tracking and optics with room to spare; not published",
    "a usual interference filter at 850 nm; not published",
)

#: Contrast of the polarisation link, 280:1.
CONTRAST = 280.0
#: e_d that gives the published QBER of 1.1 % on 2016-12-19 with a noise yield of 2e-7.
FITTED_MISALIGNMENT = 0.0106
#: Fit to the seven published loss bins of 2016-12-19: dB per airmass, and dB.
FITTED_DB_PER_AIRMASS = 2.25
FITTED_FIXED_DB = 1.70


def detector() -> Detector:
    """Return the detectors of the Xinglong station in 2016."""
    return Detector(
        efficiency=0.5, count=4, dark_rate_hz=25.0, gate_ns=2.0, timing_ps=350.0 / _FWHM
    )


def _receivers(misalignment: float) -> Mapping[str, Receiver]:
    return {
        name: Receiver(
            diameter_m=diameter_m,
            detector=detector(),
            optics_transmittance=0.16,
            misalignment=misalignment,
            sky=SKY,
            passive=True,
        )
        for name, (_, diameter_m) in _STATIONS.items()
    }


def terminal(pointing_db: float) -> Terminal:
    """Return Micius's transmitter with a mean pointing loss."""
    return Terminal(
        wavelength_nm=848.6,
        beam=AnchoredBeam(loss_db=22.0, range_km=1200.0, receiver_diameter_m=1.0),
        pointing=Pointing(loss_db=pointing_db),
        pulse_width_ps=200.0 / _FWHM,
    )


def _origins() -> dict[str, Origin]:
    """Return the origins that both models share."""
    quoted = f"{LIAO}, quoted from its arXiv text"
    return {
        "terminal.wavelength_nm": published("nm", quoted),
        "terminal.beam.loss_db": published("dB", f"{quoted}: diffraction at 1200 km"),
        "terminal.beam.range_km": published("km", f"{quoted}: range of the 22 dB"),
        "terminal.beam.receiver_diameter_m": published("m", f"{quoted}: Xinglong telescope"),
        "terminal.pulse_width_ps": derived("ps", f"{quoted}: 0.2 ns pulses, taken as FWHM"),
        "receivers.*.detector.efficiency": published("1", quoted),
        "receivers.*.detector.count": published("1", quoted),
        "receivers.*.detector.dark_rate_hz": published("Hz", f"{quoted}: below 25 Hz each"),
        "receivers.*.detector.gate_ns": published("ns", quoted),
        "receivers.*.detector.timing_ps": derived("ps", f"{quoted}: 350 ps, taken as FWHM"),
        "receivers.xinglong.diameter_m": published("m", LIAO),
        "receivers.nanshan.diameter_m": published("m", f"{YIN}: 1.0 m in 2016-17"),
        "receivers.delingha.diameter_m": published("m", YIN),
        "receivers.*.sky.field_of_view_urad": assumed("urad", SKY_WORDS[0]),
        "receivers.*.sky.filter_width_nm": assumed("nm", SKY_WORDS[1]),
        "receivers.*.optics_transmittance": published(
            "1", f"{quoted}: ground optics; at Xinglong, assumed alike elsewhere"
        ),
        "sites.xinglong.height_m": published("m", LIAO),
        "sites.nanshan.height_m": published("m", YIN),
        "sites.delingha.height_m": published("m", YIN),
        "protocol.intensities.1": published("photons", quoted),
        "protocol.intensities.2": published("photons", quoted),
        "protocol.intensities.3": published("photons", quoted),
        "protocol.probabilities.*": published("1", quoted),
        "protocol.pulse_rate_hz": published("Hz", quoted),
        "protocol.key_basis_alice": published("1", f"{quoted}: random bases, unbiased"),
        "protocol.key_basis_bob": published("1", f"{quoted}: passive 50/50 splitter"),
        "protocol.intensity_uncertainty": assumed(
            "1", f"{quoted}: below 5 %; not charged, nor was it in the paper; docs/key-rate.md"
        ),
        "security.secrecy": published("1", f"{quoted}: failure probability of the final key"),
        "security.correctness": assumed("1", "not printed; the usual 1e-15"),
        "leak.efficiency": assumed("1", "not printed for its Hamming code; a usual 1.16"),
    }


#: One pass and the next: air 3-8 dB at 1200 km and pointing below 3 dB, each range taken as
#: four sigma, together 1.46 dB. The mean of all passes is as uncertain as one of them: the
#: midpoints are guesses, and the fit knows a single night.
SPREAD = LinkSpread(loss_sigma_db=1.5, spread_db=1.5)
SPREAD_ORIGINS = {
    "spread.loss_sigma_db": assumed("dB", "mean of all passes, no better known than one pass"),
    "spread.spread_db": derived("dB", f"{LIAO}: 3-8 dB air, 0-3 dB pointing as four sigma each"),
    "spread.sessions": assumed("1", "weight of the spread before any session"),
}

_MISSING = (
    "bound family of the published key: assumed Hoeffding, the conservative one of its time",
    "efficiency of its Hamming error correction: assumed f_EC 1.16",
    "correctness parameter: assumed 1e-15",
    "field of view and filter width of the receivers: assumed",
    "optics of the Nanshan and Delingha stations: taken as Xinglong's",
)


def _micius(
    name: str,
    title: str,
    *,
    air: Atmosphere,
    pointing_db: float,
    misalignment: float,
    own: Mapping[str, Origin],
) -> Preset:
    sender, receivers = terminal(pointing_db), _receivers(misalignment)
    sites = {
        station: OpticalSite(height_m=height_m, atmosphere=air)
        for station, (height_m, _) in _STATIONS.items()
    }
    security, leak = Security(secrecy=1e-9), FiniteLeak()
    authentication = Authentication()
    parts: dict[str, Any] = {
        "terminal": sender,
        "receivers": receivers,
        "sites": sites,
        "protocol": PROTOCOL,
        "security": security,
        "leak": leak,
        "authentication": authentication,
        "spread": SPREAD,
    }
    return Preset(
        name=name,
        title=title,
        bound="hoeffding",
        numbers=document(parts, {**_origins(), **AUTHENTICATION, **SPREAD_ORIGINS, **own}),
        missing=_MISSING,
        **parts,
    )


def micius_2016() -> Preset:
    """Return the UNFITTED model: published inputs and midpoints of published ranges alone."""
    return _micius(
        "micius-2016",
        "Micius 2016-17, unfitted",
        air=Atmosphere.from_slant_loss_db(5.5, elevation_deg=19.6),
        pointing_db=1.5,
        misalignment=1.0 / (CONTRAST + 1.0),
        own={
            "sites.*.atmosphere.continuum_depth": assumed(
                "1", f"{LIAO}: 3-8 dB at 1200 km, midpoint 5.5 dB at 19.6 deg, times airmass"
            ),
            "terminal.pointing.loss_db": assumed("dB", f"{LIAO}: below 3 dB, midpoint"),
            "receivers.*.misalignment": derived("1", f"{LIAO}: contrast 280:1, 1/281"),
        },
    )


def micius_2016_fitted() -> Preset:
    """Return the model FITTED to the pass of 2016-12-19: its loss bins and its QBER."""
    fit = f"{LIAO}: mean loss in seven range bins of 2016-12-19"
    return _micius(
        "micius-2016-fitted",
        "Micius 2016-17, fitted to 2016-12-19",
        air=Atmosphere(
            continuum_depth=FITTED_DB_PER_AIRMASS / DB_PER_NEPER, fixed_loss_db=FITTED_FIXED_DB
        ),
        pointing_db=0.0,
        misalignment=FITTED_MISALIGNMENT,
        own={
            "sites.*.atmosphere.continuum_depth": fitted("1", f"{fit}: 2.25 dB per airmass"),
            "sites.*.atmosphere.fixed_loss_db": fitted("dB", f"{fit}; pointing included"),
            "receivers.*.misalignment": fitted("1", f"{LIAO}: QBER 1.1 % of 2016-12-19"),
        },
    )
