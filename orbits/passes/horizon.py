"""Passes over stations whose horizon is not the same all round.

The search proper takes the lowest point of such a horizon as its mask. Each of those passes
is then looked at every second or so, by SGP4 itself, against the horizon at the satellite's
azimuth, and cut into the arcs above it. Arcs shorter than the interval may be missed.
"""

from __future__ import annotations
