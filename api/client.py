"""A client of the management API: asks a server, and returns what its schemas say.

with Client("http://127.0.0.1:8014", token=secret) as server:
    for row in server.passes(satellite="micius", start=start, end=end).passes: ...
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote
from uuid import UUID

import httpx

from api.schemas.alerts import Alerts
from api.schemas.base import PAGE_MAX, Answer
from api.schemas.bookings import Booking, BookingEvents, Bookings
from api.schemas.elements import Elements
from api.schemas.health import Health
from api.schemas.jobs import JobEvents, JobRun, Jobs, Pause
from api.schemas.keys import Trace
from api.schemas.ledger import Balances, Checkpoint, Verified
from api.schemas.ledger_lines import Entries, Sessions
from api.schemas.merges import Merges
from api.schemas.network import Network, Satellites, Stations
from api.schemas.outages import MarkedOutage, Outage, Outages
from api.schemas.pairs import Pairs
from api.schemas.passes import Pass, Passes
from api.schemas.plans import Explanation, Plan, Plans
from api.schemas.replays import Run, RunResult, Runs
from api.schemas.runway import KeyRunway
from api.schemas.tracks import Track
from scheduler.domain import instant_key
from scheduler.errors import FeedError, InputError

TIMEOUT_S = 60.0
WAIT_S = httpx.Timeout(TIMEOUT_S, read=None)
A = TypeVar("A", bound=Answer)


class ServerRefused(InputError):
    """The server says that the request is wrong; `problem` is its document (RFC 9457)."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail", "refused")))
        self.problem = dict(problem)


