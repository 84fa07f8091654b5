"""Element sets that are held back, come back, and are taken out, and what serves instead."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orbits import (
    Archive,
    Elements,
    NoElementsError,
    SetRule,
    Standing,
    Verdict,
    find_passes_in_archive,
    format_tle,
    judge,
    parse_tle,
)
from tests.orbits.sets import MICIUS, XINGLONG, orbit

DAY = timedelta(days=1)
MAY = next(i for i, e in enumerate(MICIUS) if e.epoch > datetime(2017, 5, 12, tzinfo=UTC))
VICTIM, DONOR = MICIUS[MAY], MICIUS[MAY + 1]
SPLICED = parse_tle(format_tle(VICTIM)[0], format_tle(DONOR)[1])
OTHERS = (*MICIUS[:MAY], *MICIUS[MAY + 1 :])


def verdict(elements: Elements, standing: str, since: datetime | None) -> Verdict:
    return Verdict(sha256=elements.sha256, standing=Standing(standing), since=since, reason="test")


def later(elements: Elements, days: float, **change: float) -> Elements:
    """The same orbit so much later, by SGP4's own secular rates: without drag they are exact."""
    record, turn = elements.satrec(), 1440.0 * 180.0 / math.pi * days
    moved = replace(
        elements,
        epoch=elements.epoch + days * DAY,
        raan_deg=(elements.raan_deg + record.nodedot * turn) % 360.0,
        argument_of_perigee_deg=(elements.argument_of_perigee_deg + record.argpdot * turn) % 360.0,
        mean_anomaly_deg=(elements.mean_anomaly_deg + record.mdot * turn) % 360.0,
    )
    moved = replace(moved, **{name: getattr(moved, name) + by for name, by in change.items()})
    return replace(moved, raw=repr(moved))


FIRST = replace(orbit(70001, "", rev_per_day=14.5, inclination_deg=53.0), bstar=0.0, raw="first")


def daily(days: range, start: Elements = FIRST) -> list[Elements]:
    """Sets of one orbit, a day apart, that agree with each other."""
    return [later(start, (FIRST.epoch + day * DAY - start.epoch) / DAY) for day in days]


def standings(sets: list[Elements], verdicts: tuple[Verdict, ...]) -> str:
    archive = Archive(sets, verdicts=verdicts)
    return "".join("x" if archive.standing(item) is Standing.QUARANTINED else "." for item in sets)


def test_a_spliced_set_is_held_back_and_its_neighbours_serve() -> None:
    (held,) = judge([*OTHERS, SPLICED], since=None)
    assert held.sha256 == SPLICED.sha256
    assert held.standing is Standing.QUARANTINED
    assert "has the second line of the set of" in held.reason
    assert judge([*OTHERS, SPLICED], [held]) == ()

    archive = Archive([*OTHERS, SPLICED], verdicts=[held])
    assert archive.nearest(SPLICED.epoch) in OTHERS
    assert archive.known_at(SPLICED.epoch + DAY / 24) == MICIUS[MAY - 1]
    span = SPLICED.epoch - DAY, SPLICED.epoch + DAY
    for rule in SetRule:
        one = find_passes_in_archive(archive, 41731, XINGLONG, *span, rule=rule)
        two = find_passes_in_archive(Archive(OTHERS), 41731, XINGLONG, *span, rule=rule)
        assert list(one) == list(two)


def test_a_set_that_somebody_accepts_serves_and_is_not_judged_again() -> None:
    (held,) = judge([*OTHERS, SPLICED])
    said = [held, verdict(SPLICED, "accepted", SPLICED.epoch + 3 * DAY)]
    assert judge([*OTHERS, SPLICED], said) == ()
    archive = Archive([*OTHERS, SPLICED], verdicts=said)
    assert archive.nearest(SPLICED.epoch) == SPLICED
    assert archive.known_at(SPLICED.epoch + 2 * DAY) != SPLICED


def test_a_withdrawn_set_was_seen_until_then() -> None:
    since = VICTIM.epoch + DAY
    archive = Archive(MICIUS, verdicts=[verdict(VICTIM, "withdrawn", since)])
    assert archive.nearest(VICTIM.epoch) != VICTIM
    assert archive.known_at(since - timedelta(seconds=1)) == VICTIM
    assert archive.known_at(since) == MICIUS[MAY - 1]
    pieces = archive.segments(VICTIM.epoch - DAY, since + DAY, "known_at")
    serving = [piece.elements for piece in pieces]
    assert serving[:3] == [MICIUS[MAY - 1], VICTIM, MICIUS[MAY - 1]]
    assert pieces[1].end == since
    assert archive.standing(VICTIM, since - DAY) is Standing.SERVES
    assert archive.standing(VICTIM) is Standing.WITHDRAWN


def test_where_nothing_serves_that_is_said() -> None:
    archive = Archive([VICTIM], verdicts=[verdict(VICTIM, "withdrawn", VICTIM.epoch)])
    with pytest.raises(NoElementsError, match="serves: all 1 are quarantined or withdrawn"):
        archive.nearest(VICTIM.epoch)
    with pytest.raises(NoElementsError, match=r"serves at .*quarantined or withdrawn"):
        archive.known_at(VICTIM.epoch)
    with pytest.raises(NoElementsError, match="quarantined or withdrawn"):
        archive.decay()


def test_sets_that_agree_are_not_judged() -> None:
    assert judge(MICIUS) == ()
    assert judge(daily(range(12))) == ()


def test_the_first_set_after_a_manoeuvre_waits_for_the_next() -> None:
    faster = later(FIRST, 4.5, mean_motion_rev_per_day=0.01)
    before, after = daily(range(5)), daily(range(5, 8), faster)
    at = after[0].epoch
    first = judge([*before, after[0]], since=at)
    assert standings([*before, after[0]], first) == ".....x"
    second = judge([*before, *after[:2]], first, since=at + DAY)
    assert [one.standing for one in second] == [Standing.SERVES]
    assert "manoeuvred" in second[0].reason
    archive = Archive([*before, *after], verdicts=[*first, *second])
    assert archive.known_at(at + DAY / 2) == before[-1]
    assert archive.known_at(at + DAY * 1.5) == after[1]
    assert archive.nearest(at) == after[0]


@pytest.mark.parametrize(
    "change",
    [{"raan_deg": 4.0}, {"mean_anomaly_deg": 30.0}],
    ids=["another plane", "another place"],
)
def test_sets_of_another_object_stay_out_however_well_they_agree(change: dict[str, float]) -> None:
    right, wrong = daily(range(9)), daily(range(5, 7), later(FIRST, 0.0, **change))
    said: tuple[Verdict, ...] = ()
    known = right[:5]
    for item in (*wrong, *right[7:]):
        known = [*known, item]
        said += judge(known, said, since=item.epoch)
    assert standings(known, said) == ".....xx.."


def test_a_serving_set_that_later_ones_expose_is_held_back_from_then_on() -> None:
    right, wrong = daily(range(1, 4)), [later(FIRST, 0.0, mean_anomaly_deg=3.0)]
    assert judge(wrong) == ()
    (held,) = judge([*wrong, *right], since=right[-1].epoch)
    archive = Archive([*wrong, *right], verdicts=[held])
    assert archive.standing(wrong[0], right[-1].epoch - DAY) is Standing.SERVES
    assert archive.standing(wrong[0]) is Standing.QUARANTINED
