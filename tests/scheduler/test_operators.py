"""Several operators on one station: owners, shares, quiet hours, and whose sessions whose are."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scheduler import services
from scheduler.domain import Candidate
from scheduler.errors import NotAllowed, ScenarioError
from scheduler.ledger.books.bookings import get_bookings
from scheduler.network import QuietHours, Scenario, parse_scenario
from scheduler.services.context import Context
from scheduler.settings import Settings
from tests.scheduler.test_session_kinds import START, dual

SettingsOf = Callable[..., Settings]

END = START + timedelta(days=1)
NIGHT: dict[str, Any] = {"start": START, "end": END, "at": START}
OPERATORS = """
[[operators]]
id = "ours"
name = "Ours"
satellites = ["micius"]
tokens = ["alice"]

[[operators]]
id = "theirs"
name = "Theirs"
tokens = ["bob"]
"""
SHARE = """
[[shares]]
station = "delingha"
operator = "ours"
sessions_per_day = 1
"""


def text(*, more: str = "", station: str = "", operators: str = OPERATORS) -> str:
    """A scenario of downlinks; `station` are keys of Delingha's table."""
    written = dual(like="micius-2016", numbers="", more=operators + more)
    return written.replace('name = "Delingha"', f'name = "Delingha"\n{station}')


def booked(folder: Path, scenario: str) -> dict[str, int]:
    """Sessions of one night, by station."""
    file = folder / "operators.toml"
    file.write_text(scenario, encoding="utf-8")
    settings = Settings(database_url=f"sqlite:///{folder / 'o.db'}", scenario=str(file))
    with Context(settings) as context:
        services.plan_by_hand(context, **NIGHT)
        with context.view.read() as reader:
            stations = [one.candidate.station_id for one in get_bookings(reader)]
    return {name: stations.count(name) for name in ("delingha", "nanshan")}


@pytest.mark.parametrize(
    ("station", "more", "allowed"),
    [
        ("", "", {1, 2, 3}),
        ('owner = "ours"', "", {1, 2, 3}),
        ('owner = "theirs"', "", {0}),
        ('owner = "theirs"', SHARE, {1}),
        ('quiet_hours = ["12:00-12:00"]', "", None),
        ('quiet_hours = ["16:00-23:00"]', "", {0}),
    ],
)
def test_owners_shares_and_quiet_hours_limit_the_plan(
    station: str, more: str, allowed: set[int] | None, tmp_path: Path
) -> None:
    if allowed is None:
        with pytest.raises(ScenarioError, match=r"quiet_hours '12:00-12:00'; allowed: HH:MM-HH:MM"):
            parse_scenario(text(station=station, more=more))
        return
    counted = booked(tmp_path, text(station=station, more=more))
    assert counted["delingha"] in allowed
    assert counted["nanshan"] > 0


@pytest.mark.parametrize(
    ("hours", "start", "minutes", "meets"),
    [
        ("22:00-05:30", "2026-01-01T21:00", 59, False),
        ("22:00-05:30", "2026-01-01T21:00", 61, True),
        ("22:00-05:30", "2026-01-01T05:29", 5, True),
        ("22:00-05:30", "2026-01-01T05:30", 60, False),
        ("22:00-05:30", "2026-01-01T23:59", 2, True),
        ("01:00-02:00", "2026-01-01T23:00", 180, True),
    ],
)
def test_quiet_hours_go_over_midnight(hours: str, start: str, minutes: int, meets: bool) -> None:
    begins = datetime.fromisoformat(start).replace(tzinfo=UTC)
    quiet = QuietHours.parse(hours)

    assert quiet.meets(begins, begins + timedelta(minutes=minutes)) is meets
    assert str(quiet) == hours


