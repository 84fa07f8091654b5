"""What is said of an import where people read it."""

from __future__ import annotations

from api.schemas.elements import Imported


def test_many_satellites_that_the_scenario_does_not_know_are_one_short_sentence() -> None:
    names = [f"{number} SAT {number}" for number in range(10_000, 19_000)]
    imported = Imported(added=9000, quarantined=[], released=[], skipped=[], strangers=names)

    (sentence,) = imported.notes()

    assert sentence == (
        "no satellite of the scenario has any of 9,000 catalogue numbers: 10000 SAT 10000,"
        " 10001 SAT 10001, 10002 SAT 10002, 10003 SAT 10003, 10004 SAT 10004, and 8,995 more"
    )
