"""A pass and a link become expected key: the published pass, darkness, and what a window holds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import qkd
from scheduler import services
from scheduler.fibre import span_rate_bps
from scheduler.forecast import (
    PassForecast,
    booked_window,
    expected_counts,
    expected_keys,
    forecast_window,
    ground_station,
    link_preset,
)
from scheduler.services.context import Context
from scheduler.settings import Settings

START = datetime(2016, 12, 19, tzinfo=UTC)


@pytest.fixture(scope="module")
def context() -> Context:
    return Context(Settings())


def _forecasts(context: Context, *, sun_elevation_deg_max: float = -6.0) -> list[PassForecast]:
    satellite = context.satellite("micius")
    return forecast_window(
        context.archive.nearest(START, norad_id=satellite.norad_id),
        satellite=satellite,
        stations=context.stations(["xinglong"]),
        start=START,
        end=START + timedelta(days=1),
        planning=replace(context.scenario.planning, sun_elevation_deg_max=sun_elevation_deg_max),
        step_s=1.0,
        bound="chernoff",
    )


def test_the_published_pass_comes_out_where_it_was(context: Context) -> None:
    # Liao et al., Nature 549, 43 (2017), the day; SGP4 on its element set gives 16:52:14 UTC,
    # 645.3 km and 47.8 deg; the paper prints 273 s within 1200 km.
    answer = services.upcoming_passes(
        context,
        satellite="micius",
        stations=["xinglong"],
        start=START,
        end=START + timedelta(days=1),
    )
    (night,) = [row for row in answer.rows if row.dark]

    nearest = datetime(2016, 12, 19, 16, 52, 14, tzinfo=UTC)
    assert abs(night.nearest_at - nearest) <= timedelta(seconds=2)
    assert night.range_km_min == pytest.approx(645.3, abs=2.0)
    assert night.max_elevation_deg == pytest.approx(47.8, abs=0.2)
    track = services.station_track(
        context,
        "micius",
        "xinglong",
        nearest - timedelta(minutes=5),
        nearest + timedelta(minutes=5),
        0.1,
    )
    assert 0.1 * np.count_nonzero(track.range_km < 1200.0) == pytest.approx(272.0, abs=3.0)


def test_only_dark_passes_can_be_booked(context: Context) -> None:
    day, night = _forecasts(context)

    assert (day.row.dark, day.candidate, day.row.secret_bits) == (False, None, 0)
    assert night.row.dark
    assert night.candidate is not None
    assert night.candidate.acquires_at == night.row.rises_at
    assert night.candidate.loses_at == night.row.sets_at


def test_a_window_is_cut_to_its_darkness(context: Context) -> None:
    (_, whole) = _forecasts(context)
    assert whole.candidate is not None
    # A limit between the Sun's elevations at rise and at set leaves a part of the pass.
    middle_deg = whole.row.sun_elevation_deg
    cut = _forecasts(context, sun_elevation_deg_max=middle_deg)[1]

    assert cut.candidate is not None
    assert whole.candidate.duration_s > cut.candidate.duration_s > 0.0
    assert cut.candidate.sifted_bits < whole.candidate.sifted_bits


def test_a_candidate_knows_where_the_telescope_points(context: Context) -> None:
    (_, night) = _forecasts(context)
    candidate = night.candidate
    assert candidate is not None
    assert candidate.acquires_azimuth_deg is not None
    assert candidate.loses_azimuth_deg is not None

    assert candidate.acquires_elevation_deg == pytest.approx(10.0, abs=0.1)
    assert candidate.loses_elevation_deg == pytest.approx(10.0, abs=0.1)
    turn_deg = abs(candidate.acquires_azimuth_deg - night.row.rise_azimuth_deg)
    assert min(turn_deg, 360.0 - turn_deg) < 0.1
    assert candidate.loses_azimuth_deg == pytest.approx(night.row.set_azimuth_deg, abs=0.1)


def test_a_booked_window_is_sampled_as_it_was_forecast(context: Context) -> None:
    (_, night) = _forecasts(context)
    assert night.candidate is not None
    elements = context.elements_of_epoch(41731, night.candidate.elements_epoch)
    (station,) = context.stations(["xinglong"])

    window = booked_window(night.candidate, elements, station=station, step_s=1.0)

    seconds = window.step_s * len(window.samples.offset_s)
    assert seconds == pytest.approx(night.candidate.duration_s, abs=1e-6)
    assert float(window.samples.range_km.min()) == pytest.approx(645.3, abs=2.0)
    assert ground_station(station).station_id == "xinglong"


def test_a_longer_span_gives_less_key() -> None:
    rates = [span_rate_bps("trunk-span", length_km) for length_km in (30.0, 65.0, 90.0, 280.0)]

    assert rates[0] > rates[1] > rates[2] > 1000.0
    assert rates[3] == 0.0


def test_what_a_window_gives_does_not_depend_on_the_others_forecast_with_it(
    context: Context,
) -> None:
    satellite = context.satellite("micius")
    elements = context.archive.nearest(START, norad_id=satellite.norad_id)
    stations = context.stations()
    windows = [
        (booked_window(one.candidate, elements, station=station, step_s=1.0), station)
        for station in stations
        for one in forecast_window(
            elements,
            satellite=satellite,
            stations=[station],
            start=START,
            end=START + timedelta(days=3),
            planning=context.scenario.planning,
            step_s=1.0,
            bound="chernoff",
        )
        if one.candidate is not None
    ]
    asked = [
        (window, link_preset(satellite, station, "chernoff"), station)
        for window, station in windows
    ]

    assert len(asked) > 5
    found = expected_keys(asked, [1.0] * len(asked))
    for together, (window, preset, station) in zip(found, asked, strict=True):
        counts, budget = expected_counts(window, preset, station=station)
        alone = qkd.yield_of_counts(counts, preset, budget)
        assert together.secret_bits == alone.secret_bits
        assert together.sifted_bits == pytest.approx(alone.sifted_bits, rel=1e-12)
        assert together.qber == pytest.approx(alone.qber, rel=1e-12)
