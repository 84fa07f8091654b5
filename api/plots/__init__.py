"""Pictures: sky plots, maps, key over time, published against model; all written as PNG."""

from api.plots.keys import key_timeline
from api.plots.rates import RateCurve, rate_comparison
from api.plots.sky import SkyTrack, sky_plot
from api.plots.timeline import Look, OutageBar, PassBar, plan_timeline
from api.plots.world import GroundTrack, MapLink, MapPlace, network_map

__all__ = [
    "GroundTrack",
    "Look",
    "MapLink",
    "MapPlace",
    "OutageBar",
    "PassBar",
    "RateCurve",
    "SkyTrack",
    "key_timeline",
    "network_map",
    "plan_timeline",
    "rate_comparison",
    "sky_plot",
]
