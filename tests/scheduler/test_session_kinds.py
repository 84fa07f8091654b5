"""Uplink, dual downlink and commissioning, from the scenario to the ledger."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scheduler import services
from scheduler.domain import Provenance, ReplaySummary
from scheduler.errors import ScenarioError
from scheduler.ledger.books.bookings import get_bookings
from scheduler.ledger.keys.blocks import get_blocks
from scheduler.merge import CompromiseStructure
from scheduler.network import LinkKind, SessionKind, parse_scenario, pool_of
from scheduler.replay import run_replay
from scheduler.services.context import Context
from scheduler.settings import Settings

SettingsOf = Callable[..., Settings]

START = datetime(2016, 12, 19, tzinfo=UTC)
PAIR = "delingha+nanshan"
POOL = "link:delingha--nanshan"

#: Micius over the two stations of 2020; brighter and narrower, so that one pass gives key.
SCENARIO = """
name = "kinds"
title = "Kinds of session"

[planning]
setup_s = 30.0
slew_s = 60.0
min_secret_bits = 100
weather = "none"

[[transmitters]]
id = "source"
like = "{like}"
source = "assumed"
{numbers}

[[satellites]]
id = "micius"
name = "Micius"
norad_id = 41731
preset = "source"
source = "synthetic"
{satellite}

[[stations]]
id = "delingha"
name = "Delingha"
lat_deg = 37.3790083
lon_deg = 97.7269472
height_m = 3153.0
mask_deg = 10.0

[[stations]]
id = "nanshan"
name = "Nanshan"
lat_deg = 43.4754611
lon_deg = 87.1766861
height_m = 2028.0
mask_deg = 10.0

{more}

