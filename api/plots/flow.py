"""The flow of key through the network: links as wide as the bits relayed, pairs gained beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from api.plots.names import part_names
from api.plots.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, draw
from api.plots.world import draw_land, eastward, span_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

MEGA = 1e6
WIDTH_MIN_PT, WIDTH_MAX_PT = 1.0, 9.0
MARGIN_DEG, SKY_DEG = 4.0, 5.0
MAP_HEIGHT_IN = 6.4
PAIRS_MAX = 24
"""Pairs with a bar of their own; the others are added up in words."""

_LOOK = {
    "satellite": ("*", 17.0, BLUE),
    "station": ("^", 10.0, VERMILION),
    "backbone": ("s", 7.5, GREEN),
    "user": ("D", 5.0, PURPLE),
    "relay": ("o", 3.2, GREY),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowNode:
    """A node of the network; a satellite has no place and is drawn above the map's middle."""

    node_id: str
    name: str  #: written beside it; "" for none
    kind: str  #: "satellite", "station", "backbone", "relay" or "user"
    lat_deg: float | None
    lon_deg: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPair:
    """End-to-end key of one pair."""

    label: str
    relayed_bits: int  #: over single paths
    combined_bits: int  #: over several disjoint paths


Place = tuple[float, float]
"""(longitude, latitude) in degrees on the map."""


def key_flow_map(
    path: Path,
    *,
    title: str,
    nodes: Sequence[FlowNode],
    idle: Sequence[tuple[str, str]],
    relayed_bits: Mapping[tuple[str, str], int],
    pairs: Sequence[FlowPair],
) -> Path:
    """Write the picture: the network with its flows above, what the pairs gained below.

    `idle` are links that exist, drawn thin; `relayed_bits` by two node ids is what merges
    spent on all links between them.
    """
    bars = _bars(pairs)
    below_in = 1.1 + 0.27 * min(max(2, len(bars)), PAIRS_MAX)

    def paint(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, height_ratios=[MAP_HEIGHT_IN, below_in])
        above.set_title(title)
        _network(above, nodes, idle, relayed_bits)
        _merged_keys(below, bars)

    return draw(path, (9.5, MAP_HEIGHT_IN + below_in), paint)


def _network(
    axes: Axes,
    nodes: Sequence[FlowNode],
    idle: Sequence[tuple[str, str]],
    relayed_bits: Mapping[tuple[str, str], int],
) -> None:
    where = _place(nodes)
    _frame(axes, list(where.values()))
    draw_land(axes, beyond=axes.get_xlim()[1] > 180.0)
    axes.grid(visible=False)
    flying = {node.node_id for node in nodes if node.kind == "satellite"}
    for one, other in idle:
        if {one, other} <= where.keys() and not flying & {one, other}:
            _line(axes, where[one], where[other], color="#b9bfc7", lw=0.9, zorder=2)
    most = max(relayed_bits.values(), default=1)
    ordered = sorted(relayed_bits.items(), key=lambda item: item[1])
    for (one, other), bits in ordered:
        if bits and {one, other} <= where.keys():
            sky = bool(flying & {one, other})
            _line(
                axes, where[one], where[other], color=BLUE if sky else ORANGE,
                lw=_width(bits, most), zorder=4 if sky else 3, alpha=0.85,
                ls=(0, (2.2, 0.8)) if sky else "-", dash_capstyle="butt",
            )  # fmt: skip
    amounts = _name_flows(axes, nodes, where, ordered)
    _nodes(axes, nodes, where)
    names = _names(axes, nodes, where)
    _scale(axes, most, bool(flying))
    part_names(axes, names, others=amounts)


def _width(bits: int, most: int) -> float:
    """Points of a line, in proportion to the bits; the least flow stays visible."""
    return max(WIDTH_MIN_PT, WIDTH_MAX_PT * bits / most)


def _place(nodes: Sequence[FlowNode]) -> dict[str, Place]:
    """Return where each node stands; satellites side by side above all else."""
    where = {
        node.node_id: (node.lon_deg, node.lat_deg)
        for node in nodes
        if node.lat_deg is not None and node.lon_deg is not None
    }
    flying = [node for node in nodes if node.lat_deg is None]
    if not where:
        where = {"": (0.0, 0.0)}
    west, _ = span_of([lon for lon, _ in where.values()])
    where = {name: (eastward(lon, west), lat) for name, (lon, lat) in where.items()}
    lons, lats = zip(*where.values(), strict=True)
    for index, node in enumerate(flying, start=1):
        share = index / (len(flying) + 1)
        where[node.node_id] = (
            min(lons) + share * (max(lons) - min(lons)),
            max(lats) + SKY_DEG,
        )
    where.pop("", None)
    return where


def _frame(axes: Axes, places: Sequence[Place]) -> None:
    lons, lats = zip(*(places or [(-180.0, -60.0), (180.0, 75.0)]), strict=True)
    west, east = min(lons) - MARGIN_DEG, max(lons) + 1.4 * MARGIN_DEG  # names stand right
    south, north = min(lats) - MARGIN_DEG, max(lats) + 0.6 * MARGIN_DEG
    # Room for names and the scale where a network is much taller than wide.
    wanted = 1.35 * (north - south)
    if east - west < wanted:
        middle = (west + east) / 2.0
        west, east = middle - wanted / 2.0, middle + wanted / 2.0
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    axes.set_aspect(1.0 / np.cos(np.radians((south + north) / 2.0)))
    axes.set_xticks([])
    axes.set_yticks([])


