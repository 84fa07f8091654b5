"""Finite-key blocks that grow over passes: settled sifted, closed on expected counts, traced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

import qkd
from qkd.geometry import circular_pass
from scheduler import services
from scheduler.errors import ScenarioError
from scheduler.ledger.keys.blocks import get_blocks
from scheduler.ledger.keys.sessions import sifted_sessions
from scheduler.ledger.reader import get_commands
from scheduler.ledger.states import KeyState
from scheduler.network import parse_scenario
from scheduler.replay import run_replay
from scheduler.services.context import Context
from scheduler.services.keys import close_block
from scheduler.settings import Settings
from tests.scheduler.services.conftest import CAMPAIGN, Open
from tests.scheduler.services.nights import DELINGHA, MORNING, NIGHT, booked, export, run

LINK = ("micius", "delingha")
POOLED = """
[[downlinks]]
satellite = "micius"
station = "delingha"
blocks = "pooled"
target_sifted_bits = {target}
age_s_max = 864000.0
"""
PAID = qkd.satellite_preset("micius-2016-fitted").authentication


def scenario(target: float = 1e6) -> str:
    return CAMPAIGN + POOLED.format(target=target)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Context, int]]:
    folder = tmp_path_factory.mktemp("pooled")
    file = folder / "pooled.toml"
    file.write_text(scenario().replace('name = "micius-2016"', 'name = "pooled"'))
    settings = Settings(scenario=str(file), database_url=f"sqlite:///{folder / 'ledger.db'}")
    summary = run_replay(settings, start=NIGHT, end=NIGHT + timedelta(days=9), seed=1)
    assert summary.ledger_problems == ()
    # What is drawn over time adds up to what was made, blocks of several sessions included.
    gained = Counter[str]()
    for one in summary.gains:
        gained[one.station] += one.secret_bits
    assert gained == {one.station: one.secret_bits for one in summary.stations if one.settled}
    (mine,) = (one for one in summary.stations if one.station == "delingha")
    with Context(settings) as context:
        yield context, mine.secret_bits


def test_sessions_settle_sifted_and_a_block_deposits_their_secret_key(
    replayed: tuple[Context, int],
) -> None:
    context, secret_bits = replayed
    with context.view.read() as reader:
        closed = [one.answer for one in get_commands(reader, kind=close_block.KIND)]
        settled = [one.answer for one in get_commands(reader, kind="settle")]
        blocks = {str(one.block_id): one for one in get_blocks(reader, DELINGHA)}
    mine = [one for one in settled if one["station"] == "delingha"]
    assert len(closed) >= 2
    assert any(len(one["sessions"]) > 1 for one in closed)
    assert all(one["secret_bits"] == 0 and "block" not in one for one in mine)
    assert secret_bits == sum(one["secret_bits"] for one in closed) > 0
    for one in closed:
        block = blocks[one["block"]]
        assert block.length_bits == one["secret_bits"] + len(one["sessions"]) * PAID.bits
        assert block.eps_total == one["eps_total"] > 1e-9
        assert 0 < one["leak_bits"] < one["sifted_bits"]
    accounts = services.pool_balances(context)[DELINGHA]
    assert accounts["distilled"] == sum(one["sifted_bits"] for one in closed)


def test_a_blocks_key_is_traced_to_its_sessions(replayed: tuple[Context, int]) -> None:
    context, _ = replayed
    with context.view.read() as reader:
        closed = [one.answer for one in get_commands(reader, kind=close_block.KIND)]
    for one in closed:
        trace = services.trace_key(context, one["block"])
        assert len(trace.sources) == len(one["sessions"])
        assert all(source.natural_key.startswith("sifted/") for source in trace.sources)


def test_an_export_of_pooled_blocks_is_sound(replayed: tuple[Context, int]) -> None:
    context, _ = replayed
    assert (
        services.check_export(
            services.export_ledger(context), checkpoint=None, public_key=None
        ).problems
        == ()
    )


def test_a_crash_between_settling_and_closing_loses_nothing(
    open_context: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = open_context(text=scenario(target=1.0))
    for booking in booked(context):
        run(context, booking)
    with context.view.read() as reader:
        waiting = sifted_sessions(reader, LINK, at=MORNING)
    before = export(context)
    assert [one.length_bits > 0 for one in waiting] == [True]

    def dies(*_: object, **__: object) -> None:
        raise RuntimeError("the power is gone")

    with monkeypatch.context() as patched:
        patched.setattr(close_block, "take_sifted", _then(close_block.take_sifted, dies))
        with pytest.raises(RuntimeError, match="power"):
            services.close_blocks(context, at=MORNING)
    assert export(context) == before
    assert services.verify_ledger(context).problems == ()

    again = open_context(text=scenario(target=1.0))
    (closed,) = services.close_blocks(again, at=MORNING)
    assert closed["sessions"] == [str(waiting[0].booking_id)]
    assert services.close_blocks(again, at=MORNING) == []
    with again.view.read() as reader:
        assert sifted_sessions(reader, LINK, at=MORNING) == []
        states = {one.state for one in get_blocks(reader, DELINGHA) if "sifted" in one.natural_key}
    assert states == {KeyState.DESTROYED}
    assert services.verify_ledger(again).problems == ()


def _then(first: Callable[..., object], then: Callable[..., None]) -> Callable[..., object]:
    def both(*given: object) -> object:
        first(*given)
        return then()

    return both


@pytest.mark.parametrize(
    ("target", "hours", "reason"),
    [(1.0, 6, "target size reached"), (1e12, 6, None), (1e12, 24 * 11, "oldest pass too old")],
)
def test_a_block_closes_for_a_reason(
    open_context: Open, target: float, hours: int, reason: str | None
) -> None:
    context = open_context(text=scenario(target))
    for booking in booked(context):
        run(context, booking)
    found = services.close_blocks(context, at=NIGHT + timedelta(days=1, hours=hours))
    assert [one["reason"] for one in found] == ([reason] if reason else [])


def test_a_block_beyond_the_links_epsilon_stays_open(open_context: Open) -> None:
    text = scenario(1.0).replace("age_s_max = 864000.0", "epsilon_max = 1e-12")
    context = open_context(text=text)
    for booking in booked(context):
        run(context, booking)
    assert services.close_blocks(context, at=MORNING) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("target_sifted_bits = 1000000.0", ""), "pooled without target_sifted_bits"),
        (('"pooled"', '"per-pass"'), "allowed: with blocks = 'pooled' alone"),
        (('station = "delingha"', 'station = "nowhere"'), "names station 'nowhere'"),
        (('satellite = "micius"', 'satellite = "other"'), "names satellite 'other'"),
    ],
)
def test_a_policy_that_does_not_hold_together_is_refused(
    change: tuple[str, str], says: str
) -> None:
    with pytest.raises(ScenarioError, match=says):
        parse_scenario(CAMPAIGN + POOLED.format(target=1e6).replace(*change))


def passes_seen(max_elevation_deg: float) -> tuple[qkd.Counts, qkd.Preset]:
    preset = qkd.satellite_preset("portable-280mm")
    station = next(iter(preset.receivers))
    seen = circular_pass(altitude_km=500.0, max_elevation_deg=max_elevation_deg)
    counts, _ = qkd.pass_counts(seen, preset, station)
    return counts.total(), preset


# Without a sky the same ten passes gave 28,257 instead of 15,182 bits, and 4,369 instead of 0.
@pytest.mark.parametrize(
    ("max_elevation_deg", "apart_bits", "together_bits"), [(40.0, 13_906, 27_949), (25.0, 0, 4_159)]
)
def test_ten_pooled_passes_of_a_small_station_give_more_each(
    max_elevation_deg: float, apart_bits: int, together_bits: int
) -> None:
    one, preset = passes_seen(max_elevation_deg)
    how = {"bound": preset.bound, "leak": preset.leak}

    def bits(counts: qkd.Counts) -> int:
        keys = qkd.block_keys(counts, preset.protocol, preset.security, **how)
        return sum(int(key.length_bits) for key in keys)

    alone, pooled = bits(one), bits(one.scaled(10.0)) / 10.0
    worth = qkd.added_bits(one.scaled(0.0), one, preset.protocol, preset.security, passes=10, **how)
    assert worth == pytest.approx(pooled, abs=1.0)
    assert alone == apart_bits
    assert pooled == pytest.approx(together_bits, abs=1.0)
