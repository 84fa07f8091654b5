"""The main job, end to end: the same seed gives the same ledger, and nothing looks ahead."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from orbits import Elements, format_tle, read_elements
from scheduler import services
from scheduler.agenda import Due, Work
from scheduler.domain import ReplaySummary
from scheduler.errors import InputError, LedgerMismatch
from scheduler.ledger import KeyState
from scheduler.ledger.books.bookings import get_bookings
from scheduler.ledger.keys.blocks import get_entries
from scheduler.ledger.reader import get_commands
from scheduler.replay import run_replay
from scheduler.services.context import Context
from scheduler.services.work import Performed
from scheduler.settings import Settings

SettingsOf = Callable[..., Settings]

START = datetime(2016, 12, 19, tzinfo=UTC)
END = START + timedelta(days=4)


def _replay(settings: Settings, *, seed: int = 1, end: datetime = END) -> ReplaySummary:
    return run_replay(settings, start=START, end=end, seed=seed)


def _export(settings: Settings) -> list[str]:
    with Context(settings) as context:
        return list(services.export_ledger(context))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, ReplaySummary]:
    """Four days of the campaign, replayed once for the tests that only look."""
    file = tmp_path_factory.mktemp("replay") / "reference.db"
    settings = Settings(database_url=f"sqlite:///{file}")
    return settings, _replay(settings)


def test_a_replay_sees_books_settles_and_merges(
    reference: tuple[Settings, ReplaySummary],
) -> None:
    _, summary = reference
    by_station = {tally.station: tally for tally in summary.stations}

    assert set(by_station) == {"xinglong", "nanshan", "delingha"}
    for tally in summary.stations:
        assert tally.passes >= tally.dark >= tally.booked == tally.settled > 0
        assert 0 < tally.secret_bits < tally.sifted_bits
    assert {(pair.node_a, pair.node_b) for pair in summary.pairs} == {
        ("nanshan", "shanghai"),
        ("beijing", "nanshan"),
        ("beijing", "delingha"),
    }
    assert all(pair.merged_bits > 0 for pair in summary.pairs)
    assert summary.ledger_problems == ()
    assert not summary.continued


def test_the_books_close_for_every_pool(reference: tuple[Settings, ReplaySummary]) -> None:
    _, summary = reference

    for pool_id, accounts in summary.balances.items():
        assert sum(accounts.values()) == 0, pool_id
        assert all(bits >= 0 for kind, bits in accounts.items() if kind != "generated"), pool_id


def test_merged_key_cost_each_hop_what_it_gained(
    reference: tuple[Settings, ReplaySummary],
) -> None:
    _, summary = reference
    pairs = {f"{pair.node_a}--{pair.node_b}": pair.merged_bits for pair in summary.pairs}

    # Nothing but merges takes key from Xinglong's link, and each of the two pairs from Nanshan
    # and the one from Delingha passes it; proofs of equality and tags cost some bits more.
    assert summary.balances["link:micius--xinglong"]["spent"] >= sum(pairs.values())
    assert summary.balances["link:delingha--micius"]["spent"] >= pairs["beijing--delingha"]


def test_the_same_seed_gives_the_same_ledger_and_another_does_not(
    reference: tuple[Settings, ReplaySummary], settings_of: SettingsOf
) -> None:
    settings, _ = reference
    again, other = settings_of("again"), settings_of("other")
    _replay(again)
    _replay(other, seed=2)

    expected = _export(settings)
    assert _export(again) == expected
    assert _export(other) != expected


def test_a_finished_replay_run_again_adds_nothing_and_goes_through_its_plans_alone(
    reference: tuple[Settings, ReplaySummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Due] = []
    perform = services.perform

    def noted(context: Context, due: Due) -> Performed:
        done.append(due)
        return perform(context, due)

    monkeypatch.setattr(services, "perform", noted)
    settings, first = reference
    before = _export(settings)

    second = _replay(settings)

    assert second.continued
    assert {one.work for one in done if one.at < END} == {Work.PLAN}
    assert _export(settings) == before
    assert (second.stations, second.pairs) == (first.stations, first.pairs)


def test_a_replay_may_be_carried_on_to_a_later_end(settings_of: SettingsOf) -> None:
    whole, parts = settings_of("whole"), settings_of("parts")
    _replay(whole, end=START + timedelta(days=3))
    _replay(parts, end=START + timedelta(days=1))
    _replay(parts, end=START + timedelta(days=3))

    assert _export(parts) == _export(whole)


@pytest.mark.parametrize("change", ["seed", "start", "planner"])
def test_a_ledger_of_another_run_is_refused_and_left_alone(
    reference: tuple[Settings, ReplaySummary], change: str
) -> None:
    settings, _ = reference
    before = _export(settings)
    start = START + timedelta(days=1) if change == "start" else START
    seed = 2 if change == "seed" else 1
    if change == "planner":
        settings = settings.model_copy(update={"planner": "greedy"})

    with pytest.raises(LedgerMismatch, match=change):
        run_replay(settings, start=start, end=END, seed=seed)

    assert _export(settings) == before


def test_a_replay_with_another_way_to_announce_is_refused(
    reference: tuple[Settings, ReplaySummary], tmp_path: Path
) -> None:
    settings, _ = reference
    before = _export(settings)
    other = _changed(tmp_path, 'announces = "next-contact"', 'announces = "at-once"')

    with pytest.raises(LedgerMismatch, match=r"announces \{'micius': 'next-contact'\}.*at-once"):
        _replay(settings.model_copy(update={"scenario": other}))

    assert _export(settings) == before


def test_the_last_session_is_left_waiting_and_the_others_were_announced(
    reference: tuple[Settings, ReplaySummary],
) -> None:
    settings, summary = reference
    last = summary.settled[-1]
    with Context(settings) as context, context.ledger.view.read() as reader:
        announced = [command.answer for command in get_commands(reader, kind="announced")]
        settled = get_commands(reader, kind="settle")

    (waiting,) = summary.waiting
    assert waiting.bits == last.secret_bits
    assert waiting.natural_key.startswith(f"session/micius/{last.station}/")
    received = sum(accounts["received"] for accounts in summary.balances.values())
    assert received == waiting.bits
    # Every session with key but the last was announced once, when the next one began.
    blocks = [block for answer in announced for block in answer["blocks"]]
    with_key = ["block" in command.answer for command in settled]
    assert [block["block"] for block in blocks] == [
        command.answer["block"] for command, key in zip(settled[:-1], with_key, strict=False) if key
    ]
    begun = [
        after.acquires_at for after, key in zip(summary.settled[1:], with_key, strict=False) if key
    ]
    assert [datetime.fromisoformat(answer["at"]) for answer in announced] == begun


def test_no_merge_uses_key_before_its_satellite_announced_it(
    reference: tuple[Settings, ReplaySummary],
) -> None:
    settings, _ = reference
    with Context(settings) as context, context.ledger.view.read() as reader:
        usable = {
            block["block"]: datetime.fromisoformat(command.answer["at"])
            for command in get_commands(reader, kind="announced")
            for block in command.answer["blocks"]
        }
        spent = [
            (str(entry.block_id), entry.command_id)
            for entry in get_entries(reader)
            if entry.enters is KeyState.RELAY_CONSUMED and "micius" in entry.pool_id
        ]
        at = {command.command_id: command.at for command in get_commands(reader, kind="merge")}

    assert spent
    assert all(usable[block] <= at[command] for block, command in spent)


def _changed(tmp_path: Path, before: str, after: str) -> str:
    """The campaign's scenario with one text changed, as a file."""
    text = files("scheduler").joinpath("scenarios", "micius-2016.toml").read_text("utf-8")
    assert before in text
    file = tmp_path / "changed.toml"
    file.write_text(text.replace(before, after), encoding="utf-8")
    return str(file)


