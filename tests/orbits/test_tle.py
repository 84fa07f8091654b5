"""TLE text in all its shapes: what parses, what is refused and where, what comes back."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sgp4.api import Satrec

from orbits import (
    Elements,
    ElementsError,
    format_omm,
    format_tle,
    format_tles,
    omm_fields,
    parse_omm,
    parse_tle,
    read_bulletin,
    read_elements,
)
from orbits.elements.tle import checksum, format_alpha5, parse_alpha5
from tests.orbits.sets import MICIUS, MICIUS_TEXT, OFFICIAL, OFFICIAL_TEXT

NAME = "QSS (MICIUS)"
LINE1 = "1 41731U 16051A   16353.90152003  .00000364  00000-0  17957-4 0  9993"
LINE2 = "2 41731  97.3699 267.4500 0013200 178.5836 246.0824 15.23915303 19063"


def with_checksum(line: str) -> str:
    return line[:68] + str(checksum(line))


def changed(line: str, column: int, text: str) -> str:
    """Return a line with other text from a column on, checksum put right."""
    return with_checksum(line[: column - 1] + text + line[column - 1 + len(text) :])


def data_lines(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line[:2] in ("1 ", "2 ")]
    return list(zip(lines[::2], lines[1::2], strict=True))


def test_every_field_is_read_from_its_columns() -> None:
    elements = parse_tle(LINE1, LINE2, NAME, source="tle/micius-2016-2025.tle")

    assert (elements.norad_id, elements.name) == (41731, NAME)
    assert elements.international_designator == "2016-051A"
    assert elements.epoch == datetime(2016, 12, 18, 21, 38, 11, 330592, tzinfo=UTC)
    assert elements.mean_motion_dot == 3.64e-6
    assert elements.mean_motion_ddot == 0.0
    assert elements.bstar == 0.17957e-4
    assert (elements.element_set_number, elements.revolution_at_epoch) == (999, 1906)
    assert (elements.inclination_deg, elements.raan_deg) == (97.3699, 267.45)
    assert (elements.eccentricity, elements.mean_motion_rev_per_day) == (0.00132, 15.23915303)
    assert (elements.argument_of_perigee_deg, elements.mean_anomaly_deg) == (178.5836, 246.0824)
    assert elements.source == "tle/micius-2016-2025.tle"
    assert elements.raw == f"{NAME}\n{LINE1}\n{LINE2}\n"
    assert elements.sha256 == hashlib.sha256(elements.raw.encode()).hexdigest()


@pytest.mark.parametrize(
    "pair", [p for p in data_lines(MICIUS_TEXT) if "+" not in p[0] and " 0" not in p[1][7:10]]
)
def test_a_plain_tle_comes_back_character_by_character(pair: tuple[str, str]) -> None:
    assert format_tle(parse_tle(*pair)) == pair


@pytest.mark.parametrize("elements", [*MICIUS, *OFFICIAL[:-3]], ids=lambda e: f"{e.norad_id}")
def test_a_set_survives_the_way_through_its_tle(elements: Elements) -> None:
    assert parse_tle(*format_tle(elements), elements.name) == elements


@pytest.mark.parametrize(
    ("pair", "elements"), list(zip(data_lines(OFFICIAL_TEXT), OFFICIAL, strict=True))
)
def test_our_numbers_propagate_as_the_sgp4_packages_own_parser(
    pair: tuple[str, str], elements: Elements
) -> None:
    theirs, ours = Satrec.twoline2rv(*pair), elements.satrec()
    for days in (0.0, 0.5, 3.0):
        instant = (theirs.jdsatepoch, theirs.jdsatepochF + days)
        # To the last bit; both are NaN where a set decays.
        np.testing.assert_array_equal(theirs.sgp4(*instant)[1], ours.sgp4(*instant)[1])


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("name line", f"{NAME}\n{LINE1}\n{LINE2}\n"),
        ("name line with 0", f"0 {NAME}\n{LINE1}\n{LINE2}\n"),
        ("CRLF", f"{NAME}\r\n{LINE1}\r\n{LINE2}\r\n"),
        ("old Mac line ends", f"{NAME}\r{LINE1}\r{LINE2}\r"),
        ("byte order mark", f"\ufeff{NAME}\n{LINE1}\n{LINE2}\n"),
        ("blank lines", f"\n\n{NAME}\n\n{LINE1}\n   \n{LINE2}\n\n\n"),
        ("comments", f"# a comment\n{NAME}\n# another\n{LINE1}\n{LINE2}"),
        ("blanks around", f"  {NAME}\n  {LINE1}  \n\t{LINE2}  "),
        ("text behind", f"{NAME}\n{LINE1} x\n{LINE2}      0.00   4320.0   360.00\n"),
    ],
)
def test_oddities_of_files_parse(what: str, text: str) -> None:
    assert read_elements(text) == (parse_tle(LINE1, LINE2, NAME),), what


@pytest.mark.parametrize(
    ("line1", "line2"),
    [
        (changed(LINE1, 34, "+.00000364 +00000-0 +17957-4"), LINE2),
        (changed(LINE1, 45, " 00000+0"), LINE2),
        (changed(LINE1, 45, "        "), LINE2),
        (LINE1, changed(LINE2, 9, "097.3699")),
        (LINE1, changed(LINE2, 64, "01906")),
        (changed(LINE1, 63, " "), LINE2),
        (changed(LINE1, 8, " "), LINE2),
    ],
)
def test_oddities_of_columns_parse(line1: str, line2: str) -> None:
    assert parse_tle(line1, line2) == parse_tle(LINE1, LINE2)


def test_a_missing_name_line_is_an_empty_name() -> None:
    (elements,) = read_elements(f"{LINE1}\n{LINE2}\n")
    assert (elements.name, elements.label) == ("", "41731")


def test_many_sets_keep_their_order_and_source() -> None:
    arrived = datetime(2026, 1, 2, tzinfo=UTC)
    sets = read_elements(MICIUS_TEXT, source="a file", arrived_at=arrived)
    assert len(sets) == 27
    assert [s.epoch for s in sets] == sorted(s.epoch for s in sets)
    assert {(s.source, s.arrived_at) for s in sets} == {("a file", arrived)}


# Space-Track's own examples of Alpha-5: space-track.org/documentation#/tle.
@pytest.mark.parametrize(
    ("text", "number"),
    [("00005", 5), ("99999", 99999), ("A0000", 100000), ("E8493", 148493), ("J2931", 182931),
     ("P4018", 234018), ("W1928", 301928), ("Z9999", 339999)],
)  # fmt: skip
def test_alpha5_numbers_mean_what_space_track_says(text: str, number: int) -> None:
    assert parse_alpha5(text) == number
    assert format_alpha5(number) == text
    elements = parse_tle(changed(LINE1, 3, text), changed(LINE2, 3, text))
    assert elements.norad_id == number
    assert format_tle(elements)[0][2:7] == text


@pytest.mark.parametrize("text", ["I0000", "O0000", "a0000", "AB000", "-0001", "4173.", "A 001"])
def test_other_catalogue_numbers_are_refused(text: str) -> None:
    with pytest.raises(ElementsError, match="line 1, column 3: expected a catalogue number"):
        parse_tle(changed(LINE1, 3, text), changed(LINE2, 3, text))


@pytest.mark.parametrize(
    ("line1", "line2", "message"),
    [
        (LINE1[:-1] + "4", LINE2, "line 1, column 69: expected the checksum 3, found '4'"),
        (LINE1, LINE2[:-1], "line 2, column 69: expected the checksum 3, found the end"),
        (LINE1, LINE2[:60], "line 2, column 69: expected the checksum"),
        ("1", LINE2, "line 1, column 1: expected '1 '"),
        (LINE2, LINE1, "line 1, column 1: expected '1 '"),
        (LINE1, LINE1, "line 2, column 1: expected '2 '"),
        (LINE1 + "7", LINE2, "line 1, column 70: expected the end of the line"),
        (LINE1, changed(LINE2, 3, "41732"), "line 2, column 3: expected the catalogue number of"),
        (changed(LINE1, 19, "1x"), LINE2, "line 1, column 19: expected the year"),
        (changed(LINE1, 21, "000.50000000"), LINE2, "column 21: expected a day of the year 2016"),
        (changed(LINE1, 19, "17366.00000000"), LINE2, "of the year 2017, 1 to below 366"),
        (changed(LINE1, 21, "353.9015.003"), LINE2, "column 21: expected the day of the year"),
        (changed(LINE1, 34, " .0000e364"), LINE2, "line 1, column 34: expected half the first"),
        (changed(LINE1, 54, " 1795724"), LINE2, "line 1, column 54: expected B"),
        (changed(LINE1, 63, "x"), LINE2, "line 1, column 63: expected the ephemeris type"),
        (changed(LINE1, 63, "4"), LINE2, "ephemeris type 4"),
        (LINE1, changed(LINE2, 9, " 197.369"), "inclination_deg 197.369, not 0 to 180"),
        (LINE1, changed(LINE2, 9, "        "), "line 2, column 9: expected the inclination"),
        (LINE1, changed(LINE2, 9, "     nan"), "line 2, column 9: expected the inclination"),
        (LINE1, changed(LINE2, 27, "001.320"), "line 2, column 27: expected the eccentricity"),
        (LINE1, changed(LINE2, 53, " 0.00000000"), "mean_motion_rev_per_day 0.0, not 1e-06"),
        (LINE1, changed(LINE2, 53, "99.00000000"), "mean_motion_rev_per_day 99.0, not"),
        (LINE1, changed(LINE2, 35, "１78.5836"), "line 2, column 35: expected a printable"),
    ],
)  # fmt: skip
def test_what_is_no_tle_is_refused_by_line_and_column(line1: str, line2: str, message: str) -> None:
    with pytest.raises(ElementsError, match=message.replace("*", r"\*")):
        parse_tle(line1, line2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: expected an element set, found none"),
        ("# only a comment\n", "found none"),
        ("No GP data found", "found none; line 1 is no element set: 'No GP data found'"),
        ("<!DOCTYPE html>\n<html><head><title>Busy\n now</title>", "a web page called 'Busy now'"),
        ("\ufeff\n<HTML><body>busy</body></HTML>", "expected element sets, found a web page"),
        (f"{NAME}\n2 41731\n{LINE2}", "line 3, column 1: expected '1 ' of a TLE"),
        (f"{NAME}\n{LINE1[:40]}\n{LINE2}", "line 2, column 69: expected the checksum"),
        (f"{NAME}\n{changed(LINE1, 3, 'x')}\n{LINE2}", "line 2, column 3: expected a catalogue"),
        (f"{LINE2}\n", "line 1, column 1: expected '1 ' of a TLE, found '2 41731"),
        (f"{NAME}\n\n{LINE1}\n", "line 4, column 1: expected '2 ', found the end"),
        (f"{NAME}\n{LINE1}\n{NAME}\n{LINE2}", "line 3, column 1: expected '2 '"),
        (f"{NAME}\n{LINE1}\n{LINE2}\n\n{LINE1[:-1]}9\n{LINE2}\n", "line 5, column 69"),
    ],
)
def test_files_that_are_no_element_sets_are_refused(text: str, message: str) -> None:
    with pytest.raises(ElementsError, match=message):
        read_elements(text)


BULLETIN = f"""SB KEPS @ AMSAT $ORB00003.N
2Line Orbital Elements 00003.AMSAT

