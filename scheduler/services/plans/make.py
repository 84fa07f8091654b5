"""Use case: look one window ahead and book what the planner chooses."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from orbits import as_utc
from scheduler.domain import (
    TERMINAL_STATES,
    Booking,
    BookingState,
    Candidate,
    Directive,
    DirectiveKind,
    Outage,
    PassName,
    instant_key,
)
from scheduler.errors import InputError, PlanError
from scheduler.ledger import PlanRecord
from scheduler.ledger.books import directives, outages, plans
from scheduler.ledger.books.bookings import add_booking, get_bookings, move_booking
from scheduler.ledger.keys.blocks import get_waiting_blocks
from scheduler.ledger.keys.stock import get_expiring_stock, get_stock
from scheduler.plan import PlanDecision, PlanProblem, make_plan
from scheduler.services.plans.directives import directed, parse_pass
from scheduler.services.plans.inputs import coming_key, demand_facts, rules_of
from scheduler.services.plans.outlook import PlanOutlook, as_of_today, options_of, plan_outlook
from scheduler.services.plans.record import plan_figures, plan_passes

if TYPE_CHECKING:
    from scheduler.ledger import BlockRecord, CommandHandle, Reader, Transaction
    from scheduler.services.context import Context

REACH = timedelta(hours=3)
"""A session near the edge of a window may begin or end this far outside it."""
SHIFT_S_MAX = 2.0
"""A standing booking stays as it is if newer elements shift its link by no more than this."""
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
class _Standing:
    """What stood when planning began."""

    bookings: list[Booking]  #: near the window, that stand or took place
    outages: list[Outage]
    directives: list[Directive]
    stock: dict[str, int]
    expiring_stock: dict[str, list[tuple[datetime, int]]]  #: of the stock, what ends when
    waiting: list[BlockRecord]  #: received, not announced
    taken: set[UUID]  #: every booking id near the window, whatever its state


def plan_window(context: Context, *, start: datetime, end: datetime) -> dict[str, Any]:
    """Book the passes of a window with what is known at its start: the clockwork's plan.

    Passes whose link begins before the clock's present are not offered; those that begin at once
    are, since no earlier plan could book them. A repeat returns the first answer. Raises as
    `carry_out` does.
    """
    return carry_out(context, PlanRequest(start=start, end=end), at=as_utc(start), freeze_s=0.0)


def plan_by_hand(
    context: Context,
    *,
    start: datetime,
    end: datetime,
    at: datetime | None = None,
    objective: str | None = None,
    solver: str | None = None,
    seed: int = 0,
    pins: Sequence[str] = (),
    vetoes: Sequence[str] = (),
    allow: Sequence[str] = (),
    request_id: str | None = None,
) -> dict[str, Any]:
    """Plan a window anew, keeping what stands as far as it is good, and book what is chosen.

    `at` is the plan's present: what was known by then counts, and what begins before it is
    not booked. By default it is now, or the start of a window that is over. Whatever it is,
    nothing is booked that begins sooner than the freeze allows from now, unless the window is
    over. Raises as `carry_out` does.
    """
    start, end = as_utc(start), as_utc(end)
    now = context.clock.now()
    request = PlanRequest(
        start=start,
        end=end,
        at=None if at is None else as_utc(at),
        objective=objective,
        solver=solver,
        seed=seed,
        pins=tuple(pins),
        vetoes=tuple(vetoes),
        lift=tuple(allow),
        request_id=request_id or f"plan/by-hand/{instant_key(now)}",
    )
    known_at = request.at or (now if now < end else start)
    return carry_out(context, request, at=known_at, freeze_s=rules_of(context).freeze_s)


def carry_out(
    context: Context, request: PlanRequest, *, at: datetime, freeze_s: float
) -> dict[str, Any]:
    """Book passes of a window with what is known at `at`; a repeated request is not done again.

    Standing bookings that are locked, about to start, under way or outside what can be planned
    stay; the others may be given up for better ones, with an event. While the window lasts,
    nothing new begins earlier than `freeze_s` from now. One transaction. The answer
    names the plan, its bookings (kept ones too) and those it cancelled, counts passes and dark
    passes by station, and lists the spans for which nothing was planned since the elements were
    too old.

    Raises InputError for reversed or overlong times, PlanError where locks or pins contradict,
    LedgerMismatch if the ledger belongs to another scenario.
    """
    _check(context, request, at)
    request_id = request.request_id or f"plan/{_key(request.start)}/{_key(request.end)}"
    # The clockwork's own request has one answer, whatever the settings say by then.
    digest = request.digest() if request.request_id else ""
    with context.ledger.view.read() as reader:
        context.check_scenario(reader)
        answered = reader.answer(request_id, kind="plan", digest=digest)
        standing = _standing(reader, request, at=at)
    if answered is not None:
        return answered
    ahead = plan_outlook(context, request.start, request.end, at=at)
    problem, too_early = _problem(context, request, ahead, standing, at=at, freeze_s=freeze_s)
    decision, problem = _decide(context, request, problem, ahead)
    with context.ledger.begin() as tx:
        command = tx.command(request_id, kind="plan", at=at, digest=digest)
        directives.add(tx, command, _new_directives(context, request, problem.candidates))
        writing = _Writing(context, tx, problem, decision, standing, at=at, request=request)
        answer = writing.write(command, ahead, too_early)
        command.finish(answer)
    return answer


def _check(context: Context, request: PlanRequest, at: datetime) -> None:
    start, end = request.start, request.end
    if not start < end:
        raise InputError(f"the plan's end {_key(end)} is not after its start {_key(start)}")
    limit = context.settings.plan_days_max
    if end - start > timedelta(days=limit):
        days = (end - start) / timedelta(days=1)
        raise InputError(f"a plan of {days:g} days; allowed: up to {limit:g}")
    if not at < end:
        raise InputError(f"the window ended at {_key(end)}, before the plan's present {_key(at)}")


def _key(when: datetime) -> str:
    return instant_key(when)


def _standing(reader: Reader, request: PlanRequest, *, at: datetime) -> _Standing:
    since, until = request.start - REACH, request.end + REACH
    # Limits by the day count whole days, of which the window may hold a part.
    near = get_bookings(reader, since=_midnight(since), until=_midnight(until) + timedelta(days=1))
    return _Standing(
        bookings=[booking for booking in near if booking.state not in GONE_STATES],
        outages=outages.standing(reader.connection, since=since, until=until),
        directives=directives.of_passes(reader.connection, since=since, until=until),
        stock=get_stock(reader, at=at),
        expiring_stock=get_expiring_stock(reader, at=at),
        waiting=get_waiting_blocks(reader),
        taken={booking.booking_id for booking in near},
    )


def _midnight(when: datetime) -> datetime:
    return when.replace(hour=0, minute=0, second=0, microsecond=0)


def _problem(
    context: Context,
    request: PlanRequest,
    ahead: PlanOutlook,
    standing: _Standing,
    *,
    at: datetime,
    freeze_s: float,
) -> tuple[PlanProblem, list[Candidate]]:
    """The planner's problem, and the candidates whose link would begin too early for it."""
    rules = rules_of(context)
    options = options_of(context, ahead, rules, at=at)
    live = [booking for booking in standing.bookings if booking.state not in TERMINAL_STATES]
    today = as_of_today(context, ahead, [b.candidate for b in live], options, at=at)
    options += _still_standing(today, options)
    now = context.clock.now()
    present = max(at, now) if now < request.end else at
    opens_at = max(at, now + timedelta(seconds=freeze_s)) if now < request.end else at
    open_ = [item for item in options if item.acquires_at >= opens_at]
    wanted = [*standing.directives, *_new_directives(context, request, open_)]
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