def test_a_limit_of_age_is_kept_through_a_replay_and_its_parts(
    settings_of: SettingsOf, tmp_path: Path
) -> None:
    asked = 'to = "shanghai"\nbits_per_day = 200000\n'
    scenario = _changed(tmp_path, asked, asked + "max_age_s = 50000\n")
    whole, parts = (settings_of(name, scenario=scenario) for name in ("whole", "parts"))
    end, limit = START + timedelta(days=3), timedelta(seconds=50_000)
    summary = _replay(whole, end=end)
    _replay(parts, end=START + timedelta(days=2))
    _replay(parts, end=end)

    assert _export(parts) == _export(whole)
    assert summary.ledger_problems == ()
    pair = "pair:nanshan--shanghai"
    with Context(whole) as context:
        made = [block for block, _ in services.pair_blocks(context, "nanshan--shanghai")]
        assert made
        for block in made:
            sources = services.trace_key(context, str(block.block_id)).sources
            oldest = min(source.made_at for source in sources)
            assert block.expires_at == oldest + limit > block.made_at
        over = {str(block.block_id) for block in made if (block.expires_at or end) <= end}
        states = {str(block.block_id): block.state for block in made}
        assert over
        assert {name for name, state in states.items() if state == "destroyed"} == over
        expired = sum(block.left_bits for block in made if str(block.block_id) in over)
        assert summary.balances[pair]["expired"] == expired
        # Others share the links, and their key has no end.
        others = [block for block, _ in services.pair_blocks(context, "beijing--nanshan")]
        assert others
        assert all(block.expires_at is None for block in others)


