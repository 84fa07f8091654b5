"""Named links, each number with its source and its standing."""

from qkd.presets.catalogue import preset, preset_names
from qkd.presets.facts import FibrePreset, Preset, PresetNumber, SessionKind, Standing

__all__ = [
    "FibrePreset",
    "Preset",
    "PresetNumber",
    "SessionKind",
    "Standing",
    "preset",
    "preset_names",
]
