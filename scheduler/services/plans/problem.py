"""What a plan is made of: the request, what stands and what took place, and the problem."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from scheduler.domain import (
    TERMINAL_STATES,
    Booking,
    BookingState,
    Candidate,
    Directive,
    DirectiveKind,
    Outage,
    PassName,
)
from scheduler.errors import InputError, PlanError
from scheduler.ledger.books import directives, forecasts, outages
from scheduler.ledger.books.bookings import get_bookings
from scheduler.ledger.keys.blocks import get_waiting_blocks
from scheduler.ledger.keys.stock import get_expiring_stock, get_stock
from scheduler.plan import PlanProblem
from scheduler.services.plans.directives import directed, parse_pass
from scheduler.services.plans.inputs import coming_key, demand_facts, rules_of
from scheduler.services.plans.outlook import PlanOutlook, as_of_today, options_of

if TYPE_CHECKING:
    from scheduler.ledger import BlockRecord, Reader
    from scheduler.services.context import Context

REACH = timedelta(hours=3)
"""A session near the edge of a window may begin or end this far outside it."""
SECOND = timedelta(seconds=1)
NAMES_MAX = 100
GONE_STATES = frozenset({BookingState.CANCELLED, BookingState.MISSED})
"""In these a booking never took up its satellite or station."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What is asked of one run of the planner; None takes what the settings say."""

    start: datetime
    end: datetime
    at: datetime | None = None  #: what is known then counts
    objective: str | None = None
    solver: str | None = None
    seed: int = 0
    request_id: str | None = None
    pins: tuple[str, ...] = ()
    vetoes: tuple[str, ...] = ()
    lift: tuple[str, ...] = ()  #: passes whose pin or veto is taken back

    def __post_init__(self) -> None:
        for name in ("pins", "vetoes", "lift"):
            if len(getattr(self, name)) > NAMES_MAX:
                raise InputError(
                    f"{len(getattr(self, name))} {name}; allowed: up to {NAMES_MAX} in one plan"
                )

    def digest(self) -> str:
        """SHA-256 of the question, so that a repeated request id means the same."""
        return hashlib.sha256(repr(astuple(self)).encode()).hexdigest()


@dataclass(slots=True, kw_only=True)
class Standing:
    """What stood when planning began."""

    bookings: list[Booking]  #: near the window, that stand or took place
    outages: list[Outage]
    directives: list[Directive]
    stock: dict[str, int]
    expiring_stock: dict[str, list[tuple[datetime, int]]]  #: of the stock, what ends when
    waiting: list[BlockRecord]  #: received, not announced
    taken: set[UUID]  #: every booking id near the window, whatever its state
    weather: dict[str, datetime]  #: when the forecast kept of each station was issued


def read_standing(reader: Reader, request: PlanRequest, *, at: datetime) -> Standing:
    since, until = request.start - REACH, request.end + REACH
    # Limits by the day count whole days, of which the window may hold a part.
    near = get_bookings(reader, since=_midnight(since), until=_midnight(until) + timedelta(days=1))
    return Standing(
        bookings=[booking for booking in near if booking.state not in GONE_STATES],
        outages=outages.standing(reader.connection, since=since, until=until),
        directives=directives.of_passes(reader.connection, since=since, until=until),
        stock=get_stock(reader, at=at),
        expiring_stock=get_expiring_stock(reader, at=at),
        waiting=get_waiting_blocks(reader),
        taken={booking.booking_id for booking in near},
        weather=forecasts.last_issues(reader, at=at),
    )


def _midnight(when: datetime) -> datetime:
    return when.replace(hour=0, minute=0, second=0, microsecond=0)