@pytest.mark.parametrize(
    ("hours", "start", "minutes", "left"),
    [
        ("22:00-05:30", "2026-01-01T21:50", 20, [("21:50", "22:00")]),
        ("22:00-05:30", "2026-01-01T05:20", 20, [("05:30", "05:40")]),
        ("22:00-22:02", "2026-01-01T21:55", 10, [("21:55", "22:00"), ("22:02", "22:05")]),
        ("23:59-00:01", "2026-01-01T23:55", 10, [("23:55", "23:59"), ("00:01", "00:05")]),
        ("22:00-05:30", "2026-01-01T23:00", 60, []),
        ("22:00-05:30", "2026-01-01T12:00", 60, [("12:00", "13:00")]),
    ],
)
def test_what_lies_outside_of_quiet_hours(
    hours: str, start: str, minutes: int, left: list[tuple[str, str]]
) -> None:
    begins = datetime.fromisoformat(start).replace(tzinfo=UTC)

    found = QuietHours.parse(hours).outside(begins, begins + timedelta(minutes=minutes))

    assert [(f"{one:%H:%M}", f"{other:%H:%M}") for one, other in found] == left


def test_a_pass_that_meets_quiet_hours_is_cut_and_not_dropped(tmp_path: Path) -> None:
    def sessions(station: str) -> list[Candidate]:
        file = tmp_path / "operators.toml"
        file.write_text(text(station=station), encoding="utf-8")
        settings = Settings(
            database_url=f"sqlite:///{tmp_path / f'{len(station)}.db'}", scenario=str(file)
        )
        with Context(settings) as context:
            services.plan_by_hand(context, **NIGHT)
            with context.view.read() as reader:
                found = [one.candidate for one in get_bookings(reader)]
        return [one for one in found if one.station_id == "delingha"]

    whole = max(sessions(""), key=lambda one: one.duration_s)
    quiet = (whole.loses_at - timedelta(seconds=90)).replace(second=0, microsecond=0)
    ends = quiet + timedelta(hours=1)
    (cut,) = (
        one
        for one in sessions(f'quiet_hours = ["{quiet:%H:%M}-{ends:%H:%M}"]')
        if one.pass_id == whole.pass_id
    )

    assert (cut.acquires_at, cut.loses_at) == (whole.acquires_at, quiet)
    assert 0 < cut.secret_bits < whole.secret_bits


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (text(more=SHARE.replace('"ours"', '"nobody"')), "operators name operator 'nobody'"),
        (text(station='owner = "nobody"'), "operators name operator 'nobody'"),
        (text(operators=OPERATORS.replace("micius", "jinan")), "operators name satellite 'jinan'"),
        (text(operators=OPERATORS.replace("bob", "alice")), "token 'alice' is there twice"),
    ],
)
def test_strangers_are_told(written: str, told: str) -> None:
    with pytest.raises(ScenarioError, match=told):
        parse_scenario(written)


@pytest.fixture
def scenario() -> Scenario:
    return parse_scenario(text(station='owner = "theirs"', more=SHARE))


def test_an_operator_sees_its_satellites_and_its_stations(scenario: Scenario) -> None:
    sharing = scenario.sharing
    ours, theirs = sharing.of_token("alice"), sharing.of_token("bob")
    assert ours is not None
    assert theirs is not None

    assert sharing.may_see(ours, "micius", ["delingha"])
    assert sharing.may_see(theirs, "micius", ["delingha"])
    assert not sharing.may_see(theirs, "micius", ["nanshan"])
    assert sharing.may_book(ours, "micius")
    assert not sharing.may_book(theirs, "micius")
    assert sharing.of_token("carol") is None


def test_another_operators_session_is_not_locked_cancelled_or_pinned(tmp_path: Path) -> None:
    file = tmp_path / "operators.toml"
    file.write_text(text(station='owner = "theirs"', more=SHARE), encoding="utf-8")
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'o.db'}", scenario=str(file))
    with Context(settings) as context:
        services.plan_by_hand(context, **NIGHT)
        theirs = context.scenario.sharing.of_token("bob")
        assert theirs is not None
        seen = services.list_bookings(services.seen_by(context, theirs))
        assert {one.booking.candidate.station_id for one in seen} == {"delingha"}
        assert len(services.list_bookings(context)) > len(seen)
        mine = seen[0].booking
        told = "micius is of ours; allowed to theirs: sessions of none"
        with pytest.raises(NotAllowed, match=told):
            services.lock_booking(context, mine.booking_id, operator=theirs)
        with pytest.raises(NotAllowed, match=told):
            services.cancel_booking(context, mine.booking_id, reason="x", operator=theirs)
        with pytest.raises(NotAllowed, match=told):
            services.plan_by_hand(
                context, **NIGHT, pins=[mine.candidate.pass_id], operator=theirs, request_id="p"
            )
