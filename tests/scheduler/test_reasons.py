"""Why a pass cannot be used: one case for each reason, and for their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from orbits import HorizonMask
from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.domain import Booking, BookingState, Candidate, Outage, OutageKind, PassRow
from scheduler.plan import PlanRules
from scheduler.plan.exclude import by_resource
from scheduler.services.context import Context
from scheduler.services.reasons import PassLimits, why_not
from scheduler.settings import Settings

SettingsOf = Callable[..., Settings]
RISE = datetime(2016, 12, 19, 16, 48, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ROW = PassRow(
    satellite="micius", norad_id=41731, station="xinglong", rises_at=RISE,
    culminates_at=RISE + 4 * MINUTE, sets_at=RISE + 8 * MINUTE, max_elevation_deg=47.8,
    max_elevation_azimuth_deg=100.0, range_km_min=645.0, nearest_at=RISE + 4 * MINUTE,
    rise_azimuth_deg=10.0, set_azimuth_deg=190.0, cut_at_start=False, cut_at_end=False,
    sun_elevation_deg=-40.0, dark=True, elements_epoch=RISE - timedelta(days=1),
    time_sigma_s=None, acquires_at=RISE, loses_at=RISE + 8 * MINUTE, secret_bits=400_000,
)  # fmt: skip
CANDIDATE = Candidate(
    candidate_id="micius/xinglong/a", pass_id="micius/xinglong/r", satellite_id="micius",
    station_id="xinglong", acquires_at=RISE, loses_at=RISE + 8 * MINUTE, max_elevation_deg=47.8,
    range_km_min=645.0, elements_epoch=ROW.elements_epoch, sifted_bits=1.9e6, secret_bits=4e5,
    qber=0.012, clear_probability=0.5,
)  # fmt: skip
# A hill in the east, where this pass stands highest.
HILL = HorizonMask(azimuth_deg=(0.0, 90.0, 110.0, 200.0), elevation_deg=(10.0, 50.0, 50.0, 10.0))
LEVEL = HorizonMask(azimuth_deg=(0.0,), elevation_deg=(10.0,))
LIMITS = PassLimits(
    max_age=timedelta(days=14),
    lowest={"xinglong": LEVEL},
    sun_elevation_deg_max=-6.0,
    rules=PlanRules(mounts={"xinglong": "dome", "xinglong-2": "dome"}),
)


def _booked(minutes: float, **change: Any) -> Booking:
    """A session of eight minutes that begins so long after the pass."""
    begin = RISE + minutes * MINUTE
    named: dict[str, Any] = {"satellite_id": "spoqc", "station_id": "xinglong", "pass_id": "other"}
    taken = replace(CANDIDATE, **(named | change), acquires_at=begin, loses_at=begin + 8 * MINUTE)
    return Booking(
        booking_id=UUID(int=1), candidate=taken, state=BookingState.BOOKED, reason="plan",
        booked_at=RISE, changed_at=RISE,
    )  # fmt: skip


def _closed(kind: OutageKind, name: str) -> Outage:
    return Outage(
        kind=kind, name=name, starts_at=RISE + MINUTE, ends_at=RISE + 2 * MINUTE, reason="dome"
    )


BUSY_AT = "from 2016-12-19T16:52:00.000Z to 2016-12-19T17:00:00.000Z"
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], str | None]] = {
    # what is different of the row, the candidate, the limits; what is said
    "nothing": ({}, {}, {}, None),
    "element age": (
        {"elements_epoch": RISE - timedelta(days=20)}, {}, {},
        "its element set of 2016-11-29T16:48:00.000Z is 20 days away, the maximum is 14 days",
    ),
    "an element set of later": (
        {"elements_epoch": RISE + timedelta(days=15)}, {}, {},
        "its element set of 2017-01-03T16:48:00.000Z is 15 days away, the maximum is 14 days",
    ),
    "mask": (
        {"max_elevation_deg": 9.5}, {}, {}, "rises to 9.5 deg, the minimum is 10 deg",
    ),
    "horizon": (
        {}, {}, {"lowest": {"xinglong": HILL}}, "rises to 47.8 deg, the minimum is 50 deg",
    ),
    "sun": ({"dark": False}, {}, {}, "no part has the Sun below -6 deg"),
    "station out of service": (
        {}, {}, {"outages": by_resource([_closed(OutageKind.STATION, "xinglong")], [])},
        ("station xinglong is out of service from 2016-12-19T16:49:00Z to 2016-12-19T16:50:00Z"
        " (dome)"),
    ),
    "satellite out of service": (
        {}, {}, {"outages": by_resource([_closed(OutageKind.SATELLITE, "micius")], [])},
        ("satellite micius is out of service from 2016-12-19T16:49:00Z to 2016-12-19T16:50:00Z"
        " (dome)"),
    ),
    "another station out of service": (
        {}, {}, {"outages": by_resource([_closed(OutageKind.STATION, "nanshan")], [])}, None,
    ),
    "mount busy": (
        {}, {}, {"bookings": [_booked(4)]}, f"the mount is booked: spoqc over xinglong {BUSY_AT}",
    ),
    "mount shared with another receiver": (
        {}, {}, {"bookings": [_booked(4, station_id="xinglong-2")]},
        f"the mount is booked: spoqc over xinglong-2 {BUSY_AT}",
    ),
    "another mount": ({}, {}, {"bookings": [_booked(4, station_id="nanshan")]}, None),
    "satellite busy": (
        {}, {}, {"bookings": [_booked(4, satellite_id="micius", station_id="nanshan")]},
        f"the satellite is booked: micius over nanshan {BUSY_AT}",
    ),
    "no time to turn": (
        {}, {}, {"bookings": [_booked(-9)]},
        ("the mount is booked: spoqc over xinglong from 2016-12-19T16:39:00.000Z to"
        " 2016-12-19T16:47:00.000Z"),
    ),
    "time to turn": ({}, {}, {"bookings": [_booked(-10)]}, None),
    "booked itself": (
        {}, {}, {"bookings": [_booked(0, satellite_id="micius", pass_id="micius/xinglong/r")]},
        None,
    ),
    "too short": (
        {}, {}, {"rules": PlanRules(min_duration_s=600.0)}, "lasts 480 s, the minimum is 600 s",
    ),
    "cloud": (
        {}, {"clear_probability": 0.2}, {"rules": PlanRules(min_clear_probability=0.25)},
        "the sky is clear with probability 0.20, the minimum is 0.25",
    ),
    "too little key": (
        {}, {"secret_bits": 0.0}, {},
        "expected to give 0 bits (0 by 0.50 clear sky), the minimum is 1",
    ),
    "too little key for its sky": (
        {}, {}, {"rules": PlanRules(min_secret_bits=300_000)},
        "expected to give 200,000 bits (400,000 by 0.50 clear sky), the minimum is 300,000",
    ),
    "the first reason counts": (
        {"dark": False, "max_elevation_deg": 9.5}, {"secret_bits": 0.0},
        {"bookings": [_booked(4)]}, "rises to 9.5 deg, the minimum is 10 deg",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_every_reason_has_its_sentence(case: str) -> None:
    row, candidate, limits, said = CASES[case]

    assert (
        why_not(replace(ROW, **row), replace(CANDIDATE, **candidate), replace(LIMITS, **limits))
        == said
    )


def test_without_a_forecast_only_geometry_and_light_are_known() -> None:
    limits = replace(LIMITS, bookings=[_booked(4)])

    assert why_not(ROW, None, limits) is None
    assert why_not(replace(ROW, dark=False), None, limits) == CASES["sun"][3]


NIGHT: dict[str, Any] = {
    "satellite": "micius", "stations": ["delingha"],
    "start": datetime(2016, 12, 19, tzinfo=UTC), "end": datetime(2016, 12, 20, tzinfo=UTC),
}  # fmt: skip


@pytest.fixture
def context(settings_of: SettingsOf) -> Iterator[Context]:
    clock = SimulatedClock(datetime(2016, 12, 19, tzinfo=UTC))
    with Context(settings_of(), clock=clock) as opened:
        yield opened


def test_passes_say_what_the_ledger_holds_against_them(context: Context) -> None:
    before = services.upcoming_passes(context, **NIGHT, forecast=True)
    (usable,) = (row for row in before.rows if row.why_not is None)
    services.add_outage(
        context, kind="station", name="delingha", start=usable.rises_at, end=usable.sets_at
    )

    after = services.upcoming_passes(context, **NIGHT, forecast=True)

    (row,) = (row for row in after.rows if row.rises_at == usable.rises_at)
    assert row.why_not is not None
    assert row.why_not.startswith("station delingha is out of service")
    assert all(row.why_not for row in after.rows)