FROM A STATION, January 3, 2025
TO ALL BT

DECODE 2-LINE ELSETS WITH THE FOLLOWING KEY:
1 AAAAAU 00  0  0 BBBBB.BBBBBBBB  .CCCCCCCC  00000-0  00000-0 0  DDDZ
2 AAAAA EEE.EEEE FFF.FFFF GGGGGGG HHH.HHHH III.IIII JJ.JJJJJJJJKKKKKZ

QSS
{LINE1}
{LINE2}
TO ALL BT

{LINE1}
{LINE2}

/EX
"""


def test_a_bulletin_gives_its_sets_and_tells_the_rest() -> None:
    reading = read_bulletin(BULLETIN)
    assert reading.elements == (
        parse_tle(LINE1, LINE2, "QSS"),
        parse_tle(LINE1, LINE2, "TO ALL BT"),
    )
    assert reading.skipped[0] == "line 1 is no element set: 'SB KEPS @ AMSAT $ORB00003.N'"
    assert [words.split()[1] for words in reading.skipped] == [
        "1", "2", "4", "5", "7", "8", "9", "19",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["2 PATHFINDER", "1 ", "1 SAT", "2 41731", "0", "0 X", "#1", "{", "<X", "ÄÖ 中", "CSS [A]",
     "A=B", "=1+2", "1 41731U looks like a line", '"', "COMMENT", "a,b"],
)  # fmt: skip
def test_every_name_goes_out_as_it_came_in(name: str) -> None:
    name = name.strip()
    sets = tuple(replace(parse_tle(LINE1, LINE2), name=one) for one in (name, "OTHER", name))
    assert read_elements(format_tles(sets)) == sets
    for form in ("json", "xml", "csv", "kvn"):
        assert read_elements(format_omm(sets, form)) == sets


@given(name=st.text(st.characters(exclude_characters="\ufffe\uffff"), max_size=30).map(str.strip))
def test_any_name_goes_out_as_it_came_in_or_is_refused(name: str) -> None:
    elements = parse_tle(LINE1, LINE2)
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name):
        with pytest.raises(ElementsError, match="not a printable character"):
            replace(elements, name=name)
        return
    one = replace(elements, name=name)
    assert read_elements(format_tles([one, one])) == (one, one)
    for form in ("json", "xml", "csv", "kvn"):
        assert read_elements(format_omm([one], form)) == (one,)


def test_an_epoch_that_no_satellite_has_is_refused() -> None:
    for year in (1956, 2057, 9999):
        with pytest.raises(ElementsError, match=f"epoch {year}-01-01, not 1957 to 2056"):
            replace(parse_tle(LINE1, LINE2), epoch=datetime(year, 1, 1, tzinfo=UTC))


def test_wrong_checksums_are_accepted_only_when_asked() -> None:
    with pytest.raises(ElementsError, match="checksum"):
        read_elements(OFFICIAL_TEXT)
    assert len(read_elements(OFFICIAL_TEXT, checksums=False)) == 33


def test_a_line_that_is_cut_is_refused_though_its_checksum_is_not_asked_for() -> None:
    for line1, line2, message in (
        (LINE1[:30], LINE2, "line 1, column 31: expected numbers up to column 61"),
        (LINE1, LINE2[:60], "line 2, column 61: expected numbers up to column 63"),
    ):
        with pytest.raises(ElementsError, match=message):
            parse_tle(line1, line2, checksums=False)
    assert parse_tle(LINE1[:61], LINE2[:63], checksums=False).bstar != 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eccentricity": 0.99999996}, "eccentricity 0.99999996 does not fit in a TLE"),
        ({"ephemeris_type": 12}, "ephemeris type 12 does not fit in a TLE: 0 to 9"),
        ({"element_set_number": -5}, "element_set_number -5 does not fit in a TLE: 0 and up"),
        ({"revolution_at_epoch": -1}, "revolution_at_epoch -1 does not fit"),
        ({"international_designator": "2098-067A"}, "'2098-067A' does not fit in a TLE: 1957"),
        ({"classification": "\u00e9"}, "classification '.' does not fit in a TLE: printable"),
        ({"international_designator": "a\u00e9b"}, "designator 'a.*b' does not fit in a TLE"),
    ],
)
def test_what_does_not_fit_in_a_tle_is_refused(change: dict[str, Any], message: str) -> None:
    elements = replace(parse_tle(LINE1, LINE2), **change)
    with pytest.raises(ElementsError, match=message):
        format_tle(elements)


def test_numbers_beyond_alpha5_need_an_omm() -> None:
    elements = parse_omm(omm_fields(parse_tle(LINE1, LINE2)) | {"NORAD_CAT_ID": 340000})
    with pytest.raises(ElementsError, match="340000 does not fit in a TLE"):
        format_tle(elements)


@given(
    fraction=st.integers(0, 99_999_999),
    day=st.integers(1, 365),
    year=st.integers(1957, 2056),
)
def test_epochs_keep_all_their_digits(fraction: int, day: int, year: int) -> None:
    line = changed(LINE1, 19, f"{year % 100:02d}{day:03d}.{fraction:08d}")

    elements = parse_tle(line, LINE2)

    assert elements.epoch.year == year
    assert elements.epoch_jd()[1] == float(f"0.{fraction:08d}")
    assert format_tle(elements)[0] == line


@given(
    bstar=st.floats(-0.9, 0.9),
    ddot=st.floats(-1e-3, 1e-3),
    dot=st.floats(-0.99, 0.99),
    eccentricity=st.floats(0.0, 0.9999),
    angle=st.floats(0.0, 359.999),
)
def test_any_set_survives_to_the_digits_of_a_tle(
    bstar: float, ddot: float, dot: float, eccentricity: float, angle: float
) -> None:
    base = omm_fields(parse_tle(LINE1, LINE2))
    elements = parse_omm(
        base | {"BSTAR": bstar, "MEAN_MOTION_DDOT": ddot, "MEAN_MOTION_DOT": dot,
                "ECCENTRICITY": eccentricity, "MEAN_ANOMALY": angle}
    )  # fmt: skip

    again = parse_tle(*format_tle(elements))

    # Half of the last digit that a TLE prints; five significant ones for the drag terms.
    assert again.bstar == pytest.approx(bstar, rel=1e-4, abs=1e-9)
    assert again.mean_motion_ddot == pytest.approx(ddot, rel=1e-4, abs=1e-9)
    assert again.mean_motion_dot == pytest.approx(dot, rel=0, abs=0.51e-8)
    assert again.eccentricity == pytest.approx(eccentricity, rel=0, abs=0.51e-7)
    assert again.mean_anomaly_deg == pytest.approx(angle, rel=0, abs=0.51e-4)
    assert parse_tle(*format_tle(again)) == again


def test_age_counts_from_the_epoch() -> None:
    elements = parse_tle(LINE1, LINE2)
    assert elements.age(elements.epoch + timedelta(days=3)) == timedelta(days=3)
    assert elements.age(elements.epoch - timedelta(days=3)) == timedelta(days=-3)


def test_heights_follow_from_the_mean_motion() -> None:
    elements = parse_tle(LINE1, LINE2)
    # 500 km sun-synchronous orbit: Liao et al., Nature 549, 43 (2017).
    assert 480 < elements.perigee_height_km < elements.apogee_height_km < 520
