"""Other stations that received Micius, and the microsatellite that followed it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from qkd.finite_key.leak import FiniteLeak
from qkd.finite_key.terms import Authentication, Security
from qkd.freespace.atmosphere import Atmosphere
from qkd.hardware import OpticalSite, Receiver
from qkd.presets.facts import AUTHENTICATION, Origin, Preset, assumed, derived, document, published
from qkd.presets.micius import (
    CONTRAST,
    LIAO,
    PROTOCOL,
    SKY,
    SKY_WORDS,
    SPREAD,
    SPREAD_ORIGINS,
    YIN,
    detector,
    terminal,
)

CHEN = "Chen et al., Nature 589, 214 (2021)"
LIAO_2018 = "Liao et al., Phys. Rev. Lett. 120, 030501 (2018)"
KHMELEV = "Khmelev et al., Entropy 25, 670 (2023) and arXiv:2310.17476"
LI = "Li et al., Nature 640, 47 (2025), arXiv:2408.10994"


def _origins(station_id: str) -> dict[str, Origin]:
    """Return the origins of the Micius model wherever it is received."""
    receiver, site = f"receivers.{station_id}", f"sites.{station_id}"
    alike = "not found; Xinglong's of 2016 taken"
    return {
        "terminal.wavelength_nm": published("nm", LIAO),
        "terminal.beam.loss_db": published("dB", f"{LIAO}: diffraction at 1200 km into 1 m"),
        "terminal.beam.range_km": published("km", LIAO),
        "terminal.beam.receiver_diameter_m": published("m", LIAO),
        "terminal.pulse_width_ps": derived("ps", f"{LIAO}: 0.2 ns pulses, taken as FWHM"),
        "terminal.pointing.loss_db": assumed("dB", f"{LIAO}: below 3 dB, midpoint"),
        f"{receiver}.optics_transmittance": assumed("1", alike),
        f"{receiver}.sky.field_of_view_urad": assumed("urad", SKY_WORDS[0]),
        f"{receiver}.sky.filter_width_nm": assumed("nm", SKY_WORDS[1]),
        f"{receiver}.misalignment": derived("1", f"{LIAO}: contrast 280:1 at Xinglong"),
        f"{receiver}.detector.efficiency": assumed("1", alike),
        f"{receiver}.detector.count": assumed("1", "four, as a passive receiver has"),
        f"{receiver}.detector.dark_rate_hz": assumed("Hz", alike),
        f"{receiver}.detector.gate_ns": assumed("ns", alike),
        f"{receiver}.detector.timing_ps": assumed("ps", alike),
        f"{site}.atmosphere.continuum_depth": assumed(
            "1", f"{LIAO}: 3-8 dB at 1200 km, midpoint 5.5 dB at 19.6 deg, times airmass"
        ),
        "protocol.intensities.*": published("photons", LIAO),
        "protocol.probabilities.*": published("1", LIAO),
        "protocol.pulse_rate_hz": published("Hz", LIAO),
        "protocol.key_basis_alice": published("1", LIAO),
        "protocol.key_basis_bob": assumed("1", "passive 50/50 splitter, as at Xinglong"),
        "protocol.intensity_uncertainty": assumed("1", f"{LIAO}: below 5 %; not charged"),
        "security.secrecy": published("1", LIAO),
        "security.correctness": assumed("1", "1e-15, the usual choice"),
        "leak.efficiency": assumed("1", "a usual 1.16"),
    }


def _station(
    *,
    name: str,
    title: str,
    station_id: str,
    diameter_m: float,
    height_m: float,
    own: Mapping[str, Origin],
    missing: tuple[str, ...],
    pulse_rate_hz: float = PROTOCOL.pulse_rate_hz,
    gate_ns: float = 2.0,
) -> Preset:
    sender = terminal(1.5)
    receivers = {
        station_id: Receiver(
            diameter_m=diameter_m,
            detector=replace(detector(), gate_ns=gate_ns),
            optics_transmittance=0.16,
            misalignment=1.0 / (CONTRAST + 1.0),
            sky=SKY,
            passive=True,
        )
    }
    air = Atmosphere.from_slant_loss_db(5.5, elevation_deg=19.6)
    sites = {station_id: OpticalSite(height_m=height_m, atmosphere=air)}
    protocol = replace(PROTOCOL, pulse_rate_hz=pulse_rate_hz)
    security, leak = Security(secrecy=1e-9), FiniteLeak()
    authentication = Authentication()
    parts: dict[str, Any] = {
        "terminal": sender,
        "receivers": receivers,
        "sites": sites,
        "protocol": protocol,
        "security": security,
        "leak": leak,
        "authentication": authentication,
        "spread": SPREAD,
    }
    return Preset(
        name=name,
        title=title,
        bound="chernoff",
        numbers=document(
            parts, {**_origins(station_id), **AUTHENTICATION, **SPREAD_ORIGINS, **own}
        ),
        missing=("field of view and filter width: assumed", *missing),
        **parts,
    )


def graz() -> Preset:
    """Return Micius received at Graz, 2017."""
    return _station(
        name="graz",
        title="Micius received at Graz, 2017",
        station_id="graz",
        diameter_m=0.5,
        height_m=539.0,
        own={
            "receivers.graz.diameter_m": published("m", "ILRS site log of Graz"),
            "sites.graz.height_m": published("m", "ILRS site log of Graz"),
        },
        missing=(f"receiver efficiency, detectors and contrast at Graz ({LIAO_2018})",),
    )


def nanshan_2020() -> Preset:
    """Return Micius received at the upgraded Nanshan station."""
    return _station(
        name="nanshan-2020",
        title="Micius received at the upgraded Nanshan station, 2020",
        station_id="nanshan",
        diameter_m=1.2,
        height_m=2028.0,
        pulse_rate_hz=2e8,
        own={
            "receivers.nanshan.diameter_m": published("m", YIN),
            "sites.nanshan.height_m": published("m", YIN),
            "protocol.pulse_rate_hz": assumed(
                "Hz", f"{CHEN}: clock rate raised, by how much not found; doubled"
            ),
        },
        missing=(
            f"clock rate, basis bias, intensities and receiver efficiency of {CHEN}",
            "geometry of the typical pass",
        ),
    )


def portable_280mm() -> Preset:
    """Return Micius received by the portable 280 mm station at Jinan."""
    return _station(
        name="portable-280mm",
        title="Micius received by the portable 280 mm station, Jinan 2019",
        station_id="jinan",
        diameter_m=0.28,
        height_m=100.0,
        own={
            "receivers.jinan.diameter_m": published(
                "m", "Jinan Institute of Quantum Technology, announcement of 2020-01-02"
            ),
            "sites.jinan.height_m": assumed("m", "terrain of the city of Jinan"),
        },
        missing=("efficiency, detectors and contrast of the portable station",),
    )


def zvenigorod() -> Preset:
    """Return Micius received by the 600 mm station at Zvenigorod."""
    return _station(
        name="zvenigorod",
        title="Micius received by the 600 mm station, Zvenigorod",
        station_id="zvenigorod",
        diameter_m=0.6,
        height_m=180.0,
        own={
            "receivers.zvenigorod.diameter_m": published("m", KHMELEV),
            "sites.zvenigorod.height_m": assumed("m", "terrain of the observatory"),
        },
        missing=(f"efficiencies, detectors and mismatch of the receiver ({KHMELEV})",),
    )


def jinan_1() -> Preset:
    """Return the microsatellite Jinan-1 received by a portable 280 mm station."""
    alike = "not found; that of Micius taken"
    shared = {
        f"terminal.{name}": assumed(unit, alike)
        for name, unit in (
            ("wavelength_nm", "nm"),
            ("beam.loss_db", "dB"),
            ("beam.range_km", "km"),
            ("beam.receiver_diameter_m", "m"),
            ("pulse_width_ps", "ps"),
            ("pointing.loss_db", "dB"),
        )
    }
    return _station(
        name="jinan-1",
        title="Jinan-1 received by a portable 280 mm station",
        station_id="jinan",
        diameter_m=0.28,
        height_m=100.0,
        pulse_rate_hz=6.25e8,
        gate_ns=1.0,
        own={
            **shared,
            "receivers.jinan.diameter_m": published("m", "as the portable station of 2020"),
            "receivers.jinan.misalignment": assumed("1", alike),
            "receivers.jinan.detector.gate_ns": assumed("ns", "fits the period of 1.6 ns"),
            "sites.jinan.height_m": assumed("m", "terrain of the city of Jinan"),
            "protocol.intensities.*": assumed("photons", alike),
            "protocol.probabilities.*": assumed("1", alike),
            "protocol.pulse_rate_hz": assumed("Hz", "625 MHz, remembered, not checked"),
            "protocol.key_basis_alice": assumed("1", alike),
            "security.secrecy": assumed("1", alike),
        },
        missing=(f"divergence, intensities, contrast and receiver efficiency of {LI}",),
    )
