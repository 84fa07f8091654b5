"""Bookings, jobs, plans, element sets, the run, and the export."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from scheduler.domain import BookingState, Directive, DirectiveKind, PassName
from scheduler.errors import BookingConflict, LedgerError, LedgerMismatch, UnknownName
from scheduler.ledger import ElementRow, Ledger, open_ledger
from scheduler.ledger.books import directives, outages, plans
from scheduler.ledger.books.bookings import (
    add_booking,
    find_booking,
    get_booking_events,
    get_bookings,
    move_booking,
)
from scheduler.ledger.books.elements import add_elements, get_elements
from scheduler.ledger.books.runs import bind_facts, get_run_facts
from tests.scheduler.ledger.builders import (
    NOON,
    booking,
    chain,
    decide,
    deposit,
    plan,
    plan_option,
    planned_pass,
    relay,
    spend,
    uuid_of,
)


def test_a_booking_comes_back_as_it_went_in(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        add_booking(tx, booking("one", 0, 272.25))
    with ledger.view.read() as reader:
        assert get_bookings(reader) == [booking("one", 0, 272.25)]
        (event,) = get_booking_events(reader, uuid_of("one"))
    assert (event.from_state, event.to_state) == (None, BookingState.BOOKED)


@pytest.mark.parametrize(
    ("start_s", "end_s", "satellite", "station", "taken"),
    [
        (200, 400, "micius", "xinglong", True),
        (200, 400, "micius", "nanshan", True),
        (200, 400, "jinan-1", "xinglong", True),
        (200, 400, "jinan-1", "nanshan", False),
        (300, 400, "micius", "xinglong", False),
        (-100, 0, "micius", "xinglong", False),
        (-100, 900, "micius", "delingha", True),
    ],
)
def test_one_satellite_and_one_station_at_a_time(
    ledger: Ledger, start_s: float, end_s: float, satellite: str, station: str, taken: bool
) -> None:
    other = booking("two", start_s, end_s, satellite=satellite, station=station)
    with ledger.begin() as tx:
        add_booking(tx, booking("one", 0, 300))
        if taken:
            with pytest.raises(BookingConflict, match=str(uuid_of("one"))):
                add_booking(tx, other)
        else:
            add_booking(tx, other)
    assert ledger.view.verify().ok


def test_a_cancelled_booking_frees_its_time(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        add_booking(tx, booking("one", 0, 300))
        move_booking(
            tx,
            uuid_of("one"),
            expected=BookingState.BOOKED,
            to=BookingState.CANCELLED,
            reason="cloud",
            at=NOON,
        )
        add_booking(tx, booking("two", 100, 200))
    with ledger.view.read() as reader:
        assert [b.state for b in get_bookings(reader)] == [
            BookingState.CANCELLED,
            BookingState.BOOKED,
        ]
        assert len(get_bookings(reader, state=BookingState.BOOKED)) == 1
        assert get_bookings(reader, since=NOON + timedelta(seconds=200)) == []
        assert len(get_bookings(reader, until=NOON + timedelta(seconds=100))) == 1
        assert [event.reason for event in get_booking_events(reader, uuid_of("one"))][-1] == "cloud"
    assert ledger.view.verify().ok


def test_a_booking_moves_only_from_where_it_is(ledger: Ledger) -> None:
    move = {"to": BookingState.SETTLED, "reason": "done", "at": NOON}
    with ledger.begin() as tx:
        add_booking(tx, booking("one", 0, 300))
        with pytest.raises(LedgerError, match="is booked, expected running"):
            move_booking(tx, uuid_of("one"), expected=BookingState.RUNNING, **move)
        with pytest.raises(UnknownName, match=str(uuid_of("two"))):
            move_booking(tx, uuid_of("two"), expected=BookingState.RUNNING, **move)
        with pytest.raises(BookingConflict, match="there already"):
            add_booking(tx, booking("one", 1000, 1300))


def _elements(sha256: str) -> ElementRow:
    return ElementRow(
        norad_id=41731,
        name="micius",
        epoch=NOON,
        text="1 41731U\n2 41731",
        sha256=sha256,
        source="archive",
    )


def test_an_element_set_is_kept_once(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        assert add_elements(tx, [_elements("aa"), _elements("aa"), _elements("bb")]) == 2
        assert add_elements(tx, [_elements("bb")]) == 0
    with ledger.view.read() as reader:
        assert get_elements(reader) == [_elements("aa"), _elements("bb")]


def test_a_plan_is_recorded_with_its_proof(ledger: Ledger) -> None:
    passes = [
        planned_pass("xinglong", 0, plan_option("whole"), plan_option("one", uuid_of("one"))),
        planned_pass("nanshan", 30),
    ]
    with ledger.begin() as tx:
        add_booking(tx, booking("one", 0, 300))
        handle = tx.command("plan", kind="plan", at=NOON, digest="")
        plans.add(tx, handle, plan("plan-1", left_out=3), passes)
        with pytest.raises(LedgerError, match="plan-1"):
            plans.add(tx, handle, plan("plan-1"), [])
        handle.finish({})
    with ledger.view.read() as reader:
        found = plans.by_name(reader.connection, "plan-1")
        assert found == replace(plan("plan-1", left_out=3), command_id=handle.command_id)
        assert plans.passes_of(reader.connection, found) == passes
        assert plans.passes_of(reader.connection, found, station_id="nanshan") == passes[1:]
        assert plans.bookings_of(reader.connection, found) == {uuid_of("one")}
        assert plans.by_name(reader.connection, "plan-2") is None


def test_of_several_plans_the_one_made_last_counts(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        for name, hours in (("early", 0), ("late", 48), ("again", 0), ("other", 96)):
            handle = tx.command(name, kind="plan", at=NOON, digest="")
            plans.add(tx, handle, plan(name, start=NOON + timedelta(hours=hours)), [])
            handle.finish({})
    with ledger.view.read() as reader:
        listed = [found.plan_id for found in plans.newest(reader.connection, 3)]
        assert listed == ["again", "late", "other"]
        for hours, name in ((None, "other"), (1, "again"), (50, "late"), (30, None)):
            at = None if hours is None else NOON + timedelta(hours=hours)
            found = plans.last_made(reader.connection, at=at)
            assert (found and found.plan_id) == name


def test_a_lock_is_what_was_decided_last(ledger: Ledger) -> None:
    one = booking("one", 0, 300)
    with ledger.begin() as tx:
        add_booking(tx, one)
    for name, kind in (("a", DirectiveKind.LOCK), ("b", DirectiveKind.NONE)):
        with ledger.begin() as tx:
            handle = tx.command(name, kind="lock", at=NOON, digest="")
            subject = PassName.of(one.candidate)
            directive = Directive(kind=kind, subject=subject, booking_id=one.booking_id)
            directives.add(tx, handle, [directive])
            handle.finish({})
            assert find_booking(tx, one.booking_id).locked is (kind is DirectiveKind.LOCK)
            until = one.candidate.loses_at
            assert directives.of_passes(tx.connection, since=NOON, until=until) == []
    with ledger.view.read() as reader:
        assert [found.locked for found in get_bookings(reader)] == [False]
        assert directives.count_of(reader.connection, one.booking_id) == 2


def test_an_outage_is_lifted_once(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        add_booking(tx, booking("one", 0, 300))
        decide(tx, "wash", booking_id=uuid_of("one"), lifted=False)
    with ledger.begin() as tx:
        (outage,) = outages.standing(tx.connection, since=NOON, until=NOON + timedelta(minutes=1))
        assert outages.standing(tx.connection, since=outage.ends_at) == []
        assert outages.standing(tx.connection, until=NOON) == []
        assert outages.count_alike(tx.connection, outage) == (1, outage.outage_id)
        handle = tx.command("lift", kind="outage-lifted", at=NOON, digest="")
        assert outages.lift(tx, handle, outage.outage_id) == outage
        with pytest.raises(LedgerError, match="lifted before"):
            outages.lift(tx, handle, outage.outage_id)
        with pytest.raises(UnknownName, match="no such"):
            outages.lift(tx, handle, "no such")
        handle.finish({})
    with ledger.view.read() as reader:
        assert outages.standing(reader.connection) == []
        assert outages.count_alike(reader.connection, outage) == (1, None)


def test_a_database_belongs_to_one_run(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        bind_facts(tx, {"scenario": "micius-2016", "seed": 1})
        bind_facts(tx, {"seed": 1, "scenario": "micius-2016"})
        with pytest.raises(LedgerMismatch, match="seed 1, asked for was 2"):
            bind_facts(tx, {"scenario": "micius-2016", "seed": 2})
        with pytest.raises(LedgerMismatch, match="rate None, asked for was 60"):
            bind_facts(tx, {"scenario": "micius-2016", "seed": 1, "rate": 60})
    with ledger.view.read() as reader:
        assert get_run_facts(reader) == {"scenario": "micius-2016", "seed": 1}


def _fill(url: str, name: str = "seed-1") -> list[str]:
    nodes = ["a", "b", "c"]
    with open_ledger(url) as ledger:
        with ledger.begin() as tx:
            bind_facts(tx, {"seed": name})
            add_booking(tx, booking("one", 0, 300))
            for link in chain(nodes):
                deposit(tx, f"{name}/{link.pool_id}", 10_003, pool=link)
        with ledger.begin() as tx:
            relay(tx, name, nodes, 2560)
        spend(ledger, "draw", 256, pool=chain(nodes)[0])
        return list(ledger.view.export_lines())


def test_the_same_run_exports_the_same_lines(tmp_path_factory: pytest.TempPathFactory) -> None:
    urls = [f"sqlite:///{tmp_path_factory.mktemp('run')}/ledger.db" for _ in range(3)]
    assert _fill(urls[0]) == _fill(urls[1])
    assert _fill(urls[2], "seed-2") != _fill(urls[0].replace("ledger.db", "again.db"))


def test_the_export_holds_no_key(url: str) -> None:
    from tests.scheduler.ledger.builders import bytes_of

    text = "\n".join(_fill(url))
    for pool in chain(["a", "b", "c"]):
        key = bytes_of(f"seed-1/{pool.pool_id}", 10_003)
        assert key[:8].hex() not in text
