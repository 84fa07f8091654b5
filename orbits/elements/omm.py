"""Orbit mean-elements messages (OMM): JSON, XML, CSV and KVN text to Elements and back.

Source: CCSDS 502.0-B-3, Orbit Data Messages, section 4 and annex; the field names and
number formats that CelesTrak and Space-Track publish.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from orbits.elements.record import Elements
from orbits.errors import ElementsError

Fields = Mapping[str, object]

# OMM keyword, Elements field. SGP4 cannot do without any of these.
_NUMBERS = (
    ("MEAN_MOTION", "mean_motion_rev_per_day"),
    ("ECCENTRICITY", "eccentricity"),
    ("INCLINATION", "inclination_deg"),
    ("RA_OF_ASC_NODE", "raan_deg"),
    ("ARG_OF_PERICENTER", "argument_of_perigee_deg"),
    ("MEAN_ANOMALY", "mean_anomaly_deg"),
    ("BSTAR", "bstar"),
)
# These SGP4 ignores, and messages leave out.
_OPTIONAL_NUMBERS = (
    ("MEAN_MOTION_DOT", "mean_motion_dot"),
    ("MEAN_MOTION_DDOT", "mean_motion_ddot"),
)
_OPTIONAL_INTEGERS = (
    ("EPHEMERIS_TYPE", "ephemeris_type"),
    ("ELEMENT_SET_NO", "element_set_number"),
    ("REV_AT_EPOCH", "revolution_at_epoch"),
)
_TEXTS = (
    ("OBJECT_NAME", "name"),
    ("OBJECT_ID", "international_designator"),
    ("CLASSIFICATION_TYPE", "classification"),
)
# What SGP4 elements are; a message that says something else is refused.
_FIXED = (
    ("CENTER_NAME", "EARTH", ("EARTH",)),
    ("REF_FRAME", "TEME", ("TEME",)),
    ("TIME_SYSTEM", "UTC", ("UTC",)),
    ("MEAN_ELEMENT_THEORY", "SGP4", ("SGP4", "SGP/SGP4")),
)
_EPOCH = re.compile(
    r"(\d{4})-(?:(\d{2})-(\d{2})|(\d{3}))[T ](\d{2}):(\d{2}):(\d{2})(?:\.(\d*))?Z?", re.ASCII
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_KEYWORD = re.compile(r"[A-Z][A-Z0-9_]*")
_INTEGER_MAX = 10**18
"""No field of a message is a longer integer, and Python does not print one that is much longer."""
OMM_VERSION = "2.0"


def parse_omm(
    omm: Fields | str, *, source: str = "", arrived_at: datetime | None = None
) -> Elements:
    """Return the one set of an OMM; raise ElementsError if it holds none or several."""
    if not isinstance(omm, str):
        for key, value in omm.items():
            if isinstance(value, int) and abs(value) > _INTEGER_MAX:
                raise ElementsError(f"{key} is an integer of {value.bit_length()} bits, too long")
        raw = json.dumps({str(key): value for key, value in omm.items()}, default=str)
        return _from_fields(omm, raw, source=source, arrived_at=arrived_at)
    sets = read_omm(omm, source=source, arrived_at=arrived_at)
    if len(sets) != 1:
        raise ElementsError(f"need one OMM, got {len(sets)}; use read_elements for many")
    return sets[0]


def read_omm(
    text: str, *, source: str = "", arrived_at: datetime | None = None
) -> tuple[Elements, ...]:
    """Return every set of an OMM text, whichever its form (see `omm_form`)."""
    form = omm_form(text)
    if form is None:
        raise ElementsError(f"line 1, column 1: expected an OMM, found {text[:14]!r}")
    readers = {"json": _json_fields, "xml": _xml_fields, "csv": _csv_fields, "kvn": _kvn_fields}
    sets = []
    for number, fields in enumerate(readers[form](text), start=1):
        try:
            raw = json.dumps(dict(fields), default=str)
            sets.append(_from_fields(fields, raw, source=source, arrived_at=arrived_at))
        except ElementsError as error:
            raise ElementsError(f"message {number}: {error}") from error
    return tuple(sets)


def omm_form(text: str) -> str | None:
    """Return 'json', 'xml', 'csv' or 'kvn' by how a text begins, or None."""
    head = text.lstrip("\ufeff \t\r\n")
    if head[:1] in ("{", "["):
        return "json"
    if head[:1] == "<":
        return "xml"
    first = re.split(r"[\r\n]", head, maxsplit=1)[0]
    if "NORAD_CAT_ID" in first and "," in first:
        return "csv"
    if re.match(r"CCSDS_OMM_VERS\s*=", first):
        return "kvn"
    return None


def omm_fields(elements: Elements) -> dict[str, str | int | float]:
    """Return the keywords and values of a set, in the order of the standard."""
    epoch = elements.epoch.replace(tzinfo=None).isoformat(timespec="microseconds")
    fields: dict[str, str | int | float] = {
        "OBJECT_NAME": elements.name,
        "OBJECT_ID": elements.international_designator,
        **{key: value for key, value, _ in _FIXED},
        "EPOCH": epoch,
    }
    for key, attribute in _NUMBERS[:-1]:
        fields[key] = getattr(elements, attribute)
    fields["EPHEMERIS_TYPE"] = elements.ephemeris_type
    fields["CLASSIFICATION_TYPE"] = elements.classification
    fields["NORAD_CAT_ID"] = elements.norad_id
    fields["ELEMENT_SET_NO"] = elements.element_set_number
    fields["REV_AT_EPOCH"] = elements.revolution_at_epoch
    fields["BSTAR"] = elements.bstar
    for key, attribute in _OPTIONAL_NUMBERS:
        fields[key] = getattr(elements, attribute)
    return fields


def format_omm(sets: Sequence[Elements], form: str = "json") -> str:
    """Return the text of many sets as 'json', 'xml', 'csv' or 'kvn'.

    Raises ElementsError for another form.
    """
    rows = [omm_fields(elements) for elements in sets]
    if form == "json":
        return json.dumps(rows, indent=1) + "\n"
    if form == "csv":
        return _csv_text(rows)
    if form == "xml":
        return _xml_text(rows)
    if form == "kvn":
        return "\n".join(_kvn_text(row) for row in rows)
    raise ElementsError(f"OMM form {form!r}, not json, xml, csv or kvn")


def _from_fields(fields: Fields, raw: str, *, source: str, arrived_at: datetime | None) -> Elements:
    given = {str(key).strip().upper(): value for key, value in fields.items()}
    for key, _, allowed in _FIXED:
        text = _text(given, key)
        if text and text.upper() not in allowed:
            raise ElementsError(f"{key} is {text!r}, allowed is {' or '.join(allowed)}")
    values: dict[str, object] = {name: _number(given, key) for key, name in _NUMBERS}
    for key, name in _OPTIONAL_NUMBERS:
        values[name] = _number(given, key) if _text(given, key) else 0.0
    for key, name in _OPTIONAL_INTEGERS:
        values[name] = _integer(given, key) if _text(given, key) else 0
    for key, name in _TEXTS:
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
    if match is None:
        raise ElementsError(f"EPOCH is {text[:40]!r}, {expected}")
    year, month, day, day_of_year, hour, minute, second, decimals = match.groups()
    # Space-Track once gave the microseconds in a field of their own.
    decimals = decimals or (_text(fields, "EPOCH_MICROSECONDS") or "0").zfill(6)
    try:
        start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
        if day_of_year is not None:
            start += timedelta(days=int(day_of_year) - 1)
            if start.year != int(year):
                raise ValueError(day_of_year)
        clock = start.replace(hour=int(hour), minute=int(minute), second=int(second))
        return clock + timedelta(microseconds=round(float(f"0.{decimals}") * 1e6))
    except (ValueError, OverflowError) as error:
        raise ElementsError(f"EPOCH is {text!r}, {expected}") from error


def _refuse_constant(text: str) -> float:
    raise ElementsError(f"JSON holds {text}, expected a number")


def _json_fields(text: str) -> list[Fields]:
    try:
        loaded = json.loads(text.lstrip("\ufeff"), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ElementsError(
            f"line {error.lineno}, column {error.colno}: not JSON, {error.msg}"
        ) from error
    except (RecursionError, ValueError) as error:
        if isinstance(error, ElementsError):
            raise
        raise ElementsError("JSON is nested too deep or holds too long a number") from error
    messages = loaded if isinstance(loaded, list) else [loaded]
    for number, message in enumerate(messages, start=1):
        if not isinstance(message, dict):
            raise ElementsError(f"message {number}: expected an object, found {message!r:.40}")
    return messages


def _csv_fields(text: str) -> list[Fields]:
    rows = csv.reader(re.split(r"\r\n|\r|\n", text.strip("\ufeff \t\r\n")), strict=True)
    try:
        header = [name.strip() for name in next(rows)]
        messages: list[Fields] = []
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                raise ElementsError(
                    f"line {rows.line_num}, column 1: expected {len(header)} fields, "
                    f"found {len(row)}"
                )
            messages.append(dict(zip(header, row, strict=True)))
    except csv.Error as error:
        raise ElementsError(f"line {rows.line_num}, column 1: not CSV, {error}") from error
    return messages


def _xml_fields(text: str) -> list[Fields]:
    # Imported late, here and below: most questions never see XML.
    import xml.etree.ElementTree as ET

    if _has_declaration(text):
        raise ElementsError("XML with a document type or entities is refused")
    try:
        # Bytes, because a declared encoding is refused with a str.
        root = ET.fromstring(text.lstrip("\ufeff \t\r\n").encode("utf-8", "replace"))
    except ET.ParseError as error:
        line, column = error.position
        raise ElementsError(f"line {line}, column {column + 1}: not XML, {error}") from error
    except (ValueError, LookupError) as error:
        raise ElementsError(f"line 1, column 1: not XML, {error}") from error
    messages: list[Fields] = []
    todo = [root]
    while todo:
        node = todo.pop()
        if _local(node.tag) != "segment":
            todo.extend(reversed(node))
            continue
        parts = list(node.iter())
        if any(_local(part.tag) == "segment" for part in parts[1:]):
            raise ElementsError(f"message {len(messages) + 1}: a segment inside a segment")
        messages.append({_local(leaf.tag): leaf.text or "" for leaf in parts if not len(leaf)})
    return messages


def _has_declaration(text: str) -> bool:
    """Return whether there is a `<!` that begins no comment, or one that never ends."""
    at = 0
    while (at := text.find("<!", at)) >= 0:
        end = text.find("-->", at + 4) if text.startswith("<!--", at) else -1
        if end < 0:
            return True
        at = end + 3
    return False


def _local(tag: object) -> str:
    """Return an XML tag without its namespace."""
    return str(tag).rpartition("}")[2]


def _kvn_fields(text: str) -> Iterator[Fields]:
    fields: dict[str, object] = {}
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text.lstrip("\ufeff")), start=1):
        if not line.strip() or line.lstrip().startswith("COMMENT"):
            continue
        keyword, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not _KEYWORD.fullmatch(keyword):
            raise ElementsError(f"line {number}, column 1: expected KEYWORD = value")
        if value.endswith("]") and "[" in value:  # a unit
            value = value[: value.rindex("[")].rstrip()
        if keyword == "CCSDS_OMM_VERS" and fields:
            yield fields
            fields = {}
        fields[keyword] = value
    yield fields


class _Lines(list[str]):
    """A list that csv.writer can write to."""

    def write(self, line: str) -> None:
        self.append(line)


def _csv_text(rows: Sequence[Mapping[str, str | int | float]]) -> str:
    lines = _Lines()
    writer = csv.writer(lines, lineterminator="\n")
    keys = _column_keys(rows)
    writer.writerow(keys)
    writer.writerows([row[key] for key in keys] for row in rows)
    return "".join(lines)


def _column_keys(rows: Sequence[Mapping[str, str | int | float]]) -> list[str]:
    """Return the CSV columns: what never differs is left out, as CelesTrak does."""
    fixed = {key for key, _, _ in _FIXED}
    return [key for key in rows[0] if key not in fixed] if rows else ["NORAD_CAT_ID"]


_METADATA = ("OBJECT_NAME", "OBJECT_ID", *(key for key, _, _ in _FIXED))
_MEAN_ELEMENTS = ("EPOCH", *(key for key, _ in _NUMBERS[:-1]))


def _xml_text(rows: Iterable[Mapping[str, str | int | float]]) -> str:
    import xml.etree.ElementTree as ET

    root = ET.Element("ndm")
    for row in rows:
        omm = ET.SubElement(root, "omm", id="CCSDS_OMM_VERS", version=OMM_VERSION)
        ET.SubElement(omm, "header")
        segment = ET.SubElement(ET.SubElement(omm, "body"), "segment")
        metadata = ET.SubElement(segment, "metadata")
        data = ET.SubElement(segment, "data")
        mean, tle = ET.SubElement(data, "meanElements"), ET.SubElement(data, "tleParameters")
        for key, value in row.items():
            parent = metadata if key in _METADATA else mean if key in _MEAN_ELEMENTS else tle
            ET.SubElement(parent, key).text = str(value)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _kvn_text(row: Mapping[str, str | int | float]) -> str:
    return f"CCSDS_OMM_VERS = {OMM_VERSION}\n" + "".join(
        f"{key} = {value}\n" for key, value in row.items()
    )
