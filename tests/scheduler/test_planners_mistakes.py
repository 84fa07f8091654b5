"""What a planner gets wrong, and what goes wrong on the way: one sentence each, nothing by half."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest

from orbits import (
    Elements,
    ElementsError,
    StaleElementsError,
    format_omm,
    omm_fields,
    read_elements,
)
from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.errors import FeedError, InputError, ScenarioError, UnknownName
from scheduler.network import parse_scenario
from scheduler.services.context import Context
from scheduler.settings import Settings
from tests.scheduler.sources.test_feed import Endpoint, endpoint
from tests.scheduler.test_session_kinds import dual

__all__ = ["endpoint"]
SettingsOf = Callable[..., Settings]

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
PACKAGED = read_elements((files("tle") / "micius-2016-2025.tle").read_text(), source="tle")
LAST = PACKAGED[-1]
#: Two objects that no scenario knows, of a made-up number each.
SOUND = [json.dumps({**omm_fields(LAST), "NORAD_CAT_ID": number}) for number in (90001, 90002)]
TWO = f"[{','.join(SOUND)}]"
FUTURE = json.dumps([{**omm_fields(LAST), "EPOCH": "2026-03-01T00:00:00"}])
TOGETHER = (
    dual(like="micius-2016", numbers="")
    .replace("43.4754611", "37.3790083")
    .replace("87.1766861", "97.7269472")
)


@pytest.fixture
def context(settings_of: SettingsOf, endpoint: Endpoint) -> Iterator[Context]:
    settings = settings_of(elements_url=f"{endpoint.base}/gp")
    with Context(settings, clock=SimulatedClock(NOW)) as opened:
        yield opened


@dataclass(frozen=True)
class Case:
    """What is done, with what a feed would answer, and what is said of it."""

    name: str
    error: type[Exception]
    words: tuple[str, ...]
    file: str | None = None  #: imported
    body: str | None = None  #: answered by the feed
    status: int = 200
    satellite: str = ""  #: asked for
    scenario: str = ""

    def __str__(self) -> str:
        return self.name


CASES = [
    Case("unknown satellite", UnknownName, ("'nowhere'", "known:"), satellite="nowhere"),
    Case("unknown object", FeedError, ("404", "99999"), body="No GP data found", status=404,
         satellite="99999"),
    Case("an object without a set", FeedError, ("gave no element set of 99999",),
         body="No GP data found", satellite="99999"),
    Case("a page of HTML", FeedError, ("gave no element set of 41731",),
         body="<!DOCTYPE html><html><body>maintenance</body></html>", satellite="micius"),
    Case("an empty list", FeedError, ("gave no element set of 41731",), body="[]",
         satellite="micius"),
    Case("half an answer", FeedError, ("gave no element set of 41731",),
         body=format_omm([LAST])[:200], satellite="micius"),
    Case("another object under the number", FeedError, ("asked for satellite 41731", "90001"),
         body=f"[{SOUND[0]}]", satellite="micius"),
    Case("a set from the future", FeedError, ("from the future", "2026-03-01", "at most 2 days"),
         body=FUTURE, satellite="micius"),
    Case("a file of a set from the future", InputError, ("from the future", "2050-03-01", "2 days"),
         file=FUTURE.replace("2026-03", "2050-03")),
    Case("an empty file", ElementsError, ("bad.json", "line 1"), file="[]"),
    Case("half a file", ElementsError, ("bad.json", "line 1"), file=TWO[: len(TWO) // 2]),
    Case("half a set behind a whole one", ElementsError, ("bad.json", "message 2"),
         file=f"[{SOUND[0]},{{\"NORAD_CAT_ID\": 90002}}]"),
    Case("a page of HTML as a file", ElementsError, ("bad.json", "line 1"), file="<html></html>"),
    Case("stations on one place", ScenarioError,
         ("nanshan lies on the place of delingha", "places apart, or one mount"),
         scenario=TOGETHER),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_is_told_in_one_sentence_and_nothing_comes_in(
    case: Case, context: Context, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.sources.feed_cache.users_cache", lambda: None)
    before = services.list_elements(context).elements
    if case.body is not None:
        endpoint.give("/gp", case.body, status=case.status)

    with pytest.raises(case.error) as told:
        _do(case, context)

    said = str(told.value)
    assert all(word in said for word in case.words), said
    assert "\n" not in said.strip()
    assert services.list_elements(context).elements == before


def _do(case: Case, context: Context) -> None:
    if case.scenario:
        parse_scenario(case.scenario)
    elif case.file is not None:
        services.import_elements(context, case.file, source="bad.json")
    elif case.body is not None:
        services.fetch_elements(context, [case.satellite])
    else:
        end = NOW + timedelta(days=1)
        services.upcoming_passes(context, satellite=case.satellite, start=NOW, end=end)


def test_a_decayed_object_is_told_to_be_one(context: Context) -> None:
    late = LAST.epoch + timedelta(days=60)
    with pytest.raises(StaleElementsError) as told:
        services.upcoming_passes(
            context, satellite="micius", start=late, end=late + timedelta(days=1)
        )
    assert "it was coming down" in str(told.value)


def test_thirty_thousand_sets_come_in_or_none(context: Context) -> None:
    many = "[" + ",".join([SOUND[0]] * 300) + "]"
    fields = {**omm_fields(LAST)}
    every = json.dumps([{**fields, "NORAD_CAT_ID": 100_000 + n} for n in range(3000)])
    bad = json.dumps({**fields, "NORAD_CAT_ID": 200_000, "EPOCH": "soon"})
    with pytest.raises(ElementsError):
        services.import_elements(context, f"{every[:-1]},{bad}]", source="one too bad")
    assert not [one for one in services.list_elements(context).elements if one.norad_id > 99_999]

    assert services.import_elements(context, many, source="the same").added == 1
    assert services.import_elements(context, every, source="all").added == 3000


DD: Elements = read_elements(
    json.dumps([{**omm_fields(LAST), "NORAD_CAT_ID": 90077, "OBJECT_NAME": "OBJECT DD"}])
)[0]


def test_an_object_of_unsettled_identity_is_bound_from_a_date_on(
    settings_of: SettingsOf,
) -> None:
    settings = settings_of()
    later = LAST.epoch + timedelta(days=1)
    early, late = (
        json.dumps([{**omm_fields(DD), "NORAD_CAT_ID": 90077, "EPOCH": f"{at:%Y-%m-%dT%H:%M:%S}"}])
        for at in (LAST.epoch - timedelta(days=200), later)
    )
    with Context(settings, clock=SimulatedClock(NOW)) as context:
        services.import_elements(context, early, source="early.json")
        services.import_elements(context, late, source="late.json")
        before = len(services.list_elements(context, "micius").elements)
        digest = context.elements_digest()

        bound = services.bind_elements(
            context, 90077, "micius", since=LAST.epoch, reason="told by its operator"
        )
        again = services.bind_elements(context, 90077, "micius", since=LAST.epoch)

        assert (bound.satellite, bound.sets) == ("micius", 1)
        assert again.sets == 1
        mine = services.list_elements(context, "micius").elements
        assert len(mine) == before + 1
        assert mine[-1].epoch == later.replace(microsecond=0)
        assert {one.norad_id for one in mine} == {41731}
        assert context.elements_digest() != digest
        assert context.numbers_of(41731) == [41731, 90077]
        assert services.verify_ledger(context).problems == ()
    with Context(settings, clock=SimulatedClock(NOW)) as other:
        assert len(services.list_elements(other, "micius").elements) == before + 1


@pytest.mark.parametrize(
    ("number", "satellite", "error", "words"),
    [
        (41731, "micius", InputError, "41731 is micius itself"),
        (0, "micius", InputError, "allowed: 1 to 999,999,999"),
        (90077, "nobody", UnknownName, "'nobody'"),
    ],
)
def test_a_binding_that_makes_no_sense_is_refused(
    number: int, satellite: str, error: type[Exception], words: str, context: Context
) -> None:
    with pytest.raises(error, match=words):
        services.bind_elements(context, number, satellite, since=NOW)
