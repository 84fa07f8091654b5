"""Satellites, stations, and the network between them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.export.czml import station_packets, to_czml, track_packets
from api.export.geojson import at_stations, features, line_feature, point_feature
from api.problems import problem_answers
from api.routes.common import ContextDependency, NoParameters
from api.routes.reply import ReplyDependency, forms_of
from api.schemas.base import Answer, OpenSpan, Paged
from api.schemas.network import (
    DemandRow,
    Flow,
    Link,
    Network,
    Node,
    Satellite,
    Satellites,
    Station,
    Stations,
)
from scheduler import services
from scheduler.domain import KeyFlow
from scheduler.services.context import Context

router = APIRouter(tags=["network"])

REVOLUTION = timedelta(minutes=100)
STEP_S = 60.0
FLOW = timedelta(days=1)
Name = Annotated[str, Path(max_length=64)]


@router.get(
    "/satellites", response_model=Satellites, responses=forms_of("csv", "czml", problems=(409,))
)
def satellites(
    asked: Annotated[Paged, Query()], context: ContextDependency, reply: ReplyDependency
) -> Answer | Response:
    """List the satellites of the scenario; as CZML with their way over the next 100 minutes."""
    rows = reply.page(asked, context.scenario.satellites, lambda one: (one.satellite_id,))
    found = Satellites.model_validate({"satellites": rows})

    def czml() -> str:
        now = context.clock.now()
        end = now + REVOLUTION
        packets = [
            packet
            for one in rows
            for way in [services.track_of(context, one.satellite_id, None, now, end, STEP_S)]
            for packet in track_packets([way], one.satellite_id)
        ]
        packets += station_packets(context.scenario.stations)
        return to_czml(context.scenario.title, now, end, packets)

    return reply.of(found, czml=czml)


@router.get("/satellites/{satellite}", responses=problem_answers(404))
def satellite(satellite: Name, _: NoParameters, context: ContextDependency) -> Satellite:
    """Give one satellite, by its id, name or catalogue number."""
    return Satellite.model_validate(context.satellite(satellite))


@router.get("/stations", response_model=Stations, responses=forms_of("csv", "geojson", "czml"))
def stations(
    asked: Annotated[Paged, Query()], context: ContextDependency, reply: ReplyDependency
) -> Answer | Response:
    """List the ground stations with mask, horizon, sky and outages."""
    rows = reply.page(asked, _stations(context), lambda one: (one.station,))
    places = {one.station_id: one for one in context.scenario.stations}
    now = context.clock.now()
    return reply.of(
        Stations.of(rows),
        geojson=lambda: json.dumps(at_stations(rows, places)),
        czml=lambda: to_czml(
            context.scenario.title,
            now,
            now + REVOLUTION,
            station_packets(places[one.station] for one in rows),
        ),
    )


@router.get("/stations/{station}", responses=problem_answers(404))
def station(station: Name, _: NoParameters, context: ContextDependency) -> Station:
    """Give one ground station, by its id or name."""
    (wanted,) = context.stations([station])
    return next(one for one in _stations(context) if one.station == wanted.station_id)


def _stations(context: Context) -> list[Station]:
    found = [
        Station.of(one, clear_probability=clear, outages=outages)
        for one, clear, outages in services.stations_now(context)
    ]
    return sorted(found, key=lambda one: one.station)


@router.get("/network", response_model=Network, responses=forms_of("geojson"))
def network(
    _: NoParameters, context: ContextDependency, reply: ReplyDependency
) -> Answer | Response:
    """Give nodes, links with their stock, and demands with their paths."""
    stock = services.pool_stock(context)
    found = Network(
        at=context.clock.now(),
        nodes=[Node.model_validate(one) for one in context.scenario.nodes],
        links=[Link.model_validate(one) for one in services.link_stocks(context, stock)],
        demands=[DemandRow.model_validate(one) for one in services.demand_stocks(context, stock)],
    )
    return reply.of(found, geojson=lambda: json.dumps(_on_a_map(found)))


def _on_a_map(found: Network) -> dict[str, object]:
    places = {
        one.node: (one.lon_deg, one.lat_deg)
        for one in found.nodes
        if one.lon_deg is not None and one.lat_deg is not None
    }
    dots = [point_feature(*places[one.node], one.document()) for one in found.nodes
            if one.node in places]  # fmt: skip
    lines = [
        line_feature((places[one.node_a], places[one.node_b]), one.document())
        for one in found.links
        if one.node_a in places and one.node_b in places
    ]
    return features([*dots, *lines])


@router.get("/network/flow")
def flow(request: Annotated[OpenSpan, Query()], context: ContextDependency) -> Flow:
    """Say what merges spent on each link and gained for each pair; of the last day by default."""
    end = request.to or context.clock.now()
    found = services.key_flow(context, start=request.from_ or end - FLOW, end=end)
    return Flow.model_validate(_named(found))


def _named(found: KeyFlow) -> dict[str, object]:
    sums = {
        name: {f"{a}--{b}": bits for (a, b), bits in sorted(getattr(found, name).items())}
        for name in ("links", "pairs", "combined")
    }
    return {"from": found.start, "to": found.end, **sums}
