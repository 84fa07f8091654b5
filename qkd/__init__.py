"""How much secret key a quantum link gives: arithmetic only, no I/O."""

from qkd.decoy import Counts, DecoyProtocol, draw_counts, expected_counts
from qkd.errors import NotModelledError, ParameterRangeError, QkdError, UnknownPresetError
from qkd.fibre import FibreRate, FibreReceiver, FibreSpan, chain_rate_bps, fibre_rate
from qkd.finite_key.asymptotic import gllp_rate
from qkd.finite_key.key import KeyLength, block_keys, secret_key
from qkd.finite_key.leak import (
    BlockLeak,
    ErrorCountLeak,
    FiniteLeak,
    LeakModel,
    MeasuredLeak,
    NoLeak,
)
from qkd.finite_key.security import Epsilons, Security, add_epsilons
from qkd.freespace.atmosphere import Atmosphere, TabulatedAtmosphere, airmass, standard_atmosphere
from qkd.freespace.beams import AnchoredBeam, FarFieldBeam, TelescopeBeam
from qkd.freespace.budget import LinkBudget, link_budget
from qkd.freespace.pointing import Pointing
from qkd.freespace.turbulence import HufnagelValley
from qkd.hardware import Detector, OpticalSite, Receiver, SkyView, Terminal
from qkd.noise import Background, background
from qkd.ports import LitTrack, Site, Track
from qkd.presets import FibrePreset, Preset, PresetNumber, Standing, preset, preset_names
from qkd.presets.catalogue import fibre_preset, satellite_preset
from qkd.yields import PassYield, pass_counts, pass_yield, yield_of_counts

__all__ = [
    "AnchoredBeam",
    "Atmosphere",
    "Background",
    "BlockLeak",
    "Counts",
    "DecoyProtocol",
    "Detector",
    "Epsilons",
    "ErrorCountLeak",
    "FarFieldBeam",
    "FibrePreset",
    "FibreRate",
    "FibreReceiver",
    "FibreSpan",
    "FiniteLeak",
    "HufnagelValley",
    "KeyLength",
    "LeakModel",
    "LinkBudget",
    "LitTrack",
    "MeasuredLeak",
    "NoLeak",
    "NotModelledError",
    "OpticalSite",
    "ParameterRangeError",
    "PassYield",
    "Pointing",
    "Preset",
    "PresetNumber",
    "QkdError",
    "Receiver",
    "Security",
    "Site",
    "SkyView",
    "Standing",
    "TabulatedAtmosphere",
    "TelescopeBeam",
    "Terminal",
    "Track",
    "UnknownPresetError",
    "add_epsilons",
    "airmass",
    "background",
    "block_keys",
    "chain_rate_bps",
    "draw_counts",
    "expected_counts",
    "fibre_preset",
    "fibre_rate",
    "gllp_rate",
    "link_budget",
    "pass_counts",
    "pass_yield",
    "preset",
    "preset_names",
    "satellite_preset",
    "secret_key",
    "standard_atmosphere",
    "yield_of_counts",
]
