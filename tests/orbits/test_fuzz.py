"""No text makes the parsers do anything but parse or say what is wrong, and quickly."""

from __future__ import annotations

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from orbits import ElementsError, format_omm, omm_fields, parse_omm, read_elements
from tests.orbits.sets import MICIUS, MICIUS_TEXT, OFFICIAL_TEXT

REAL = [*MICIUS_TEXT.splitlines(), *OFFICIAL_TEXT.splitlines()]
FORMS = {form: format_omm(MICIUS[:2], form) for form in ("json", "xml", "csv", "kvn")}


def read_or_refuse(text: str, *, checksums: bool) -> None:
    """Read a text; what comes out must be sound. Any other error fails the test."""
    try:
        sets = read_elements(text, checksums=checksums)
    except ElementsError:
        return
    for elements in sets:
        assert elements.epoch.tzinfo is not None
        assert 0.0 <= elements.eccentricity < 1.0
        elements.satrec()
        assert parse_omm(omm_fields(elements)) == elements


@given(text=st.text(max_size=400), checksums=st.booleans())
@example(text="1 \n2 ", checksums=False)
@example(text="{}", checksums=True)
@example(text="\ufeff", checksums=True)
def test_arbitrary_text_is_read_or_refused(text: str, checksums: bool) -> None:
    read_or_refuse(text, checksums=checksums)


@given(
    lines=st.lists(st.sampled_from(REAL), min_size=1, max_size=6),
    edits=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 80), st.text(max_size=3)), max_size=6
    ),
)
@settings(max_examples=300)
def test_mutated_real_sets_are_read_or_refused(
    lines: list[str], edits: list[tuple[int, int, str]]
) -> None:
    lines = list(lines)
    for which, column, text in edits:
        at = which % len(lines)
        lines[at] = lines[at][:column] + text + lines[at][column + 1 :]
    read_or_refuse("\n".join(lines), checksums=False)


@given(
    form=st.sampled_from(sorted(FORMS)),
    cuts=st.lists(
        st.tuples(st.integers(0, 4000), st.integers(0, 6), st.text(max_size=4)),
        min_size=1,
        max_size=4,
    ),
)
@settings(max_examples=200)
def test_mutated_messages_are_read_or_refused(form: str, cuts: list[tuple[int, int, str]]) -> None:
    text = FORMS[form]
    for at, length, put in cuts:
        at %= len(text)
        text = text[:at] + put + text[at + length :]
    read_or_refuse(text, checksums=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(
    change=st.dictionaries(
        st.sampled_from(["EPOCH", "NORAD_CAT_ID", "MEAN_MOTION", "BSTAR", "OBJECT_NAME"]), JSON
    )
)
def test_messages_with_anything_in_a_field_are_read_or_refused(change: dict[str, object]) -> None:
    read_or_refuse(json.dumps([omm_fields(MICIUS[0]) | change]), checksums=True)