class ServerFailed(FeedError):
    """The server cannot be reached, or cannot answer; `problem` is what it said, if anything."""

    def __init__(self, text: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.problem = dict(problem or {})


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the ledger, and the place in its log behind it."""

    place: int
    kind: str
    subject: str


class Client:
    """Asks one server. Every method raises ServerRefused or ServerFailed."""

    def __init__(
        self, url: str, *, token: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        """`token` is the secret of `skytrunk token add`; none where nobody ever gave one."""
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            self._http = httpx.Client(
                base_url=url, headers=headers, timeout=TIMEOUT_S, transport=transport
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise InputError(
                f"server {url!r:.200}: {error}; allowed: http(s)://HOST:PORT"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    # -- how it asks --------------------------------------------------------------------------

    def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return _checked(self._http.request(method, path, **more))
        except httpx.HTTPError as error:
            raise ServerFailed(f"{self._http.base_url}: {error or type(error).__name__}") from None

    def get(self, kind: type[A], path: str, /, **asked: Any) -> A:
        """The answer of one path, of that kind; what is None is not asked."""
        return kind.model_validate(self._answer("GET", path, params=_query(asked)).json())

    def whole(self, kind: type[A], path: str, **asked: Any) -> A:
        """A list with the rows of all its pages, which stand under the last word of the path."""
        answer = self._answer("GET", path, params=_query({"limit": PAGE_MAX, **asked}))
        document: dict[str, Any] = answer.json()
        name = path.rpartition("/")[2]
        while "next" in answer.links:
            answer = self._answer("GET", answer.links["next"]["url"])
            document[name] += answer.json()[name]
        return kind.model_validate(document)

    def post(self, kind: type[A], path: str, body: Mapping[str, Any] | None = None) -> A:
        """What a change answers, of that kind."""
        sent = None if body is None else {k: _text(v) for k, v in body.items() if v is not None}
        return kind.model_validate(self._answer("POST", path, json=sent).json())

    # -- questions ----------------------------------------------------------------------------

    def health(self) -> Health:
        """That the server answers, and on which scenario."""
        return self.get(Health, "/health")

    def satellites(self) -> Satellites:
        """The satellites of its scenario."""
        return self.whole(Satellites, "/satellites")

    def stations(self) -> Stations:
        """The ground stations, with mask, sky and outages."""
        return self.whole(Stations, "/stations")

    def network(self) -> Network:
        """Nodes, links with their stock, demands with their paths."""
        return self.get(Network, "/network")

    def elements(self, satellite: str | None = None, *, latest: bool = False) -> Elements:
        """The element sets known."""
        return self.whole(Elements, "/elements", satellite=satellite, latest=latest)

    def passes(self, *, satellite: str, start: datetime, end: datetime, **more: Any) -> Passes:
        """Passes in [start, end); more: station, forecast, dark, min_elevation_deg, as_known_at."""
        asked = {"satellite": satellite, "from": start, "to": end, **more}
        return self.whole(Passes, "/passes", **asked)

    def one_pass(self, pass_id: str, *, forecast: bool = False) -> Pass:
        """One pass by its id."""
        return self.get(Pass, f"/passes/{quote(pass_id)}", forecast=forecast)

    def pairs(
        self, *, satellite: str, a: str, b: str, start: datetime, end: datetime, **more: Any
    ) -> Pairs:
        """When a satellite serves A and then B; more: gap_h, simultaneous, as_known_at."""
        asked = {"satellite": satellite, "a": a, "b": b, "from": start, "to": end, **more}
        return self.whole(Pairs, "/pairs", **asked)

    def track(
        self,
        *,
        satellite: str,
        start: datetime,
        end: datetime,
        station: str | None = None,
        step_s: float = 10.0,
    ) -> Track:
        """Where a satellite is."""
        asked = {"satellite": satellite, "from": start, "to": end}
        return self.get(Track, "/track", station=station, step_s=step_s, **asked)

    def runway(
        self, *, days: float = 7.0, at: datetime | None = None, without: list[str] | None = None
    ) -> KeyRunway:
        """When each pair and link runs dry."""
        return self.get(KeyRunway, "/runway", days=days, at=at, without=without)

    def plans(self) -> Plans:
        """Every plan, the newest page first."""
        return self.whole(Plans, "/plans")

    def plan(self, plan: str) -> Plan:
        """One plan with its passes."""
        return self.get(Plan, f"/plans/{quote(plan, safe='')}")

    def explain(self, plan: str, name: str) -> Explanation:
        """Why a pass was or was not booked."""
        return self.get(Explanation, f"/plans/{quote(plan, safe='')}/explain", **{"pass": name})

    def bookings(self, **asked: Any) -> Bookings:
        """Bookings by AOS; asked: state, satellite, station, plan, and `from` and `to`."""
        return self.whole(Bookings, "/bookings", **asked)

    def booking_events(self, booking: UUID) -> BookingEvents:
        """The life of a booking."""
        return self.get(BookingEvents, f"/bookings/{booking}/events")

    def outages(self) -> Outages:
        """The outages that were not lifted."""
        return self.whole(Outages, "/outages")

    def merges(self, *, limit: int = 20, **asked: Any) -> Merges:
        """The last merge executions; asked: `from` and `to`."""
        return self.get(Merges, "/merges", limit=limit, **asked)

    def trace(self, key: str) -> Trace:
        """Where a key or a block comes from."""
        return self.get(Trace, f"/keys/{quote(key, safe='')}/trace")

    def sessions(self) -> Sessions:
        """What settled sessions gave."""
        return self.whole(Sessions, "/sessions")

    def balances(self) -> Balances:
        """Bits by pool and account."""
        return self.get(Balances, "/ledger/balances")

    def entries(self, pool: str | None = None) -> Entries:
        """Entries of the ledger; amounts alone."""
        return self.whole(Entries, "/ledger/entries", pool=pool)

    def checkpoint(self) -> Checkpoint:
        """The newest signed checkpoint."""
        return self.get(Checkpoint, "/ledger/checkpoint")

    def verification(self) -> Verified:
        """What the server finds when it recomputes its ledger."""
        return self.get(Verified, "/ledger/verification")

    def alerts(self, *, kind: str | None = None, limit: int = 100) -> Alerts:
        """What somebody should look at, the last first."""
        return self.get(Alerts, "/alerts", kind=kind, limit=limit)

    def jobs(self, *, work: str | None = None, state: str | None = None, limit: int = 20) -> Jobs:
        """What repeats, and the jobs due last."""
        return self.get(Jobs, "/jobs", work=work, state=state, limit=limit)

    def job_events(self, job: str, at: datetime | None = None) -> JobEvents:
        """Every change of one job."""
        return self.get(JobEvents, "/jobs/events", job=job, at=at)

    def replays(self) -> Runs:
        """The replays that were started there."""
        return self.whole(Runs, "/replays")

    def replay(self, replay: str) -> RunResult:
        """How a replay stands, and what it came to."""
        return self.get(RunResult, f"/replays/{quote(replay, safe='')}")

    def changes(self, *, after: int | None = None, follow: bool = True) -> Iterator[Change]:
        """Changes of the ledger as they happen, from a place in its log on, or from now on."""
        asked = _query({"after": after, "follow": follow})
        headers = {"Accept": "text/event-stream"}
        with self._http.stream(
            "GET", "/events", params=asked, headers=headers, timeout=WAIT_S
        ) as answer:
            if answer.is_error:
                answer.read()
            _checked(answer)
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                if not line and "data" in fields:
                    yield Change(int(fields["id"]), **json.loads(fields["data"]))
                name, _, value = line.partition(":")
                fields = {**fields, name: value.removeprefix(" ")} if line else {}

    # -- changes ------------------------------------------------------------------------------

    def make_plan(self, *, start: datetime, end: datetime, **more: Any) -> Plan:
        """Plan [start, end) and book; more: at, objective, planner, pins, vetoes, allow."""
        return self.post(Plan, "/plans", {"from": start, "to": end, **more})

    def lock(self, booking: UUID, *, locked: bool = True, reason: str = "") -> Booking:
        """Let no plan move a booking, or let plans move it again."""
        body = {"locked": locked, "reason": reason}
        return self.post(Booking, f"/bookings/{booking}/lock", body)

    def cancel(self, booking: UUID, *, reason: str) -> Booking:
        """Cancel a booking that has not begun."""
        return self.post(Booking, f"/bookings/{booking}/cancel", {"reason": reason})

    def add_outage(
        self,
        kind: Literal["station", "satellite"],
        name: str,
        *,
        start: datetime,
        end: datetime,
        reason: str = "",
    ) -> MarkedOutage:
        """Take a station or satellite out of service."""
        body = {"kind": kind, "name": name, "from": start, "to": end, "reason": reason}
        return self.post(MarkedOutage, "/outages", body)

    def lift_outage(self, outage: str) -> Outage:
        """Put it back into service."""
        return Outage.model_validate(self._answer("DELETE", f"/outages/{quote(outage)}").json())

    def run_job(self, work: str) -> JobRun:
        """Do work that repeats at once."""
        return self.post(JobRun, f"/jobs/{quote(work, safe='')}/run")

    def pause_job(self, work: str, *, reason: str) -> Pause:
        """Have work not done until it is resumed."""
        return self.post(Pause, f"/jobs/{quote(work, safe='')}/pause", {"reason": reason})

    def resume_job(self, work: str) -> Pause:
        """Have paused work done again."""
        return self.post(Pause, f"/jobs/{quote(work, safe='')}/resume")

    def start_replay(self, *, start: datetime, end: datetime, **more: Any) -> Run:
        """Start a replay of [start, end); more: seed, objective, planner."""
        return self.post(Run, "/replays", {"from": start, "to": end, **more})


def _checked(answer: httpx.Response) -> httpx.Response:
    """The answer, if it is a good one."""
    if answer.is_success:
        return answer
    problem: dict[str, Any] = {}
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        problem = answer.json()
    if problem and answer.is_client_error and answer.status_code not in {401, 403, 409, 429}:
        raise ServerRefused(problem)
    what = f"{problem['title']}: {problem['detail']}" if problem else f"{answer.status_code}"
    raise ServerFailed(f"the server says {what}", problem)


def _query(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _text(value) for name, value in asked.items() if value is not None}


def _text(value: Any) -> Any:
    return instant_key(value) if isinstance(value, datetime) else value
