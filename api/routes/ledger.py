"""Balances of the ledger; amounts only, never key."""

from __future__ import annotations

from fastapi import APIRouter

from api.problems import problem_answers
from api.routes.common import ContextDependency, NoParameters
from api.schemas.ledger import Balances, Checkpoint
from scheduler import services

router = APIRouter(prefix="/ledger", tags=["ledger"])


@router.get("/balances")
def balances(_: NoParameters, context: ContextDependency) -> Balances:
    """Give the balance of every pool, in bits."""
    return Balances.of(services.pool_balances(context))


@router.get("/checkpoint", responses=problem_answers(404))
def checkpoint(_: NoParameters, context: ContextDependency) -> Checkpoint:
    """Give the newest signed checkpoint; making one is left to the command line."""
    return Checkpoint.model_validate_json(services.last_checkpoint(context))