def test_reversed_times_are_refused(settings_of: SettingsOf) -> None:
    with pytest.raises(InputError, match="not after its start"):
        run_replay(settings_of(), start=END, end=START, seed=1)


def test_a_gap_in_the_element_sets_is_reported_and_nothing_planned_in_it(
    settings_of: SettingsOf,
) -> None:
    # Sets of 2016-10-09 and 2016-12-18 enclose a gap; the older is too old from 2016-10-23 on.
    start, end = datetime(2016, 10, 22, tzinfo=UTC), datetime(2016, 10, 26, tzinfo=UTC)

    summary = run_replay(settings_of(), start=start, end=end, seed=1)

    (span,) = summary.unplanned
    assert span.newest_epoch is not None
    assert span.start == span.newest_epoch + timedelta(days=14)
    assert span.end == end
    assert all(item.acquires_at < span.start for item in summary.settled)


def _planted(epoch_day: str) -> Elements:
    """A set of 2016-12-19 with another epoch, 120 degrees further round its orbit: wrong."""
    with Context(Settings()) as context:
        true = context.archive.nearest(datetime(2016, 12, 19, tzinfo=UTC), norad_id=41731)
    line1, line2 = format_tle(true)
    line1 = line1[:18] + epoch_day + line1[32:]
    line2 = line2[:43] + f"{(true.mean_anomaly_deg + 120.0) % 360.0:8.4f}" + line2[51:]

    def sealed(line: str) -> str:
        digits = sum(int(c) if c.isdigit() else c == "-" for c in line[:68])
        return f"{line[:68]}{digits % 10}"

    (made,) = read_elements(f"WRONG\n{sealed(line1)}\n{sealed(line2)}\n", source="planted")
    return made


def _bookings(settings: Settings) -> list[tuple[str, datetime]]:
    with Context(settings) as context, context.ledger.view.read() as reader:
        return [
            (booking.candidate.candidate_id, booking.candidate.elements_epoch)
            for booking in get_bookings(reader)
        ]


def test_a_wrong_set_from_the_future_is_never_used(
    reference: tuple[Settings, ReplaySummary], settings_of: SettingsOf
) -> None:
    settings, _ = reference
    planted = _planted("16356.25000000")  # 2016-12-21 06:00
    known_from = datetime(2016, 12, 22, tzinfo=UTC)  # the first plan made after its epoch
    spoilt = settings_of("spoilt")
    with Context(spoilt) as context:
        brought = services.import_elements(context, planted.raw, source="planted")
        assert (brought.added, len(brought.quarantined)) == (1, 1)
        services.accept_elements(context, [planted.sha256])

    _replay(spoilt)

    true, seen = _bookings(settings), _bookings(spoilt)
    before = [item for item in true if item[1] < planted.epoch and _aos(item) < known_from]
    assert [item for item in seen if _aos(item) < known_from] == before
    assert all(epoch <= _aos((name, epoch)) for name, epoch in seen)
    # And it would have been noticed: once known, it is the newest, and moves every pass.
    assert {epoch for name, epoch in seen if _aos((name, epoch)) >= known_from} == {planted.epoch}


def _aos(item: tuple[str, datetime]) -> datetime:
    # Part of a pass is named by AOS--LOS.
    return datetime.fromisoformat(item[0].rsplit("/", 1)[1].split("--")[0])


def _command(settings: Settings) -> list[str]:
    return [
        sys.executable, "-m", "api.cli", "--database", settings.database_url, "replay",
        "--scenario", "micius-2016", "--from", "2016-12-19", "--to", "2016-12-23", "--seed", "1",
        "--json",
    ]  # fmt: skip


def _kill_times() -> Iterator[float]:
    """Longer and longer lives, so that a slow machine gets there as well."""
    life_s = 1.5
    while True:
        yield life_s
        life_s += 0.7


@pytest.mark.faults
def test_a_replay_killed_again_and_again_ends_with_the_same_ledger(
    reference: tuple[Settings, ReplaySummary], settings_of: SettingsOf
) -> None:
    settings, _ = reference
    killed = settings_of("killed")
    kills = 0
    for life_s in _kill_times():
        process = subprocess.Popen(
            _command(killed), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ
        )
        try:
            out, _ = process.communicate(timeout=life_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
            continue
        assert process.returncode == 0
        break

    assert kills > 0
    assert json.loads(out)["ledger_problems"] == []
    assert _export(killed) == _export(settings)
