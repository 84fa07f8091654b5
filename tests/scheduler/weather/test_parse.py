"""Forecasts from text, good and bad."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from scheduler.errors import InputError
from scheduler.weather import fetch_open_meteo, parse_csv, parse_open_meteo

ISSUED = datetime(2024, 5, 1, 6, tzinfo=UTC)


def open_meteo(**changes: Any) -> dict[str, Any]:
    """The form of the service's documented answer, cut to three hours."""
    return {
        "latitude": 40.4,
        "longitude": 117.6,
        "elevation": 890.0,
        "generationtime_ms": 0.2,
        "utc_offset_seconds": 0,
        "timezone": "GMT",
        "hourly_units": {"time": "iso8601", "cloud_cover": "%"},
        "hourly": {
            "time": ["2024-05-01T16:00", "2024-05-01T17:00", "2024-05-01T18:00"],
            "cloud_cover": [10, None, 100],
        },
    } | changes


def parsed(answer: object) -> list[tuple[datetime, float]]:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    found = parse_open_meteo(text, station_id="xinglong", issued_at=ISSUED)
    assert all(f.station_id == "xinglong" and f.issued_at == ISSUED for f in found)
    return [(f.valid_at, f.p_clear) for f in found]


def test_cloud_cover_becomes_the_chance_of_a_clear_sky() -> None:
    assert parsed(open_meteo()) == [
        (datetime(2024, 5, 1, 16, tzinfo=UTC), 0.9),
        (datetime(2024, 5, 1, 18, tzinfo=UTC), 0.0),
    ]


def test_local_times_and_unix_times_are_the_same_instants() -> None:
    local = open_meteo(
        utc_offset_seconds=28_800,
        hourly={"time": ["2024-05-02T00:00"], "cloud_cover": [40.0]},
    )
    unix = open_meteo(
        utc_offset_seconds=28_800, hourly={"time": [1_714_579_200], "cloud_cover": [40.0]}
    )

    assert parsed(local) == parsed(unix) == [(datetime(2024, 5, 1, 16, tzinfo=UTC), 0.6)]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("{", "is no JSON"),
        ([open_meteo()], "is a list; allowed: one object"),
        ({"error": True, "reason": "Daily limit"}, "refuses xinglong: Daily limit"),
        (open_meteo(hourly={"time": []}), "has no list hourly.cloud_cover"),
        (open_meteo(hourly=None), "has no list hourly.time"),
        (open_meteo(hourly={"time": ["2024-05-01T16:00"], "cloud_cover": []}), "1 times, 0 cloud"),
        (
            open_meteo(hourly={"time": ["2024-05-01T16:00"], "cloud_cover": [101]}),
            r"hourly.cloud_cover\[0\]: 101; allowed: 0 to 100",
        ),
        (
            open_meteo(hourly={"time": ["2024-05-01T16:00"], "cloud_cover": ["many"]}),
            "'many'; allowed: 0 to 100",
        ),
        (
            open_meteo(hourly={"time": ["noon"], "cloud_cover": [1]}),
            r"hourly.time\[0\]: 'noon' is no ISO 8601 time",
        ),
        (open_meteo(hourly={"time": [10**30], "cloud_cover": [1]}), "is no unix time"),
        (open_meteo(hourly={"time": [None], "cloud_cover": [1]}), "None; allowed: an ISO 8601"),
        (open_meteo(utc_offset_seconds="8 h"), "utc_offset_seconds '8 h'; allowed: within a day"),
        (open_meteo(hourly_units={"cloud_cover": "okta"}), "cloud_cover in 'okta'; allowed: %"),
    ],
)
def test_a_bad_answer_is_refused_with_its_field(answer: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parsed(answer)


def test_csv_lines_become_forecasts() -> None:
    (found,) = parse_csv(
        "station,issued_at,valid_at,p_clear\n"
        "nanshan,2016-12-19T06:00:00Z,2016-12-20T01:00:00+08:00,0.25\n\n"
    )

    assert (found.station_id, found.p_clear) == ("nanshan", 0.25)
    assert found.issued_at == datetime(2016, 12, 19, 6, tzinfo=UTC)
    assert found.valid_at == datetime(2016, 12, 19, 17, tzinfo=UTC)


HEAD = "station,issued_at,valid_at,p_clear\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begins with None; allowed: station,issued_at,valid_at,p_clear"),
        ("a,b\n", "allowed: station,issued_at"),
        (HEAD + "x,2016-12-19T06:00Z,2016-12-19T07:00Z\n", "line 2 has 3 values; allowed: 4"),
        (HEAD + ",2016-12-19T06:00Z,2016-12-19T07:00Z,0.5\n", "line 2 names no station"),
        (HEAD + "x,2016-12-19T06:00Z,2016-12-19T07:00Z,fair\n", "p_clear 'fair' is no number"),
        (HEAD + "x,2016-12-19T06:00Z,2016-12-19T07:00Z,50\n", r"p_clear 50, not 0\.\.1"),
        (HEAD + "x,2016-12-19T06:00Z,2016-12-19T07:00Z,nan\n", r"p_clear nan, not 0\.\.1"),
        (HEAD + "x,2016-12-19T06:00,2016-12-19T07:00Z,0.5\n", "issued_at 2016-12-19T06:00 has no"),
        (HEAD + "x,2016-12-19T06:00Z,soon,0.5\n", "valid_at: 'soon' is no ISO 8601 time"),
        (HEAD + 'x,"2016', "line 2: unexpected end of data"),
    ],
)
def test_a_bad_csv_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_csv(text)


def test_a_fetch_asks_for_cloud_cover_in_utc() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=open_meteo())

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        found = fetch_open_meteo(
            client, station_id="xinglong", lat_deg=40.4, lon_deg=117.6, issued_at=ISSUED
        )

    assert len(found) == 2
    assert dict(asked[0].url.params) == {
        "latitude": "40.4", "longitude": "117.6", "hourly": "cloud_cover", "forecast_days": "7",
        "timezone": "GMT",
    }  # fmt: skip


def test_a_service_that_does_not_answer_is_an_error_with_its_name() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(503))
    with httpx.Client(transport=transport) as client:
        with pytest.raises(InputError, match=r"no forecast for graz from .*503"):
            fetch_open_meteo(
                client, station_id="graz", lat_deg=47.0, lon_deg=15.5, issued_at=ISSUED
            )
        with pytest.raises(InputError, match="99 days of forecast; allowed: 1 to 16"):
            fetch_open_meteo(
                client, station_id="graz", lat_deg=47.0, lon_deg=15.5, issued_at=ISSUED, days=99
            )
