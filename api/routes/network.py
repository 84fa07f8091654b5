"""Satellites and stations of the scenario."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes.common import ContextDependency, NoParameters
from api.schemas.network import Satellite, Satellites, Station, Stations

router = APIRouter(tags=["network"])


@router.get("/satellites")
def satellites(_: NoParameters, context: ContextDependency) -> list[Satellite]:
    """List the satellites of the scenario."""
    return Satellites.model_validate(context.scenario).satellites


@router.get("/stations")
def stations(_: NoParameters, context: ContextDependency) -> list[Station]:
    """List the ground stations of the scenario."""
    return Stations.model_validate(context.scenario).stations
