"""Writes the folder: asks the services for what the pictures need, then draws and writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from api.plots import (
    FlowNode,
    FlowPair,
    GroundTrack,
    MapLink,
    MapPlace,
    RateCurve,
    SkyTrack,
    drawable,
    key_flow_map,
    key_timeline,
    network_map,
    rate_comparison,
    sky_plot,
)
from api.report.text import report_text
from api.schemas.base import to_json
from api.schemas.replays import Replay
from scheduler import services

if TYPE_CHECKING:
    from scheduler.domain import PassRow, ReplaySummary, Validation
    from scheduler.network import Scenario
    from scheduler.services.context import Context

HALF_ORBIT = timedelta(minutes=48)
MARK_EVERY_S, TRACK_STEP_S = 120, 20
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
) -> list[Path]:
    """Write report.md, summary.json and the pictures into the folder `out`; return their paths."""
    out.mkdir(parents=True, exist_ok=True)
    scenario = context.scenario
    pictures: dict[str, str] = {}

    progress(0.0, "night of the first session")
    shown = _first_night(summary, context)
    if shown is not None:
        name = f"sky-{shown.station}-{shown.day}.png"
        title = f"{_satellite_name(scenario, shown)} over {shown.station_name}, {shown.day} (UTC)"
        sky_plot(out / name, _sky_tracks(shown, context), title=title)
        pictures[name] = f"{title}: the dark passes of the night"
    progress(0.3, "map")
    title = f"{scenario.name}: stations, trunk and ground track"
    network_map(
        out / "map.png",
        title=title,
        places=_places(scenario),
        links=_links(scenario),
        tracks=[_ground_track(shown, context)] if shown else [],
    )
    pictures["map.png"] = title + (f" of the pass of {shown.day}" if shown else "")
    progress(0.6, "key over time")
    title = f"{summary.scenario}, seed {summary.seed}: secret key of every session"
    key_timeline(
        out / "key-over-time.png", title=title, start=summary.start, end=summary.end,
        settled=summary.settled, unplanned=summary.unplanned,
    )  # fmt: skip
    pictures["key-over-time.png"] = title
    progress(0.7, "flow of key")
    title = f"{scenario.name}: key relayed, {summary.start:%Y-%m-%d} to {summary.end:%Y-%m-%d}"
    draw_flow(out / "key-flow.png", summary, context, title=title)
    pictures["key-flow.png"] = (
        f"{title}; a link is as wide as the bits that merges spent on it, below what each pair"
        " gained end to end"
    )
    progress(0.8, "published and model")
    validation = services.validate_published_pass(context)
    if validation is not None:
        draw_validation(out / "published-and-model.png", validation)
        pictures["published-and-model.png"] = f"{validation.title}: sifted rate over the pass"
    shown_summary = Replay.of(summary)
    (out / "summary.json").write_text(to_json(shown_summary.document()), encoding="utf-8")
    text = report_text(
        shown_summary, title=scenario.title, notes=scenario.notes, validation=validation,
        pictures=pictures,
    )  # fmt: skip
    (out / "report.md").write_text(text, encoding="utf-8")
    progress(1.0, "")
    return [out / "report.md", out / "summary.json", *(out / name for name in pictures)]


def draw_flow(path: Path, summary: ReplaySummary, context: Context, *, title: str) -> Path:
    """Draw what merges moved through the network during a replay, and for whom."""
    flow = services.key_flow(context, start=summary.start, end=summary.end + timedelta(seconds=1))
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
        pairs=[
            FlowPair(
                label=f"{names[one]} - {names[other]}",
                relayed_bits=flow.pairs.get((one, other), 0),
                combined_bits=flow.combined.get((one, other), 0),
            )
            for one, other in sorted({*flow.pairs, *flow.combined})
        ],
    )


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


def _sky_tracks(shown: _Shown, context: Context) -> list[SkyTrack]:
    tracks = []
    for row in shown.rows:
        track = services.station_track(
            context, shown.satellite, shown.station, row.rises_at, row.sets_at, 1.0
        )
        tracks.append(
            SkyTrack(
                label=f"{row.rises_at:%H:%M} to {row.sets_at:%H:%M}, up to"
                f" {row.max_elevation_deg:.0f}°; element set of {row.elements_epoch:%Y-%m-%d}",
                start=row.rises_at,
                offset_s=np.asarray(track.offset_s, dtype=np.float64),
                elevation_deg=np.asarray(track.elevation_deg, dtype=np.float64),
                azimuth_deg=np.asarray(track.azimuth_deg, dtype=np.float64),
                range_km=np.asarray(track.range_km, dtype=np.float64),
            )
        )
    return tracks


def _ground_track(shown: _Shown, context: Context) -> GroundTrack:
    """Return the orbit around the highest pass of the night, and where stations see it."""
    row = max(shown.rows, key=lambda one: one.max_elevation_deg)
    start = (row.culminates_at - HALF_ORBIT).replace(second=0, microsecond=0)
    end = start + 2 * HALF_ORBIT
    lat_deg, lon_deg = services.ground_track(context, shown.satellite, start, end, TRACK_STEP_S)
    seen = np.zeros(len(lat_deg), dtype=np.bool_)
    for station in context.scenario.stations:
        track = services.station_track(
            context, shown.satellite, station.station_id, start, end, TRACK_STEP_S
        )
        seen |= np.asarray(track.elevation_deg) >= station.mask_deg
    every = MARK_EVERY_S // TRACK_STEP_S
    marks = tuple(
        (index, f"{start + timedelta(seconds=index * TRACK_STEP_S):%H:%M}")
        for index in range(0, len(seen), every)
        if seen[index]
    )
    return GroundTrack(
        label=f"below the satellite, {start:%H:%M} to {end:%H:%M} UTC",
        lat_deg=np.asarray(lat_deg, dtype=np.float64),
        lon_deg=np.asarray(lon_deg, dtype=np.float64),
        visible=seen,
        marks=marks,
    )


def _places(scenario: Scenario) -> list[MapPlace]:
    """Return every node that has a place; relays and users go unnamed, there are many."""
    return [
        MapPlace(
            name=drawable(node.name, node.node_id)
            if node.kind.value in {"station", "backbone"}
            else "",
            kind=node.kind.value,
            lat_deg=node.lat_deg,
            lon_deg=node.lon_deg,
        )
        for node in scenario.nodes
        if node.lat_deg is not None and node.lon_deg is not None
    ]


def _links(scenario: Scenario) -> list[MapLink]:
    where = {
        node.node_id: (node.lat_deg, node.lon_deg)
        for node in scenario.nodes
        if node.lat_deg is not None and node.lon_deg is not None
    }
    return [
        MapLink(one=where[link.pool.node_a], other=where[link.pool.node_b])
        for link in scenario.links
        if link.length_km is not None and {link.pool.node_a, link.pool.node_b} <= where.keys()
    ]
