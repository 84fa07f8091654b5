"""A pass and a link become expected key: the published pass, darkness, and what a window holds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qkd
from orbits import track_offsets
from scheduler import services
from scheduler.fibre import span_rate_bps
from scheduler.forecast import (
    Downlink,
    Flight,
    PassForecast,
    expected_counts,
    forecast_flights,
    link_forecasts,
    sample_hardware,
)
from scheduler.hardware import link_preset
from scheduler.network import StatedNumber
from scheduler.network.ground import ground_station
from scheduler.services.context import Context
from scheduler.settings import Settings

START = datetime(2016, 12, 19, tzinfo=UTC)


@pytest.fixture(scope="module")
def context() -> Context:
    return Context(Settings())


def _flight(context: Context, *, days: int) -> Flight:
    satellite = context.satellite("micius")
    elements = context.archive.nearest(START, norad_id=satellite.norad_id)
    end = START + timedelta(days=days)
    return Flight(satellite=satellite, elements=elements, start=START, end=end)


def _forecasts(context: Context, *, sun_elevation_deg_max: float = -6.0) -> list[PassForecast]:
    return forecast_flights(
        [_flight(context, days=1)],
        stations=context.stations(["xinglong"]),
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
    ends = night.candidate.acquires_at, night.candidate.loses_at
    link = Downlink(context.satellite("micius"), elements, station, *ends)

    sampled, (preset,) = sample_hardware([link], step_s=1.0, bound="chernoff")
    counts, budget = qkd.pass_counts(
        sampled.samples, preset, station.station_id, sample_s=sampled.sample_s
    )
    key = qkd.yield_of_counts(counts.total(), preset, budget)
    expected = expected_counts(sampled, preset, station=station, ratios=[1.0])

    assert sampled.sample_s.sum() == pytest.approx(night.candidate.duration_s, abs=1e-6)
    assert sampled.samples.offset_s[-1] == pytest.approx(night.candidate.duration_s, abs=1e-6)
    assert float(sampled.samples.range_km.min()) == pytest.approx(645.3, abs=2.0)
    assert ground_station(station).station_id == "xinglong"
    assert key.secret_bits == night.candidate.secret_bits
    assert expected.key_clicks.sum() == pytest.approx(counts.total().key_clicks.sum(), rel=1e-12)


def test_a_longer_span_gives_less_key() -> None:
    rates = [span_rate_bps("trunk-span", length_km) for length_km in (30.0, 65.0, 90.0, 280.0)]

    assert rates[0] > rates[1] > rates[2] > 1000.0
    assert rates[3] == 0.0


def _links(context: Context, *, days: int) -> list[Downlink]:
    flight = _flight(context, days=days)
    found = forecast_flights(
        [flight],
        stations=context.stations(),
        planning=context.scenario.planning,
        step_s=1.0,
        bound="chernoff",
    )
    stations = {one.station_id: one for one in context.stations()}
    return [
        Downlink(
            flight.satellite,
            flight.elements,
            stations[one.candidate.station_id],
            one.candidate.acquires_at,
            one.candidate.loses_at,
        )
        for one in found
        if one.candidate is not None
    ]


def test_what_a_link_gives_does_not_depend_on_the_others_forecast_with_it(
    context: Context,
) -> None:
    links = _links(context, days=3)

    together = list(link_forecasts(links, step_s=1.0, bound="chernoff"))

    assert len(together) > 5
    for found, link in zip(together, links, strict=True):
        (alone,) = link_forecasts([link], step_s=1.0, bound="chernoff")
        assert found.secret_bits == alone.secret_bits
        assert found.sifted_bits == pytest.approx(alone.sifted_bits, rel=1e-12)
        assert found.qber == pytest.approx(alone.qber, rel=1e-12)


def _step_by_step(link: Downlink, step_s: float) -> qkd.PassYield:
    """What a link gives by the middles of equal steps, its geometry computed at each."""
    preset = link_preset(link.satellite, link.station, "chernoff")
    length_s = (link.end - link.start).total_seconds()
    count = round(length_s / step_s)
    middles_s = (np.arange(count) + 0.5) * length_s / count
    track = track_offsets(link.elements, ground_station(link.station), link.start, middles_s)
    return qkd.pass_yield(
        track, preset, link.station.station_id, sample_s=np.full(count, length_s / count)
    )


@cache
def _month() -> list[Downlink]:
    """By full Moon and new, close to the Moon, in and out of the shadow."""
    return _links(Context(Settings()), days=30)


@settings(max_examples=50, deadline=None)
@given(
    first=st.floats(0.0, 0.5),
    last=st.floats(0.6, 1.0),
    part=st.floats(0.0, 0.999),
    stray_hz=st.sampled_from([0.0, 300.0]),
)
def test_few_samples_are_as_good_as_one_a_second(
    first: float, last: float, part: float, stray_hz: float
) -> None:
    links = _month()
    link = links[int(part * len(links))]
    length = link.end - link.start
    stated = StatedNumber(key="stray_rate_hz", value=stray_hz, source="test")
    receiver = link.station.receiver_for(link.satellite).stating(stated)
    link = link._replace(
        station=replace(link.station, receiver=receiver),
        start=link.start + first * length,
        end=link.start + last * length,
    )

    (found,) = link_forecasts([link], step_s=1.0, bound="chernoff")
    dense, seconds = _step_by_step(link, 0.1), _step_by_step(link, 1.0)

    # What is left over 67 whole passes of this month: at most 1.5e-5 and 2.3e-4, and 4e-5 of the
    # sifted bits, of which a sample a second leaves 5e-5, 4e-4 and 5e-5. Close to the Moon and
    # where the shadow begins both look once a second, and a short link shows it more.
    for name, tolerance in (
        ("sifted_bits", 3e-5 * dense.sifted_bits),
        ("qber", 4e-4 * dense.qber),
        ("secret_bits", 2.0 + 6e-5 * dense.sifted_bits),
    ):
        exact = getattr(dense, name)
        usual = abs(getattr(seconds, name) - exact)
        assert abs(getattr(found, name) - exact) <= usual + tolerance, name


def test_an_instant_without_a_position_gives_nothing(context: Context) -> None:
    link = _links(context, days=1)[0]
    gone = replace(link.elements, bstar=0.9)  # falls within hours
    late = link._replace(
        elements=gone, start=gone.epoch + timedelta(days=9), end=gone.epoch + timedelta(days=9.01)
    )

    (found,) = link_forecasts([late], step_s=1.0, bound="chernoff")

    assert (found.sifted_bits, found.secret_bits, found.qber) == (0.0, 0, 0.5)
