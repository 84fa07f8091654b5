"""Satellites and stations of the scenario."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from api.routes.common import NoParameters, ServicesDependency
from api.shape import satellite_fields, station_fields

router = APIRouter(tags=["network"])


class SatelliteOut(BaseModel):
    """A satellite that downlinks key."""

    satellite: str
    name: str
    norad_id: int


class StationOut(BaseModel):
    """A ground station."""

    station: str
    name: str
    lat_deg: float
    lon_deg: float
    height_m: float
    mask_deg: float


@router.get("/satellites", response_model=list[SatelliteOut])
def satellites(_: NoParameters, context: ServicesDependency) -> list[dict[str, Any]]:
    """List the satellites of the scenario."""
    return [satellite_fields(satellite) for satellite in context.scenario.satellites]


@router.get("/stations", response_model=list[StationOut])
def stations(_: NoParameters, context: ServicesDependency) -> list[dict[str, Any]]:
    """List the ground stations of the scenario."""
    return [station_fields(station) for station in context.stations()]
