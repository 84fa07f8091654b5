"""Changes as they happen: server-sent events, made from the ledger's own log."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, cast

from fastapi import APIRouter, Header, Query, Response
from fastapi import Request as HttpRequest
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from api.routes.common import ContextDependency, file_answers
from api.schemas.events import EventsRequest
from scheduler import services
from scheduler.domain import LogChange
from scheduler.services.context import Context

router = APIRouter(tags=["ledger"])

EVENT_STREAM = "text/event-stream"
EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "event": {"const": "change"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["id", "event", "data"],
}
"""The schema of one event; its data is an object with the `kind` and the `subject`."""
LOOK_S = 0.2
"""How often the log is looked at, whoever listens: an event is out within a second."""
STILL_HERE_S = 15.0
"""How often a quiet stream says that it is still there: whoever left is noticed."""
AT_ONCE = 500
STREAMS_MAX = 100
HEADERS = {"X-Accel-Buffering": "no"}


class LogWatch:
    """How long the log is: one look for all who listen."""

    def __init__(self) -> None:
        self.listeners = 0
        self.stopping = False
        self._looked_s = -LOOK_S
        self._size = 0
        self._turn = asyncio.Lock()

    def stop(self) -> None:
        """End every stream: the server stops."""
        self.stopping = True

    async def size(self, context: Context) -> int:
        """Return how many changes the log holds, as of LOOK_S ago at most."""
        async with self._turn:
            if time.monotonic() - self._looked_s >= LOOK_S:
                self._size = await run_in_threadpool(services.log_size, context)
                self._looked_s = time.monotonic()
        return self._size


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses=file_answers(EVENT_STREAM, 503, schema=EVENT),
)
async def events(
    request: Annotated[EventsRequest, Query()],
    context: ContextDependency,
    http: HttpRequest,
    last_event_id: Annotated[int | None, Header(ge=0, le=2**53)] = None,
) -> Response:
    """Tell every change of the ledger as it happens: which kind of row, and its id.

    An event's id is a place in the log. Whoever comes back with Last-Event-ID misses nothing;
    without it the stream begins with what happens next.
    """
    watch = cast(LogWatch, http.app.state.watch)
    if http.scope.get("skytrunk.head"):
        return Response(media_type=EVENT_STREAM, headers=HEADERS)
    if watch.listeners >= STREAMS_MAX:
        raise HTTPException(
            503, f"{STREAMS_MAX} streams are open; allowed: no more", {"Retry-After": "5"}
        )
    begin = request.after if last_event_id is None else last_event_id
    if begin is None:
        begin = await watch.size(context)
    stream = _stream(watch, context, begin, follow=request.follow)
    return StreamingResponse(stream, media_type=EVENT_STREAM, headers=HEADERS)


async def _stream(
    watch: LogWatch, context: Context, begin: int, *, follow: bool
) -> AsyncIterator[str]:
    watch.listeners += 1
    try:
        yield f"retry: 500\nid: {begin}\n\n"
        spoken_s = time.monotonic()
        while not watch.stopping:
            size = await watch.size(context)
            if size > begin:
                found = await run_in_threadpool(
                    services.log_changes, context, after=begin, limit=AT_ONCE
                )
                shown = await run_in_threadpool(services.shown_changes, context, found)
                yield "".join(map(_event, shown))
                begin = found[-1].number + 1 if found else size
                spoken_s = time.monotonic()
            elif not follow:
                return
            elif size < begin:
                begin = size  # another ledger stands there now
            else:
                if time.monotonic() - spoken_s >= STILL_HERE_S:
                    yield ": still here\n\n"
                    spoken_s = time.monotonic()
                await asyncio.sleep(LOOK_S)
    finally:
        watch.listeners -= 1


def _event(change: LogChange) -> str:
    data = json.dumps({"kind": change.kind, "subject": change.subject})
    return f"id: {change.number + 1}\nevent: change\ndata: {data}\n\n"
