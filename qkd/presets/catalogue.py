"""The presets by name."""

from collections.abc import Callable
from functools import cache

from qkd import checks
from qkd.errors import UnknownPresetError
from qkd.presets.facts import FibrePreset, Preset
from qkd.presets.fibre_links import toshiba_like, trunk_span
from qkd.presets.micius import micius_2016, micius_2016_fitted
from qkd.presets.missions import micius_entangled_2020, qeyssat_like, speqtre_like
from qkd.presets.stations import graz, jinan_1, nanshan_2020, portable_280mm, zvenigorod

_BUILDERS: dict[str, Callable[[], Preset | FibrePreset]] = {
    "micius-2016": micius_2016,
    "micius-2016-fitted": micius_2016_fitted,
    "graz": graz,
    "nanshan-2020": nanshan_2020,
    "portable-280mm": portable_280mm,
    "zvenigorod": zvenigorod,
    "jinan-1": jinan_1,
    "micius-entangled-2020": micius_entangled_2020,
    "speqtre-like": speqtre_like,
    "qeyssat-like": qeyssat_like,
    "trunk-span": trunk_span,
    "toshiba-like": toshiba_like,
}


def preset_names() -> tuple[str, ...]:
    """Return the names that `preset` knows."""
    return tuple(_BUILDERS)


@cache
def _build(name: str) -> Preset | FibrePreset:
    return _BUILDERS[name]()


@checks.takes(name=str)
def preset(name: str) -> Preset | FibrePreset:
    """Return the preset of this name, a free-space or a fibre one.

    Raises UnknownPresetError, naming those there are.
    """
    if name not in _BUILDERS:
        raise UnknownPresetError(f"preset {name!r} is none of {', '.join(_BUILDERS)}")
    return _build(name)


@checks.takes(name=str)
def satellite_preset(name: str) -> Preset:
    """Return a free-space preset. Raises UnknownPresetError for a fibre one or none."""
    found = preset(name)
    if not isinstance(found, Preset):
        raise UnknownPresetError(f"preset {name!r} is a fibre link, not a satellite")
    return found


@checks.takes(name=str)
def fibre_preset(name: str) -> FibrePreset:
    """Return a fibre preset. Raises UnknownPresetError for a satellite or none."""
    found = preset(name)
    if not isinstance(found, FibrePreset):
        raise UnknownPresetError(f"preset {name!r} is a satellite, not a fibre link")
    return found
