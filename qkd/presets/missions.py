"""Missions of other kinds of session: entangled pairs down to two stations, pulses up to one."""

import math
from typing import Any

from qkd.decoy import DecoyProtocol
from qkd.entangled import PairProtocol
from qkd.finite_key.leak import FiniteLeak
from qkd.finite_key.terms import Authentication, Security
from qkd.freespace.atmosphere import Atmosphere
from qkd.freespace.beams import FarFieldBeam, Pointing
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
from qkd.presets.micius import LIAO, SKY_WORDS, SPREAD, SPREAD_ORIGINS, YIN, detector

BOURGOIN = "Bourgoin et al., New J. Phys. 15, 023006 (2013)"
SPEQTRE = "public texts on SpeQtre (secondary)"
_ALIKE = "as Micius's receivers of 2016; not found for this mission"
_USUAL = "1e-15, the usual choice"
_LEAK = "a usual 1.16"
_TWO_WAYS = "two ways, each with the spread of Micius's downlink"


#: Two independent ways: their losses add, so do the variances.
PAIR_SPREAD = LinkSpread(
    loss_sigma_db=SPREAD.loss_sigma_db * math.sqrt(2.0),
    spread_db=SPREAD.spread_db * math.sqrt(2.0),
)


def _pair_preset(
    *,
    name: str,
    title: str,
    terminal: Terminal,
    receivers: dict[str, Receiver],
    heights_m: dict[str, float],
    protocol: PairProtocol,
    security: Security,
    own: dict[str, Origin],
    missing: tuple[str, ...],
    leak: FiniteLeak = FiniteLeak(),  # noqa: B008 - frozen, no state
) -> Preset:
    air = Atmosphere.from_slant_loss_db(5.5, elevation_deg=19.6)
    sites = {
        place: OpticalSite(height_m=height_m, atmosphere=air)
        for place, height_m in heights_m.items()
    }
    authentication = Authentication()
    origins = {
        "receivers.*.detector.efficiency": assumed("1", _ALIKE),
        "receivers.*.detector.count": assumed("1", "four, as a passive receiver has"),
        "receivers.*.detector.dark_rate_hz": assumed("Hz", _ALIKE),
        "receivers.*.detector.timing_ps": assumed("ps", _ALIKE),
        "receivers.*.optics_transmittance": assumed("1", "as fitted of Micius's stations of 2020"),
        "receivers.*.sky.field_of_view_urad": assumed("urad", SKY_WORDS[0]),
        "receivers.*.sky.filter_width_nm": assumed("nm", SKY_WORDS[1]),
        "receivers.*.misalignment": derived("1", f"{LIAO}: contrast 280:1 at Xinglong"),
        "sites.*.atmosphere.continuum_depth": assumed(
            "1", f"{LIAO}: 3-8 dB at 1200 km, midpoint 5.5 dB at 19.6 deg, times airmass"
        ),
        "protocol.key_basis_alice": assumed("1", "passive 50/50 splitter"),
        "protocol.key_basis_bob": assumed("1", "passive 50/50 splitter"),
        "security.correctness": assumed("1", _USUAL),
        "leak.efficiency": assumed("1", _LEAK),
        **own,
        "spread.loss_sigma_db": assumed("dB", _TWO_WAYS),
        "spread.spread_db": assumed("dB", _TWO_WAYS),
        "spread.sessions": SPREAD_ORIGINS["spread.sessions"],
        **AUTHENTICATION,
    }
    parts: dict[str, Any] = {
        "terminal": terminal, "receivers": receivers, "sites": sites, "protocol": protocol,
        "security": security, "leak": leak, "authentication": authentication,
        "spread": PAIR_SPREAD,
    }  # fmt: skip
    return Preset(
        name=name,
        title=title,
        bound="chernoff",
        numbers=document(parts, origins),
        missing=missing,
        **parts,
    )


def _pair_receiver(diameter_m: float, *, gate_ns: float) -> Receiver:
    seen = detector()
    return Receiver(
        diameter_m=diameter_m,
        detector=Detector(
            efficiency=seen.efficiency,
            count=seen.count,
            dark_rate_hz=seen.dark_rate_hz,
            gate_ns=gate_ns,
            timing_ps=seen.timing_ps,
        ),
        optics_transmittance=0.109,
        misalignment=1.0 / 281.0,
        sky=SkyView(field_of_view_urad=100.0, filter_width_nm=1.0),
        passive=True,
    )


