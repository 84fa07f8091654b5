"""What is due comes in the order of time, on a grid that no restart moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from scheduler.agenda import Agenda, Due, Work, cadences_of
from scheduler.domain import REPEATING, Every, on_grid
from scheduler.network import Schedule

MIDNIGHT = datetime(2016, 12, 19, tzinfo=UTC)
DAY = timedelta(days=1)
HOURS = timedelta(hours=1)
SESSION = UUID(int=1)
SCENARIO = cadences_of(Schedule())
LIVE = (Work.ELEMENTS, Work.WEATHER, Work.VERIFY, Work.CHECKPOINT, Work.SEGMENT)


def everything(agenda: Agenda) -> list[Due]:
    found = []
    while agenda.next_at is not None:
        found.append(agenda.take())
    return found


def test_a_day_holds_whole_intervals_and_one_plan() -> None:
    found = everything(Agenda(SCENARIO, start=MIDNIGHT, end=MIDNIGHT + DAY))

    assert [due.work for due in found[:6]] == [
        Work.PLAN, Work.TRUNK, Work.CLOSE, Work.ANNOUNCE, Work.EXPIRE, Work.MERGE
    ]  # fmt: skip
    counted = {work: sum(due.work is work for due in found) for work in Work}
    assert counted == {
        Work.SETTLE: 0, Work.TRUNK: 4, Work.CLOSE: 4, Work.ANNOUNCE: 4, Work.EXPIRE: 4,
        Work.MERGE: 4, Work.PLAN: 1, Work.BEGIN: 0, **dict.fromkeys(LIVE, 0),
    }  # fmt: skip
    assert found[-1].at == MIDNIGHT + DAY


def test_at_one_instant_what_ends_comes_first_and_what_begins_last() -> None:
    end = MIDNIGHT + 2 * DAY
    agenda = Agenda({**dict.fromkeys(LIVE, Every(86_400)), **SCENARIO}, start=MIDNIGHT, end=end)
    noon = MIDNIGHT + DAY
    agenda.add_session(UUID(int=2), begins=noon, ends=noon + HOURS)
    agenda.add_session(UUID(int=3), begins=noon - HOURS, ends=noon)

    assert [due.work for due in everything(agenda) if due.at == noon] == list(Work)


@given(minutes=st.integers(0, 3 * 1440), step_s=st.sampled_from([600, 3600, 21_600, 86_400]))
def test_a_restart_finds_the_same_instants(minutes: int, step_s: int) -> None:
    schedule = Schedule(plan_interval_s=step_s, trunk_interval_s=step_s, merge_interval_s=step_s)
    end = MIDNIGHT + 4 * DAY
    restart = MIDNIGHT + timedelta(minutes=minutes)
    cadences = cadences_of(schedule)
    whole = {(d.at, d.work) for d in everything(Agenda(cadences, start=MIDNIGHT, end=end))}

    found = everything(Agenda(cadences, start=restart, end=end))

    again = {(due.at, due.work) for due in found if due.at > restart}
    assert again == {(at, work) for at, work in whole if at > restart}
    until = on_grid(restart, step_s) + timedelta(seconds=step_s)
    assert found[0] == Due(at=restart, work=Work.PLAN, since=restart, until=until)
    deposits = [due for due in found if due.work is Work.TRUNK]
    assert [due.since for due in deposits] == [restart, *(due.at for due in deposits[:-1])]


def test_who_comes_late_deposits_every_interval_but_merges_once() -> None:
    agenda = Agenda(SCENARIO, start=MIDNIGHT)
    agenda.add_session(SESSION, begins=MIDNIGHT + 2 * HOURS, ends=MIDNIGHT + 3 * HOURS)

    late, left_out = agenda.take_until(MIDNIGHT + DAY)

    counted = {work: sum(due.work is work for due in late) for work in Work}
    assert counted == {
        Work.SETTLE: 1, Work.TRUNK: 4, Work.CLOSE: 1, Work.ANNOUNCE: 1, Work.EXPIRE: 1,
        Work.MERGE: 1, Work.PLAN: 1, Work.BEGIN: 1, **dict.fromkeys(LIVE, 0),
    }  # fmt: skip
    assert [due.at for due in late] == sorted(due.at for due in late)
    assert agenda.next_at == MIDNIGHT + DAY + 6 * HOURS
    # What is left out can be told: three of four of each, and yesterday's plan.
    assert {due.work for due in left_out} == {
        Work.CLOSE, Work.ANNOUNCE, Work.EXPIRE, Work.MERGE, Work.PLAN
    }  # fmt: skip
    assert len(left_out) == 13


def test_what_is_put_back_comes_once_more_before_what_follows_it() -> None:
    agenda = Agenda(SCENARIO, start=MIDNIGHT)
    (plan,), _ = agenda.take_until(MIDNIGHT)
    agenda.put_back(plan)
    assert agenda.take_until(MIDNIGHT) == ([plan], [])
    agenda.put_back(plan, until=MIDNIGHT + HOURS)
    assert agenda.take_until(MIDNIGHT + HOURS / 2) == ([], [])
    assert agenda.take_until(MIDNIGHT + HOURS) == ([plan], [])


def test_a_merge_that_waits_to_be_tried_again_is_left_out_after_the_next() -> None:
    agenda = Agenda(SCENARIO, start=MIDNIGHT)
    first = [due for due in agenda.take_until(MIDNIGHT + 6 * HOURS)[0] if due.work is Work.MERGE]
    agenda.put_back(first[0], until=MIDNIGHT + 13 * HOURS)
    agenda.take_until(MIDNIGHT + 12 * HOURS)
    assert agenda.take_until(MIDNIGHT + 13 * HOURS) == ([], first)


def test_a_session_that_moved_is_on_the_agenda_at_its_new_instants_alone() -> None:
    agenda = Agenda(SCENARIO, start=MIDNIGHT, end=MIDNIGHT + DAY)
    agenda.add_session(SESSION, begins=MIDNIGHT + HOURS, ends=MIDNIGHT + 2 * HOURS)
    agenda.add_session(SESSION, begins=MIDNIGHT + 3 * HOURS, ends=MIDNIGHT + 4 * HOURS)

    found = [due for due in everything(agenda) if due.booking_id == SESSION]

    assert [due.at for due in found] == [MIDNIGHT + 3 * HOURS, MIDNIGHT + 4 * HOURS]


def test_a_session_is_on_the_agenda_once() -> None:
    agenda = Agenda(SCENARIO, start=MIDNIGHT, end=MIDNIGHT + DAY)
    for _ in range(2):
        agenda.add_session(SESSION, begins=MIDNIGHT + HOURS, ends=MIDNIGHT + 2 * HOURS)

    found = [due for due in everything(agenda) if due.booking_id == SESSION]

    assert [due.work for due in found] == [Work.BEGIN, Work.SETTLE]


def test_the_names_of_settings_are_those_of_the_work_that_repeats() -> None:
    assert set(REPEATING) == {str(work) for work in Work} - {"begin", "settle"}


def test_plans_that_roll_look_as_far_ahead_each_and_begin_with_the_running_interval() -> None:
    agenda = Agenda(SCENARIO, start=MIDNIGHT + 7 * HOURS, horizon=3 * DAY)
    plans = [due for due in (agenda.take() for _ in range(40)) if due.work is Work.PLAN]
    assert [due.at for due in plans[:2]] == [MIDNIGHT, MIDNIGHT + DAY]
    assert all(due.until - due.at == 3 * DAY for due in plans)