[[demands]]
from = "delingha"
to = "nanshan"
bits_per_day = 1000
"""


def dual(**given: str) -> str:
    """Return a scenario of dual downlinks with some of its parts replaced."""
    parts = {
        "like": "micius-entangled-2020",
        "numbers": "pair_rate_hz = 2.0e7\nbeam_full_angle_urad = 5.0",
        "satellite": "",
        "more": "",
    }
    return SCENARIO.format(**{**parts, **given})


POOLED = f"""
[[downlinks]]
satellite = "micius"
station = "{PAIR}"
blocks = "pooled"
target_sifted_bits = 20000
"""
UPLINK = {"like": "qeyssat-like", "numbers": ""}


def _file(folder: Path, text: str) -> Path:
    file = folder / "kinds.toml"
    file.write_text(text, encoding="utf-8")
    return file


def _replay(folder: Path, text: str, days: float) -> tuple[Settings, ReplaySummary]:
    settings = Settings(
        database_url=f"sqlite:///{folder / 'kinds.db'}", scenario=str(_file(folder, text))
    )
    return settings, run_replay(settings, start=START, end=START + timedelta(days=days), seed=1)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, ReplaySummary]:
    """Three days of dual downlinks."""
    return _replay(tmp_path_factory.mktemp("dual"), dual(), 3.0)


def test_a_dual_downlink_gives_two_stations_key_of_their_own(
    replayed: tuple[Settings, ReplaySummary],
) -> None:
    settings, summary = replayed
    by_station = {tally.station: tally for tally in summary.stations}

    # Both stations at once, every time.
    assert by_station["delingha"].booked == by_station["nanshan"].booked > 0
    assert by_station["delingha"].secret_bits == by_station["nanshan"].secret_bits > 0
    assert summary.ledger_problems == ()
    with Context(settings) as context, context.view.read() as reader:
        booked = get_bookings(reader)
        assert {one.candidate.station_id for one in booked} == {PAIR}
        blocks = get_blocks(reader, POOL)
        assert blocks
        assert all(block.natural_key.startswith(f"session/micius/{PAIR}/") for block in blocks)


def test_the_satellite_is_in_no_compromise_set(replayed: tuple[Settings, ReplaySummary]) -> None:
    settings, summary = replayed
    (pair,) = summary.pairs
    assert (pair.node_a, pair.node_b) == ("delingha", "nanshan")
    assert pair.merged_bits > 0
    with Context(settings) as context, context.view.read() as reader:
        merged = get_blocks(reader, "pair:delingha--nanshan")
        assert merged
        for block in merged:
            made = CompromiseStructure.of(Provenance.from_dict(block.provenance))
            assert made.minimal_sets() == ()
        assert context.scenario.link(POOL).kind is LinkKind.ENTANGLED


def test_nothing_waits_for_an_announcement(replayed: tuple[Settings, ReplaySummary]) -> None:
    settings, _ = replayed
    with Context(settings) as context:
        assert services.waiting_key(context) == []


def test_both_are_dark_and_above_their_masks_while_it_runs(
    replayed: tuple[Settings, ReplaySummary],
) -> None:
    settings, _ = replayed
    with Context(settings) as context:
        with context.view.read() as reader:
            one = get_bookings(reader)[0].candidate
        rows = services.upcoming_passes(
            context,
            satellite="micius",
            start=one.acquires_at - timedelta(minutes=15),
            end=one.loses_at + timedelta(minutes=15),
            as_known_at=START,
            forecast=True,
        ).rows
        assert {row.station for row in rows} == {"delingha", "nanshan"}
        for row in rows:
            assert row.acquires_at is not None
            assert row.loses_at is not None
            slack = timedelta(seconds=2)  # elements of another day
            assert row.acquires_at <= one.acquires_at + slack
            assert one.loses_at <= row.loses_at + slack
            assert "second station at the same time" in str(row.why_not)


def test_dual_downlinks_are_pooled_into_blocks(tmp_path: Path) -> None:
    settings, summary = _replay(tmp_path, dual(more=POOLED), 3.0)

    assert summary.ledger_problems == ()
    with Context(settings) as context, context.view.read() as reader:
        keys = [block.natural_key for block in get_blocks(reader, POOL)]
        assert any(key.startswith(f"pooled/micius/{PAIR}/") for key in keys)


def test_an_uplink_is_booked_in_eclipse_alone(tmp_path: Path) -> None:
    settings, summary = _replay(tmp_path, dual(**UPLINK), 2.0)

    assert summary.ledger_problems == ()
    assert sum(tally.secret_bits for tally in summary.stations) > 0
    with Context(settings) as context:
        with context.view.read() as reader:
            booked = get_bookings(reader)
        assert {one.candidate.station_id for one in booked} <= {"delingha", "nanshan"}
        for one in booked:
            seen = services.station_track(
                context,
                "micius",
                one.candidate.station_id,
                one.candidate.acquires_at + timedelta(seconds=3),
                one.candidate.loses_at - timedelta(seconds=3),
                10.0,
            )
            assert not seen.satellite_sunlit.any()


COMMISSIONING = """
[[downlinks]]
satellite = "micius"
station = "delingha"
session = "commissioning"
"""


def test_a_commissioning_pass_is_booked_by_hand_and_gives_no_key(tmp_path: Path) -> None:
    text = dual(like="micius-2016", numbers="", more=COMMISSIONING)
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'kinds.db'}", scenario=str(_file(tmp_path, text))
    )
    end = START + timedelta(days=1)
    with Context(settings) as context:
        rows = services.upcoming_passes(
            context, satellite="micius", stations=["delingha"], start=START, end=end,
            as_known_at=START, forecast=True, dark_only=True,
        ).rows  # fmt: skip
        assert {row.why_not for row in rows} == {"a commissioning pass: it gives no key"}
        assert {row.secret_bits for row in rows} == {0}
        name = f"micius/delingha/{rows[0].culminates_at.isoformat()}"
        night: dict[str, Any] = {"start": START, "end": end, "at": START}
        services.plan_by_hand(context, **night)
        with context.view.read() as reader:
            assert {one.candidate.station_id for one in get_bookings(reader)} == {"nanshan"}
        assert "booked by hand alone" in services.explain_pass(context, name)

        services.plan_by_hand(context, **night, pins=[name], request_id="by-hand")
        with context.view.read() as reader:
            mine = [
                one for one in get_bookings(reader) if one.candidate.station_id == "delingha"
                and one.state == "booked"
            ]  # fmt: skip
        assert [one.candidate.secret_bits for one in mine] == [0.0]


#: A table of what a scenario says wrongly of its sessions, and what is told.
WRONG = [
    ({"satellite": 'session = "uplink"'}, "session uplink with the preset micius-entangled-2020"),
    ({"satellite": 'session = "teleport"'}, "'teleport'"),
    ({"more": POOLED.replace(PAIR, "nanshan+delingha")}, "no dual downlink goes there"),
    ({"more": POOLED.replace(PAIR, "delingha+york")}, "names station 'york'"),
    ({"like": "micius-2016", "numbers": "", "more": POOLED}, "no dual downlink goes there"),
]


@pytest.mark.parametrize(("given", "told"), WRONG)
def test_contradictions_of_sessions_are_told(given: dict[str, str], told: str) -> None:
    with pytest.raises(ScenarioError, match=told):
        parse_scenario(dual(**given))


def test_pairs_have_a_pool_beside_their_fibre() -> None:
    fibre = """
[[links]]
from = "delingha"
to = "nanshan"
kind = "fibre"
length_km = 50.0
preset = "trunk-span"
synthetic = true
"""
    scenario = parse_scenario(dual(more=fibre))

    assert pool_of(scenario, "micius", PAIR).pool_id == f"{POOL}#2"
    kinds = {link.pool.pool_id: link.kind for link in scenario.links}
    assert kinds == {POOL: LinkKind.FIBRE, f"{POOL}#2": LinkKind.ENTANGLED}
    assert scenario.satellite("micius").session_over("nanshan") is SessionKind.DUAL_DOWNLINK


def test_pairs_show_the_key_of_a_shared_window(replayed: tuple[Settings, ReplaySummary]) -> None:
    settings, _ = replayed
    with Context(settings) as context:
        answer = services.station_pairs(
            context, satellite="micius", first="nanshan", second="delingha", start=START,
            end=START + timedelta(days=1), simultaneous=True, as_known_at=START,
        )  # fmt: skip
        with context.view.read() as reader:
            booked = {one.candidate.acquires_at: one.candidate for one in get_bookings(reader)}

    gives = [row for row in answer.rows if row.secret_bits]
    assert gives
    for row in gives:
        assert row.first.dark
        assert row.second.dark
    first = min(booked)
    assert any(abs(row.first.begins_at - first) < timedelta(minutes=2) for row in gives)
