"""What an archive tells of itself: strange sets, uncertainty by age, a satellite's end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from orbits import Archive, Elements, FindingKind, format_tle, parse_tle
from orbits.archive.check import difference
from orbits.archive.history import Pairs, TimeErrors, usual_error_s
from orbits.elements.tle import checksum
from tests.orbits.sets import EPOCH, MICIUS, SYNTHETIC, orbit

DAY = timedelta(days=1)
ARCHIVE = Archive(MICIUS)
# Five sets of May 2017, three days apart or less.
MAY = next(i for i, e in enumerate(MICIUS) if e.epoch > datetime(2017, 5, 12, tzinfo=UTC))


def with_checksum(line: str) -> str:
    return line[:68] + str(checksum(line))


def test_the_committed_sets_agree_with_each_other() -> None:
    assert ARCHIVE.check() == ()
    assert ARCHIVE.check(41731) == ()


def test_consecutive_sets_differ_by_what_is_usual() -> None:
    # Micius: 0.3 km up to a day, 1.5 km at one to three days, 14 km at three to eight.
    for limit_days, limit_km in ((1.0, 1.0), (3.0, 3.0), (8.0, 40.0)):
        for first, second in pairwise(MICIUS):
            apart = difference(first, second)
            if apart is not None and apart.age_days <= limit_days:
                assert apart.distance_km < limit_km
                assert abs(apart.late_s) * 7.7 < limit_km


def test_a_spliced_set_is_found_and_its_source_named() -> None:
    # Line 1 of one epoch and line 2 of another: every checksum is right.
    victim, donor = MICIUS[MAY], MICIUS[MAY + 1]
    spliced = parse_tle(format_tle(victim)[0], format_tle(donor)[1])
    archive = Archive([*MICIUS[:MAY], spliced, *MICIUS[MAY + 1 :]])

    (found,) = archive.check()

    assert found.kind is FindingKind.SPLICED
    assert found.elements == spliced
    assert found.neighbour == donor
    assert found.difference_km > max(100.0, found.limit_km)
    assert "has the second line of the set of" in found.sentence
    assert f"{found.difference_km:.1f} km off" in found.sentence


@pytest.mark.parametrize(
    ("column", "text", "least_km"),
    [(9, " 97.4699", 8.0), (44, "087.9480", 100.0), (18, " 51.6173", 60.0)],
    ids=["inclination", "mean anomaly", "node"],
)
def test_an_edited_set_is_found(column: int, text: str, least_km: float) -> None:
    line1, line2 = format_tle(MICIUS[MAY])
    edited = parse_tle(
        line1, with_checksum(line2[: column - 1] + text + line2[column - 1 + len(text) :])
    )
    archive = Archive([*MICIUS[:MAY], edited, *MICIUS[MAY + 1 :]])

    (found,) = archive.check()

    assert found.kind is FindingKind.EDITED
    assert found.elements == edited
    assert found.difference_km > least_km


def test_sets_of_one_epoch_that_contradict_each_other_are_found() -> None:
    twin = replace(MICIUS[MAY], mean_anomaly_deg=MICIUS[MAY].mean_anomaly_deg + 1.0)
    archive = Archive([*MICIUS, twin])
    (found,) = archive.check()
    assert found.elements == twin
    assert found.kind is FindingKind.CONFLICTING
    # The last one given serves.
    assert archive.nearest(twin.epoch) == twin


def test_strange_sets_do_not_spoil_the_uncertainty() -> None:
    victim, donor = MICIUS[MAY], MICIUS[MAY + 1]
    spliced = parse_tle(format_tle(victim)[0], format_tle(donor)[1])
    archive = Archive([*MICIUS[:MAY], spliced, *MICIUS[MAY + 1 :]])
    sigma = archive.time_sigma_s(donor, donor.epoch + 2 * DAY)
    assert sigma is not None
    assert sigma < 1.0


def test_uncertainty_grows_with_age_either_way() -> None:
    elements = MICIUS[MAY]
    ages = [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 14.0, 30.0, 60.0]
    sigmas = [ARCHIVE.time_sigma_s(elements, elements.epoch + age * DAY) for age in ages]
    assert all(sigma is not None and np.isfinite(sigma) for sigma in sigmas)
    assert sigmas == sorted(sigmas)  # type: ignore[type-var]
    assert sigmas[0] > 0.0  # type: ignore[operator]
    assert sigmas[-1] == pytest.approx(4.0 * sigmas[-2], rel=0.2)  # type: ignore[operator]
    back = [ARCHIVE.time_sigma_s(elements, elements.epoch - age * DAY) for age in ages]
    assert back == sigmas


def test_uncertainty_is_about_what_the_sets_show() -> None:
    # An archive of 421 sets of Micius gives 0.13 s up to a day, 0.4 s at four, 1.7 s at
    # eight; these 27 of them must not be far off.
    elements = MICIUS[MAY]
    for age, low, high in ((0.5, 0.03, 0.4), (4.0, 0.1, 1.5), (8.0, 0.3, 5.0)):
        sigma = ARCHIVE.time_sigma_s(elements, elements.epoch + age * DAY)
        assert sigma is not None
        assert low < sigma < high


def test_an_archive_that_grew_tells_what_one_made_at_once_does() -> None:
    grown = None
    for count in range(1, len(MICIUS) + 1):
        at_once, grown = Archive(MICIUS[:count]), Archive(MICIUS[:count], earlier=grown)
        newest = MICIUS[count - 1]
        when = newest.epoch + 2 * DAY
        assert grown.time_sigma_s(newest, when) == at_once.time_sigma_s(newest, when)
        assert grown.check() == at_once.check()


def made_pairs(count: int, seed: int, *, storm: float = 1.0) -> Pairs:
    """Errors of sets a day apart: Student's t of three degrees, which has heavy tails."""
    draw = np.random.default_rng(seed)
    age = draw.uniform(0.1, 30.0, count)
    epoch = EPOCH.timestamp() + 86400.0 * np.arange(count)
    usual = usual_error_s(SYNTHETIC[9], age)
    late = np.abs(draw.standard_t(3, count)) * usual * storm
    return Pairs(np.arange(count), epoch, epoch + 86400.0 * age, age, late, usual)


