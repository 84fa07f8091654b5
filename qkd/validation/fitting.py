"""The model fitted to a published pass: what may change, and to what it changes."""

from dataclasses import replace

import numpy as np
from scipy.optimize import least_squares, minimize

from qkd.checks import FloatArray
from qkd.freespace.atmosphere import DB_PER_NEPER, Atmosphere, airmass
from qkd.freespace.budget import link_budget
from qkd.hardware import OpticalSite
from qkd.ports import Track
from qkd.presets.catalogue import satellite_preset
from qkd.presets.facts import Preset
from qkd.validation.model import bin_losses, cut, run
from qkd.validation.published import MICIUS_2016_12_19, PublishedPass


def fit_pass(track: Track, published: PublishedPass = MICIUS_2016_12_19) -> Preset:
    """Return the preset fitted to a pass's loss bins and QBER.

    a x airmass + b dB replaces the atmosphere and pointing terms of the unfitted model, so
    that the worst bin misses least; then the misalignment that gives the published QBER of
    the signal. Diffraction, receiver, noise and geometry are not touched. `numbers` of the
    result are those of the named preset, rounded.
    """
    window = cut(track, published.range_km_max)
    station = published.station_id
    base = satellite_preset("micius-2016-fitted")
    receiver, site = base.station(station)
    bare = replace(site, atmosphere=Atmosphere(continuum_depth=0.0))
    vacuum = link_budget(window, base.terminal, receiver, bare).transmittance
    mass = airmass(window.elevation_deg)
    target = np.array([loss for _, _, loss in published.loss_bins])

    def residual(parameters: FloatArray) -> FloatArray:
        eta = vacuum * 10.0 ** (-(parameters[0] * mass + parameters[1]) / 10.0)
        miss = np.array(bin_losses(window, eta, published.loss_bins)) - target
        return np.where(np.isfinite(miss), miss, 0.0)

    def worst(parameters: FloatArray) -> float:
        return float(np.abs(residual(parameters)).max())

    start = least_squares(residual, np.array([2.0, 2.0])).x
    a, b = minimize(worst, start, method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-7}).x
    air = Atmosphere(
        continuum_depth=max(float(a), 0.0) / DB_PER_NEPER, fixed_loss_db=max(float(b), 0.0)
    )
    aired = _with(base, station, site=replace(site, atmosphere=air))
    # The QBER of the signal is linear in the misalignment.
    low, high = (
        run(window, _with(aired, station, misalignment=e), station).qber for e in (0.0, 0.1)
    )
    misalignment = 0.1 * (published.qber - low) / (high - low)
    return _with(aired, station, misalignment=float(np.clip(misalignment, 0.0, 0.5)))


def _with(
    preset: Preset,
    station: str,
    *,
    site: OpticalSite | None = None,
    misalignment: float | None = None,
) -> Preset:
    receivers, sites = dict(preset.receivers), dict(preset.sites)
    if site is not None:
        sites[station] = site
    if misalignment is not None:
        receivers[station] = replace(receivers[station], misalignment=misalignment)
    return replace(preset, receivers=receivers, sites=sites)


def fitted_terms(preset: Preset, station_id: str) -> tuple[float, float, float]:
    """Return dB per airmass, constant dB (pointing included), and misalignment of a preset."""
    receiver, site = preset.station(station_id)
    air = site.atmosphere
    assert isinstance(air, Atmosphere)
    constant = air.fixed_loss_db + preset.terminal.pointing.loss_db
    return air.continuum_depth * DB_PER_NEPER, constant, receiver.misalignment
