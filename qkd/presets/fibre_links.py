"""Fibre links: a span of the Beijing-Shanghai trunk, and a fast metropolitan link."""

from collections.abc import Mapping
from typing import Any

from qkd.decoy import DecoyProtocol
from qkd.fibre import FibreReceiver, FibreSpan
from qkd.finite_key.leak import FiniteLeak
from qkd.finite_key.terms import Authentication, Security
from qkd.hardware import Detector
from qkd.presets.facts import (
    AUTHENTICATION,
    FibrePreset,
    Origin,
    assumed,
    derived,
    document,
    published,
)

CHEN = "Chen et al., Nature 589, 214 (2021)"
SASAKI = "Sasaki et al., Opt. Express 19, 10387 (2011), and the maker's page on it"
DIXON = "Dixon et al., Opt. Express 23, 7583 (2015)"
YUAN = "Yuan et al., J. Lightwave Technol. 36, 3427 (2018)"
USUAL = "usual value of a gated InGaAs system of its years"


def trunk_span() -> FibrePreset:
    """Return one link of a mean span of the Beijing-Shanghai trunk."""
    span = FibreSpan(length_km=65.5, attenuation_db_per_km=0.2, connectors=4, connector_loss_db=0.3)
    receiver = FibreReceiver(
        detector=Detector(efficiency=0.1, count=4, dark_rate_hz=1000.0, gate_ns=0.6),
        optics_transmittance=0.5,
        misalignment=0.01,
    )
    protocol = DecoyProtocol(
        intensities=(0.6, 0.2, 0.0),
        probabilities=(0.75, 0.125, 0.125),
        pulse_rate_hz=6.25e8,
        key_basis_alice=0.5,
        key_basis_bob=0.5,
        both_bases=True,
    )
    security, leak = Security(secrecy=1e-10), FiniteLeak()
    origins = {
        "span.length_km": derived("km", f"{CHEN}: 2,032 km over 31 spans"),
        "span.attenuation_db_per_km": assumed("dB/km", "standard fibre at 1550 nm"),
        "span.connectors": assumed("1", "two patch panels an end"),
        "span.connector_loss_db": assumed("dB", "usual value of a mated pair"),
        "receiver.detector.efficiency": assumed("1", USUAL),
        "receiver.detector.count": assumed("1", "four, as a passive receiver has"),
        "receiver.detector.dark_rate_hz": assumed("Hz", USUAL),
        "receiver.detector.gate_ns": assumed("ns", USUAL),
        "receiver.optics_transmittance": assumed("1", "3 dB of receiver optics, usual value"),
        "receiver.misalignment": assumed("1", "polarisation contrast 100:1, usual value"),
        "protocol.intensities.*": assumed("photons", "usual weak plus vacuum setting"),
        "protocol.probabilities.*": assumed("1", "usual weak plus vacuum setting"),
        "protocol.pulse_rate_hz": assumed("Hz", "625 MHz, as the network's faster links"),
        "protocol.key_basis_alice": assumed("1", "random bases, unbiased"),
        "protocol.key_basis_bob": assumed("1", "passive 50/50 splitter"),
        "protocol.intensity_uncertainty": assumed("1", "not found; not charged"),
        "security.secrecy": assumed("1", "1e-10, the usual choice for fibre systems"),
        "security.correctness": assumed("1", "1e-15, the usual choice"),
        "leak.efficiency": assumed("1", "a usual 1.16"),
    }
    return _fibre(
        name="trunk-span",
        title="Beijing-Shanghai trunk, one link of a mean span",
        span=span,
        receiver=receiver,
        protocol=protocol,
        security=security,
        leak=leak,
        block_bits=1e7,
        origins={**origins, "block_bits": assumed("bit", "the usual block of 1e7")},
        missing=("per-link rates, lengths and device parameters of the trunk: not public",),
    )


def toshiba_like() -> FibrePreset:
    """Return a fast gigahertz link of the kind run in Tokyo and Cambridge."""
    detector = Detector(
        efficiency=0.2, count=2, dark_rate_hz=2e4, gate_ns=0.5, dead_time_ns=2.0, after_pulse=0.03
    )
    protocol = DecoyProtocol(
        intensities=(0.4, 0.1, 0.001),
        probabilities=(0.9, 0.05, 0.05),
        pulse_rate_hz=1e9,
        key_basis_alice=0.94,
        key_basis_bob=0.94,
    )
    usual = "usual value of a self-differencing InGaAs system"
    t12 = "of the efficient decoy protocol's kind; the settings were not found"
    origins = {
        "span.length_km": published("km", f"{SASAKI}: installed fibre of the Tokyo network"),
        "span.attenuation_db_per_km": derived("dB/km", f"{SASAKI}: 14.5 dB over 45 km"),
        "receiver.detector.efficiency": assumed("1", usual),
        "receiver.detector.count": assumed("1", "two outputs of one phase decoder"),
        "receiver.detector.dark_rate_hz": assumed("Hz", usual),
        "receiver.detector.gate_ns": assumed("ns", usual),
        "receiver.detector.dead_time_ns": assumed("ns", "maximum count rate of 500 MHz"),
        "receiver.detector.after_pulse": assumed("1", usual),
        "receiver.optics_transmittance": assumed("1", "3 dB of receiver optics, usual value"),
        "receiver.misalignment": assumed("1", "phase visibility 98 %, usual value"),
        "protocol.intensities.*": assumed("photons", t12),
        "protocol.probabilities.*": assumed("1", t12),
        "protocol.pulse_rate_hz": published("Hz", f"{YUAN}: gigahertz clock"),
        "protocol.key_basis_alice": assumed("1", t12),
        "protocol.key_basis_bob": assumed("1", t12),
        "protocol.intensity_uncertainty": assumed("1", "not found; not charged"),
        "security.secrecy": published("1", f"{DIXON}: key failure probability"),
        "security.correctness": assumed("1", "1e-15, the usual choice"),
        "leak.efficiency": assumed("1", "a usual 1.16"),
        "block_bits": published("bit", f"{YUAN}: data sets of 1e8 bits"),
    }
    return _fibre(
        name="toshiba-like",
        title="Fast metropolitan link, 45 km installed",
        span=FibreSpan(length_km=45.0, attenuation_db_per_km=14.5 / 45.0),
        receiver=FibreReceiver(detector=detector, optics_transmittance=0.5, misalignment=0.01),
        protocol=protocol,
        security=Security(secrecy=1e-10),
        leak=FiniteLeak(),
        block_bits=1e8,
        origins=origins,
        missing=("intensities, probabilities, basis bias, detectors' figures: not found",),
    )


def _fibre(
    *,
    name: str,
    title: str,
    span: FibreSpan,
    receiver: FibreReceiver,
    protocol: DecoyProtocol,
    security: Security,
    leak: FiniteLeak,
    block_bits: float,
    origins: Mapping[str, Origin],
    missing: tuple[str, ...],
) -> FibrePreset:
    authentication = Authentication()
    parts: dict[str, Any] = {
        "span": span,
        "receiver": receiver,
        "protocol": protocol,
        "security": security,
        "leak": leak,
        "authentication": authentication,
        "block_bits": block_bits,
    }
    return FibrePreset(
        name=name,
        title=title,
        bound="chernoff",
        numbers=document(parts, {**AUTHENTICATION, **origins}),
        missing=missing,
        **parts,
    )
