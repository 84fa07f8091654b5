"""Fibre links, the upgraded Nanshan station, and asymptotic check values."""

from dataclasses import replace

import numpy as np

from qkd.fibre import fibre_rate
from qkd.finite_key.asymptotic import gllp_rate
from qkd.geometry import circular_pass
from qkd.ports import Track
from qkd.presets.catalogue import fibre_preset, satellite_preset
from qkd.presets.fibre_links import CHEN, DIXON, SASAKI, YUAN
from qkd.tracks import track_seconds
from qkd.validation.passes import pass_rows
from qkd.validation.rows import FigureOrigin, ValidationRow
from qkd.yields import pass_yield

#: Secret bits per signal pulse over a fibre length in km, from an independent program.
GLLP_CHECKS = (
    (50.0, 7.671312e-4),
    (80.0, 1.909749e-4),
    (100.0, 7.477664e-5),
    (120.0, 2.855027e-5),
    (150.0, 5.751322e-6),
)
#: Loss in dB, published secret bit/s, words, source, origin.
FAST_LINKS = (
    (14.5, 304e3, "45 km installed, 14.5 dB", f"{SASAKI}; {DIXON}", FigureOrigin.PRINTED),
    (
        14.5,
        878e9 / (34 * 86_400.0),
        "45 km in the field, 878 Gbit in 34 days",
        f"{DIXON}, eps 1e-10",
        FigureOrigin.INFERRED,
    ),
    (
        10.0,
        1e6,
        "50 km spool, 10 dB taken; published as above 1 Mbit/s",
        SASAKI,
        FigureOrigin.PRINTED,
    ),
    (2.0, 13.72e6, "2 dB", YUAN, FigureOrigin.PRINTED),
)
#: 97 km at 625 MHz, mu 0.4/0.15/0: km, sifted bit/s, QBER, secret bit/s.
TANAKA = "Tanaka et al., Opt. Express 16, 11354 (2008)"
LONG_LINK_KM, LONG_LINK_SIFTED_BPS, LONG_LINK_QBER = 97.0, 2.4e3, 0.029
LONG_LINK_SECRET_BPS = "780 to 820"
#: Mean span of the backbone of 2025.
CN_QCN_MEAN_KM = 70.0
#: Average secret bit/s of a typical pass over the upgraded Nanshan station.
NANSHAN_BPS = 47.8e3


def gllp_rows() -> tuple[ValidationRow, ...]:
    """Return the asymptotic rate per signal pulse against an independent program's."""
    lengths = np.array([length for length, _ in GLLP_CHECKS])
    eta = 10.0 ** (-0.2 * lengths / 10.0) * 0.08
    rates = gllp_rate(
        eta,
        signal_photons=0.5,
        decoy_photons=0.1,
        background_per_gate=1e-6,
        misalignment=0.015,
    )
    return tuple(
        ValidationRow(
            case="Asymptotic weak+vacuum decoy",
            quantity=f"secret bits per signal pulse, {length:g} km",
            unit="bit",
            published=check,
            unfitted=float(rate),
            assumption="0.2 dB/km, receiver x detector 0.08, Y0 1e-6, e_d 1.5 %, f_EC 1.16",
            source="Ma, Qi, Zhao and Lo, PRA 72, 012326 (2005), run independently",
            origin=FigureOrigin.COMPUTED,
        )
        for (length, check), rate in zip(GLLP_CHECKS, rates, strict=True)
    )


def fibre_rows() -> tuple[ValidationRow, ...]:
    """Return the steady rates of the fast link preset against those published."""
    preset = fibre_preset("toshiba-like")
    rates = fibre_rate(
        np.array([loss for loss, *_ in FAST_LINKS]),
        preset.receiver,
        preset.protocol,
        preset.security,
        block_bits=preset.block_bits,
        bound=preset.bound,
        leak=preset.leak,
    )
    return tuple(
        ValidationRow(
            case="Fast fibre link (preset toshiba-like)",
            quantity=f"secret rate, {words}",
            unit="bit/s",
            published=published,
            unfitted=float(rate),
            assumption="device figures and settings were not found: usual values, not fitted",
            source=source,
            origin=origin,
        )
        for (_, published, words, source, origin), rate in zip(
            FAST_LINKS, rates.secret_bps, strict=True
        )
    )


