"""What a plan says: reasons, explanations, timelines; and parts of passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings

from scheduler.domain import Candidate, Demand, LinkSupply, Outage, OutageKind, PathSet
from scheduler.errors import UnknownName
from scheduler.plan import (
    BarKind,
    Part,
    PlanProblem,
    PlanRules,
    explain,
    make_plan,
    part_of,
    timeline,
    with_parts,
)
from tests.scheduler.plan.small import START, booking, candidate, problems

ONE = candidate(bits=80_000, clear=0.5)
RIVAL = candidate(station="nanshan", start_s=100, bits=30_000, clear=0.9)


def test_every_pass_is_explained_in_one_sentence_with_its_numbers() -> None:
    problem = PlanProblem(candidates=(ONE, RIVAL))
    decision = make_plan(problem)

    assert explain(problem, decision, ONE.candidate_id) == (
        f"{ONE.candidate_id}: booked: chosen over 1 that clash with it; 40,000 bits expected"
        " (80,000 by 0.50 clear sky)."
    )
    assert explain(problem, decision, RIVAL.candidate_id) == (
        f"{RIVAL.candidate_id}: not booked: micius is with xinglong 2016-12-19T16:00:00Z to"
        " 16:05:00Z (40,000 bits expected), against 27,000 here."
    )


def test_an_energy_limit_is_explained_by_the_sessions_that_fill_it() -> None:
    problem = PlanProblem(
        candidates=(ONE, candidate(start_s=9000, bits=10_000)),
        rules=PlanRules(max_sessions_per_day=1),
    )
    decision = make_plan(problem)

    assert decision.left_out[problem.candidates[1].candidate_id] == (
        "micius 2016-12-19 has its 1 sessions with at least 40,000 bits each, against 10,000 here"
    )


def test_the_price_of_a_link_is_part_of_the_explanation() -> None:
    problem = PlanProblem(
        candidates=(ONE, RIVAL),
        demands=(Demand(demand_id="d", node_a="nanshan", node_b="hub", bits_per_day=90_000),),
        path_sets=(
            PathSet(demand_id="d", uses=(("link:hub--micius", 1), ("link:micius--nanshan", 1))),
        ),
        supplies=(LinkSupply(pool_id="link:hub--micius", stock_bits=10**6),),
    )
    decision = make_plan(problem, objective="demand")

    assert decision.chosen == (RIVAL,)
    assert explain(problem, decision, RIVAL.pass_id).endswith(
        "; one more bit on link:micius--nanshan is worth 1 of demand served."
    )


def test_locked_and_given_up_bookings_are_explained_by_either_name() -> None:
    late = candidate(start_s=5000, bits=10)
    better = candidate(station="nanshan", start_s=5100, bits=1000)
    held, moved = booking(ONE, locked=True), booking(late)
    problem = PlanProblem(candidates=(late, better), bookings=(held, moved), now=START)
    decision = make_plan(problem)

    assert explain(problem, decision, str(held.booking_id)).endswith(
        "locked, so no plan moves it (asked for by the operator)."
    )
    assert "given up: micius is with nanshan" in explain(problem, decision, str(moved.booking_id))


def test_an_unknown_pass_is_not_explained_away() -> None:
    problem = PlanProblem(candidates=(ONE,))
    with pytest.raises(UnknownName, match="'moon' is none of the 1 candidates"):
        explain(problem, make_plan(problem), "moon")


@settings(max_examples=50, deadline=None)
@given(problem=problems())
def test_any_pass_of_any_plan_has_its_sentence(problem: PlanProblem) -> None:
    decision = make_plan(problem, solver="greedy")
    for each in problem.candidates:
        for name in (each.candidate_id, each.pass_id):
            sentence = explain(problem, decision, name)
            assert sentence.startswith(f"{name}: ")
            assert sentence.endswith(".")
            assert "booked:" in sentence


def test_a_timeline_has_a_bar_for_everything() -> None:
    problem = PlanProblem(
        candidates=(ONE, RIVAL),
        bookings=(booking(candidate("other", "graz", 9000), locked=True),),
        outages=(
            Outage(
                kind=OutageKind.STATION,
                name="delingha",
                starts_at=START,
                ends_at=START + timedelta(hours=1),
                reason="snow",
            ),
        ),
    )

    bars = timeline(problem, make_plan(problem))

    assert [(bar.row, bar.kind, bar.label) for bar in bars] == [
        ("delingha", BarKind.OUTAGE, "snow"),
        ("graz", BarKind.LOCKED, "other"),
        ("nanshan", BarKind.LEFT_OUT, "micius"),
        ("xinglong", BarKind.BOOKED, "micius"),
    ]


def in_proportion(asked: Sequence[Part]) -> Iterator[Candidate]:
    """Parts with their share of the pass's key."""
    for whole, acquires_at, loses_at in asked:
        share = (loses_at - acquires_at).total_seconds() / whole.duration_s
        yield part_of(
            whole,
            acquires_at,
            loses_at,
            sifted_bits=whole.sifted_bits * share,
            secret_bits=whole.secret_bits * share,
            qber=whole.qber,
        )


