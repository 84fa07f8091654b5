"""What a chance of a clear sky does to plans and sessions."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scheduler import services
from scheduler.entropy import KeyedEntropy
from scheduler.errors import (
    InputError,
    SettingsError,
)
from scheduler.services.context import Context
from scheduler.services.plans.explain import plan_record
from scheduler.services.plans.inputs import rules_of
from scheduler.services.plans.outlook import options_of, plan_outlook
from tests.scheduler.test_planning import NIGHT, XINGLONG, SettingsOf, by_station, opened_at


def test_climatology_thins_the_expected_key_and_says_so(settings_of: SettingsOf) -> None:
    with opened_at(settings_of(weather="climatology")) as context:
        told = services.get_plan(context, services.plan_by_hand(context, **NIGHT)["plan"])

    for planned in (p for p in told.passes if p.secret_bits):
        assert planned.clear_probability is not None
        assert 0.0 < planned.clear_probability < 1.0
        assert planned.expected_bits == planned.secret_bits * planned.clear_probability


def _forecasts(path: Path, rows: list[tuple[str, str, float]]) -> Path:
    lines = ["station,issued_at,valid_at,p_clear"]
    lines += [f"{station},{at},2016-12-19T16:52:00Z,{p}" for station, at, p in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_only_forecasts_issued_by_then_count(settings_of: SettingsOf, tmp_path: Path) -> None:
    file = _forecasts(
        tmp_path / "sky.csv",
        [("xinglong", "2016-12-18T18:00:00Z", 0.8), ("xinglong", "2016-12-19T12:00:00Z", 0.001)],
    )
    with opened_at(settings_of(weather_file=file)) as context:
        early = services.plan_by_hand(context, **NIGHT, request_id="early")
        late = services.plan_by_hand(
            context, **NIGHT, request_id="late", at=datetime(2016, 12, 19, 13, tzinfo=UTC)
        )
        clear = [
            {
                p.station: p.clear_probability
                for p in services.get_plan(context, answer["plan"]).passes
                if p.acquires_at and p.acquires_at.hour == 16
            }
            for answer in (early, late)
        ]
        assert "the minimum is 10,000" in services.explain_pass(context, XINGLONG)

    assert [round(found["xinglong"] or 0.0, 6) for found in clear] == [0.8, 0.001]


def test_a_lock_holds_the_choice_and_not_the_value(settings_of: SettingsOf, tmp_path: Path) -> None:
    def bits_of(context: Context, request_id: str) -> float:
        answer = services.plan_by_hand(context, **NIGHT, objective="total", request_id=request_id)
        with context.ledger.view.read() as reader:
            record = plan_record(reader, answer["plan"])
        return float(record.details["station_bits"]["xinglong"])

    with opened_at(settings_of()) as context:
        clear_bits = bits_of(context, "clear")
        key = by_station(context, services.plan_by_hand(context, **NIGHT, objective="total"))
        services.lock_booking(context, key["xinglong"])
    file = _forecasts(tmp_path / "sky.csv", [("xinglong", "2016-12-18T18:00:00Z", 0.25)])
    with opened_at(settings_of(weather_file=file)) as context:
        assert bits_of(context, "cloudy") == pytest.approx(clear_bits * 0.25)


@pytest.mark.parametrize("chance", [0.1, 0.2])
def test_clouds_take_the_key_of_a_session(
    settings_of: SettingsOf, tmp_path: Path, chance: float
) -> None:
    file = _forecasts(tmp_path / "sky.csv", [("xinglong", "2016-12-18T18:00:00Z", chance)])
    with opened_at(settings_of(weather_file=file)) as context:
        context.entropy = KeyedEntropy(0)
        key = by_station(context, services.plan_by_hand(context, **NIGHT, objective="total"))[
            "xinglong"
        ]
        (booking,) = services.bookings_of_plan(context, {"bookings": [str(key)]})
        (station,) = context.stations(["xinglong"])
        middle = booking.candidate.acquires_at + timedelta(seconds=booking.candidate.duration_s / 2)
        cloudy = context.true_sky.rank(station.lat_deg, station.lon_deg, middle)
        services.begin_session(context, key, at=booking.candidate.acquires_at)
        answer = services.settle_session(context, key, at=booking.candidate.loses_at)

    assert 0.1 < cloudy < 0.2  # of this seed
    assert (answer["secret_bits"] > 0) == (cloudy < chance)


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [("gone.csv", None, SettingsError), ("bad.csv", "station,p_clear\n", InputError)],
)
def test_a_bad_weather_file_is_refused(
    settings_of: SettingsOf, tmp_path: Path, name: str, text: str | None, error: type[Exception]
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with opened_at(settings_of(weather_file=tmp_path / name)) as context, pytest.raises(error):
        services.plan_by_hand(context, **NIGHT)


def test_aversion_to_risk_lowers_what_a_plan_is_worth(settings_of: SettingsOf) -> None:
    values = []
    for name, aversion in (("bold", 0.0), ("careful", 0.5)):
        given = {"weather": "climatology", "risk_aversion": aversion}
        with opened_at(settings_of(name, **given)) as context:
            answer = services.plan_by_hand(context, **NIGHT, objective="total")
            values.append(services.get_plan(context, answer["plan"]).value)
    assert values[1] < values[0]


def test_passes_that_differ_are_a_risk_under_a_clear_sky_too(settings_of: SettingsOf) -> None:
    values, spreads = [], []
    for name, aversion in (("bold", 0.0), ("careful", 1.0)):
        with opened_at(settings_of(name, weather="none", risk_aversion=aversion)) as context:
            answer = services.plan_by_hand(context, **NIGHT, objective="total")
            values.append(services.get_plan(context, answer["plan"]).value)
            ahead = plan_outlook(context, NIGHT["start"], NIGHT["end"], at=NIGHT["start"])
            options = options_of(context, ahead, rules_of(context), at=NIGHT["start"])
            spreads.append({one.candidate_id: one.secret_bits_spread for one in options})

    assert not any(spreads[0].values())
    assert all(spreads[1][one.candidate_id] > 0.0 for one in options if one.secret_bits)
    assert values[1] < values[0]


def test_a_misspelt_station_of_a_weather_file_is_told(
    settings_of: SettingsOf, tmp_path: Path
) -> None:
    rows = [("xinlong", "2016-12-18T18:00:00Z", 0.8), ("xinglong", "2016-12-18T18:00:00Z", 0.7)]
    file = _forecasts(tmp_path / "sky.csv", rows)
    with opened_at(settings_of(weather_file=file)) as context:
        plan = services.get_plan(context, services.plan_by_hand(context, **NIGHT)["plan"])

    assert plan.notes[-1] == (
        "weather: file sky.csv names 'xinlong', no station of the scenario;"
        " probably meant: xinglong"
    )


def test_a_source_of_weather_that_gave_nothing_is_told(
    settings_of: SettingsOf, tmp_path: Path
) -> None:
    file = tmp_path / "sky.csv"
    file.write_text(
        "station,issued_at,valid_at,p_clear\nxinglong,2020-01-01T00Z,2020-01-01T01Z,1\n"
    )
    with opened_at(settings_of(weather_file=file)) as context:
        plan = services.get_plan(context, services.plan_by_hand(context, **NIGHT)["plan"])

    assert plan.notes[-1] == (
        "weather: file sky.csv has nothing for these passes; climatology instead"
    )
