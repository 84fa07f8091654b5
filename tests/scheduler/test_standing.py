"""A spliced element set: held back as it comes in, accepted, withdrawn, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest

from orbits import Standing, format_omm, format_tle, format_tles, read_elements
from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.domain import PassAnswer
from scheduler.entropy import KeyedEntropy
from scheduler.errors import InputError, UnknownName
from scheduler.ledger.books import element_reads
from scheduler.ledger.books.verdicts import count_verdicts, get_verdicts
from scheduler.services.context import Context
from scheduler.settings import Settings
from scheduler.sources import feed as feed_module
from scheduler.sources.feed import Feed, FeedAnswer

SettingsOf = Callable[..., Settings]

PACKAGED = read_elements((files("tle") / "micius-2016-2025.tle").read_text(), source="tle")
DAY = timedelta(days=1)
BEFORE, AFTER = PACKAGED[6:8]  # 2016-12-19 13:39 and 2017-01-03
# Line 1 of an epoch six hours on with line 2 of another set: every checksum is right.
LATER = replace(BEFORE, epoch=BEFORE.epoch + DAY / 4)
TEXT = f"{format_tle(LATER)[0]}\n{format_tle(PACKAGED[4])[1]}\n"
(SPLICED,) = read_elements(TEXT)
START = datetime(2016, 12, 20, tzinfo=UTC)
NIGHT = {"start": START, "end": START + DAY}


@pytest.fixture
def context(settings_of: SettingsOf) -> Iterator[Context]:
    with opened(settings_of()) as context:
        yield context


def opened(settings: Settings) -> Context:
    return Context(settings, clock=SimulatedClock(START), entropy=KeyedEntropy(1))


def passes(context: Context, *, as_known_at: datetime | None = None) -> PassAnswer:
    return services.upcoming_passes(context, satellite="micius", as_known_at=as_known_at, **NIGHT)


def epochs(context: Context, as_known_at: datetime | None = None) -> set[datetime]:
    return set(passes(context, as_known_at=as_known_at).epochs)


def standings(context: Context) -> dict[str, Standing]:
    answer = services.list_elements(context)
    return {
        item.sha256: verdict.standing
        for item, verdict in zip(answer.elements, answer.verdicts, strict=True)
        if verdict is not None
    }


def test_a_spliced_set_is_kept_and_serves_nothing(context: Context) -> None:
    nearest, known = passes(context), passes(context, as_known_at=START)

    brought = services.import_elements(context, TEXT, source="spliced.tle")

    assert brought.added == 1
    (sentence,) = brought.quarantined
    assert "has the second line of the set of 2016-10-09 18:23:23 UTC" in sentence
    assert standings(context) == {SPLICED.sha256: Standing.QUARANTINED}
    assert (passes(context), passes(context, as_known_at=START)) == (nearest, known)
    text = services.export_elements(context, form="tle")
    assert read_elements(text) == PACKAGED
    assert services.import_elements(context, TEXT, source="again").quarantined == ()


def test_a_plan_does_not_use_it_until_it_is_accepted(settings_of: SettingsOf) -> None:
    with opened(settings_of("sound")) as context:
        sound = services.plan_by_hand(context, **NIGHT, request_id="one")
        shown = services.get_plan(context, sound["plan"])
    with opened(settings_of("sick")) as context:
        services.import_elements(context, TEXT, source="spliced.tle")
        held = services.plan_by_hand(context, **NIGHT, request_id="one")
        assert held == sound
        assert services.get_plan(context, held["plan"]) == shown

        services.accept_elements(context, [SPLICED.sha256[:12]], reason="looked at")
        taken = services.plan_by_hand(context, **NIGHT, request_id="two")
        assert sound["epochs"] != taken["epochs"] == ["2016-12-19T19:39:33.153Z"]
        assert services.get_plan(context, taken["plan"]).withdrawn == ()

        services.withdraw_elements(context, [SPLICED.epoch], reason="spliced after all")
        marks = {one.plan_id: one.withdrawn for one in services.list_plans(context)}
        assert marks[held["plan"]] == ()
        (mark,) = marks[taken["plan"]]
        assert services.get_plan(context, taken["plan"]).withdrawn == (mark,)
        assert mark == (
            "made with the element set of 2016-12-19T19:39:33.153Z of micius, which is"
            " withdrawn since 2016-12-20T00:00:00.000Z: spliced after all"
        )
        again = services.plan_by_hand(context, **NIGHT, request_id="three")
        assert again["epochs"] == sound["epochs"]
        assert services.verify_ledger(context).problems == ()


def test_accepted_it_serves_and_withdrawn_it_did_until_then(context: Context) -> None:
    services.import_elements(context, TEXT, source="spliced.tle")

    (accepted,) = services.accept_elements(context, [SPLICED.epoch]).verdicts
    assert accepted is not None
    assert (accepted.standing, accepted.since) == (Standing.ACCEPTED, None)
    assert SPLICED.epoch in epochs(context)
    assert epochs(context, as_known_at=START) == {SPLICED.epoch}
    services.accept_elements(context, [SPLICED.sha256])  # twice is once
    assert services.import_elements(context, TEXT, source="again").quarantined == ()

    since = START + DAY / 4
    services.withdraw_elements(context, [SPLICED.sha256], since=since)
    assert SPLICED.epoch not in epochs(context)
    assert epochs(context, as_known_at=since - DAY / 24) == {SPLICED.epoch}
    assert epochs(context, as_known_at=since) == {BEFORE.epoch}
    with context.view.read() as reader:
        given = get_verdicts(reader)
        assert count_verdicts(reader) == len(given) == 3
    assert element_reads.element_verdicts(context.settings.database_url) == given

    context.clock.advance_to(START + DAY)  # type: ignore[attr-defined]
    services.accept_elements(context, [SPLICED.sha256])
    with pytest.raises(InputError, match=r"allowed: from 2016-12-21T00:00:00.*is accepted"):
        services.withdraw_elements(context, [SPLICED.sha256], since=START)


def test_any_set_can_be_withdrawn_packaged_ones_too(context: Context) -> None:
    assert epochs(context, as_known_at=START) == {BEFORE.epoch}
    services.withdraw_elements(context, [BEFORE.epoch])
    assert epochs(context, as_known_at=START) == {PACKAGED[5].epoch}
    assert standings(context) == {BEFORE.sha256: Standing.WITHDRAWN}
    assert context.elements_of_epoch(41731, BEFORE.epoch) == BEFORE


def test_the_same_set_in_another_text_is_held_back_as_well(context: Context) -> None:
    services.import_elements(context, TEXT, source="spliced.tle")
    for form in ("json", "xml", "kvn"):
        services.import_elements(context, format_omm([SPLICED], form), source=form)
        assert set(standings(context).values()) == {Standing.QUARANTINED}
        assert epochs(context, as_known_at=START) == {BEFORE.epoch}


def test_another_process_learns_of_a_verdict(settings_of: SettingsOf) -> None:
    with opened(settings_of()) as here, opened(settings_of()) as there:
        assert epochs(here, as_known_at=START) == {BEFORE.epoch}
        services.withdraw_elements(there, [BEFORE.epoch])
        assert epochs(here, as_known_at=START) == {PACKAGED[5].epoch}


def test_a_name_of_no_set_or_of_several_is_refused(context: Context) -> None:
    with pytest.raises(UnknownName, match="no element set whose SHA-256 begins '000000'"):
        services.accept_elements(context, ["000000"])
    with pytest.raises(UnknownName, match=r"no element set of 2016-12-20T00:00:00"):
        services.withdraw_elements(context, [START])
    with pytest.raises(InputError, match="0 element sets named"):
        services.withdraw_elements(context, [])
    other = replace(BEFORE, norad_id=5)
    services.import_elements(context, format_tles([other]), source="other")
    with pytest.raises(InputError, match=r"2 element sets of 2016-12-19T13:39:33.*SHA-256"):
        services.withdraw_elements(context, [BEFORE.epoch])
    (verdict,) = services.withdraw_elements(context, [BEFORE.epoch], satellite=5).verdicts
    assert verdict is not None


def test_a_fetched_set_is_held_back_from_its_arrival_on(
    settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(self: Feed, norad_ids: list[int], **_: object) -> list[FeedAnswer]:
        words = ("line 3 is no element set: 'served by'",)
        return [FeedAnswer(norad_id=n, elements=(SPLICED,), skipped=words) for n in norad_ids]

    monkeypatch.setattr(feed_module.Feed, "ask", ask)
    with opened(settings_of(elements_url="https://feed.example/gp")) as context:
        fetched = services.fetch_elements(context, ["micius"])
        assert (fetched.added, len(fetched.quarantined)) == (1, 1)
        assert fetched.skipped == ("line 3 is no element set: 'served by'",)
        (verdict,) = [one for one in services.list_elements(context).verdicts if one]
        assert (verdict.standing, verdict.since) == (Standing.QUARANTINED, START)
        context.clock.advance_to(START + DAY / 2)  # type: ignore[attr-defined]
        (accepted,) = services.accept_elements(context, [SPLICED.epoch]).verdicts
        assert accepted is not None
        assert accepted.since == START + DAY / 2
        assert epochs(context, as_known_at=START + DAY / 4) == {BEFORE.epoch}


def test_what_of_a_text_is_no_element_set_is_told(context: Context) -> None:
    text = f"Here is today's bulletin, with regards.\n\n{format_tles(PACKAGED[:2])}"
    brought = services.import_elements(context, text, source="mail")
    assert brought.skipped == (
        'line 1 is no element set: "Here is today\'s bulletin, with regards."',
    )
