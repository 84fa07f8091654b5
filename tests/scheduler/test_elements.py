"""Use cases about element sets, on a ledger of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
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
from scheduler import ledger as ledger_package
from scheduler.clock import SimulatedClock
from scheduler.errors import FeedError, InputError, SettingsError, UnknownName
from scheduler.ledger import glance, open_ledger
from scheduler.services import Services, open_services
from scheduler.services.planning.ahead import known_elements, look_ahead
from scheduler.settings import Settings
from scheduler.sources import feed as feed_module
from scheduler.sources.feed import Feed

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
def services(settings_of: SettingsOf) -> Iterator[Services]:
    settings = settings_of(elements_url="https://feed.example/gp")
    with open_services(settings, clock=SimulatedClock(NOW)) as opened:
        yield opened


def _omm_of(norad_id: int, **changes: object) -> str:
    return json.dumps({**omm_fields(PACKAGED[0]), "NORAD_CAT_ID": norad_id, **changes})


def test_text_hash_source_and_arrival_are_kept(services: Services) -> None:
    arrival = datetime(2008, 9, 22, tzinfo=UTC)

    assert services.import_elements(ISS, source="iss.tle", arrived_at=arrival) == 1
    assert services.import_elements(ISS, source="again.tle") == 0

    (kept,) = services.list_elements("25544").elements
    (read,) = read_elements(ISS)
    assert kept == read
    assert (kept.raw, kept.sha256) == (read.raw, read.sha256)
    assert (kept.source, kept.arrived_at) == ("iss.tle", arrival)


@pytest.mark.parametrize("form", ["json", "csv", "xml", "kvn"])
def test_omm_of_every_form_comes_in(services: Services, form: str) -> None:
    sets = [replace(item, norad_id=270_000_001) for item in PACKAGED[:3]]

    assert services.import_elements(format_omm(sets, form), source=f"sets.{form}") == 3
    assert services.list_elements("270000001").elements == tuple(sets)


BAD_TEXTS = [
    (ISS.replace("2927", "2928"), ["line 2, column 69", "expected the checksum 7"]),
    (ISS + "1 25544U\n", ["line 5, column 1"]),
    ("", ["line 1, column 1"]),
    ("[" + _omm_of(5) + "," + _omm_of(6, EPOCH="soon") + "]", ["message 2", "EPOCH", "'soon'"]),
    ('[{"NORAD_CAT_ID": 5', ["line 1, column"]),
]


@pytest.mark.parametrize(("text", "words"), BAD_TEXTS)
def test_one_bad_set_keeps_all_of_them_out(services: Services, text: str, words: list[str]) -> None:
    before = services.list_elements().elements

    with pytest.raises(ElementsError) as refused:
        services.import_elements(text, source="bad.tle")

    for word in ("bad.tle", *words):
        assert word in str(refused.value)
    assert services.list_elements().elements == before


def test_an_arrival_before_the_epoch_is_refused(services: Services) -> None:
    with pytest.raises(InputError, match="25544"):
        services.import_elements(ISS, source="x", arrived_at=datetime(2008, 9, 1, tzinfo=UTC))


def test_a_set_serves_from_its_arrival_on(services: Services) -> None:
    late = replace(PACKAGED[0], epoch=datetime(2017, 1, 10, tzinfo=UTC))
    arrival = datetime(2017, 1, 12, tzinfo=UTC)
    services.import_elements(format_omm([late]), source="late", arrived_at=arrival)
    archive = services.archive_of(41731)

    assert archive.known_at(arrival).epoch == late.epoch
    assert archive.known_at(arrival - timedelta(seconds=1)).epoch < late.epoch


@pytest.mark.parametrize("name", ["micius", "Micius", "41731", "QSS (MICIUS)"])
def test_a_satellite_is_known_by_id_number_and_name(services: Services, name: str) -> None:
    services.import_elements(ISS, source="iss.tle")

    assert {item.norad_id for item in services.list_elements(name).elements} == {41731}
    assert {item.norad_id for item in services.list_elements("iss (zarya)").elements} == {25544}
    latest = services.list_elements(latest=True).elements
    assert [item.norad_id for item in latest] == [25544, 41731]  # by epoch
    assert services.list_elements().at == NOW


@pytest.mark.parametrize("name", ["sputnik", "99999", "", "-1", "4173١", "9" * 30])
def test_an_unknown_satellite_is_refused(services: Services, name: str) -> None:
    for question in (services.list_elements, services.check_elements):
        with pytest.raises(UnknownName, match="41731"):
            question(name)


def test_the_packaged_sets_agree_with_each_other(services: Services) -> None:
    checked = services.check_elements()

    assert checked.checked == len(PACKAGED)
    assert checked.findings == ()


def test_a_spliced_and_an_edited_set_are_named_by_how_far_they_are_off(services: Services) -> None:
    # Micius under another number, one line 2 exchanged and one node turned.
    sets = [replace(item, norad_id=99001) for item in PACKAGED]
    at, other = sets[4], sets[9]
    sets[4] = replace(other, epoch=at.epoch)
    sets[19] = replace(sets[19], raan_deg=sets[19].raan_deg + 1.0)
    services.import_elements(format_omm(sets), source="suspect.json")

    checked = services.check_elements("99001")

    assert checked.checked == len(sets)
    spliced, edited = checked.findings
    assert (spliced.kind, edited.kind) == (FindingKind.SPLICED, FindingKind.EDITED)
    assert (spliced.elements, edited.elements) == (sets[4], sets[19])
    assert spliced.neighbour == other
    assert spliced.difference_km > 100.0
    # A node turned by 1 deg moves the satellite by 120 km at the equator, less elsewhere.
    assert 1.0 < edited.difference_km < 125.0
    assert services.check_elements("micius").findings == ()


@pytest.mark.parametrize("form", ["tle", "json", "csv", "xml", "kvn"])
def test_what_is_exported_reads_back_as_it_was(services: Services, form: str) -> None:
    text = services.export_elements("micius", form=form)

    assert read_elements(text) == services.list_elements("micius").elements


def test_what_does_not_fit_in_a_tle_is_refused(services: Services) -> None:
    services.import_elements(_omm_of(400_001), source="long.json")

    with pytest.raises(ElementsError, match="400001 does not fit in a TLE"):
        services.export_elements("400001", form="tle")
    assert "400001" in services.export_elements("400001", form="kvn")
    with pytest.raises(InputError, match="'yaml'; allowed: tle, json"):
        services.export_elements(form="yaml")


def test_fetched_sets_arrive_at_the_clocks_present(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []

    def fetch(self: Feed, norad_ids: list[int]) -> tuple[Elements, ...]:
        asked.append(list(norad_ids))
        return tuple(e for n in norad_ids for e in read_elements(_omm_of(n), source=self.url))

    monkeypatch.setattr(feed_module.Feed, "fetch", fetch)

    first = services.fetch_elements()
    again = services.fetch_elements(["micius", "41731", "5"])

    assert asked == [[41731], [41731, 5]]
    assert (len(first.received), first.added) == (1, 1)
    assert (len(again.received), again.added) == (2, 1)
    (kept,) = services.list_elements("5").elements
    assert (kept.arrived_at, kept.source) == (NOW, "https://feed.example/gp")


def test_a_feed_that_fails_stores_nothing(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(self: Feed, norad_ids: list[int]) -> tuple[Elements, ...]:
        raise FeedError("away")

    monkeypatch.setattr(feed_module.Feed, "fetch", fetch)
    with pytest.raises(FeedError, match="away"):
        services.fetch_elements()

    assert len(services.list_elements().elements) == len(PACKAGED)


def test_without_an_endpoint_or_a_satellite_nothing_is_fetched(settings_of: SettingsOf) -> None:
    with open_services(settings_of()) as services, pytest.raises(SettingsError) as refused:
        services.fetch_elements()
    assert "elements_url" in str(refused.value)
    assert "allowed" in str(refused.value)

    with open_services(settings_of(elements_url="https://feed.example/gp")) as services:
        for satellites in ([], [str(n) for n in range(101)]):
            with pytest.raises(InputError, match="1 to 100"):
                services.fetch_elements(satellites)
        with pytest.raises(UnknownName, match="sputnik"):
            services.fetch_elements(["sputnik"])


def test_sets_that_another_process_adds_are_seen(settings_of: SettingsOf) -> None:
    settings = settings_of()
    with open_services(settings) as here, open_services(settings) as there:
        assert len(here.list_elements().elements) == len(PACKAGED)
        there.import_elements(ISS, source="iss.tle")

        assert len(here.list_elements().elements) == len(PACKAGED) + 1


DAY = datetime(2016, 12, 19, tzinfo=UTC)


def test_every_pass_tells_its_timing_from_the_archives_own_history(services: Services) -> None:
    answer = services.passes(
        satellite="micius", stations=["xinglong"], start=DAY, end=DAY + timedelta(days=1)
    )
    archive = services.archive_of(41731)

    assert answer.rows
    for row in answer.rows:
        (elements,) = (item for item in archive if item.epoch == row.elements_epoch)
        expected = archive.time_sigma_s(elements, row.culminates_at)
        assert row.time_sigma_s == pytest.approx(expected, abs=1e-9)
        assert row.time_sigma_s is not None
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
    with open_services(settings_of("one")) as services:
        before = services.passes(**question)  # type: ignore[arg-type]
        later = [
            replace(item, epoch=known_at + timedelta(days=days), raan_deg=100.0 + 20.0 * days)
            for days, item in enumerate(PACKAGED[:5], start=1)
        ]
        services.import_elements(format_omm(later), source="later")
        after = services.passes(**question)  # type: ignore[arg-type]

    assert before.rows
    assert all(row.time_sigma_s is not None for row in before.rows)
    assert after == before


def test_a_request_after_the_end_says_that_it_was_coming_down(services: Services) -> None:
    start = datetime(2026, 9, 1, tzinfo=UTC)
    with pytest.raises(StaleElementsError) as refused:
        services.passes(
            satellite="micius", stations=None, start=start, end=start + timedelta(days=1)
        )

    message = str(refused.value)
    assert "its last element set is of 2025-12-12" in message
    assert "mean motion rising" in message
    assert "coming down" in message
    known = known_elements(services, services.satellite("micius"), at=start)
    assert "2025-12-12" in known.reason


def test_passes_after_the_last_set_of_a_falling_satellite_carry_a_note(services: Services) -> None:
    start = datetime(2025, 12, 20, tzinfo=UTC)
    answer = services.passes(
        satellite="micius", stations=["xinglong"], start=start, end=start + timedelta(days=1)
    )

    assert answer.rows
    (note,) = answer.notes
    assert "coming down" in note


def test_before_the_first_set_there_is_nothing_to_use(services: Services) -> None:
    with pytest.raises(NoElementsError, match="the first one is of 2016"):
        services.passes(
            satellite="micius", stations=None, start=DAY, end=DAY + timedelta(days=1),
            as_known_at=datetime(2016, 8, 1, tzinfo=UTC),
        )  # fmt: skip


def test_a_glance_gives_what_the_ledger_gives(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a ledger # 100%.db'}"
    assert (glance.element_rows(url), glance.element_count(url)) == (None, None)
    with open_services(Settings(database_url=url)) as services:
        services.import_elements(ISS, source="iss.tle", arrived_at=NOW)
        services.import_elements(_omm_of(5), source="five")
        with services.ledger.read() as reader:
            whole, single = reader.element_rows(), reader.element_rows(5)
            assert reader.element_count() == 2

        assert glance.element_rows(url) == whole
        assert glance.element_rows(url, 5) == single
        assert glance.element_count(url) == 2
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".db", ".kek"]


def test_a_glance_leaves_everything_unusual_to_the_ledger(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, but longer than a header of SQLite" * 9)
    (tmp_path / "empty.db").touch()
    for url in (
        "postgresql://127.0.0.1/x", "sqlite://", "sqlite:///", f"sqlite:///{tmp_path}",
        f"sqlite:///{tmp_path}/text.db", f"sqlite:///{tmp_path}/empty.db",
        f"sqlite:///{tmp_path}/empty.db?mode=ro",
    ):  # fmt: skip
        assert glance.element_rows(url) is None
        assert glance.element_count(url) is None


def test_every_public_name_of_the_ledger_has_its_home() -> None:
    assert set(ledger_package.__all__) == set(ledger_package._HOMES)
    assert ledger_package.open_ledger is open_ledger
    for name in ledger_package.__all__:
        assert getattr(ledger_package, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing_here"):
        ledger_package.nothing_here  # noqa: B018


def test_a_plan_knows_the_timing_of_its_passes_from_what_was_known_then(
    services: Services,
) -> None:
    start = datetime(2017, 1, 13, tzinfo=UTC)
    known = services.archive_of(41731, known_at=start)

    ahead = look_ahead(services, start, start + timedelta(days=1), at=start)

    assert ahead.forecasts
    for forecast in ahead.forecasts:
        expected = known.time_sigma_s(ahead.elements["micius"], forecast.row.culminates_at)
        assert forecast.row.time_sigma_s == expected is not None
