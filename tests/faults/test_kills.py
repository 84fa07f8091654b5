"""Workers killed at random points lose nothing and deliver nothing twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.campaign import kill_workers
from tests.faults.history import Event, problems
from tests.scheduler.ledger.postgres import Postgres

KEY = os.urandom(32)


@pytest.mark.faults
def test_twenty_kills_on_sqlite_lose_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    report = kill_workers(url, KEY, tmp_path, kills=20, seed=1, store="SQLite")
    assert (report.lost, report.doubled, report.broken) == ([], [], [])
    assert report.kills == 20
    assert report.requests >= 6


@pytest.mark.faults
def test_kills_on_postgresql_lose_nothing(tmp_path: Path, postgres: Postgres) -> None:
    name = postgres.unused_name()
    url = postgres.create(name)
    report = kill_workers(url, KEY, tmp_path, kills=6, seed=2, store="PostgreSQL")
    assert (report.lost, report.doubled, report.broken) == ([], [], [])
    postgres.drop(name)


IMPOSSIBLE = [
    ([Event("ok", "r", "k"), Event("ok", "r", "k")], "answered afresh twice"),
    ([Event("ok", "r", "k", ["1"]), Event("ok", "s", "k", ["1"])], "left with r and with s"),
    (
        [
            Event("ok", "r", "k", ranges=[("b", 0, 9)]),
            Event("ok", "s", "k", ranges=[("b", 8, 16)]),
        ],
        "bits of b from 8",
    ),
    ([Event("replayed", "r", "k", ["1"])], "without an answer"),
]


@pytest.mark.parametrize(("events", "named"), IMPOSSIBLE)
def test_the_history_checker_sees_what_must_not_be(events: list[Event], named: str) -> None:
    (problem,) = problems(events)
    assert named in problem


def test_the_history_checker_lets_good_histories_pass() -> None:
    good = [
        Event("intent", "r", "k"),
        Event("ok", "r", "k", ["1"], [("b", 0, 8)]),
        Event("replayed", "r", "k"),
        Event("ok", "s", "k", ["2"], [("b", 8, 16), ("c", 0, 8)]),
    ]
    assert problems(good) == []
