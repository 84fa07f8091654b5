"""Pictures: sky plots, maps, key over time, published against model; all written as PNG."""

from api.plots.keys import key_timeline
from api.plots.rates import RateCurve, rate_comparison
from api.plots.sky import SkyTrack, sky_plot
from api.plots.world import GroundTrack, MapLink, MapPlace, network_map

__all__ = [
    "GroundTrack",
    "MapLink",
    "MapPlace",
    "RateCurve",
    "SkyTrack",
    "key_timeline",
    "network_map",
    "rate_comparison",
    "sky_plot",
]
