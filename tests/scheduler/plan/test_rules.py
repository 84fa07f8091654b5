"""What no plan may break, and what is said when the rules contradict each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from scheduler.domain import Candidate, Outage, OutageKind
from scheduler.errors import FactError, PlanError
from scheduler.plan import PlanDecision, PlanProblem, PlanRules, faults, make_plan, validate
from tests.scheduler.plan.small import START, allowed, booking, candidate, examples, problems

SOLVERS = ("greedy", "lp", "milp")


def outage(kind: str, name: str, start_s: float, end_s: float, reason: str = "") -> Outage:
    return Outage(
        kind=OutageKind(kind),
        name=name,
        starts_at=START + timedelta(seconds=start_s),
        ends_at=START + timedelta(seconds=end_s),
        reason=reason,
    )


@settings(max_examples=examples(100), deadline=None)
@given(problem=problems(max_size=12))
def test_every_plan_is_allowed_by_the_words_of_the_rules(problem: PlanProblem) -> None:
    for objective in ("total", "max-min"):
        for solver in SOLVERS:
            decision = make_plan(problem, solver=solver, objective=objective)
            assert allowed(problem, decision.chosen)
            assert decision.fallback == ""
            left = {c.candidate_id for c in problem.candidates} - set(decision.booked_because)
            assert set(decision.left_out) == left


ONE = candidate()
TOO_LITTLE = [
    (PlanRules(min_duration_s=301), "lasts 300 s, the minimum is 301 s"),
    (PlanRules(min_elevation_deg=60), "rises to 50.0 deg, the minimum is 60 deg"),
    (PlanRules(min_clear_probability=0.6), "clear with probability 0.50, the minimum is 0.6"),
    (
        PlanRules(min_secret_bits=60_000),
        "expected to give 50,000 bits (100,000 by 0.50 clear sky), the minimum is 60,000",
    ),
]


@pytest.mark.parametrize(("rules", "reason"), TOO_LITTLE)
def test_a_pass_below_a_minimum_is_left_out_with_both_figures(
    rules: PlanRules, reason: str
) -> None:
    decision = make_plan(PlanProblem(candidates=(candidate(clear=0.5),), rules=rules))

    assert decision.chosen == ()
    assert reason in decision.left_out[ONE.candidate_id]
    assert "excludes all 1 candidates; the best of them has" in decision.notes[0]


def test_an_outage_takes_its_passes_and_gives_its_reason() -> None:
    late = candidate(start_s=6000)
    problem = PlanProblem(
        candidates=(ONE, late, candidate("other", "nanshan", 100)),
        outages=(
            outage("station", "xinglong", -100, 10, "mirror wash"),
            outage("satellite", "other", 399, 500),
            outage("station", "xinglong", 300, 6000),
        ),
    )

    decision = make_plan(problem)

    assert decision.chosen == (late,)
    assert decision.left_out[ONE.candidate_id] == (
        "station xinglong is out of service from 2016-12-19T15:58:20Z to 2016-12-19T16:00:10Z"
        " (mirror wash)"
    )


def test_overlapping_outages_are_both_kept_and_said() -> None:
    problem = PlanProblem(
        candidates=(ONE,),
        outages=(outage("station", "xinglong", -500, 100), outage("station", "xinglong", 0, 900)),
    )

    decision = make_plan(problem)

    assert decision.chosen == ()
    assert decision.notes[0].startswith("outages of station xinglong overlap: 2016-12-19 15:51:40Z")


def test_a_veto_is_obeyed_for_a_candidate_and_for_a_whole_pass() -> None:
    part = candidate(start_s=50, length_s=100, pass_id=ONE.candidate_id)
    for vetoed, left in ((part.candidate_id, (ONE,)), (ONE.pass_id, ())):
        decision = make_plan(PlanProblem(candidates=(ONE, part), vetoes=frozenset({vetoed})))
        assert decision.chosen == left
        assert decision.left_out[part.candidate_id] == "vetoed by hand"


def test_a_pin_wins_over_a_better_pass() -> None:
    poor = candidate(station="nanshan", start_s=100, bits=10)
    for solver in SOLVERS:
        decision = make_plan(
            PlanProblem(candidates=(ONE, poor), pins=frozenset({poor.candidate_id})), solver=solver
        )
        assert decision.chosen == (poor,)
        assert decision.booked_because[poor.candidate_id].startswith("pinned by hand")


def test_a_locked_booking_stays_and_is_not_booked_twice() -> None:
    rival = candidate(station="nanshan", start_s=100, bits=10**9)
    problem = PlanProblem(candidates=(ONE, rival), bookings=(booking(ONE, locked=True),))

    for solver in SOLVERS:
        decision = make_plan(problem, solver=solver)
        assert decision.chosen == ()
        assert decision.left_out[ONE.candidate_id] == "booked already and locked"
        assert "locked), against 1,000,000,000 here" in decision.left_out[rival.candidate_id]
        assert (decision.value, decision.gap) == (100_000.0, 0.0)


@pytest.mark.parametrize(
    ("state", "start_s", "stays"),
    [
        ("running", 0, True),
        ("preparing", 5000, True),
        ("booked", 899, True),
        ("booked", 901, False),
        ("cancelled", 0, False),
        ("settled", 0, False),
    ],
)
def test_what_runs_or_is_about_to_start_is_never_moved(
    state: str, start_s: float, stays: bool
) -> None:
    old = candidate(start_s=start_s)
    rival = candidate(station="nanshan", start_s=start_s + 100, bits=10**9)
    problem = PlanProblem(candidates=(old, rival), bookings=(booking(old, state),), now=START)

    decision = make_plan(problem)

    assert decision.chosen == (() if stays else (rival,))
    moved = state == "booked" and not stays
    assert list(decision.dropped) == ([str(booking(old).booking_id)] if moved else [])


def test_a_standing_booking_is_kept_unless_another_is_clearly_better() -> None:
    # New elements have moved AOS by two seconds since the booking was made.
    moved = candidate(start_s=5002, bits=100_000)
    for rival_bits, kept in ((149_000, True), (151_000, False)):
        rival = candidate(station="nanshan", start_s=5100, bits=rival_bits)
        problem = PlanProblem(
            candidates=(moved, rival), bookings=(booking(candidate(start_s=5000)),), now=START
        )
        decision = make_plan(problem)
        assert decision.chosen == ((moved,) if kept else (rival,))
        assert bool(decision.dropped) is not kept
        if kept:
            because = decision.booked_because[moved.candidate_id]
            assert because.startswith("booked already and kept")


def test_a_booking_whose_pass_is_gone_is_dropped_and_said() -> None:
    problem = PlanProblem(candidates=(), bookings=(booking(candidate(start_s=9000)),), now=START)
    (why,) = make_plan(problem).dropped.values()
    assert why == "its pass is no longer among the candidates"


def test_a_locked_booking_in_an_outage_stays_and_is_marked() -> None:
    problem = PlanProblem(
        candidates=(),
        bookings=(booking(ONE, locked=True),),
        outages=(outage("station", "xinglong", 0, 50),),
    )
    assert "stays, though station xinglong is out of service" in make_plan(problem).notes[0]


def test_locks_that_break_a_rule_without_clashing_are_noted() -> None:
    near = candidate(start_s=310)
    problem = PlanProblem(
        candidates=(), bookings=(booking(ONE, locked=True), booking(near, locked=True))
    )
    assert "are locked, though the rules allow 1" in make_plan(problem).notes[0]


CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    (
        {"bookings": (booking(ONE, locked=True), booking(candidate(start_s=200), "running"))},
        "xinglong/2016-12-19T16:00:00.* and micius/.*T16:03:20.* are both locked, but overlap",
    ),
    (
        {
            "pins": frozenset({ONE.candidate_id}),
            "bookings": (booking(candidate(start_s=200), locked=True),),
        },
        "are pinned or locked, but at most 1 fits",
    ),
    ({"pins": frozenset({"nobody"})}, "pinned nobody is none of the 1 candidates"),
    (
        {"pins": frozenset({ONE.candidate_id}), "vetoes": frozenset({ONE.candidate_id})},
        "is both pinned and vetoed",
    ),
    (
        {"pins": frozenset({ONE.candidate_id}), "rules": PlanRules(min_duration_s=1000)},
        "cannot be booked: lasts 300 s, the minimum is 1000 s",
    ),
    (
        {"pins": frozenset({ONE.candidate_id}), "rules": PlanRules(max_sessions_per_day=0)},
        "day micius 2016-12-19: .* are pinned or locked, but at most 0 fits",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "message"), CONTRADICTIONS)
def test_a_contradiction_is_refused_by_name(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        make_plan(PlanProblem(candidates=(ONE,), **parts))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("setup_s", -1.0), ("slew_s", float("nan")), ("min_secret_bits", -1.0),
        ("max_sessions_per_day", -1), ("orbit_s", 0.0), ("min_clear_probability", 1.1),
        ("risk_aversion", float("inf")), ("slew_rate_deg_s", {"x": 0.0}),
        ("station_slew_s", {"x": -2.0}), ("satellite_slew_s", {("a", "b"): -2.0}),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_is_refused_with_its_value(name: str, value: object) -> None:
    with pytest.raises(FactError, match=name):
        PlanRules(**{name: value})


def test_a_problem_that_names_a_thing_twice_is_refused() -> None:
    with pytest.raises(FactError, match="is listed twice"):
        PlanProblem(candidates=(ONE, ONE))
    with pytest.raises(FactError, match="station_weights of x: 0"):
        PlanProblem(candidates=(), station_weights={"x": 0.0})
    with pytest.raises(PlanError, match="solver 'best'; allowed: auto, greedy, lp, milp"):
        make_plan(PlanProblem(candidates=()), solver="best")
    with pytest.raises(PlanError, match="objective 'most'; allowed: demand, max-min, total"):
        make_plan(PlanProblem(candidates=()), objective="most")


def test_caution_prefers_the_sure_pass() -> None:
    sure = candidate(station="a", bits=50_000, clear=0.9)
    doubtful = candidate(station="b", start_s=100, bits=100_000, clear=0.5)
    problem = PlanProblem(candidates=(sure, doubtful))

    assert make_plan(problem).chosen == (doubtful,)
    careful = replace(problem, rules=PlanRules(risk_aversion=0.5))
    # 45,000 - 0.5 x 15,000 against 50,000 - 0.5 x 50,000.
    assert make_plan(careful).chosen == (sure,)
    assert make_plan(careful).value == pytest.approx(37_500)


def test_weights_favour_a_satellite() -> None:
    other = candidate("other", start_s=100, bits=60_000)
    problem = PlanProblem(candidates=(ONE, other), value_weights={"other": 2.0})
    assert make_plan(problem).chosen == (other,)
    assert make_plan(problem).expected_bits == 60_000


def good() -> tuple[PlanProblem, PlanDecision]:
    problem = PlanProblem(
        candidates=(
            ONE,
            candidate(start_s=400, bits=90_000),
            candidate(start_s=200, length_s=150, bits=50_000),
            candidate("other", "nanshan", 50, bits=10_000),
            candidate("other", "mate", 200, bits=9_000),
            candidate(start_s=9000, length_s=100, bits=500),
            candidate(start_s=9000, length_s=50, bits=600, pass_id="p", name="part"),
            candidate(start_s=9100, length_s=50, bits=400, pass_id="p", name="rest"),
            candidate("other", "nanshan", 20_000, clear=0.01, bits=300),
        ),
        rules=PlanRules(
            min_secret_bits=100, slew_s=30, max_sessions_per_day=4, max_sessions_per_orbit=2,
            mounts={"nanshan": "dome", "mate": "dome"},
        ),
        outages=(outage("station", "nowhere", 0, 1),),
    )  # fmt: skip
    return problem, make_plan(problem)


def swapped(decision: PlanDecision, chosen: tuple[Candidate, ...]) -> PlanDecision:
    """A decision that books something else and keeps its sums right."""
    total = sum(c.expected_bits for c in chosen)
    names = {c.candidate_id for c in chosen}
    every = {*decision.left_out, *decision.booked_because}
    return replace(
        decision,
        chosen=tuple(sorted(chosen, key=lambda c: c.acquires_at)),
        booked_because=dict.fromkeys(names, "so"),
        left_out=dict.fromkeys(every - names, "so"),
        expected_bits=total,
        value=total,
        bound=10 * total,
    )


PROBLEM, GOOD = good()
BY_INDEX = PROBLEM.candidates
BROKEN: list[tuple[str, PlanProblem, PlanDecision, str]] = [
    ("overlap", PROBLEM, swapped(GOOD, (BY_INDEX[0], BY_INDEX[2])), "micius: .* need 60 s"),
    ("no slew", PROBLEM, swapped(GOOD, (BY_INDEX[1], BY_INDEX[2])), "xinglong: .* need 60 s"),
    ("mount", PROBLEM, swapped(GOOD, (BY_INDEX[3], BY_INDEX[4])), "mount dome: .* need 60 s"),
    ("two parts", PROBLEM, swapped(GOOD, BY_INDEX[6:8]), "are parts of one pass"),
    ("too little", PROBLEM, swapped(GOOD, BY_INDEX[8:]), "has 3, min_secret_bits is 100"),
    (
        "energy a day",
        replace(PROBLEM, rules=replace(PROBLEM.rules, max_sessions_per_day=1)),
        swapped(GOOD, (BY_INDEX[0], BY_INDEX[6])),
        "micius has 2 sessions on 2016-12-19, allowed: 1",
    ),
    (
        "energy an orbit",
        replace(PROBLEM, rules=replace(PROBLEM.rules, max_sessions_per_orbit=1)),
        swapped(GOOD, (BY_INDEX[0], BY_INDEX[1])),
        "micius has 2 sessions in 5700 s, allowed: 1",
    ),
    (
        "outage",
        replace(PROBLEM, outages=(outage("satellite", "micius", 0, 9),)),
        swapped(GOOD, BY_INDEX[:1]),
        "lies in the outage of satellite micius",
    ),
    (
        "veto",
        replace(PROBLEM, vetoes=frozenset({ONE.candidate_id})),
        swapped(GOOD, BY_INDEX[:1]),
        "is vetoed",
    ),
    (
        "pin",
        replace(PROBLEM, pins=frozenset({"part"})),
        swapped(GOOD, BY_INDEX[:1]),
        "pinned part is not booked",
    ),
    (
        "lock",
        replace(PROBLEM, bookings=(booking(BY_INDEX[2], locked=True),)),
        swapped(GOOD, BY_INDEX[:1]),
        "need 60 s",
    ),
    (
        "booked again",
        replace(PROBLEM, bookings=(booking(ONE, locked=True),)),
        swapped(GOOD, BY_INDEX[:1]),
        "is booked already and locked",
    ),
    ("twice", PROBLEM, replace(GOOD, chosen=(ONE, ONE)), "is booked twice"),
    ("invented", PROBLEM, swapped(GOOD, (candidate(start_s=70_000),)), "is not a candidate"),
    (
        "altered",
        PROBLEM,
        swapped(GOOD, (replace(ONE, secret_bits=10**7),)),
        "is not a candidate",
    ),
    ("no reason", PROBLEM, replace(GOOD, left_out={}), "is left out without a reason"),
    ("no grounds", PROBLEM, replace(GOOD, booked_because={}), "is booked without a reason"),
    ("both", PROBLEM, replace(GOOD, left_out={**GOOD.left_out, ONE.candidate_id: "x"}), "both"),
    ("order", PROBLEM, replace(GOOD, chosen=GOOD.chosen[::-1]), "not in order of AOS"),
    ("sum", PROBLEM, replace(GOOD, expected_bits=1.0), "but its bookings add up to"),
    ("bound", PROBLEM, replace(GOOD, bound=1.0), "exceeds its bound"),
    ("not a number", PROBLEM, replace(GOOD, value=float("nan")), "must be finite"),
]  # fmt: skip


def test_the_plan_that_the_broken_ones_are_made_from_is_good() -> None:
    validate(PROBLEM, GOOD)
    assert faults(PROBLEM, GOOD) == ()


@pytest.mark.parametrize(
    ("problem", "decision", "fault"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_the_validator_rejects_every_broken_plan(
    problem: PlanProblem, decision: PlanDecision, fault: str
) -> None:
    with pytest.raises(PlanError, match=fault):
        validate(problem, decision)