def trunk_rows() -> tuple[ValidationRow, ...]:
    """Return the rates of trunk spans of mean length; nothing per link is published."""
    preset = fibre_preset("trunk-span")
    spans = [preset.span, replace(preset.span, length_km=CN_QCN_MEAN_KM)]
    rate, far_rate = fibre_rate(
        np.array([span.loss_db for span in spans]),
        preset.receiver,
        preset.protocol,
        preset.security,
        block_bits=preset.block_bits,
        bound=preset.bound,
        leak=preset.leak,
    ).secret_bps
    return (
        ValidationRow(
            case="Beijing-Shanghai trunk (preset trunk-span)",
            quantity="secret rate of one link of a mean span, 65.5 km",
            unit="bit/s",
            published=None,
            unfitted=float(rate),
            assumption="usual device figures; the paper's per-link table was not found",
            source=CHEN,
        ),
        ValidationRow(
            case="CN-QCN backbone of 2025 (preset trunk-span)",
            quantity=f"secret rate of one link of a mean span, {CN_QCN_MEAN_KM:g} km",
            unit="bit/s",
            published="8,000 to 25,000",
            unfitted=float(far_rate),
            assumption="published: one-time pad end to end on four routes, which shares the "
            "links with all other traffic; model: what one link alone makes; usual device "
            "figures",
            source="CN-QCN, 2025: 10,103 km, 145 backbone nodes, mean span 70 km",
        ),
    )


def long_link_rows() -> tuple[ValidationRow, ...]:
    """Return the figures of a link of 97 km at 625 MHz, by the trunk's devices."""
    preset = fibre_preset("trunk-span")
    found = fibre_rate(
        replace(preset.span, length_km=LONG_LINK_KM),
        preset.receiver,
        replace(preset.protocol, intensities=(0.4, 0.15, 0.0)),
        preset.security,
        block_bits=preset.block_bits,
        bound=preset.bound,
        leak=preset.leak,
    )
    return tuple(
        ValidationRow(
            case="Fibre link of 97 km at 625 MHz (devices of preset trunk-span)",
            quantity=quantity,
            unit=unit,
            published=published,
            unfitted=float(model),
            assumption="intensities as published, 0.4/0.15/0; all else as the preset has it, for "
            "devices, loss and block size were not found",
            source=TANAKA,
            origin=FigureOrigin.QUOTED,
        )
        for quantity, unit, published, model in (
            ("sifted rate", "bit/s", LONG_LINK_SIFTED_BPS, found.sifted_bps),
            ("QBER", "1", LONG_LINK_QBER, found.qber),
            ("secret rate", "bit/s", LONG_LINK_SECRET_BPS, found.secret_bps),
        )
    )


def nanshan_rows(track: Track | None = None, *, which: str = "") -> tuple[ValidationRow, ...]:
    """Return the mean secret rate of a pass over the upgraded Nanshan station.

    track is a pass, `which` says which in words; without one, a circular orbit of 500 km
    culminating at 60 degrees.
    """
    seen = track if track is not None else circular_pass(altitude_km=500.0, max_elevation_deg=60.0)
    preset = satellite_preset("nanshan-2020")
    key = pass_yield(seen, preset, "nanshan")
    seconds = float(track_seconds(seen).sum())
    circular = "a circular orbit of 500 km culminating at 60 deg"
    which = which or ("the pass given" if track is not None else circular)
    return (
        ValidationRow(
            case="Micius over the upgraded Nanshan station (preset nanshan-2020)",
            quantity="mean secret rate of a typical pass",
            unit="bit/s",
            published=NANSHAN_BPS,
            unfitted=key.secret_bits / seconds,
            assumption=f"{which}; 1.2 m and a doubled clock, all else as Xinglong in 2016: "
            "the station's own efficiency, basis bias and settings were not found",
            source=CHEN,
        ),
    )


def validate_links(
    nanshan_track: Track | None = None, *, which: str = ""
) -> tuple[ValidationRow, ...]:
    """Return the rows of every case but the passes of 2016-17; parameters of `nanshan_rows`."""
    nanshan = nanshan_rows(nanshan_track, which=which)
    return (
        *nanshan,
        *pass_rows(),
        *fibre_rows(),
        *long_link_rows(),
        *trunk_rows(),
        *gllp_rows(),
    )
