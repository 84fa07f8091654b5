"""Balances of the ledger; amounts only, never key."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from api.problems import problem_answers
from api.routes.common import NoParameters, ServicesDependency
from api.shape import balances_document
from scheduler import services

router = APIRouter(prefix="/ledger", tags=["ledger"])


class BalancesOut(BaseModel):
    """Bits by pool and kind of account, and their sums over the pools.

    Of these, `waiting_bits` wait for a satellite's announcement.
    """

    pools: dict[str, dict[str, int]]
    totals: dict[str, int]
    waiting_bits: int


@router.get("/balances", response_model=BalancesOut)
def balances(_: NoParameters, context: ServicesDependency) -> dict[str, Any]:
    """Give the balance of every pool, in bits."""
    return balances_document(services.pool_balances(context))


class CheckpointOut(BaseModel):
    """Size and root of the audit log, signed with Ed25519; bytes in hex."""

    at: str
    format: str
    key_id: str
    public_key: str
    root: str
    signature: str
    size: int


@router.get("/checkpoint", response_model=CheckpointOut, responses=problem_answers(404))
def checkpoint(_: NoParameters, context: ServicesDependency) -> dict[str, Any]:
    """Give the newest signed checkpoint; making one is left to the command line."""
    signed: dict[str, Any] = json.loads(services.last_checkpoint(context))
    return signed