@pytest.mark.parametrize("storm", [1.0, 6.0], ids=["as usual", "a stormy year"])
def test_the_widths_hold_what_they_state_though_tails_are_heavy(storm: float) -> None:
    errors = TimeErrors(made_pairs(1500, 1))
    later = made_pairs(1500, 2, storm=storm)
    stated = TimeErrors(later) if storm > 1.0 else errors
    for share, widths in ((0.68, stated.sigma_s), (0.95, stated.bound_s)):
        held = [
            late <= widths(replace(SYNTHETIC[9], epoch=EPOCH + k * DAY), [age])[0]  # type: ignore[index]
            for k, (age, late) in enumerate(zip(later.age_days, later.late_s, strict=True))
        ]
        # Three standard deviations of a share of 1,500.
        assert abs(np.mean(held) - share) < 3.0 * np.sqrt(share * (1.0 - share) / 1500)


def test_a_storm_widens_the_bars_of_the_sets_after_it() -> None:
    calm, stormy = made_pairs(200, 3), made_pairs(200, 3, storm=4.0)
    half = np.where(np.arange(200) < 100, calm.late_s, stormy.late_s)
    errors = TimeErrors(replace(calm, late_s=half))
    before, after = (errors.season(EPOCH + days * DAY) for days in (90, 190))
    assert after > 2.0 * before


def test_bars_grow_with_the_drag_and_are_withheld_near_the_end() -> None:
    errors = TimeErrors(made_pairs(200, 4))
    motion = 15.6
    dots = (1e-4, 1e-3, 1e-2)
    sets = [
        replace(SYNTHETIC[9], mean_motion_rev_per_day=motion, mean_motion_dot=dot) for dot in dots
    ]
    few = [errors.sigma_s(one, [2.0]) for one in sets]
    assert few[0] is not None
    assert few[0][0] < few[1][0] / 3.0  # type: ignore[index]
    # A satellite whose drag leaves it days: no width, rather than one that does not hold.
    last = errors.sigma_s(sets[2], [0.1, 20.0])
    assert last is not None
    assert np.isfinite(last[0])
    assert np.isnan(last[1])
    archive = Archive([*MICIUS, replace(MICIUS[-1], mean_motion_dot=0.01)])
    assert archive.time_sigma_s(archive.sets_of()[-1], MICIUS[-1].epoch + 20 * DAY) is None
    sigma, bound = (
        tell(MICIUS[MAY], MICIUS[MAY].epoch + 3 * DAY)
        for tell in (ARCHIVE.time_sigma_s, ARCHIVE.time_bound_s)
    )
    assert sigma is not None
    assert bound is not None
    assert bound > sigma


def test_without_a_history_the_uncertainty_is_not_known() -> None:
    alone = Archive(MICIUS[:1])
    assert alone.time_sigma_s(MICIUS[0], MICIUS[0].epoch) is None


def test_micius_was_coming_down() -> None:
    decay = ARCHIVE.decay(41731)
    assert decay is not None
    assert ARCHIVE.is_decaying()
    assert decay.last_epoch.date() == datetime(2025, 12, 12, tzinfo=UTC).date()
    # Its last known element set is of 2026-01-25.
    assert abs(decay.expected_end - datetime(2026, 1, 25, tzinfo=UTC)) < 10 * DAY
    assert "coming down" in decay.sentence


@pytest.mark.parametrize("elements", SYNTHETIC, ids=lambda e: e.name)
def test_satellites_that_stay_up_are_not_said_to_come_down(elements: Elements) -> None:
    assert not Archive([elements]).is_decaying()


def test_micius_did_not_come_down_during_its_campaign() -> None:
    early = Archive(e for e in MICIUS if e.epoch.year < 2018)
    assert early.decay() is None


def test_one_set_is_enough_if_it_prints_the_derivative() -> None:
    falling = replace(orbit(90100, "falling", rev_per_day=15.95), mean_motion_dot=2.1e-3)
    decay = Archive([falling]).decay()
    assert decay is not None
    assert decay.mean_motion_rate == pytest.approx(4.2e-3)
