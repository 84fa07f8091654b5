"""Instants and limits as command line and HTTP read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.inputs import EARLIEST, LATEST, parse_elevation, parse_instant, parse_span
from scheduler.domain import instant_key
from scheduler.errors import InputError

ACCEPTED = [
    ("2016-12-19", datetime(2016, 12, 19, tzinfo=UTC)),
    (" 2016-12-19 ", datetime(2016, 12, 19, tzinfo=UTC)),
    ("2016-12-19T16:52Z", datetime(2016, 12, 19, 16, 52, tzinfo=UTC)),
    ("2016-12-19 16:52:14Z", datetime(2016, 12, 19, 16, 52, 14, tzinfo=UTC)),
    ("2016-12-19t16:52:14.25z", datetime(2016, 12, 19, 16, 52, 14, 250_000, tzinfo=UTC)),
    ("2016-12-20T00:52:14+08:00", datetime(2016, 12, 19, 16, 52, 14, tzinfo=UTC)),
    ("2016-12-19T16:52:14.123456789Z", datetime(2016, 12, 19, 16, 52, 14, 123_456, tzinfo=UTC)),
]


@pytest.mark.parametrize(("text", "expected"), ACCEPTED)
def test_an_instant_is_read(text: str, expected: datetime) -> None:
    assert parse_instant(text) == expected


REFUSED = [
    ("2016-12-19T16:52:14", "no zone"),
    ("2016-12-19 16:52", "no zone"),
    ("2016-12-19T", "is no instant"),
    ("2016-12-19T16", "is no instant"),
    ("20161219", "is no instant"),
    ("19.12.2016", "is no instant"),
    ("2016-W51-1", "is no instant"),
    ("yesterday", "is no instant"),
    ("", "is no instant"),
    ("2016-02-30", "day"),
    ("2016-13-01", "month"),
    ("2016-12-19T24:00Z", "hour"),
    ("2016-12-31T23:59:60Z", "second"),
    ("2016-12-19T00:00+25:00", "allowed"),
    ("0001-01-01T00:00:00+14:00", "out of range"),
    ("9999-12-31T23:59:59-12:00", "out of range"),
    ("1956-12-31", "out of range"),
    ("2100-01-01", "out of range"),
    ("2016-12-19T10:00:00 08:00", "is no instant"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_what_is_no_instant_is_refused_by_value_and_by_what_is_allowed(
    text: str, reason: str
) -> None:
    with pytest.raises(InputError) as refusal:
        parse_instant(text, "from")

    message = str(refusal.value)
    assert message.startswith("from ")
    assert repr(text) in message
    assert "allowed: " in message
    assert reason in message


@given(text=st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        when = parse_instant(text)
    except InputError:
        return
    assert EARLIEST <= when < LATEST


ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
WHEN = st.datetimes(datetime(1957, 1, 2), datetime(2099, 12, 30), timezones=ZONES)  # noqa: DTZ001


@given(when=WHEN)
def test_an_instant_survives_writing_and_reading_to_the_millisecond(when: datetime) -> None:
    assert abs(parse_instant(instant_key(when)) - when) < timedelta(milliseconds=1)
    assert parse_instant(instant_key(when)) == parse_instant(
        instant_key(parse_instant(instant_key(when)))
    )


@pytest.mark.parametrize("texts", [("2016-12-20", "2016-12-19"), ("2016-12-19", "2016-12-19")])
def test_reversed_or_empty_times_are_refused(texts: tuple[str, str]) -> None:
    with pytest.raises(InputError, match="allowed: a start before its end"):
        parse_span(*texts)


@pytest.mark.parametrize("value", [-0.1, 90.0, float("nan"), float("inf")])
def test_an_elevation_outside_the_sky_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="allowed: 0 up to, not including, 90 deg"):
        parse_elevation(value, "min-elevation-deg")
