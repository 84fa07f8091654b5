"""Surveys of places that are only an idea: statistics held against passes one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler import services
from scheduler.domain import SurveyAnswer
from scheduler.errors import InputError, UnknownName
from scheduler.services.context import Context
from scheduler.services.survey import longest_dry_spell
from scheduler.settings import Settings

SettingsOf = Callable[..., Settings]
MATERA = services.place_at(40.65, 16.70, height_m=530.0)
CAPE_TOWN = services.place_at(-33.9, 18.4)
# A span that the packaged element sets of Micius cover within the limit of age.
START, END = datetime(2016, 12, 10, tzinfo=UTC), datetime(2016, 12, 31, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def context(settings_of: SettingsOf) -> Iterator[Context]:
    with Context(settings_of()) as opened:
        yield opened


def _survey(context: Context, start: datetime, end: datetime) -> SurveyAnswer:
    return services.survey(
        context, satellite="micius", places=[MATERA, CAPE_TOWN], start=start, end=end
    )


def test_a_survey_counts_the_passes_that_the_question_for_passes_gives(context: Context) -> None:
    answer = _survey(context, START, END)

    assert answer.mean_orbit_days == 0.0
    least = max(1, context.scenario.planning.min_secret_bits)
    for row, place in zip(answer.rows, (MATERA, CAPE_TOWN), strict=True):
        passes = services.upcoming_passes(
            context, satellite="micius", place=place, start=START, end=END, forecast=True
        ).rows
        usable = [one for one in passes if (one.secret_bits or 0) >= least]
        assert row.passes == len(passes)
        assert row.dark == sum(one.dark for one in passes)
        assert row.usable == len(usable)
        weeks = np.zeros((3, 2))
        for one in usable:
            assert one.acquires_at is not None
            weeks[(one.acquires_at - START) // timedelta(days=7)] += 1.0, one.secret_bits or 0
        expected = np.quantile(weeks, [0.1, 0.5, 0.9], axis=0).T
        *_, every = row.seasons
        assert (every.season, every.weeks) == ("all", 3)
        np.testing.assert_allclose(every.passes, expected[0])
        np.testing.assert_allclose(every.secret_bits, expected[1], rtol=1e-12)
        assert row.monthly_bits[11] == pytest.approx(weeks[:, 1].sum() / 21.0)
        assert row.monthly_bits[:11] == (None,) * 11


def test_where_no_set_is_young_enough_a_mean_orbit_stands_in_and_it_is_told(
    context: Context,
) -> None:
    # In 2018 the packaged archive has no set for months.
    answer = _survey(context, datetime(2018, 3, 1, tzinfo=UTC), datetime(2018, 5, 1, tzinfo=UTC))

    assert answer.mean_orbit_days == 61.0
    assert any(note.startswith("61 of 61 days by a mean orbit") for note in answer.notes)
    assert all(row.usable > 0 for row in answer.rows)


def test_a_mean_orbit_is_as_generous_as_the_sets_themselves(context: Context) -> None:
    near = _survey(context, START, END)
    # The same weeks two years on, by an orbit that is far from any set.
    far = _survey(context, START.replace(year=2018), END.replace(year=2018))

    for one, other in zip(near.rows, far.rows, strict=True):
        # Each count is of some 65 passes; 3 of sqrt(65) is 24.
        assert abs(one.passes - other.passes) <= 24


def test_a_year_has_four_seasons_and_all(context: Context) -> None:
    answer = _survey(context, datetime(2017, 1, 1, tzinfo=UTC), datetime(2018, 1, 1, tzinfo=UTC))

    for row in answer.rows:
        *seasons, every = row.seasons
        assert [one.season for one in seasons] == ["Dec-Feb", "Mar-May", "Jun-Aug", "Sep-Nov"]
        assert sum(one.weeks for one in seasons) == every.weeks == 52
        for one in row.seasons:
            assert list(one.passes) == sorted(one.passes)
            assert list(one.secret_bits) == sorted(one.secret_bits)
            assert one.expected_bits <= one.secret_bits[2]
        assert row.dry_from < row.dry_to
        assert row.dry_s == (row.dry_to - row.dry_from).total_seconds()


HOURS = st.lists(st.integers(0, 500), max_size=20, unique=True).map(sorted)


@given(hours=HOURS)
def test_the_dry_spell_is_the_longest_time_between_spans(hours: Sequence[int]) -> None:
    edges = [START + timedelta(hours=one) for one in hours]
    spans = list(zip(edges[::2], edges[1::2], strict=False))

    begin, end = longest_dry_spell(spans, START, START + timedelta(hours=500))

    wet = {hour for a, b in zip(hours[::2], hours[1::2], strict=False) for hour in range(a, b)}
    runs, run = [0], 0
    for hour in range(500):
        run = 0 if hour in wet else run + 1
        runs.append(run)
    assert (end - begin) / timedelta(hours=1) == max(runs)


WRONG = [
    ({"end": START + 6 * DAY}, InputError, "6 days; allowed: 7 days to 25 years"),
    ({"start": START.replace(year=1960)}, InputError, "25 years"),
    ({"places": []}, InputError, "0 places"),
    ({"places": [MATERA] * 17}, InputError, "17 places"),
    ({"satellite": "sputnik"}, UnknownName, "sputnik"),
]


@pytest.mark.parametrize(("change", "error", "word"), WRONG)
def test_a_survey_that_is_none_is_refused(
    context: Context, change: dict[str, object], error: type[Exception], word: str
) -> None:
    asked = {"satellite": "micius", "places": [MATERA], "start": START, "end": END}
    with pytest.raises(error, match=word):
        services.survey(context, **{**asked, **change})  # type: ignore[arg-type]
