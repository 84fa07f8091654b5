"""What stands around a station: read from a scenario or a survey beside it, obeyed by passes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from orbits import Elements, GroundStation, HorizonMask, as_mask, find_passes
from scheduler import services
from scheduler.domain import PassAnswer
from scheduler.errors import ScenarioError
from scheduler.network import Station, parse_scenario
from scheduler.services.context import Context
from scheduler.settings import load_settings
from scheduler.sources.scenarios import load_scenario

CAMPAIGN = files("scheduler").joinpath("scenarios", "micius-2016.toml").read_text("utf-8")
START = datetime(2016, 12, 19, tzinfo=UTC)
END = START + timedelta(days=1)
# A wall to the east, a step at 200 deg, the rest below the mask of 10 deg.
CORNERS = [[40.0, 2.0], [60.0, 35.0], [120.0, 35.0], [200.0, 2.0], [200.0, 20.0], [260.0, 2.0]]
SURVEY = "azimuth;horizon\n" + "".join(f"{az};{el}\n" for az, el in CORNERS)
HORIZON = as_mask([(az, el) for az, el in CORNERS])


def with_horizon(*lines: str) -> str:
    """The campaign with lines added to its first station, Xinglong."""
    return CAMPAIGN.replace("mask_deg = 10.0", "\n".join(("mask_deg = 10.0", *lines)), 1)


def first_station(text: str) -> Station:
    return parse_scenario(text).stations[0]


def test_corners_are_read_in_place_and_from_a_survey(tmp_path: Path) -> None:
    assert first_station(CAMPAIGN).horizon is None
    assert first_station(with_horizon(f"horizon = {CORNERS}")).horizon == HORIZON
    (tmp_path / "walls.csv").write_text(SURVEY)
    (tmp_path / "s.toml").write_text(with_horizon('horizon = "walls.csv"'))
    assert load_scenario(str(tmp_path / "s.toml")).stations[0].horizon == HORIZON
    (tmp_path / "s.toml").write_text(
        with_horizon('horizon = "walls.csv"', "horizon_refraction = true")
    )
    seen = load_scenario(str(tmp_path / "s.toml")).stations[0].horizon
    assert seen == HORIZON.seen_through_air()
    assert np.all(HORIZON.at([0.0, 90.0, 210.0]) > seen.at([0.0, 90.0, 210.0]))


MISTAKES = [
    ("horizon = []", "horizon is []; allowed: [azimuth_deg, elevation_deg] pairs, or the name"),
    ("horizon = [[1, 2, 3]]", "horizon is [[1, 2, 3]]; allowed: [azimuth_deg"),
    ("horizon = 12", "horizon is 12; allowed: [azimuth_deg"),
    ("horizon = [[90, 2], [80, 2]]", "horizon azimuths must ascend, got 80 deg after 90"),
    ("horizon = [[0, 95]]", "mask 95.0 deg, not -10.0 to 89.9"),
    ('horizon = "walls.csv"', "file 'walls.csv' is beside no scenario file"),
    ("horizon_refraction = true", "horizon_refraction without a horizon"),
]


@pytest.mark.parametrize(("line", "words"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_horizon_that_is_none_is_refused(line: str, words: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        parse_scenario(with_horizon(line))
    assert words in str(refused.value)
    assert "stations[0]" in str(refused.value)


def test_a_survey_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(with_horizon('horizon = "walls.csv"'))
    with pytest.raises(ScenarioError, match=r"file 'walls\.csv': No such file"):
        load_scenario(str(tmp_path / "s.toml"))
    (tmp_path / "walls.csv").write_text("10;2\nnorth;3\n")
    with pytest.raises(ScenarioError, match=r"file 'walls\.csv': horizon, line 2: 'north;3'"):
        load_scenario(str(tmp_path / "s.toml"))


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Context]:
    def build(name: str, *lines: str) -> Context:
        file = tmp_path / f"{name}.toml"
        file.write_text(with_horizon(*lines))
        return Context(
            load_settings(database_url=f"sqlite:///{tmp_path / name}.db", scenario=str(file))
        )

    return build


def _spans(answer: PassAnswer) -> list[tuple[datetime, datetime]]:
    return [(row.rises_at, row.sets_at) for row in answer.rows if row.station == "xinglong"]


def _expected(
    context: Context, mask: HorizonMask, elements: Elements, start: datetime
) -> list[tuple[datetime, datetime]]:
    place = context.stations(["xinglong"])[0]
    ground = GroundStation(
        station_id=place.station_id, lat_deg=place.lat_deg, lon_deg=place.lon_deg,
        height_m=place.height_m, mask=mask,
    )  # fmt: skip
    table = find_passes(elements, ground, start, END)
    return [(one.rises_at, one.sets_at) for one in table]


def test_passes_and_plans_stay_above_it(opened: Callable[..., Context]) -> None:
    with opened("open") as free, opened("walled", f"horizon = {CORNERS}") as walled:
        start = START + timedelta(hours=14)
        question = {"satellite": "micius", "start": start, "end": END}
        before = _spans(services.upcoming_passes(free, **question))  # type: ignore[arg-type]
        after = _spans(services.upcoming_passes(walled, **question))  # type: ignore[arg-type]
        high = _spans(
            services.upcoming_passes(walled, **question, min_elevation_deg=25.0)  # type: ignore[arg-type]
        )
        assert before
        assert after != before
        nearest = walled.archive.nearest(start + timedelta(hours=3), norad_id=41731)
        assert after == _expected(walled, HORIZON.at_least(10.0), nearest, start)
        assert high == _expected(walled, HORIZON.at_least(25.0), nearest, start)

        plan = services.plan_by_hand(walled, start=START, end=END, at=START)
        shown = services.get_plan(walled, plan["plan"])
        known = walled.archive.known_at(START, norad_id=41731)
        assert [
            (one.rises_at, one.sets_at) for one in shown.passes if one.station == "xinglong"
        ] == _expected(walled, HORIZON.at_least(10.0), known, START)
        assert [one.station_id for one in walled.scenario.stations if one.horizon] == ["xinglong"]
