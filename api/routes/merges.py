"""Past merges, and where a key came from; names and amounts only, never key."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from api.key_shape import merges_document, trace_document
from api.problems import problem_answers
from api.routes.common import NoParameters, ServicesDependency, SpanParameters
from scheduler import services

router = APIRouter(tags=["merges"])
TICKS_MAX = 1000


class MergesQuestion(SpanParameters):
    """Which past ticks."""

    limit: Annotated[int, Field(ge=1, le=TICKS_MAX)] = 20


class StepOut(BaseModel):
    """One merge: what a pair gained, and over which paths."""

    demand: str
    pool: str
    bits: int
    paths: list[list[str]]
    threshold: int
    block: str
    announcements: int
    expires_at: str | None  #: where the demand limits the age of its key


class TickOut(BaseModel):
    """One tick of merging."""

    request: str
    at: str
    bits: int
    steps: list[StepOut]
    reasons: dict[str, str]
    tags: int


class MergesOut(BaseModel):
    """Past ticks, the newest last."""

    merges: list[TickOut]


@router.get("/merges", response_model=MergesOut)
def merges(
    question: Annotated[MergesQuestion, Query()], context: ServicesDependency
) -> dict[str, Any]:
    """List the last ticks of merging within [from, to)."""
    history = services.merge_history(
        context, start=question.from_, end=question.to, limit=question.limit
    )
    return merges_document(history)


class BlockOut(BaseModel):
    """A block of key."""

    block_id: str
    pool_id: str
    natural_key: str
    length_bits: int
    left_bits: int
    state: str
    source: str
    simulated: bool
    eps_total: float
    made_at: str
    expires_at: str | None
    made_by: str
    command_id: int


class ChunkOut(BaseModel):
    """A range of a block."""

    block_id: str
    pool_id: str
    start_bit: int
    end_bit: int


class HopOut(BaseModel):
    """One link of a path and the ranges spent on it."""

    link: str
    chunks: list[ChunkOut]


class AnnouncementOut(BaseModel):
    """What a relay made public, by its digest."""

    announcement_id: str
    relay: str
    length_bits: int
    sha256: str


class TracedPathOut(BaseModel):
    """One path behind a key."""

    nodes: list[str]
    hops: list[HopOut]
    announcements: list[AnnouncementOut]


class TraceOut(BaseModel):
    """Where a key came from, and who could know it."""

    block: BlockOut
    drawn: ChunkOut | None
    threshold: int
    known_to: str
    single_points: list[str]
    minimal_set_count: int
    minimal_sets: list[list[str]]
    paths: list[TracedPathOut]
    sources: list[BlockOut]


@router.get("/keys/{key_id}/trace", response_model=TraceOut, responses=problem_answers(404))
def trace(
    key_id: Annotated[str, Path(max_length=64)], _: NoParameters, context: ServicesDependency
) -> dict[str, Any]:
    """Follow a key or a block back to passes, spans and announcements."""
    return trace_document(services.trace_key(context, key_id))
