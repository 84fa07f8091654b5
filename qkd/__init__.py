"""How much secret key a quantum link gives: arithmetic only, no I/O.

One sentence of flow, each arrow a function:

    track -> link_budget, background -> expected_counts (-> draw_counts) -> secret_key

`pass_yield` runs it for one pass and a preset, `campaign_yield` for thousands, `fibre_rate`
for a trunk span, `session_yield` for a session of any kind (downlink, uplink, dual downlink of
an entangled source); `optimise`, `optimise_pass` and `optimise_campaign` choose the settings;
`cumulative_keys`, `best_subset`, `close_blocks` and `qkd.pooling` make blocks of several
passes; `LinkBelief` learns a link's loss from its sessions;
`qkd.validation` compares it all with what was published.
"""

from qkd.accumulate import (
    Block,
    best_subset,
    click_quality,
    close_blocks,
    cumulative_keys,
    mixed_block_key,
)
from qkd.decoy import Counts, DecoyProtocol, draw_counts, expected_counts
from qkd.entangled import PairProtocol
from qkd.errors import NotModelledError, QkdError, QkdInputError, UnknownPresetError
from qkd.fibre import FibreRate, FibreReceiver, FibreSpan, chain_rate_bps, fibre_rate
from qkd.finite_key.asymptotic import gllp_rate
from qkd.finite_key.key import KeyLength, block_keys, pair_key, secret_key
from qkd.finite_key.leak import (
    BlockLeak,
    ErrorCountLeak,
    FiniteLeak,
    LeakModel,
    MeasuredLeak,
    NoLeak,
)
from qkd.finite_key.terms import Authentication, Epsilons, Security, add_epsilons
from qkd.freespace.atmosphere import (
    Atmosphere,
    HufnagelValley,
    TabulatedAtmosphere,
    airmass,
    standard_atmosphere,
)
from qkd.freespace.beams import AnchoredBeam, FarFieldBeam, Pointing, TelescopeBeam
from qkd.freespace.budget import LinkBudget, link_budget
from qkd.hardware import Detector, OpticalSite, Receiver, SkyView, Terminal
from qkd.learning import LinkBelief, LinkSpread, binomial_bars, reliability
from qkd.noise import Background, background
from qkd.optimiser.best import Optimum, optimise
from qkd.optimiser.passes import CampaignOptimum, PassOptimum, optimise_campaign, optimise_pass
from qkd.optimiser.search import SearchBox
from qkd.pooling import (
    CloseReason,
    PoolPolicy,
    added_bits,
    pooled,
    sifted_key_bits,
    why_close,
)
from qkd.ports import LitTrack, Site, Track
from qkd.presets import (
    FibrePreset,
    Preset,
    PresetNumber,
    SessionKind,
    Standing,
    preset,
    preset_names,
)
from qkd.presets.catalogue import fibre_preset, satellite_preset
from qkd.presets.terminals import (
    GroundReceiver,
    Stated,
    Transmitter,
    compose,
    receiver_of,
    transmitter_of,
)
from qkd.segment import Segment, select_segment
from qkd.sessions import session_counts, session_yield
from qkd.sky import SkyCondition, sky_radiance
from qkd.yields import (
    CampaignYield,
    PassYield,
    campaign_yield,
    pass_counts,
    pass_yield,
    yield_of_counts,
    yield_quantiles,
)

__all__ = [
    "AnchoredBeam",
    "Atmosphere",
    "Authentication",
    "Background",
    "Block",
    "BlockLeak",
    "CampaignOptimum",
    "CampaignYield",
    "CloseReason",
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
    "GroundReceiver",
    "HufnagelValley",
    "KeyLength",
    "LeakModel",
    "LinkBelief",
    "LinkBudget",
    "LinkSpread",
    "LitTrack",
    "MeasuredLeak",
    "NoLeak",
    "NotModelledError",
    "OpticalSite",
    "Optimum",
    "PairProtocol",
    "PassOptimum",
    "PassYield",
    "Pointing",
    "PoolPolicy",
    "Preset",
    "PresetNumber",
    "QkdError",
    "QkdInputError",
    "Receiver",
    "SearchBox",
    "Security",
    "Segment",
    "SessionKind",
    "Site",
    "SkyCondition",
    "SkyView",
    "Standing",
    "Stated",
    "TabulatedAtmosphere",
    "TelescopeBeam",
    "Terminal",
    "Track",
    "Transmitter",
    "UnknownPresetError",
    "add_epsilons",
    "added_bits",
    "airmass",
    "background",
    "best_subset",
    "binomial_bars",
    "block_keys",
    "campaign_yield",
    "chain_rate_bps",
    "click_quality",
    "close_blocks",
    "compose",
    "cumulative_keys",
    "draw_counts",
    "expected_counts",
    "fibre_preset",
    "fibre_rate",
    "gllp_rate",
    "link_budget",
    "mixed_block_key",
    "optimise",
    "optimise_campaign",
    "optimise_pass",
    "pair_key",
    "pass_counts",
    "pass_yield",
    "pooled",
    "preset",
    "preset_names",
    "receiver_of",
    "reliability",
    "satellite_preset",
    "secret_key",
    "select_segment",
    "session_counts",
    "session_yield",
    "sifted_key_bits",
    "sky_radiance",
    "standard_atmosphere",
    "transmitter_of",
    "why_close",
    "yield_of_counts",
    "yield_quantiles",
]
