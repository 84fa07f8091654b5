"""Pictures from data at hand: odd cases that a replay seldom meets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from api.plots import (
    GroundTrack,
    MapLink,
    MapPlace,
    RateCurve,
    SkyTrack,
    Spread,
    Sum,
    key_timeline,
    network_map,
    rate_comparison,
    sky_plot,
    sweep,
)
from api.plots.keys import Span, sums_of
from api.plots.rates import published_points
from api.plots.world import land_rings
from scheduler.domain import KeyGain, UnplannedSpan

START = datetime(2016, 12, 19, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n"


def _session(station: str, when: datetime, secret_bits: int) -> KeyGain:
    return KeyGain(station=station, at=when, secret_bits=secret_bits)


def _track(label: str, azimuth_deg: float = 350.0) -> SkyTrack:
    offset_s = np.arange(0.0, 400.0)
    return SkyTrack(
        label=label,
        start=START,
        offset_s=offset_s,
        elevation_deg=10.0 + 60.0 * np.sin(np.pi * offset_s / 400.0),
        azimuth_deg=(azimuth_deg + 0.4 * offset_s) % 360.0,  # goes round through north
        range_km=1200.0 - 600.0 * np.sin(np.pi * offset_s / 400.0),
    )


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_a_sky_plot_takes_any_number_of_passes(tmp_path: Path, count: int) -> None:
    tracks = [_track(f"pass {index}", 50.0 * index) for index in range(count)]

    written = sky_plot(tmp_path / "sky.png", tracks, title="sky")

    assert written.read_bytes().startswith(PNG)


def test_the_same_data_give_the_same_file(tmp_path: Path) -> None:
    one = sky_plot(tmp_path / "one.png", [_track("pass")], title="sky")
    two = sky_plot(tmp_path / "two.png", [_track("pass")], title="sky")

    assert one.read_bytes() == two.read_bytes()


def test_a_map_takes_a_track_over_the_date_line_and_no_track(tmp_path: Path) -> None:
    places = [
        MapPlace(name="Xinglong", kind="station", lat_deg=40.4, lon_deg=117.6),
        MapPlace(name="Beijing", kind="backbone", lat_deg=39.9, lon_deg=116.4),
        MapPlace(name="", kind="relay", lat_deg=40.1, lon_deg=117.0),
        MapPlace(name="", kind="user", lat_deg=39.8, lon_deg=116.3),
    ]
    links = [MapLink(one=(40.4, 117.6), other=(40.1, 117.0))]
    lon_deg = (np.linspace(100.0, 260.0, 200) + 180.0) % 360.0 - 180.0
    track = GroundTrack(
        label="below the satellite",
        lat_deg=np.linspace(-50.0, 60.0, 200),
        lon_deg=lon_deg,
        visible=np.arange(200) < 30,
        marks=((10, "16:50"),),
    )

    for tracks in ([], [track]):
        written = network_map(
            tmp_path / "map.png", title="map", places=places, links=links, tracks=tracks
        )
        assert written.read_bytes().startswith(PNG)
    assert (
        network_map(tmp_path / "bare.png", title="map", places=[], links=[], tracks=[])
        .read_bytes()
        .startswith(PNG)
    )


@pytest.mark.parametrize(
    ("days", "span", "most_bars"),
    [(1, Span.SESSION, 2), (70, Span.SESSION, 71), (71, Span.WEEK, 11), (3650, Span.MONTH, 121)],
)
def test_ten_years_are_months_and_no_cloud(days: int, span: Span, most_bars: int) -> None:
    settled = [_session("nanshan", START + timedelta(days=day), 1000 * day) for day in range(days)]

    assert Span.of(START, START + timedelta(days=days)) is span
    sums = sums_of(settled, span)

    assert len(sums) <= most_bars
    total = sum(done.secret_bits for done in settled)
    assert sum(sums.values()) * span.unit_bits == pytest.approx(total)
    ends = [span.end(begin) for begin in sums]
    if span is not Span.SESSION:  # Each begins where the one before ends.
        assert ends[:-1] == list(sums)[1:]


@pytest.mark.parametrize("count", [0, 1, 40, 700])
def test_a_timeline_takes_any_number_of_sessions(tmp_path: Path, count: int) -> None:
    gains = [
        _session(("xinglong", "nanshan")[index % 2], START + timedelta(hours=7 * index),
                 0 if index == 0 else 100_000)
        for index in range(count)
    ]  # fmt: skip
    end = START + timedelta(days=max(14.0, 7 * count / 24))
    gap = UnplannedSpan(
        start=START + timedelta(days=12),
        end=START + timedelta(days=14),
        newest_epoch=None,
        reason="x",
    )

    written = key_timeline(
        tmp_path / "keys.png", title="keys", start=START, end=end,
        gains=gains, sessions={"xinglong": count}, unplanned=[gap],
    )  # fmt: skip

    assert written.read_bytes().startswith(PNG)


def test_the_published_curve_adds_up_to_the_published_bits(tmp_path: Path) -> None:
    points = published_points()

    assert len(points.offset_s) == 201
    # The source states a trapezoid sum of 1,674 kbit for its own digitisation of the plot.
    total = np.trapezoid(points.sifted_rate_kbps, points.offset_s)
    assert total == pytest.approx(1674.0, abs=1.0)
    curve = RateCurve(offset_s=np.arange(240.0), sifted_rate_kbps=np.full(240, 5.0))
    written = rate_comparison(
        tmp_path / "rate.png", title="rates", start=datetime(2016, 12, 19, 16, 50, tzinfo=UTC),
        unfitted=curve, fitted=None, range_km=np.linspace(1200.0, 700.0, 240),
    )  # fmt: skip
    assert written.read_bytes().startswith(PNG)


def test_the_coastlines_lie_on_the_earth() -> None:
    rings = land_rings()

    assert len(rings) > 100
    points = np.concatenate(rings)
    assert np.all(np.abs(points[:, 0]) <= 180.0)
    assert np.all(np.abs(points[:, 1]) <= 90.0)


@pytest.mark.parametrize(
    "variants", [[""], ["a=x", "a=y"], ["risk=0", "risk=1.5", "risk=0.5"], [f"v={'w' * 90}"] * 9]
)
def test_a_sweep_takes_one_variant_words_and_numbers(tmp_path: Path, variants: list[str]) -> None:
    spreads = [Spread(variant=one, low=1.0, median=2.0, high=4.0) for one in variants]
    sums = [
        Sum(name="sessions settled", counted="sessions", spreads=spreads),
        Sum(name="merged", counted="key", unit="bit", spreads=spreads),
    ]

    drawn = sweep(tmp_path / "sweep.svg", title="sweep", sums=sums)

    text = drawn.read_text(encoding="utf-8")
    assert text.startswith("<?xml")
    assert ("<!-- risk -->" in text) == ("risk=0" in variants)
    assert "<!-- sessions -->" in text
    assert "<!-- 2 bit -->" in text