def micius_entangled_2020() -> Preset:
    """Return Micius's entangled source over Delingha and Nanshan, as in 2020."""
    return _pair_preset(
        name="micius-entangled-2020",
        title="Micius, entangled pairs to two stations, 2020",
        terminal=Terminal(
            wavelength_nm=810.0,
            beam=FarFieldBeam.from_full_angle_urad(10.0),
            pointing=Pointing(loss_db=1.5),
        ),
        receivers={place: _pair_receiver(1.2, gate_ns=2.5) for place in ("delingha", "nanshan")},
        heights_m={"delingha": 3153.0, "nanshan": 2028.0},
        protocol=PairProtocol(pair_rate_hz=5.9e6, misalignment=0.0313),
        security=Security(secrecy=1e-10),
        leak=FiniteLeak(efficiency=1.19),
        own={
            "terminal.wavelength_nm": published("nm", YIN),
            "terminal.beam.half_angle_urad": derived(
                "urad", f"{YIN}: far-field divergence of about 10 urad, taken as the full angle"
            ),
            "terminal.pointing.loss_db": assumed("dB", f"{LIAO}: below 3 dB, midpoint"),
            "receivers.*.diameter_m": published("m", YIN),
            "receivers.*.detector.gate_ns": assumed("ns", "a usual coincidence window"),
            "receivers.*.optics_transmittance": fitted(
                "1", f"{YIN}: 1.1 sifted bits a second, over the pass of the validation"
            ),
            "sites.delingha.height_m": published("m", YIN),
            "sites.nanshan.height_m": published("m", YIN),
            "protocol.pair_rate_hz": assumed(
                "Hz", "some 6 million pairs a second; the published figure was not at hand"
            ),
            "protocol.misalignment": fitted(
                "1", f"{YIN}: QBER 4.51 %, less the receivers' contrast and accidental pairs"
            ),
            "security.secrecy": published("1", f"{YIN}: failure probability 1e-10"),
            "leak.efficiency": published("1", f"{YIN}: Hamming code, inefficiency 1.19"),
        },
        missing=(
            "coupling of the single-mode fibres and filters of 2020: within the fitted optics",
            "dark counts and coincidence window: assumed",
        ),
    )


def speqtre_like() -> Preset:
    """Return a small satellite with an entangled source, of SpeQtre's class; assumed."""
    guess = "assumed: no figure was found"
    return _pair_preset(
        name="speqtre-like",
        title="a small satellite with an entangled source, of SpeQtre's class (assumed)",
        terminal=Terminal(
            wavelength_nm=785.0,
            beam=FarFieldBeam.from_full_angle_urad(10.0),
            pointing=Pointing(loss_db=1.5),
        ),
        receivers={"ground": _pair_receiver(0.7, gate_ns=1.0)},
        heights_m={"ground": 100.0},
        protocol=PairProtocol(pair_rate_hz=5e6, misalignment=0.041),
        security=Security(secrecy=1e-9),
        own={
            "terminal.wavelength_nm": assumed("nm", guess),
            "terminal.beam.half_angle_urad": assumed(
                "urad", f"{guess}; near the limit of a telescope of 100 mm"
            ),
            "terminal.pointing.loss_db": assumed("dB", guess),
            "receivers.*.diameter_m": assumed("m", "that of HOGS, Edinburgh, one of its stations"),
            "receivers.*.detector.gate_ns": assumed("ns", "a usual coincidence window"),
            "sites.*.height_m": assumed("m", "a place near the sea"),
            "protocol.pair_rate_hz": assumed("Hz", f"{guess}; about that of Micius's source"),
            "protocol.misalignment": derived(
                "1", f"{SPEQTRE}: engineering model, QBER 4.78 % over 1.8 km (arXiv:2605.19689),"
                " less the receivers' contrast"
            ),
            "security.secrecy": assumed("1", "1e-9, the usual choice"),
        },
        missing=(
            "everything but the engineering model's error rate: assumed",
            "whether it can point at two stations at once: not found",
        ),
    )  # fmt: skip