def _line(axes: Axes, one: Place, other: Place, **look: Any) -> None:
    axes.plot([one[0], other[0]], [one[1], other[1]], solid_capstyle="round", **look)


def _name_flows(
    axes: Axes,
    nodes: Sequence[FlowNode],
    where: Mapping[str, Place],
    ordered: Sequence[tuple[tuple[str, str], int]],
) -> list[Annotation]:
    """Write the bits on each satellite link; the widths tell those of the fibre."""
    amounts = []
    flying = {node.node_id for node in nodes if node.kind == "satellite"}
    for (one, other), bits in ordered:
        if bits and flying & {one, other} and {one, other} <= where.keys():
            (x0, y0), (x1, y1) = where[one], where[other]
            amounts.append(axes.annotate(
                _bits(bits), ((x0 + x1) / 2.0, (y0 + y1) / 2.0), ha="center", va="center",
                fontsize=8.5, color=BLUE, zorder=8,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
            ))  # fmt: skip
    return amounts


def _nodes(axes: Axes, nodes: Sequence[FlowNode], where: Mapping[str, Place]) -> None:
    for kind, (marker, size_pt, colour) in _LOOK.items():
        these = [where[node.node_id] for node in nodes if node.kind == kind]
        if these:
            axes.plot(
                [lon for lon, _ in these], [lat for _, lat in these], marker, ms=size_pt,
                color=colour, mec="white", mew=0.7, zorder=6, label=_KINDS[kind],
            )  # fmt: skip
    if nodes:
        _below(axes, 0)


def _below(axes: Axes, row: int, **more: Any) -> None:
    """Add a legend below the map, where it covers nothing of the network."""
    kept = axes.get_legend()
    axes.legend(
        loc="upper left", bbox_to_anchor=(0.0, -0.045 * row), ncols=5, fontsize=9, borderpad=0.2,
        columnspacing=1.2, handletextpad=0.5, **more,
    )  # fmt: skip
    if kept is not None:
        axes.add_artist(kept)


def _names(axes: Axes, nodes: Sequence[FlowNode], where: Mapping[str, Place]) -> list[Annotation]:
    return [
        axes.annotate(
            node.name, where[node.node_id], textcoords="offset points", xytext=(0, 0),
            fontsize=10, color=BLACK, zorder=9,
            weight="bold" if node.kind in {"satellite", "station"} else "normal",
        )
        for node in nodes
        if node.name and node.node_id in where
    ]  # fmt: skip


_KINDS = {
    "satellite": "satellite (not to scale)",
    "station": "ground station",
    "backbone": "trunk city",
    "user": "user",
    "relay": "trusted relay",
}


def _scale(axes: Axes, most: int, sky: bool) -> None:
    """Show what widths and colours mean."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=ORANGE, lw=_width(round(part * most), most), solid_capstyle="butt",
               label=f"{_bits(round(part * most))} over fibre")
        for part in (1.0, 0.3)
    ]  # fmt: skip
    if sky:
        handles.append(
            Line2D([], [], color=BLUE, lw=4.0, ls=(0, (2.2, 0.8)), label="over the satellite")
        )
    handles.append(Line2D([], [], color="#b9bfc7", lw=0.9, label="fibre, unused"))
    _below(axes, 1, handles=handles)


def _bits(bits: int) -> str:
    return f"{bits / MEGA:.2f} Mbit" if bits >= 1e5 else f"{bits / 1e3:.1f} kbit"


def _bars(pairs: Sequence[FlowPair]) -> list[FlowPair]:
    """Return the pairs that gained key, the most first."""
    gained = [one for one in pairs if one.relayed_bits + one.combined_bits]
    return sorted(gained, key=lambda one: -(one.relayed_bits + one.combined_bits))


def _merged_keys(axes: Axes, ordered: Sequence[FlowPair]) -> None:
    """Draw what each pair gained, the most at the top."""
    bars, rest = ordered[:PAIRS_MAX], ordered[PAIRS_MAX:]
    if not bars:
        axes.text(0.5, 0.5, "no pair gained key", transform=axes.transAxes, ha="center")
        axes.set_axis_off()
        return
    rows = np.arange(len(bars), dtype=np.float64)
    relayed = np.array([one.relayed_bits / MEGA for one in bars])
    combined = np.array([one.combined_bits / MEGA for one in bars])
    if combined.any():
        axes.barh(rows, combined, 0.66, color=GREEN, label="combined over disjoint paths")
    if relayed.any():
        axes.barh(
            rows, relayed, 0.66, left=combined, color=PURPLE,
            label="relayed over one path, known to each relay on it",
        )  # fmt: skip
    top = float((relayed + combined).max())
    for row, one in zip(rows, bars, strict=True):
        gained = one.relayed_bits + one.combined_bits
        axes.annotate(
            _bits(gained), (gained / MEGA, row), textcoords="offset points", xytext=(5, 0),
            va="center", fontsize=9, color=BLACK,
        )  # fmt: skip
    axes.set_yticks(rows, [one.label for one in bars])
    axes.set_xlim(0.0, 1.14 * top)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    more = sum(one.relayed_bits + one.combined_bits for one in rest)
    also = f"; {len(rest)} more pairs gained {_bits(more)} together" if rest else ""
    axes.set_xlabel(f"end-to-end key gained, Mbit{also}")
    # Above the bars, where it covers none of them.
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, fontsize=9, borderpad=0.2)