def _new_directives(
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


def _decide(
    context: Context, request: PlanRequest, problem: PlanProblem, ahead: PlanOutlook
) -> tuple[PlanDecision, PlanProblem]:
    """Plan; an earlier pin that no longer fits is set aside and named, a new one is refused."""

    def plan(asked: PlanProblem) -> PlanDecision:
        return make_plan(
            asked,
            solver=request.solver or context.settings.planner,
            objective=request.objective or context.settings.objective,
            seed=request.seed,
        )

    try:
        return plan(problem), problem
    except PlanError as error:
        new, _ = directed(_new_directives(context, request, problem.candidates), problem.candidates)
        if problem.pins <= new:
            raise
        without = replace(problem, pins=new)
        decision = plan(without)
        ahead.notes.append(f"earlier pins are set aside: {error}")
        return decision, without


@dataclass(slots=True)
class _Writing:
    """Writes a decision down inside one transaction."""

    context: Context
    tx: Transaction
    problem: PlanProblem
    decision: PlanDecision
    standing: _Standing
    at: datetime
    request: PlanRequest

    def write(
        self, command: CommandHandle, ahead: PlanOutlook, too_early: Sequence[Candidate]
    ) -> dict[str, Any]:
        """Cancel, book, store the plan; return the answer."""
        plan_id = self._plan_id()
        kept, cancelled = self._settle_standing()
        booked: dict[str, UUID] = {}
        for candidate in sorted(self.decision.chosen, key=lambda item: item.acquires_at):
            booking_id = kept.get(candidate.candidate_id)
            if booking_id is None:
                booking_id = self._book(candidate, plan_id)
            booked[candidate.candidate_id] = booking_id
        context, decision = self.context, self.decision
        record = PlanRecord(
            plan_id=plan_id,
            at=self.at,
            window_start=self.request.start,
            window_end=self.request.end,
            solver=decision.solver.value,
            objective=decision.value,
            bound=decision.bound,
            gap=decision.gap,
            details={
                "asked_solver": self.request.solver or context.settings.planner,
                "booked": len(booked),
                "kept": len(kept),
                "cancelled": cancelled,
                **plan_figures(decision, ahead),
            },
        )
        held = {b.candidate.candidate_id: b.booking_id for b in self.problem.locked()}
        passes = plan_passes(self.problem, decision, ahead, too_early, {**held, **booked})
        plans.add(self.tx, command, record, passes)
        return {
            "plan": plan_id,
            "objective": decision.objective.value,
            "solver": decision.solver.value,
            "bookings": [str(booking_id) for booking_id in booked.values()],
            "kept": sorted(str(booking_id) for booking_id in kept.values()),
            "cancelled": cancelled,
            "passes": _count(context, ahead, dark_only=False),
            "dark": _count(context, ahead, dark_only=True),
            "booked": self._newly_booked(kept),
            "unplanned": ahead.unplanned,
            "epochs": ahead.epochs,
        }

    def _plan_id(self) -> str:
        """The window's name; a plan that somebody asked for adds a part of its request's hash."""
        base = f"{self.request.start:%Y%m%dT%H%M%SZ}-{self.request.end:%Y%m%dT%H%M%SZ}"
        if self.request.request_id is None:
            return base
        return f"{base}.{hashlib.sha256(self.request.request_id.encode()).hexdigest()[:8]}"

    def _settle_standing(self) -> tuple[dict[str, UUID], list[str]]:
        """Cancel the movable bookings that the plan gives up; map what is chosen to the rest."""
        kept: dict[str, UUID] = {}
        cancelled: list[str] = []
        for booking in self.problem.movable():
            same = _same(booking.candidate, self.decision.chosen)
            if same is not None:
                kept[same.candidate_id] = booking.booking_id
                if same.elements_epoch > booking.candidate.elements_epoch:
                    self._point_anew(booking, same)
                continue
            dropped = self.decision.dropped.get(str(booking.booking_id))
            reason = dropped or "replaced by another part of its pass, or by newer elements"
            move_booking(
                self.tx,
                booking.booking_id,
                expected=booking.state,
                to=BookingState.CANCELLED,
                reason=f"given up by a new plan: {reason}",
                at=self.at,
            )
            cancelled.append(str(booking.booking_id))
        return kept, cancelled

    def _point_anew(self, booking: Booking, same: Candidate) -> None:
        """Let a booking that is kept have the times of a newer element set."""
        move_booking(
            self.tx,
            booking.booking_id,
            expected=booking.state,
            to=booking.state,
            reason=f"kept, by the element set of {instant_key(same.elements_epoch)}",
            at=self.at,
            candidate=same,
        )

    def _book(self, candidate: Candidate, plan_id: str) -> UUID:
        entropy = self.context.entropy
        booking_id, turn = entropy.uuid("booking", candidate.candidate_id), 1
        while booking_id in self.standing.taken:
            turn += 1
            booking_id = entropy.uuid("booking", candidate.candidate_id, turn)
        add_booking(
            self.tx,
            Booking(
                booking_id=booking_id,
                candidate=candidate,
                state=BookingState.BOOKED,
                reason=self.decision.booked_because[candidate.candidate_id],
                booked_at=self.at,
                changed_at=self.at,
                plan_id=plan_id,
            ),
        )
        return booking_id

    def _newly_booked(self, kept: dict[str, UUID]) -> dict[str, int]:
        counted = {station.station_id: 0 for station in self.context.scenario.stations}
        for candidate in self.decision.chosen:
            counted[candidate.station_id] += int(candidate.candidate_id not in kept)
        return counted


def _same(candidate: Candidate, chosen: Sequence[Candidate]) -> Candidate | None:
    """The chosen session that is this very one, moments apart at most."""
    for other in chosen:
        if other.candidate_id == candidate.candidate_id:
            return other
        if (other.satellite_id, other.station_id) == (candidate.satellite_id, candidate.station_id):
            shifts = (
                abs((other.acquires_at - candidate.acquires_at).total_seconds()),
                abs((other.loses_at - candidate.loses_at).total_seconds()),
            )
            if max(shifts) <= SHIFT_S_MAX:
                return other
    return None


def _count(context: Context, ahead: PlanOutlook, *, dark_only: bool) -> dict[str, int]:
    counted = {station.station_id: 0 for station in context.scenario.stations}
    for item in ahead.forecasts:
        counted[item.row.station] += int(item.row.dark or not dark_only)
    return counted