def _uplink_origins(study: str) -> dict[str, Origin]:
    """Return where the numbers of the uplink are from: all but the two telescopes assumed."""
    telescope = f"{BOURGOIN}, abstract: at least 25 cm on the ground"
    guess = "assumed: no figure of the mission was found"
    return {
        "terminal.wavelength_nm": assumed("nm", study),
        "terminal.beam.half_angle_urad": derived("urad", f"{telescope}; its waist assumed as wide"),
        "terminal.beam.waist_radius_m": derived("m", f"{telescope}; its waist assumed as wide"),
        "terminal.pointing.jitter_urad": assumed("urad", study),
        "receivers.*.diameter_m": published("m", f"{BOURGOIN}, abstract: of a design study"),
        "receivers.*.detector.efficiency": assumed("1", guess),
        "receivers.*.detector.count": assumed("1", "four, as a passive receiver has"),
        "receivers.*.detector.dark_rate_hz": assumed("Hz", guess),
        "receivers.*.detector.gate_ns": assumed("ns", guess),
        "receivers.*.detector.timing_ps": assumed("ps", "0.5 ns FWHM; no figure was found"),
        "receivers.*.optics_transmittance": assumed("1", guess),
        "receivers.*.misalignment": assumed("1", guess),
        "receivers.*.sky.field_of_view_urad": assumed("urad", study),
        "receivers.*.sky.filter_width_nm": assumed("nm", guess),
        "sites.*.height_m": assumed("m", "a place near the sea"),
        "protocol.intensities.*": assumed("photons", guess),
        "protocol.probabilities.*": assumed("1", guess),
        "protocol.pulse_rate_hz": assumed("Hz", study),
        "protocol.key_basis_alice": assumed("1", guess),
        "protocol.key_basis_bob": assumed("1", "passive 50/50 splitter"),
        "protocol.intensity_uncertainty": assumed("1", "not charged"),
        "security.secrecy": assumed("1", "1e-9, the usual choice"),
        "security.correctness": assumed("1", _USUAL),
        "leak.efficiency": assumed("1", _LEAK),
        **SPREAD_ORIGINS,
        **AUTHENTICATION,
    }


def qeyssat_like() -> Preset:
    """Return an uplink into a small telescope in low orbit, of QEYSSat's class; assumed."""
    study = f"{BOURGOIN}: of the design studied there; not checked against the paper"
    # Derived here: a waist as wide as the telescope, W0 = a, is cut by its edge. What leaves has
    # (1 - e^-1)^2 / (1 - e^-2) = 0.462 of the irradiance on the axis that the whole Gaussian
    # would have, as one of waist sqrt(0.462) a. A Gaussian of W0 = a itself would beat the
    # diffraction limit of the aperture, a uniformly lit one's pi a^2 / (lambda L)^2, by 3 dB.
    cut = (1.0 - math.exp(-1.0)) / math.sqrt(1.0 - math.exp(-2.0))
    terminal = Terminal(
        wavelength_nm=785.0,
        beam=FarFieldBeam.from_waist_diameter_m(0.25 * cut, wavelength_nm=785.0),
        pointing=Pointing(jitter_urad=2.0),
        direction="uplink",
    )
    receiver = Receiver(
        diameter_m=0.3,
        detector=Detector(
            efficiency=0.5, count=4, dark_rate_hz=100.0, gate_ns=1.0, timing_ps=212.3
        ),
        optics_transmittance=0.5,
        misalignment=0.01,
        sky=SkyView(field_of_view_urad=50.0, filter_width_nm=1.0),
        passive=True,
    )
    receivers, sites = {"ground": receiver}, {"ground": OpticalSite(height_m=100.0)}
    protocol = DecoyProtocol(
        intensities=(0.5, 0.1, 0.0), probabilities=(0.8, 0.1, 0.1), pulse_rate_hz=3e8,
        both_bases=True,
    )  # fmt: skip
    security, leak, authentication = Security(secrecy=1e-9), FiniteLeak(), Authentication()
    parts: dict[str, Any] = {
        "terminal": terminal, "receivers": receivers, "sites": sites, "protocol": protocol,
        "security": security, "leak": leak, "authentication": authentication, "spread": SPREAD,
    }  # fmt: skip
    return Preset(
        name="qeyssat-like",
        title="an uplink into low orbit, of QEYSSat's class (assumed)",
        bound="chernoff",
        numbers=document(parts, _uplink_origins(study)),
        missing=("the mission's own numbers: those of a design study and assumptions taken",),
        **parts,
    )
