"""OMM in its four forms, as CelesTrak and Space-Track spell it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbits import ElementsError, format_omm, parse_omm, read_bulletin, read_elements
from tests.orbits.sets import MICIUS, OFFICIAL

# The shape and number formats of celestrak.org/NORAD/elements/gp.php?FORMAT=JSON: numbers
# as numbers. Values are those of the Micius set of 2016-12-18.
CELESTRAK: dict[str, object] = {
    "OBJECT_NAME": "QSS (MICIUS)",
    "OBJECT_ID": "2016-051A",
    "EPOCH": "2016-12-18T21:38:11.330592",
    "MEAN_MOTION": 15.23915303,
    "ECCENTRICITY": 0.00132,
    "INCLINATION": 97.3699,
    "RA_OF_ASC_NODE": 267.45,
    "ARG_OF_PERICENTER": 178.5836,
    "MEAN_ANOMALY": 246.0824,
    "EPHEMERIS_TYPE": 0,
    "CLASSIFICATION_TYPE": "U",
    "NORAD_CAT_ID": 41731,
    "ELEMENT_SET_NO": 999,
    "REV_AT_EPOCH": 1906,
    "BSTAR": 1.7957e-5,
    "MEAN_MOTION_DOT": 3.64e-6,
    "MEAN_MOTION_DDOT": 0,
}
# The shape of space-track.org's gp class: everything is text, and there is more of it.
SPACE_TRACK: dict[str, object] = {
    "CCSDS_OMM_VERS": "3.0",
    "COMMENT": "GENERATED VIA SPACE-TRACK.ORG API",
    "CREATION_DATE": "2016-12-19T02:46:18",
    "ORIGINATOR": "18 SPCS",
    "CENTER_NAME": "EARTH",
    "REF_FRAME": "TEME",
    "TIME_SYSTEM": "UTC",
    "MEAN_ELEMENT_THEORY": "SGP4",
    **{key: str(value) for key, value in CELESTRAK.items()},
    "SEMIMAJOR_AXIS": "6873.130",
    "DECAY_DATE": None,
    "TLE_LINE0": "0 QSS (MICIUS)",
}
WANTED = next(e for e in MICIUS if e.epoch.isoformat().startswith("2016-12-18"))


@pytest.mark.parametrize("fields", [CELESTRAK, SPACE_TRACK], ids=["celestrak", "space-track"])
def test_both_spellings_mean_the_same_set(fields: dict[str, object]) -> None:
    assert parse_omm(fields) == WANTED
    assert parse_omm(json.dumps(fields)) == WANTED
    assert read_elements(json.dumps([fields, fields])) == (WANTED, WANTED)


@pytest.mark.parametrize("form", ["json", "xml", "csv", "kvn"])
def test_every_form_gives_the_sets_back(form: str) -> None:
    sets = (*MICIUS, *OFFICIAL[:-4])
    assert read_elements(format_omm(sets, form)) == sets


@pytest.mark.parametrize("form", ["json", "xml", "csv", "kvn"])
def test_long_catalogue_numbers_survive(form: str) -> None:
    elements = parse_omm(CELESTRAK | {"NORAD_CAT_ID": 799_501_234})
    assert read_elements(format_omm([elements], form)) == (elements,)
    assert elements.satrec().sgp4(*elements.epoch_jd())[0] == 0


def test_xml_with_namespaces_and_comments_parses() -> None:
    text = format_omm([WANTED], "xml")
    text = text.replace("<ndm>", '<ndm xmlns="urn:ccsds:schema:ndmxml"><!-- a comment -->')
    assert read_elements(text) == (WANTED,)


@pytest.mark.parametrize(
    "epoch",
    [
        "2016-12-18T21:38:11.330592Z",
        "2016-12-18 21:38:11.330592",
        "2016-353T21:38:11.330592",
        "2016-12-18T21:38:11.3305920",
        "2016-12-18T21:38:11.330592+00:00",
        "2016-12-18T21:38:11.330592+0000",
    ],
)
def test_spellings_of_the_epoch_parse(epoch: str) -> None:
    assert parse_omm(CELESTRAK | {"EPOCH": epoch}) == WANTED


def test_second_60_is_the_next_minute() -> None:
    elements = parse_omm(CELESTRAK | {"EPOCH": "2016-12-31T23:59:60.5"})
    assert elements.epoch == datetime(2017, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)


def test_common_liberties_are_taken_as_they_are_meant() -> None:
    texts = {form: format_omm([WANTED, WANTED], form) for form in ("json", "csv", "kvn")}
    header, *rows = texts["csv"].splitlines()
    keyword = re.compile(r"^[A-Z_]+(?= =)", re.MULTILINE)
    for text in (
        "\ufeff" + "\n".join([header.lower(), *rows]),
        "\n".join(f"{line}," for line in (header, *rows)),
        "\n".join([header, *(f"{row}," for row in rows)]),
        keyword.sub(lambda match: match[0].lower(), texts["kvn"]),
        texts["json"].replace("}\n]", "},\n]").replace("\n }", ",\n }"),
    ):
        assert read_elements(text) == (WANTED, WANTED)
    # A comma inside a text stays.
    (named,) = read_elements(json.dumps([CELESTRAK | {"OBJECT_NAME": "A,]"}]).replace("}]", "},]"))
    assert named.name == "A,]"


def test_an_empty_record_is_skipped_and_named() -> None:
    empty = dict.fromkeys(CELESTRAK) | {"AMSAT_NAME": "LATER-1"}
    reading = read_bulletin(json.dumps([CELESTRAK, empty, {}, CELESTRAK]))
    assert reading.elements == (WANTED, WANTED)
    assert reading.skipped == (
        "message 2 is no element set: AMSAT_NAME 'LATER-1'",
        "message 3 is no element set: it is empty",
    )


def test_microseconds_in_a_field_of_their_own_are_read() -> None:
    fields = CELESTRAK | {"EPOCH": "2016-12-18 21:38:11", "EPOCH_MICROSECONDS": "330592"}
    assert parse_omm(fields) == WANTED


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"EPOCH": "2016-12-18"}, "EPOCH is '2016-12-18', expected UTC"),
        ({"EPOCH": "2016-13-18T21:38:11"}, "EPOCH is '2016-13-18T21:38:11', expected UTC"),
        ({"EPOCH": "2015-366T21:38:11"}, "EPOCH"),
        ({"EPOCH": None}, "EPOCH is missing"),
        ({"EPOCH": "2016-12-18T21:38:61"}, "EPOCH is '2016-12-18T21:38:61', expected UTC"),
        ({"EPOCH": "2016-12-18T21:38:11+01:00"}, "EPOCH is '2016-12-18T21:38:11.01:00', expected"),
        ({"EPOCH": "9999-12-31T23:59:60"}, "EPOCH is '9999"),
        ({"EPOCH": "9999-12-31T23:59:59"}, "epoch 9999-12-31, not 1957 to 2056"),
        ({"MEAN_MOTION": 17.9}, "mean_motion_rev_per_day 17.9, not 1e-06 to 17.05"),
        ({"OBJECT_NAME": "A\nB"}, r"name 'A\\nB' holds U.000A, not a printable character"),
        ({"OBJECT_NAME": "A\ud800"}, r"holds U.D800"),
        ({"norad_cat_id": 41731}, "NORAD_CAT_ID is there twice"),
        ({"MEAN_MOTION": "fast"}, "MEAN_MOTION is 'fast', expected a number"),
        ({"MEAN_MOTION": "nan"}, "MEAN_MOTION is 'nan', expected a number"),
        ({"MEAN_MOTION": True}, "MEAN_MOTION is 'True', expected a number"),
        ({"BSTAR": ""}, "BSTAR is missing, and SGP4 cannot do without"),
        ({"NORAD_CAT_ID": 41731.5}, "NORAD_CAT_ID is 41731.5, expected a whole number"),
        ({"NORAD_CAT_ID": -1}, "catalogue number -1, not 0 to 999999999"),
        ({"NORAD_CAT_ID": 1_000_000_000}, "catalogue number 1000000000, not"),
        ({"ECCENTRICITY": 1.0}, "eccentricity 1.0, not 0 to 1"),
        ({"REF_FRAME": "ICRF"}, "REF_FRAME is 'ICRF', allowed is TEME"),
        ({"TIME_SYSTEM": "TAI"}, "TIME_SYSTEM is 'TAI', allowed is UTC"),
        ({"CENTER_NAME": "MOON"}, "CENTER_NAME is 'MOON', allowed is EARTH"),
        ({"MEAN_ELEMENT_THEORY": "SGP4-XP"}, "MEAN_ELEMENT_THEORY is 'SGP4-XP', allowed is SGP4"),
        ({"EPHEMERIS_TYPE": 4}, "ephemeris type 4"),
        ({"NORAD_CAT_ID": "1e999"}, "NORAD_CAT_ID is '1e999', too large for a number"),
        ({"NORAD_CAT_ID": "1e308"}, r"NORAD_CAT_ID is 1e\+308, too large for a whole number"),
        ({"NORAD_CAT_ID": 10**5000}, "NORAD_CAT_ID is an integer of 16610 bits, too long"),
        ({"REV_AT_EPOCH": "9" * 400}, "REV_AT_EPOCH is '9999.*', too large for a number"),
    ],
)
def test_messages_that_are_no_sgp4_set_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ElementsError, match=message):
        parse_omm(CELESTRAK | change)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1, column 2: not JSON"),
        ("[1]", "message 1: expected an object, found 1"),
        ('[{"EPOCH": NaN}]', "JSON holds NaN, expected a number"),
        ("[" * 100_000, "nested too deep|not JSON"),
        ('{"NORAD_CAT_ID": ' + "9" * 5000 + "}", "too long a number|expected a number"),
        ("[]", "found none"),
        ("<ndm>", "line 1, column 6: not XML"),
        ("<ndm/>", "found none"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "document type or entities"),
        ("OBJECT_NAME,NORAD_CAT_ID\na\n", "line 2, column 1: expected 2 fields, found 1"),
        ("NORAD_CAT_ID,EPOCH\n1,2016-12-18T21:38:11\n", "message 1: MEAN_MOTION is missing"),
        ("<a>" + "<!--" * 200_000, "document type or entities"),
        ("<segment>" * 20_000 + "</segment>" * 20_000, "message 1: a segment inside a segment"),
        ("CCSDS_OMM_VERS = 2.0\nEPOCH = x" + " " * 100_000 + "y", "MEAN_MOTION is missing"),
        ('{"EPOCH": 1, "EPOCH": 2}', "JSON holds 'EPOCH' twice"),
        ("NORAD_CAT_ID,EPOCH,epoch\n1,2,3\n", "line 1, column 1: EPOCH is there twice"),
        ("CCSDS_OMM_VERS = 2.0\nEPOCH = 1\nepoch = 1\n", "line 3, column 1: EPOCH is there twice"),
        ("<segment><EPOCH>1</EPOCH><EPOCH>2</EPOCH></segment>", "message 1: EPOCH is there twice"),
        ('{"error": "no such satellite"}', "found none; message 1 is no .* 'no such satellite'"),
        ("CCSDS_OMM_VERS = 2.0\nnonsense\n", "line 2, column 1: expected KEYWORD = value"),
    ],
)
def test_text_that_is_no_omm_is_refused(text: str, message: str) -> None:
    with pytest.raises(ElementsError, match=message):
        read_elements(text)


def test_one_message_is_expected_where_one_is_asked_for() -> None:
    with pytest.raises(ElementsError, match="need one OMM, got 2"):
        parse_omm(format_omm(MICIUS[:2]))


def test_another_form_is_refused() -> None:
    with pytest.raises(ElementsError, match="OMM form 'yaml', not json, xml, csv or kvn"):
        format_omm(MICIUS, "yaml")


@given(
    number=st.integers(0, 999_999_999),
    motion=st.floats(0.01, 17.0),
    eccentricity=st.floats(0.0, 0.99),
    name=st.text(
        st.characters(max_codepoint=0x2FF, exclude_categories=["Cc"]),
        max_size=24,
    ).map(str.strip),
    form=st.sampled_from(["json", "xml", "csv"]),
)
def test_any_set_survives_any_form(
    number: int, motion: float, eccentricity: float, name: str, form: str
) -> None:
    elements = parse_omm(
        CELESTRAK
        | {"NORAD_CAT_ID": number, "MEAN_MOTION": motion, "ECCENTRICITY": eccentricity,
           "OBJECT_NAME": name}
    )  # fmt: skip
    assert read_elements(format_omm([elements], form)) == (elements,)
