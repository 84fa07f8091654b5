"""Writes the folder: asks the services for what the pictures need, then draws and writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from api.plots import (
    PAIRS_MAX,
    FlowNode,
    FlowPair,
    RateCurve,
    drawable,
    key_flow_map,
    key_timeline,
    network_map,
    rate_comparison,
    reliability_diagram,
    sky_plot,
)
from api.report.page import as_page
from api.report.sky import map_links, map_places, orbit_of, sky_tracks
from api.report.text import report_text
from api.schemas.base import to_json
from api.schemas.replays import Replay
from scheduler import services

if TYPE_CHECKING:
    from scheduler.domain import KeyFlow, PassRow, ReplaySummary, Validation
    from scheduler.network import Scenario
    from scheduler.services.context import Context

_NAMED = frozenset({"satellite", "station", "backbone"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """The night that the sky plot and the map show."""

    satellite: str
    station: str
    station_name: str
    rows: tuple[PassRow, ...]

    @property
    def day(self) -> str:
        return f"{self.rows[0].culminates_at:%Y-%m-%d}"


def write_report(
    out: Path,
    summary: ReplaySummary,
    context: Context,
    progress: Callable[[float, str], None],
    suffix: str = "png",
) -> list[Path]:
    """Write report.md and .html, summary.json and pictures into `out`; return their paths.

    `suffix` is that of the pictures: png or svg.
    """
    out.mkdir(parents=True, exist_ok=True)
    scenario = context.scenario
    pictures: dict[str, str] = {}

    progress(0.0, "night of the first session")
    shown = _first_night(summary, context)
    if shown is not None:
        name = f"sky-{shown.station}-{shown.day}.{suffix}"
        title = f"{_satellite_name(scenario, shown)} over {shown.station_name}, {shown.day} (UTC)"
        sky_plot(out / name, sky_tracks(shown.rows, context), title=title)
        pictures[name] = f"{title}: the dark passes of the night"
    progress(0.3, "map")
    drawn = ("stations, " if scenario.stations else "") + "trunk"
    title = f"{scenario.name}: {drawn}" + (" and ground track" if shown else "")
    network_map(
        out / f"map.{suffix}",
        title=title,
        places=map_places(scenario),
        links=map_links(scenario),
        tracks=[orbit_of(shown.rows, context)] if shown else [],
    )
    pictures[f"map.{suffix}"] = title + (f" of the pass of {shown.day}" if shown else "")
    progress(0.6, "key over time")
    if scenario.stations:
        title = f"{summary.scenario}, seed {summary.seed}: secret key by station"
        key_timeline(
            out / f"key-over-time.{suffix}", title=title, start=summary.start, end=summary.end,
            sessions={one.station: one.settled for one in summary.stations}, gains=summary.gains,
            unplanned=summary.unplanned,
        )  # fmt: skip
        pictures[f"key-over-time.{suffix}"] = title
    if summary.reliability:
        title = f"{summary.scenario}, seed {summary.seed}: forecast quantile against frequency"
        reliability_diagram(out / f"reliability.{suffix}", title=title, found=summary.reliability)
        pictures[f"reliability.{suffix}"] = title
    progress(0.7, "flow of key")
    title = f"{scenario.name}: key relayed, {summary.start:%Y-%m-%d} to {summary.end:%Y-%m-%d}"
    end = summary.end + timedelta(seconds=1)
    draw_flow(out / f"key-flow.{suffix}", context, start=summary.start, end=end, title=title)
    pictures[f"key-flow.{suffix}"] = (
        f"{title}; a link is as wide as the bits that merges spent on it, below what each pair"
        " gained end to end"
    )
    progress(0.8, "published and model")
    validation = services.validate_published_pass(context)
    if validation is not None:
        draw_validation(out / f"published-and-model.{suffix}", validation)
        pictures[f"published-and-model.{suffix}"] = f"{validation.title}: sifted rate over the pass"
    shown_summary = Replay.of(summary)
    (out / "summary.json").write_text(to_json(shown_summary.document()), encoding="utf-8")
    text = report_text(
        shown_summary, title=scenario.title, notes=scenario.notes, validation=validation,
        pictures=pictures,
    )  # fmt: skip
    (out / "report.md").write_text(text, encoding="utf-8")
    (out / "report.html").write_text(as_page(text, summary.scenario), encoding="utf-8")
    progress(1.0, "")
    return [
        out / "report.md",
        out / "report.html",
        out / "summary.json",
        *(out / name for name in pictures),
    ]


def draw_flow(path: Path, context: Context, *, start: datetime, end: datetime, title: str) -> Path:
    """Draw what merges moved through the network within [start, end), and for whom."""
    flow = services.key_flow(context, start=start, end=end)
    scenario = context.scenario
    # Users go by their short ids, two to a bar.
    names = {
        node.node_id: drawable(node.name, node.node_id)
        if node.kind.value in _NAMED
        else node.node_id
        for node in scenario.nodes
    }
    return key_flow_map(
        path,
        title=title,
        nodes=[
            FlowNode(
                node_id=node.node_id,
                name=names[node.node_id] if node.kind.value in _NAMED else "",
                kind=node.kind.value,
                lat_deg=node.lat_deg,
                lon_deg=node.lon_deg,
            )
            for node in scenario.nodes
        ],
        idle=sorted({(link.pool.node_a, link.pool.node_b) for link in scenario.links}),
        relayed_bits=flow.links,
        pairs=flow_pairs(flow, names, {node.node_id: node.domain for node in scenario.nodes}),
    )


def flow_pairs(
    flow: KeyFlow, names: Mapping[str, str], domains: Mapping[str, str]
) -> list[FlowPair]:
    """Return what each pair gained; where they are too many, those of two trust domains as one."""
    pairs = sorted({*flow.pairs, *flow.combined})
    together = defaultdict(list)
    for one, other in pairs:
        if len(pairs) > PAIRS_MAX and domains[one] and domains[other]:
            label = " - ".join(sorted((domains[one], domains[other])))
        else:
            label = f"{names[one]} - {names[other]}"
        together[label].append((one, other))
    return [
        FlowPair(
            label=label if len(these) == 1 else f"{label}: {len(these)} pairs",
            relayed_bits=sum(flow.pairs.get(pair, 0) for pair in these),
            combined_bits=sum(flow.combined.get(pair, 0) for pair in these),
        )
        for label, these in together.items()
    ]


def draw_validation(path: Path, validation: Validation) -> Path:
    """Draw the sifted rate of a validated pass, published points and both models."""
    rate = validation.rate
    offset_s = np.array(rate.offset_s)
    return rate_comparison(
        path,
        title="Micius to Xinglong, 2016-12-19: sifted rate, published and model",
        start=rate.start,
        unfitted=RateCurve(
            offset_s=offset_s, sifted_rate_kbps=np.array(rate.unfitted_bps) / 1000.0
        ),
        fitted=RateCurve(offset_s=offset_s, sifted_rate_kbps=np.array(rate.fitted_bps) / 1000.0),
        range_km=np.array(rate.range_km),
    )


def _first_night(summary: ReplaySummary, context: Context) -> _Shown | None:
    """Return the night of the first session at the scenario's first station that had one."""
    for station in context.scenario.stations:
        mine = [done for done in summary.settled if done.station == station.station_id]
        if mine:
            first = min(done.acquires_at for done in mine)
            name = drawable(station.name, station.station_id)
            return _night(station.station_id, name, first, context)
    return None


def _night(station: str, name: str, instant: datetime, context: Context) -> _Shown | None:
    noon = instant.replace(hour=0, minute=0, second=0, microsecond=0)
    for satellite in context.scenario.satellites:
        answer = services.upcoming_passes(
            context,
            satellite=satellite.satellite_id,
            stations=[station],
            start=noon,
            end=noon + timedelta(days=1),
            dark_only=True,
        )
        if answer.rows:
            return _Shown(
                satellite=satellite.satellite_id, station=station, station_name=name,
                rows=answer.rows,
            )  # fmt: skip
    return None


def _satellite_name(scenario: Scenario, shown: _Shown) -> str:
    return drawable(scenario.satellite(shown.satellite).name, shown.satellite)
