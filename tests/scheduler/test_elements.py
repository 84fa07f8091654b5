"""Use cases about element sets, on a ledger of their own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from orbits import (
    Elements,
    ElementsError,
    FindingKind,
    NoElementsError,
    StaleElementsError,
    format_omm,
    omm_fields,
    read_elements,
)
from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.errors import FeedError, InputError, UnknownName
from scheduler.ledger import ElementRow
from scheduler.ledger.books import element_reads as glance
from scheduler.ledger.books.elements import add_elements, count_elements, get_elements
from scheduler.services.context import Context
from scheduler.services.plans.outlook import known_elements, plan_outlook
from scheduler.settings import Settings
from scheduler.sources import feed as feed_module
from scheduler.sources.feed import Feed, FeedAnswer

SettingsOf = Callable[..., Settings]

NOW = datetime(2017, 1, 20, 12, tzinfo=UTC)
PACKAGED = read_elements((files("tle") / "micius-2016-2025.tle").read_text(), source="tle")
# The element set that explains the format on its Wikipedia page.
ISS = """\
ISS (ZARYA)
1 25544U 98067A   08264.51782528 -.00002182  00000-0 -11606-4 0  2927
2 25544  51.6416 247.4627 0006703 130.5360 325.0288 15.72125391563537
"""


@pytest.fixture
def context(settings_of: SettingsOf) -> Iterator[Context]:
    settings = settings_of(elements_url="https://feed.example/gp")
    with Context(settings, clock=SimulatedClock(NOW)) as opened:
        yield opened


def _omm_of(norad_id: int, **changes: object) -> str:
    return json.dumps({**omm_fields(PACKAGED[0]), "NORAD_CAT_ID": norad_id, **changes})


def test_text_hash_source_and_arrival_are_kept(context: Context) -> None:
    arrival = datetime(2008, 9, 22, tzinfo=UTC)

    assert services.import_elements(context, ISS, source="iss.tle", arrived_at=arrival).added == 1
    assert services.import_elements(context, ISS, source="again.tle").added == 0

    (kept,) = services.list_elements(context, "25544").elements
    (read,) = read_elements(ISS)
    assert kept == read
    assert (kept.raw, kept.sha256) == (read.raw, read.sha256)
    assert (kept.source, kept.arrived_at) == ("iss.tle", arrival)


@pytest.mark.parametrize("form", ["json", "csv", "xml", "kvn"])
def test_omm_of_every_form_comes_in(context: Context, form: str) -> None:
    sets = [replace(item, norad_id=270_000_001) for item in PACKAGED[:3]]

    assert (
        services.import_elements(context, format_omm(sets, form), source=f"sets.{form}").added == 3
    )
    assert services.list_elements(context, "270000001").elements == tuple(sets)


BAD_TEXTS = [
    (ISS.replace("2927", "2928"), ["line 2, column 69", "expected the checksum 7"]),
    (ISS + "1 25544U\n", ["line 5, column 1"]),
    ("", ["line 1, column 1"]),
    ("[" + _omm_of(5) + "," + _omm_of(6, EPOCH="soon") + "]", ["message 2", "EPOCH", "'soon'"]),
    ('[{"NORAD_CAT_ID": 5', ["line 1, column"]),
]


@pytest.mark.parametrize(("text", "words"), BAD_TEXTS)
def test_one_bad_set_keeps_all_of_them_out(context: Context, text: str, words: list[str]) -> None:
    before = services.list_elements(context).elements

    with pytest.raises(ElementsError) as refused:
        services.import_elements(context, text, source="bad.tle")

    for word in ("bad.tle", *words):
        assert word in str(refused.value)
    assert services.list_elements(context).elements == before


def test_the_last_of_each_satellite_is_listed_without_reading_the_texts(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The last packaged set once more, in another text; and one that comes later.
    later = PACKAGED[-1].epoch + timedelta(days=1)
    texts = [ISS, format_omm([PACKAGED[-1]], "json"), _omm_of(90001), _omm_of(90002)]
    texts.append(_omm_of(90002, EPOCH=f"{later:%Y-%m-%dT%H:%M:%S}"))
    for text in texts:
        services.import_elements(context, text, source="test")
    every = services.list_elements(context).elements
    wanted = {item.norad_id: item for item in every}
    read = []
    monkeypatch.setattr(
        "scheduler.services.archives.read_elements",
        lambda text, **more: read.append(text) or read_elements(text, **more),
    )
    context.refresh_elements()

    found = services.list_elements(context, latest=True).elements

    assert [item.sha256 for item in found] == [
        item.sha256 for item in sorted(wanted.values(), key=lambda one: (one.epoch, one.norad_id))
    ]
    assert len(read) == 1  # of 41731, of which two texts are of one epoch


def test_satellites_that_the_scenario_does_not_know_are_named(context: Context) -> None:
    added = services.import_elements(context, ISS + _line_pairs(PACKAGED[:2]), source="iss.tle")

    assert added.strangers == ("25544 ISS (ZARYA)",)


def _line_pairs(sets: Sequence[Elements]) -> str:
    return "".join(item.raw for item in sets)


def test_an_arrival_before_the_epoch_is_refused(context: Context) -> None:
    with pytest.raises(InputError, match="25544"):
        services.import_elements(
            context, ISS, source="x", arrived_at=datetime(2008, 9, 1, tzinfo=UTC)
        )


def test_a_set_serves_from_its_arrival_on(context: Context) -> None:
    # More than ten days from any other, so that nothing speaks against it.
    late = replace(PACKAGED[0], epoch=datetime(2017, 1, 27, tzinfo=UTC))
    arrival = datetime(2017, 1, 29, tzinfo=UTC)
    services.import_elements(context, format_omm([late]), source="late", arrived_at=arrival)
    archive = context.archive_of(41731)

    assert archive.known_at(arrival).epoch == late.epoch
    assert archive.known_at(arrival - timedelta(seconds=1)).epoch < late.epoch


@pytest.mark.parametrize("name", ["micius", "Micius", "41731", "QSS (MICIUS)"])
def test_a_satellite_is_known_by_id_number_and_name(context: Context, name: str) -> None:
    services.import_elements(context, ISS, source="iss.tle")

    assert {item.norad_id for item in services.list_elements(context, name).elements} == {41731}
    assert {item.norad_id for item in services.list_elements(context, "iss (zarya)").elements} == {
        25544
    }
    latest = services.list_elements(context, latest=True).elements
    assert [item.norad_id for item in latest] == [25544, 41731]  # by epoch
    assert services.list_elements(context).at == NOW


@pytest.mark.parametrize("name", ["sputnik", "99999", "", "-1", "4173١", "9" * 30])
def test_an_unknown_satellite_is_refused(context: Context, name: str) -> None:
    for question in (services.list_elements, services.check_elements):
        with pytest.raises(UnknownName, match="41731"):
            question(context, name)


def test_the_packaged_sets_agree_with_each_other(context: Context) -> None:
    checked = services.check_elements(context)

    assert checked.checked == len(PACKAGED)
    assert checked.findings == ()


def test_a_spliced_and_an_edited_set_are_named_by_how_far_they_are_off(context: Context) -> None:
    # Micius under another number, one line 2 exchanged and one node turned.
    sets = [replace(item, norad_id=99001) for item in PACKAGED]
    at, other = sets[4], sets[9]
    sets[4] = replace(other, epoch=at.epoch)
    sets[19] = replace(sets[19], raan_deg=sets[19].raan_deg + 1.0)
    services.import_elements(context, format_omm(sets), source="suspect.json")

    checked = services.check_elements(context, "99001")

    assert checked.checked == len(sets)
    spliced, edited = checked.findings
    assert (spliced.kind, edited.kind) == (FindingKind.SPLICED, FindingKind.EDITED)
    assert (spliced.elements, edited.elements) == (sets[4], sets[19])
    assert spliced.neighbour == other
    assert spliced.difference_km > 100.0
    # A node turned by 1 deg moves the satellite by 120 km at the equator, less elsewhere.
    assert 1.0 < edited.difference_km < 125.0
    assert services.check_elements(context, "micius").findings == ()


@pytest.mark.parametrize("form", ["tle", "json", "csv", "xml", "kvn"])
def test_what_is_exported_reads_back_as_it_was(context: Context, form: str) -> None:
    text = services.export_elements(context, "micius", form=form)

    assert read_elements(text) == services.list_elements(context, "micius").elements


def test_what_does_not_fit_in_a_tle_is_refused(context: Context) -> None:
    services.import_elements(context, _omm_of(400_001), source="long.json")

    with pytest.raises(ElementsError, match="400001 does not fit in a TLE"):
        services.export_elements(context, "400001", form="tle")
    assert "400001" in services.export_elements(context, "400001", form="kvn")
    with pytest.raises(InputError, match="'yaml'; allowed: tle, json"):
        services.export_elements(context, form="yaml")


def test_fetched_sets_arrive_at_the_clocks_present(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []

    def ask(self: Feed, norad_ids: list[int], **_: object) -> list[FeedAnswer]:
        asked.append(list(norad_ids))
        return [
            FeedAnswer(norad_id=n, elements=tuple(read_elements(_omm_of(n), source=self.url)))
            for n in norad_ids
        ]

    monkeypatch.setattr(feed_module.Feed, "ask", ask)

    first = services.fetch_elements(context)
    again = services.fetch_elements(context, ["micius", "41731", "5"])

    assert asked == [[41731], [41731, 5]]
    assert (len(first.received), first.added) == (1, 1)
    assert (len(again.received), again.added) == (2, 1)
    (kept,) = services.list_elements(context, "5").elements
    assert (kept.arrived_at, kept.source) == (NOW, "https://feed.example/gp")


def test_what_came_is_kept_and_what_failed_is_told(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(self: Feed, norad_ids: list[int], **_: object) -> list[FeedAnswer]:
        came = FeedAnswer(norad_id=5, elements=tuple(read_elements(_omm_of(5), source="x")))
        old = FeedAnswer(norad_id=7, unchanged="nothing new of 7")
        return [came if n == 5 else old if n == 7 else FeedAnswer(norad_id=n, failure="away")
                for n in norad_ids]  # fmt: skip

    monkeypatch.setattr(feed_module.Feed, "ask", ask)

    with pytest.raises(FeedError, match="away; away"):
        services.fetch_elements(context, ["6", "8"])
    assert len(services.list_elements(context).elements) == len(PACKAGED)
    fetched = services.fetch_elements(context, ["5", "6", "7"])
    assert (fetched.added, fetched.failures) == (1, ("away",))
    assert fetched.unchanged == ("nothing new of 7",)
    assert len(services.list_elements(context, "5").elements) == 1


def test_what_is_no_satellite_is_not_fetched(settings_of: SettingsOf) -> None:
    with Context(settings_of(elements_url="https://feed.example/gp")) as context:
        for satellites in ([], [str(n) for n in range(101)]):
            with pytest.raises(InputError, match="1 to 100"):
                services.fetch_elements(context, satellites)
        with pytest.raises(UnknownName, match="sputnik"):
            services.fetch_elements(context, ["sputnik"])


def test_sets_that_another_process_adds_are_seen(settings_of: SettingsOf) -> None:
    settings = settings_of()
    with Context(settings) as here, Context(settings) as there:
        assert len(services.list_elements(here).elements) == len(PACKAGED)
        services.import_elements(there, ISS, source="iss.tle")

        assert len(services.list_elements(here).elements) == len(PACKAGED) + 1


DAY = datetime(2016, 12, 19, tzinfo=UTC)


def test_every_pass_tells_its_timing_from_the_archives_own_history(context: Context) -> None:
    answer = services.upcoming_passes(
        context, satellite="micius", stations=["xinglong"], start=DAY, end=DAY + timedelta(days=1)
    )
    archive = context.archive_of(41731)

    assert answer.rows
    for row in answer.rows:
        (elements,) = (item for item in archive if item.epoch == row.elements_epoch)
        expected = archive.time_sigma_s(elements, row.culminates_at)
        assert row.time_sigma_s == expected is not None
        # Micius drifts by up to 1.5 km along its track within three days: 0.2 s at 7.6 km/s.
        assert 0.0 < row.time_sigma_s < 0.5
    assert answer.notes == ()


def test_what_was_known_then_looks_at_no_later_set(settings_of: SettingsOf) -> None:
    known_at = datetime(2017, 1, 10, tzinfo=UTC)
    start = known_at
    question = {
        "satellite": "micius", "stations": None, "start": start,
        "end": start + timedelta(days=1), "as_known_at": known_at,
    }  # fmt: skip
    with Context(settings_of("one")) as context:
        before = services.upcoming_passes(context, **question)  # type: ignore[arg-type]
        later = [
            replace(item, epoch=known_at + timedelta(days=days), raan_deg=100.0 + 20.0 * days)
            for days, item in enumerate(PACKAGED[:5], start=1)
        ]
        services.import_elements(context, format_omm(later), source="later")
        after = services.upcoming_passes(context, **question)  # type: ignore[arg-type]

    assert before.rows
    assert all(row.time_sigma_s is not None for row in before.rows)
    assert after == before


def test_a_request_after_the_end_says_that_it_was_coming_down(context: Context) -> None:
    start = datetime(2026, 9, 1, tzinfo=UTC)
    with pytest.raises(StaleElementsError) as refused:
        services.upcoming_passes(
            context, satellite="micius", stations=None, start=start, end=start + timedelta(days=1)
        )

    message = str(refused.value)
    assert "its last element set is of 2025-12-12" in message
    assert "mean motion rising" in message
    assert "coming down" in message
    known = known_elements(context, context.satellite("micius"), at=start)
    assert "2025-12-12" in known.reason


def test_passes_after_the_last_set_of_a_falling_satellite_carry_a_note(context: Context) -> None:
    start = datetime(2025, 12, 20, tzinfo=UTC)
    answer = services.upcoming_passes(
        context,
        satellite="micius",
        stations=["xinglong"],
        start=start,
        end=start + timedelta(days=1),
    )

    assert answer.rows
    (note,) = answer.notes
    assert "coming down" in note


def test_before_the_first_set_there_is_nothing_to_use(context: Context) -> None:
    with pytest.raises(NoElementsError, match="the first one is of 2016"):
        services.upcoming_passes(
            context,
            satellite="micius",
            stations=None,
            start=DAY,
            end=DAY + timedelta(days=1),
            as_known_at=datetime(2016, 8, 1, tzinfo=UTC),
        )


def test_a_glance_gives_what_the_ledger_gives(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a ledger # 100%.db'}"
    assert (glance.element_rows(url), glance.element_count(url)) == ([], 0)
    with Context(Settings(database_url=url)) as context:
        services.import_elements(context, ISS, source="iss.tle", arrived_at=NOW)
        services.import_elements(context, _omm_of(5), source="five")
        services.import_elements(context, _omm_of(5, EPOCH="2018-01-01T00:00:00"), source="late")
        with context.ledger.view.read() as reader:
            whole, single = get_elements(reader), get_elements(reader, 5)
            latest = get_elements(reader, latest=True)
            assert count_elements(reader) == 3

        assert glance.element_rows(url) == whole
        assert glance.element_rows(url, 5) == single
        assert glance.element_rows(url, latest=True) == latest == [whole[1], whole[2]]
        assert glance.element_count(url) == 3
    # Nothing but the ledger, its keys, the line of its writers and the count of their syncs.
    names = [".db", ".db-queue", ".db-sync", ".kek", ".keys"]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == names


def test_a_glance_leaves_everything_unusual_to_the_ledger(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, but longer than a header of SQLite" * 9)
    (tmp_path / "empty.db").touch()
    assert glance.element_rows(f"sqlite:///{tmp_path}/empty.db") == []
    for url in (
        "postgresql://127.0.0.1/x", "sqlite://", "sqlite:///", f"sqlite:///{tmp_path}",
        f"sqlite:///{tmp_path}/text.db", f"sqlite:///{tmp_path}/empty.db?mode=ro",
    ):  # fmt: skip
        assert glance.element_rows(url) is None
        assert glance.element_count(url) is None


def test_a_plan_knows_the_timing_of_its_passes_from_what_was_known_then(
    context: Context,
) -> None:
    start = datetime(2017, 1, 13, tzinfo=UTC)
    known = context.archive_of(41731, known_at=start)

    ahead = plan_outlook(context, start, start + timedelta(days=1), at=start)

    assert ahead.forecasts
    for forecast in ahead.forecasts:
        expected = known.time_sigma_s(ahead.elements["micius"], forecast.row.culminates_at)
        assert forecast.row.time_sigma_s == expected is not None


@pytest.mark.parametrize("copies", [1, 2])
def test_a_set_that_was_let_in_once_and_is_none_by_now_stops_nothing(
    context: Context, copies: int
) -> None:
    window = {"start": NOW, "end": NOW + timedelta(days=1)}
    asked = {"satellite": "micius", "stations": ["nanshan"], **window}
    wanted = services.upcoming_passes(context, **asked).rows
    # Past the door, as if it had been added before there was one.
    epoch = "9999-12-31T23:59:59"
    texts = [_omm_of(41731, EPOCH=epoch, REV_AT_EPOCH=number) for number in range(copies)]
    rows = [
        ElementRow(
            norad_id=41731,
            name="",
            epoch=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
            text=text,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            source="old.json",
            arrived_at=None,
        )
        for text in texts
    ]
    with context.ledger.begin() as tx:
        assert add_elements(tx, rows) == copies

    context.refresh_elements()
    assert services.upcoming_passes(context, **asked).rows == wanted
    assert services.plan_window(context, **window)["bookings"]
    assert services.list_elements(context, latest=True).elements
    unreadable = services.check_elements(context).unreadable
    for row, sentence in zip(
        sorted(rows, key=lambda row: row.sha256), sorted(unreadable), strict=True
    ):
        assert f"satellite 41731: the set {row.sha256[:12]} of old.json" in sentence
        assert "not 1957 to 2056" in sentence
