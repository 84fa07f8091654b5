"""Orbit mean-elements messages (OMM): JSON, XML, CSV and KVN text to Elements and back.

Source: CCSDS 502.0-B-3, Orbit Data Messages, section 4 and annex; the field names and
number formats that CelesTrak and Space-Track publish.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from orbits.elements.omm_keywords import (
    FIXED,
    NUMBERS,
    OPTIONAL_INTEGERS,
    OPTIONAL_NUMBERS,
    TEXTS,
    Fields,
)
from orbits.elements.omm_text import messages_of, text_of
from orbits.elements.record import Elements
from orbits.errors import ElementsError

_EPOCH = re.compile(
    r"(\d{4})-(?:(\d{2})-(\d{2})|(\d{3}))[T ](\d{2}):(\d{2}):(\d{2})(?:\.(\d*))?"
    r"(?:Z|[+-]00:?00)?", re.ASCII
)  # fmt: skip
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_INTEGER_MAX = 10**18
"""No field of a message is a longer integer, and Python does not print one that is much longer."""
_WITHOUT_NO_SET = ("NORAD_CAT_ID", "EPOCH", "MEAN_MOTION")


def parse_omm(
    omm: Fields | str, *, source: str = "", arrived_at: datetime | None = None
) -> Elements:
    """Return the one set of an OMM; raise ElementsError if it holds none or several."""
    if not isinstance(omm, str):
        for key, value in omm.items():
            if isinstance(value, int) and abs(value) > _INTEGER_MAX:
                raise ElementsError(f"{key} is an integer of {value.bit_length()} bits, too long")
        raw = json.dumps({str(key): value for key, value in omm.items()}, default=str)
        return _from_given(_given(omm), raw, source=source, arrived_at=arrived_at)
    sets, _ = read_omm(omm, source=source, arrived_at=arrived_at)
    if len(sets) != 1:
        raise ElementsError(f"need one OMM, got {len(sets)}; use read_elements for many")
    return sets[0]


def read_omm(
    text: str, *, source: str = "", arrived_at: datetime | None = None
) -> tuple[tuple[Elements, ...], tuple[str, ...]]:
    """Return every set of an OMM text, whichever its form (see `omm_form`), and what is none.

    A message without number, epoch and mean motion is no set, and named instead.
    """
    sets: list[Elements] = []
    skipped: list[str] = []
    for number, fields in enumerate(messages_of(text), start=1):
        try:
            given = _given(fields)
            if not any(_text(given, key) for key in _WITHOUT_NO_SET):
                skipped.append(f"message {number} is no element set: {_words(given)}")
                continue
            raw = json.dumps(dict(fields), default=str)
            sets.append(_from_given(given, raw, source=source, arrived_at=arrived_at))
        except ElementsError as error:
            raise ElementsError(f"message {number}: {error}") from error
    return tuple(sets), tuple(skipped)


def _words(given: Fields) -> str:
    """Return what there is to read in a message that is no set."""
    said = {key: str(value)[:40] for key, value in given.items() if value not in (None, "")}
    return ", ".join(f"{key} {text!r}" for key, text in list(said.items())[:3]) or "it is empty"


def omm_fields(elements: Elements) -> dict[str, str | int | float]:
    """Return the keywords and values of a set, in the order of the standard."""
    epoch = elements.epoch.replace(tzinfo=None).isoformat(timespec="microseconds")
    fields: dict[str, str | int | float] = {
        "OBJECT_NAME": elements.name,
        "OBJECT_ID": elements.international_designator,
        **{key: value for key, value, _ in FIXED},
        "EPOCH": epoch,
    }
    for key, attribute in NUMBERS[:-1]:
        fields[key] = getattr(elements, attribute)
    fields["EPHEMERIS_TYPE"] = elements.ephemeris_type
    fields["CLASSIFICATION_TYPE"] = elements.classification
    fields["NORAD_CAT_ID"] = elements.norad_id
    fields["ELEMENT_SET_NO"] = elements.element_set_number
    fields["REV_AT_EPOCH"] = elements.revolution_at_epoch
    fields["BSTAR"] = elements.bstar
    for key, attribute in OPTIONAL_NUMBERS:
        fields[key] = getattr(elements, attribute)
    return fields


def format_omm(sets: Sequence[Elements], form: str = "json") -> str:
    """Return the text of many sets as 'json', 'xml', 'csv' or 'kvn'.

    Raises ElementsError for another form.
    """
    return text_of([omm_fields(elements) for elements in sets], form)


def _given(fields: Fields) -> Fields:
    """Return the fields with keywords as the standard spells them."""
    given = {str(key).strip().upper(): value for key, value in fields.items()}
    if len(given) != len(fields):
        keys = [str(key).strip().upper() for key in fields]
        raise ElementsError(f"{next(k for k in keys if keys.count(k) > 1)} is there twice")
    return given


def _from_given(given: Fields, raw: str, *, source: str, arrived_at: datetime | None) -> Elements:
    for key, _, allowed in FIXED:
        text = _text(given, key)
        if text and text.upper() not in allowed:
            raise ElementsError(f"{key} is {text!r}, allowed is {' or '.join(allowed)}")
    values: dict[str, object] = {name: _number(given, key) for key, name in NUMBERS}
    for key, name in OPTIONAL_NUMBERS:
        values[name] = _number(given, key) if _text(given, key) else 0.0
    for key, name in OPTIONAL_INTEGERS:
        values[name] = _integer(given, key) if _text(given, key) else 0
    for key, name in TEXTS:
        if text := _text(given, key):
            values[name] = text
    return Elements(
        norad_id=_integer(given, "NORAD_CAT_ID"),
        epoch=_epoch(given),
        raw=raw,
        source=source,
        arrived_at=arrived_at,
        **values,  # type: ignore[arg-type]  # each was made for its field just above
    )


def _text(fields: Fields, key: str) -> str:
    value = fields.get(key)
    return "" if value is None else str(value).strip()


def _number(fields: Fields, key: str) -> float:
    text = _text(fields, key)
    if not text:
        raise ElementsError(f"{key} is missing, and SGP4 cannot do without")
    if isinstance(fields.get(key), bool) or not _NUMBER.fullmatch(text):
        raise ElementsError(f"{key} is {text[:40]!r}, expected a number")
    value = float(text)
    if not math.isfinite(value):
        raise ElementsError(f"{key} is {text[:40]!r}, too large for a number")
    return value


def _integer(fields: Fields, key: str) -> int:
    value = _number(fields, key)
    if value != int(value):
        raise ElementsError(f"{key} is {value}, expected a whole number")
    if abs(value) > _INTEGER_MAX:
        raise ElementsError(f"{key} is {value:g}, too large for a whole number")
    return int(value)


def _epoch(fields: Fields) -> datetime:
    text = _text(fields, "EPOCH")
    match = _EPOCH.fullmatch(text)
    expected = "expected UTC such as 2016-12-19T16:52:14.123456"
    if not text:
        raise ElementsError(f"EPOCH is missing, {expected}")
    if match is None:
        raise ElementsError(f"EPOCH is {text[:40]!r}, {expected}")
    year, month, day, day_of_year, hour, minute, second, decimals = match.groups()
    # Space-Track once gave the microseconds in a field of their own.
    decimals = decimals or (_text(fields, "EPOCH_MICROSECONDS") or "0").zfill(6)
    try:
        if int(second) > 60:
            raise ValueError(second)
        start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
        if day_of_year is not None:
            start += timedelta(days=int(day_of_year) - 1)
            if start.year != int(year):
                raise ValueError(day_of_year)
        clock = start.replace(hour=int(hour), minute=int(minute), second=min(int(second), 59))
        # A leap second has no name here (see `times`): its 60 is the next minute's 0.
        late = timedelta(seconds=1) if second == "60" else timedelta(0)
        return clock + late + timedelta(microseconds=round(float(f"0.{decimals}") * 1e6))
    except (ValueError, OverflowError) as error:
        raise ElementsError(f"EPOCH is {text!r}, {expected}") from error
