"""The pages of ledger, replays, and jobs: what was done, what runs, and what is well."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from api.dashboard.render import Text, context_of, page, problem_page
from api.errors import known_errors, message_of
from api.schemas.base import Table
from api.schemas.health import Readiness
from api.schemas.jobs import Job
from api.schemas.keys import Trace
from api.schemas.ledger import Balances, Verified
from api.schemas.ledger_lines import Entries
from api.schemas.merges import Merges
from api.schemas.replays import Comparison, Replay
from api.security.roles import ROLES, bearer_in, check_whole
from api.security.viewing import whole_context
from scheduler import replays, services
from scheduler.domain import JobState, ReplayState
from scheduler.errors import NotAllowed
from scheduler.services.context import Context

router = APIRouter(prefix="/ui", include_in_schema=False)

ENTRIES = 50
JOBS = 100
REPLAYS_SHOWN = 20
REPLAY_DAYS = 3


@router.get("/ledger")
def ledger(
    request: Request,
    key: Annotated[str, Query(max_length=64)] = "",
    verify: bool = False,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
) -> HTMLResponse:
    """Show balances, entries, the newest checkpoint, past merges, and where a key comes from."""
    context = context_of(request)
    trace = problem = ""
    verified = None
    try:
        balances = Balances.of(services.pool_balances(context)).table()
        merges = Merges.of(services.merge_history(context, limit=20)).table()
        rows = services.list_entries(context, after=after, limit=ENTRIES + 1)
    except known_errors() as error:
        return page(request, "ledger", problem=message_of(error))
    try:
        checkpoint = json.loads(services.last_checkpoint(context))
    except known_errors():
        checkpoint = None
    try:
        if verify:
            _check(request, "GET /ledger/verification")
            verified = Verified.model_validate(services.verify_ledger(context, workers=1))
        if key:
            _check(request, "GET /keys/{key_id}/trace")
            trace = "\n".join(Trace.of(services.trace_key(context, key)).lines())
    except known_errors() as error:
        problem = message_of(error)
    return page(
        request, "ledger", problem="", balances=balances, merges=merges, checkpoint=checkpoint,
        asked=key, trace=trace, trace_problem=problem, verified=verified,
        entries=Entries.of(rows[:ENTRIES]).table(), after=after,
        following=rows[ENTRIES - 1].entry_id if len(rows) > ENTRIES else None,
    )  # fmt: skip


def _check(request: Request, route: str) -> None:
    """Raise NotAllowed where the API would not answer this either."""
    bearer = bearer_in(request)
    if bearer is not None and bearer.token.role not in ROLES[route]:
        raise NotAllowed(
            f"{route} by a token of role {bearer.token.role}; allowed: a role that may"
        )
    if bearer is not None:
        check_whole(whole_context(request), bearer.token, route)


@router.get("/replay")
def replay(request: Request, chosen: Text = "", other: Text = "") -> HTMLResponse:
    """Show the replays that were started here, what one came to, and two side by side."""
    context = context_of(request)
    try:
        runs = replays.list_replays(context)[-REPLAYS_SHOWN:]
        shown = replays.get_replay(context, chosen) if chosen else None
        beside = replays.get_replay(context, other) if chosen and other else None
    except known_errors() as error:
        return problem_page(request, "No such replay", error)
    summary = None if shown is None or shown[1] is None else Replay.of(shown[1])
    values: dict[str, Any] = {
        "tables": [] if summary is None else _tables(summary.tables()),
        "summary": summary,
    }
    if shown and beside and shown[1] and beside[1]:
        values["tables"] = list(Comparison.beside({chosen: shown[1], other: beside[1]}).tables())
    end = context.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return page(
        request,
        "replay",
        runs=list(reversed(runs)),
        running=any(one.state is ReplayState.RUNNING for one in runs),
        shown=None if shown is None else shown[0],
        other=other,
        span=_usual_span(context) or (end - timedelta(days=REPLAY_DAYS), end),
        **values,
    )


def _usual_span(context: Context) -> Any:
    """The first days that the scenario's first satellite has element sets for."""
    number = context.scenario.satellites[0].norad_id if context.scenario.satellites else 0
    first = next(iter(context.archive_of(number)), None)
    if first is None:
        return None
    start = (first.epoch + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return start, start + timedelta(days=REPLAY_DAYS)


def _tables(found: Any) -> list[Table]:
    return [one for one in found if isinstance(one, Table)]


@router.get("/jobs")
def jobs(request: Request, work: Text = "", state: Text = "") -> HTMLResponse:
    """Show what repeats, what ran and what became of it, and whether all is well."""
    context = context_of(request)
    try:
        ready = Readiness.model_validate(services.readiness(context))
        answer = services.list_jobs(context, work=work or None, state=state or None, limit=JOBS)
    except known_errors() as error:
        return problem_page(request, "No jobs", error)
    rows = [Job.model_validate(one) for one in answer.jobs]
    return page(
        request,
        "jobs",
        ready=ready,
        works=answer.works,
        jobs=Table(f"The last {len(rows)} jobs", Job.columns, rows),
        states=list(JobState),
        asked=(work, state),
    )