def test_a_pass_is_trimmed_instead_of_dropped() -> None:
    first = candidate(start_s=0, length_s=400, bits=40_000)
    second = candidate(station="nanshan", start_s=200, length_s=400, bits=40_000)
    rules = PlanRules(setup_s=10, slew_s=10)
    options = with_parts((first, second), rules, in_proportion)

    whole = make_plan(PlanProblem(candidates=(first, second), rules=rules))
    trimmed = make_plan(PlanProblem(candidates=options, rules=rules))

    assert whole.value == 40_000
    # 400 s of one and what is left of the other after 20 s of setup and slew: 180 s.
    assert trimmed.value == pytest.approx(58_000)
    assert len({c.pass_id for c in trimmed.chosen}) == 2


def test_parts_keep_their_pass_and_have_names_of_their_own() -> None:
    first = replace(
        candidate(start_s=0, length_s=400), acquires_azimuth_deg=10.0, acquires_elevation_deg=10.0,
        loses_azimuth_deg=170.0, loses_elevation_deg=12.0,
    )  # fmt: skip
    second = candidate(station="nanshan", start_s=200, length_s=400)

    options = with_parts((first, second), PlanRules(setup_s=0, slew_s=20), in_proportion)

    names = [c.candidate_id for c in options]
    assert len(set(names)) == len(names)
    head = next(c for c in options if c.loses_at == START + timedelta(seconds=180))
    assert head.candidate_id == (
        "micius/xinglong/2016-12-19T16:00:00.000Z--2016-12-19T16:03:00.000Z"
    )
    assert head.pass_id == first.pass_id
    assert (head.acquires_azimuth_deg, head.loses_azimuth_deg) == (10.0, None)
    assert all(c.duration_s >= 60 for c in options)


def test_passes_that_do_not_clash_are_not_cut() -> None:
    apart = (candidate(start_s=0), candidate(start_s=390), candidate("other", "graz", 100))
    assert with_parts(apart, PlanRules(), in_proportion) == apart


def test_a_part_that_is_no_use_is_not_offered() -> None:
    clashing = (candidate(start_s=0), candidate(start_s=150))
    assert with_parts(clashing, PlanRules(), lambda asked: [None for _ in asked]) == clashing


def test_cuts_within_a_millisecond_make_one_part() -> None:
    whole = candidate(start_s=0, length_s=600)
    rivals = (
        candidate(station="nanshan", start_s=300),
        candidate(station="graz", start_s=300.0004),
    )

    options = with_parts((whole, *rivals), PlanRules(setup_s=0, slew_s=20), in_proportion)

    plan = make_plan(PlanProblem(candidates=options), objective="total")  # names are distinct
    head = [c for c in options if c.pass_id == whole.pass_id and c.acquires_at == START]
    before = START + timedelta(seconds=280)
    assert [c.loses_at for c in head if abs(c.loses_at - before) < timedelta(seconds=1)] == [before]
    assert plan.chosen
