"""Fibre links: a span of the Beijing-Shanghai trunk, and a fast metropolitan link."""

from qkd.decoy import DecoyProtocol
from qkd.fibre import FibreReceiver, FibreSpan
from qkd.finite_key.leak import BlockLeak
from qkd.finite_key.security import Security
from qkd.hardware import Detector
from qkd.presets.facts import FibrePreset, assumed, derived, document

CHEN = "Chen et al., Nature 589, 214 (2021)"
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
    security, leak = Security(secrecy=1e-10), BlockLeak()
    origins = {
        "span.length_km": derived("km", f"{CHEN}: 2,032 km over 31 spans"),
        "span.attenuation_db_per_km": assumed("dB/km", "standard fibre at 1550 nm"),
        "span.connectors": assumed("1", "two patch panels an end"),
        "span.connector_loss_db": assumed("dB", "usual value of a mated pair"),
        "receiver.detector.efficiency": assumed("1", USUAL),
        "receiver.detector.dark_rate_hz": assumed("Hz", USUAL),
        "receiver.detector.gate_ns": assumed("ns", USUAL),
        "receiver.optics_transmittance": assumed("1", "3 dB of receiver optics, usual value"),
        "receiver.misalignment": assumed("1", "polarisation contrast 100:1, usual value"),
        "protocol.intensities.*": assumed("photons", "usual weak plus vacuum setting"),
        "protocol.probabilities.*": assumed("1", "usual weak plus vacuum setting"),
        "protocol.pulse_rate_hz": assumed("Hz", "625 MHz, as the network's faster links"),
        "protocol.key_basis_alice": assumed("1", "random bases, unbiased"),
        "protocol.key_basis_bob": assumed("1", "passive 50/50 splitter"),
        "security.secrecy": assumed("1", "1e-10, the usual choice for fibre systems"),
        "security.correctness": assumed("1", "1e-15, the usual choice"),
        "leak.efficiency": assumed("1", "a usual 1.16"),
    }
    parts = {
        "span": span,
        "receiver": receiver,
        "protocol": protocol,
        "security": security,
        "leak": leak,
    }
    return FibrePreset(
        name="trunk-span",
        title="Beijing-Shanghai trunk, one link of a mean span",
        span=span,
        receiver=receiver,
        protocol=protocol,
        security=security,
        bound="chernoff",
        leak=leak,
        block_bits=1e7,
        numbers=document(parts, origins),
        missing=("per-link rates, lengths and device parameters of the trunk: not public",),
    )
