"""Balances and lines of the ledger, its checkpoints and proofs; amounts only, never key."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.problems import problem_answers
from api.routes.common import ContextDependency, NoParameters
from api.routes.reply import ReplyDependency, forms_of
from api.schemas.base import Answer
from api.schemas.ledger import Balances, Checkpoint, Verified
from api.schemas.ledger_lines import (
    Checkpoints,
    CheckpointsRequest,
    Entries,
    EntriesRequest,
    Proof,
    ProofRequest,
    Sessions,
    SessionsRequest,
)
from scheduler import services

router = APIRouter(prefix="/ledger", tags=["ledger"])
sessions_router = APIRouter(tags=["ledger"])


@router.get("/balances")
def balances(_: NoParameters, context: ContextDependency) -> Balances:
    """Give the balance of every pool, in bits."""
    return Balances.of(services.pool_balances(context))


@router.get("/entries", response_model=Entries, responses=forms_of("csv"))
def entries(
    request: Annotated[EntriesRequest, Query()], context: ContextDependency, reply: ReplyDependency
) -> Answer | Response:
    """List the entries in the order they were added: bits, from one account to another."""
    after = reply.number_after(request)
    rows = services.list_entries(context, pool=request.pool, after=after, limit=request.limit + 1)
    page = reply.page(request, rows, lambda one: (one.entry_id,), sought=True)
    return reply.of(Entries.of(page))


@router.get("/checkpoint", responses=problem_answers(404))
def checkpoint(_: NoParameters, context: ContextDependency) -> Checkpoint:
    """Give the newest signed checkpoint; making one is left to the command line."""
    return Checkpoint.model_validate_json(services.last_checkpoint(context))


@router.get("/checkpoints", response_model=Checkpoints, responses=forms_of("csv"))
def checkpoints(
    request: Annotated[CheckpointsRequest, Query()],
    context: ContextDependency,
    reply: ReplyDependency,
) -> Answer | Response:
    """List the signed checkpoints, the newest last."""
    rows = [Checkpoint.model_validate_json(one) for one in services.list_checkpoints(context)]
    page = reply.page(request, rows, lambda one: (one.size, one.at), newest=True)
    return reply.of(Checkpoints.of(page))


@router.get("/proof", responses=problem_answers(404))
def proof(request: Annotated[ProofRequest, Query()], context: ContextDependency) -> Proof:
    """Prove that a row's last change, or the command behind a block or key, is in the log."""
    return Proof.model_validate(services.prove_row(context, request.kind, request.subject))


@router.get("/verification")
def verification(_: NoParameters, context: ContextDependency) -> Verified:
    """Recompute the whole ledger, and say what does not hold."""
    return Verified.model_validate(services.verify_ledger(context, workers=1))


@sessions_router.get("/sessions", response_model=Sessions, responses=forms_of("csv"))
def sessions(
    request: Annotated[SessionsRequest, Query()], context: ContextDependency, reply: ReplyDependency
) -> Answer | Response:
    """List settled sessions and what each gave, in the order they were settled."""
    rows = services.list_sessions(
        context,
        since=request.from_,
        after=reply.number_after(request),
        limit=request.limit + 1,
    )
    page = reply.page(request, rows, lambda one: (one.command_id,), sought=True)
    return reply.of(Sessions.of(page))
