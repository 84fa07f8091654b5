"""What was known of the sky, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import FactError
from scheduler.weather import Climatology, Forecast, ForecastTable, Layered

NOON = datetime(2016, 12, 19, 12, tzinfo=UTC)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def forecast(issued_h: float, valid_h: float, p_clear: float) -> Forecast:
    return Forecast(
        station_id="xinglong",
        issued_at=NOON + hours(issued_h),
        valid_at=NOON + hours(valid_h),
        p_clear=p_clear,
    )


def test_a_question_sees_only_what_was_issued_by_then() -> None:
    table = ForecastTable([forecast(0, 5, 0.2), forecast(3, 5, 0.9)])
    at = NOON + hours(5)

    assert table.outlook("xinglong", at, known_at=NOON - hours(1)) is None
    assert table.outlook("xinglong", at, known_at=NOON).p_clear == 0.2
    assert table.outlook("xinglong", at, known_at=NOON + hours(2.99)).p_clear == 0.2
    later = table.outlook("xinglong", at, known_at=NOON + hours(3))
    assert (later.p_clear, later.issued_at) == (0.9, NOON + hours(3))


@given(
    rows=st.lists(
        st.builds(forecast, st.integers(-48, 48), st.integers(0, 24), st.floats(0, 1)),
        max_size=20,
        unique_by=lambda f: (f.issued_at, f.valid_at),
    ),
    at_h=st.floats(-2, 26),
    known_h=st.integers(-50, 50),
)
def test_later_issues_never_change_an_earlier_answer(
    rows: list[Forecast], at_h: float, known_h: int
) -> None:
    known_at, at = NOON + hours(known_h), NOON + hours(at_h)
    then = [row for row in rows if row.issued_at <= known_at]

    answer = ForecastTable(rows).outlook("xinglong", at, known_at=known_at)

    assert answer == ForecastTable(then).outlook("xinglong", at, known_at=known_at)
    if answer is not None:
        values = [row.p_clear for row in then if row.issued_at == answer.issued_at]
        assert min(values) - 1e-12 <= answer.p_clear <= max(values) + 1e-12


def test_between_two_hours_the_value_runs_straight() -> None:
    table = ForecastTable([forecast(0, 4, 0.2), forecast(0, 5, 0.6)])

    found = table.outlook("xinglong", NOON + hours(4.25), known_at=NOON)

    assert found.p_clear == pytest.approx(0.3)


def test_beyond_its_reach_an_older_run_answers_or_nobody() -> None:
    table = ForecastTable([forecast(-6, 20, 0.4), forecast(0, 5, 0.9)])

    assert table.outlook("xinglong", NOON + hours(20), known_at=NOON).p_clear == 0.4
    assert table.outlook("xinglong", NOON + hours(12), known_at=NOON) is None
    assert table.outlook("nanshan", NOON + hours(5), known_at=NOON) is None


def test_climatology_answers_where_no_forecast_reaches() -> None:
    weather = Layered(
        ForecastTable([forecast(0, 5, 0.9)]), Climatology(places={"xinglong": (40.396, 117.577)})
    )

    assert weather.clear_probability("xinglong", NOON + hours(5), known_at=NOON) == 0.9
    assert weather.clear_probability("xinglong", NOON + hours(50), known_at=NOON) == 0.72
    assert weather.outlook("xinglong", NOON + hours(5), known_at=NOON).source == "forecast"
    after = weather.outlook("xinglong", NOON + hours(50), known_at=NOON)
    assert after.source == "climatology (synthetic)"


def test_climatology_goes_by_the_month_and_knows_every_station() -> None:
    own = Climatology({"here": [m / 12 for m in range(12)]}, source="station log 2014-2020")

    assert own.clear_probability("here", datetime(2017, 7, 1, tzinfo=UTC), known_at=NOON) == 0.5
    assert own.clear_probability("there", NOON, known_at=NOON) == 0.5
    assert own.outlook("here", NOON, known_at=NOON).source == "climatology (station log 2014-2020)"


@pytest.mark.parametrize(
    ("lat_deg", "lon_deg", "december"),
    [
        (40.396, 117.577, 0.72),  # Xinglong
        (41.0, 118.5, 0.72),  # 100 km from it
        (47.07, 15.49, 0.26),  # Graz
        (31.2, -238.5, 0.46),  # Shanghai, counted westwards
        (-30.0, -70.7, 0.5),  # nobody's
        (42.5, 97.7, 0.5),  # 570 km north of Delingha
    ],
)
def test_climatology_goes_by_where_a_station_is_and_not_by_its_name(
    lat_deg: float, lon_deg: float, december: float
) -> None:
    weather = Climatology(places={"lijiang": (lat_deg, lon_deg)})

    assert weather.clear_probability("lijiang", NOON, known_at=NOON) == december


def test_facts_that_cannot_be_are_refused() -> None:
    with pytest.raises(FactError, match=r"p_clear 1\.5 of xinglong, not 0\.\.1"):
        forecast(0, 1, 1.5)
    with pytest.raises(ValueError, match="naive"):
        Forecast(station_id="x", issued_at=datetime(2016, 1, 1), valid_at=NOON, p_clear=0.5)  # noqa: DTZ001
    with pytest.raises(FactError, match=r"both 0\.1 and 0\.2"):
        ForecastTable([forecast(0, 1, 0.1), forecast(0, 1, 0.2)])
    with pytest.raises(FactError, match="has 3 months, not 12"):
        Climatology({"a": [0.1, 0.2, 0.3]}, source="mine")
    with pytest.raises(FactError, match=r"month 12: 2\.0, not 0\.\.1"):
        Climatology({"a": [0.5] * 11 + [2.0]}, source="mine")
    with pytest.raises(FactError, match="needs its source"):
        Climatology({"a": [0.5] * 12})
    with pytest.raises(FactError, match="reach_s 0"):
        ForecastTable([], reach_s=0)