def plan_problem(
    context: Context,
    request: PlanRequest,
    ahead: PlanOutlook,
    standing: Standing,
    *,
    at: datetime,
    freeze_s: float,
) -> tuple[PlanProblem, list[Candidate]]:
    """The planner's problem, and the candidates whose link would begin too early for it."""
    rules = rules_of(context)
    options = options_of(context, ahead, rules, at=at)
    live = [booking for booking in standing.bookings if booking.state not in TERMINAL_STATES]
    today = as_of_today(context, ahead, [b.candidate for b in live], options, rules, at=at)
    options += _still_standing(today, options)
    now = context.clock.now()
    present = max(at, now) if now < request.end else at
    opens_at = max(at, now + timedelta(seconds=freeze_s)) if now < request.end else at
    open_ = [item for item in options if item.acquires_at >= opens_at]
    wanted = [*standing.directives, *new_directives(context, request, open_)]
    pins, vetoes = directed(wanted, open_)
    sessions = [*open_, *(b.candidate for b in standing.bookings if b.state is BookingState.BOOKED)]
    coming = coming_key(context, standing.waiting, sessions, present=present)
    problem = PlanProblem(
        candidates=tuple(open_),
        rules=rules,
        bookings=tuple(_as_planned(b, request, ahead, today) for b in standing.bookings),
        outages=tuple(standing.outages),
        pins=pins,
        vetoes=vetoes,
        now=present,
        starts_at=max(request.start, present),
        ends_at=request.end,
        **demand_facts(context, standing.stock, standing.expiring_stock, coming),
    )
    return problem, [item for item in options if item.acquires_at < opens_at]


def _still_standing(
    today: Mapping[str, Candidate], options: Sequence[Candidate]
) -> tuple[Candidate, ...]:
    """Booked parts of passes that today's clashes would not ask for; they may be kept."""
    known = {candidate.candidate_id for candidate in options}
    passes = {candidate.pass_id for candidate in options}
    return tuple(
        candidate
        for name, candidate in today.items()
        if candidate.pass_id in passes and name not in known
    )


def _as_planned(
    booking: Booking, request: PlanRequest, ahead: PlanOutlook, today: Mapping[str, Candidate]
) -> Booking:
    """A booking as the planner takes it: one of a pass outside of what this run plans is locked.

    So is a session that took place. It counts for every limit, and what it gave is in the stock.
    """
    candidate = booking.candidate
    if booking.state in TERMINAL_STATES:
        over = candidate.loses_at
        if booking.state is BookingState.FAILED:
            over = min(over, max(booking.changed_at, candidate.acquires_at + SECOND))
        given = replace(candidate, loses_at=over, secret_bits=0.0, sifted_bits=0.0)
        return replace(booking, candidate=given, state=BookingState.RUNNING)
    until = ahead.until.get(candidate.satellite_id, request.start)
    mine = request.start <= _rises_at(candidate) < until
    return replace(
        booking, candidate=today[candidate.candidate_id], locked=booking.locked or not mine
    )


def _rises_at(candidate: Candidate) -> datetime:
    """When the pass of a candidate rises, which says in whose window it is."""
    return datetime.fromisoformat(candidate.pass_id.rpartition("/")[2])


def new_directives(
    context: Context, request: PlanRequest, candidates: Sequence[Candidate]
) -> list[Directive]:
    """The directives of this request. Raises PlanError for a pass that is not in the window."""
    found: list[Directive] = []
    for names, kind, word in (
        (request.lift, DirectiveKind.NONE, "allow"),
        (request.pins, DirectiveKind.PIN, "pin"),
        (request.vetoes, DirectiveKind.VETO, "veto"),
    ):
        for name in names:
            subject = parse_pass(context, name)
            mine = [candidate for candidate in candidates if subject.means(candidate)]
            if not mine:
                raise PlanError(
                    f"{name} is none of the {len(candidates)} options of this window, so there is"
                    f" nothing to {word}"
                )
            whole = max(mine, key=lambda c: c.duration_s)
            found.append(Directive(kind=kind, subject=PassName.of(whole)))
    both = set(request.pins) & set(request.vetoes)
    if both:
        raise PlanError(f"{min(both)} is both pinned and vetoed")
    return found
