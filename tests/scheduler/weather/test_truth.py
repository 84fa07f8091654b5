"""Courses of the weather: right on the whole, alike over neighbours, and off for months."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from scheduler.weather import TrueSky

NOON = datetime(2017, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
XINGLONG, BEIJING, LIJIANG = (40.4, 117.6), (39.9, 116.4), (26.7, 100.0)


def courses(count: int) -> list[TrueSky]:
    return [TrueSky(np.random.default_rng(seed)) for seed in range(count)]


@pytest.mark.parametrize("p_clear", [0.1, 0.5, 0.8])
def test_over_many_courses_it_is_clear_as_often_as_foretold(p_clear: float) -> None:
    # 1,000 courses, of which only one instant each is looked at: 4 sigma.
    clear = [one.is_clear(*XINGLONG, NOON, p_clear=p_clear) for one in courses(1000)]

    spread = (p_clear * (1.0 - p_clear) / 1000) ** 0.5
    assert np.mean(clear) == pytest.approx(p_clear, abs=4.0 * spread)


def test_certain_skies_are_certain() -> None:
    for one in courses(50):
        assert one.is_clear(*XINGLONG, NOON, p_clear=1.0)
        assert not one.is_clear(*XINGLONG, NOON, p_clear=0.0)


def agreement(lat_deg: float, lon_deg: float, later: timedelta) -> float:
    """Part of the courses in which another sky of an even chance turns out as Xinglong's."""
    return float(
        np.mean(
            [
                one.is_clear(*XINGLONG, NOON, p_clear=0.5)
                == one.is_clear(lat_deg, lon_deg, NOON + later, p_clear=0.5)
                for one in courses(600)
            ]
        )
    )


def test_neighbours_and_hours_agree_and_far_ones_less() -> None:
    # Of two normal numbers of correlation r, both lie on one side of 0 with 1/2 + asin(r)/pi;
    # 600 courses tell that to within 0.06 (3 sigma). Beijing is 115 km away, Lijiang 2,200 km.
    for place, later, correlation in (
        (BEIJING, 0 * DAY, 0.8 * np.exp(-((115 / 500) ** 2) / 2) + 0.2 * 0.997),
        (XINGLONG, DAY / 4, 0.8 * np.exp(-0.125) + 0.2),
        (XINGLONG, 3 * DAY, 0.2 * np.exp(-((3 / 20) ** 2) / 2)),
        (LIJIANG, 0 * DAY, 0.2 * np.exp(-((2200 / 1500) ** 2) / 2)),
    ):
        expected = 0.5 + np.arcsin(correlation) / np.pi
        assert agreement(*place, later) == pytest.approx(expected, abs=0.06)


def test_months_are_clearer_or_cloudier_than_foretold() -> None:
    # Independent skies of 30 nights scatter by 0.091 about an even chance.
    monthly = [
        np.mean([one.is_clear(*XINGLONG, NOON + n * DAY, p_clear=0.5) for n in range(30)])
        for one in courses(150)
    ]

    assert np.std(monthly) > 0.12
    assert np.mean(monthly) == pytest.approx(0.5, abs=0.05)


def test_one_seed_is_one_course() -> None:
    one, again, other = (TrueSky(np.random.default_rng(seed)) for seed in (7, 7, 8))

    assert one.rank(*LIJIANG, NOON) == again.rank(*LIJIANG, NOON)
    assert one.rank(*LIJIANG, NOON) != other.rank(*LIJIANG, NOON)
