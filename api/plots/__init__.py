"""Pictures, PNG or SVG: sky plots, maps, key over time and through the network, model and paper."""

from api.plots.flow import PAIRS_MAX, FlowNode, FlowPair, key_flow_map
from api.plots.keys import key_timeline
from api.plots.rates import RateCurve, rate_comparison
from api.plots.reliability import reliability_diagram
from api.plots.sky import SkyTrack, sky_plot
from api.plots.style import drawable
from api.plots.survey import survey_picture
from api.plots.sweep import Spread, Sum, sweep
from api.plots.timeline import plan_timeline
from api.plots.world import GroundTrack, MapLink, MapPlace, network_map

__all__ = [
    "PAIRS_MAX",
    "FlowNode",
    "FlowPair",
    "GroundTrack",
    "MapLink",
    "MapPlace",
    "RateCurve",
    "SkyTrack",
    "Spread",
    "Sum",
    "drawable",
    "key_flow_map",
    "key_timeline",
    "network_map",
    "plan_timeline",
    "rate_comparison",
    "reliability_diagram",
    "sky_plot",
    "survey_picture",
    "sweep",
]
