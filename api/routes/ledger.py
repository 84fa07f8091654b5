"""Balances of the ledger; amounts only, never key."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from api.routes.common import NoParameters, ServicesDependency
from api.shape import balances_document

router = APIRouter(prefix="/ledger", tags=["ledger"])


class BalancesOut(BaseModel):
    """Bits by pool and kind of account, and their sums over the pools."""

    pools: dict[str, dict[str, int]]
    totals: dict[str, int]


@router.get("/balances", response_model=BalancesOut)
def balances(_: NoParameters, services: ServicesDependency) -> dict[str, Any]:
    """Give the balance of every pool, in bits."""
    return balances_document(services.balances())
