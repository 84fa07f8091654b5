"""Messages as JSON, XML, CSV or KVN text to keywords and values, and back."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from orbits.elements.omm_keywords import FIXED, NUMBERS, TEXT_KEYS, Fields
from orbits.errors import ElementsError

Row = Mapping[str, str | int | float]

_LAST_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[\]}])')
_KEYWORD = re.compile(r"[A-Z][A-Z0-9_]*")
OMM_VERSION = "2.0"


def messages_of(text: str) -> Iterable[Fields]:
    """Return the keywords and values of each message of a text, whichever its form."""
    form = omm_form(text)
    if form is None:
        raise ElementsError(f"line 1, column 1: expected an OMM, found {text[:14]!r}")
    readers = {"json": _json_fields, "xml": _xml_fields, "csv": _csv_fields, "kvn": _kvn_fields}
    return readers[form](text)


def text_of(rows: Sequence[Row], form: str) -> str:
    """Return messages as text; raise ElementsError for another form."""
    if form == "json":
        return json.dumps(rows, indent=1) + "\n"
    if form == "csv":
        return _csv_text(rows)
    if form == "xml":
        return _xml_text(rows)
    if form == "kvn":
        return "\n".join(_kvn_text(row) for row in rows)
    raise ElementsError(f"OMM form {form!r}, not json, xml, csv or kvn")


def omm_form(text: str) -> str | None:
    """Return 'json', 'xml', 'csv' or 'kvn' by how a text begins, or None."""
    head = text.lstrip("\ufeff \t\r\n")
    if head[:1] in ("{", "["):
        return "json"
    if head[:1] == "<":
        return "xml"
    first = re.split(r"[\r\n]", head, maxsplit=1)[0]
    if "NORAD_CAT_ID" in first.upper() and "," in first:
        return "csv"
    if re.match(r"CCSDS_OMM_VERS\s*=", first, re.IGNORECASE):
        return "kvn"
    return None


def _refuse_constant(text: str) -> float:
    raise ElementsError(f"JSON holds {text}, expected a number")


def _no_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ElementsError(f"JSON holds {next(k for k in keys if keys.count(k) > 1)!r} twice")
    return fields


def _loaded(text: str) -> object:
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_no_doubles)


def _json_fields(text: str) -> list[Fields]:
    text = text.lstrip("\ufeff")
    try:
        try:
            loaded = _loaded(text)
        except json.JSONDecodeError:
            # Lists made line by line often end in a comma; the error is told of the original.
            without = _LAST_COMMA.sub(lambda match: match[1] or "", text)
            if without == text:
                raise
            loaded = _loaded(without)
    except json.JSONDecodeError as error:
        raise ElementsError(
            f"line {error.lineno}, column {error.colno}: not JSON, {error.msg}"
        ) from error
    except (RecursionError, ValueError) as error:
        if isinstance(error, ElementsError):
            raise
        raise ElementsError("JSON is nested too deep or holds too long a number") from error
    messages: list[Fields] = []
    for number, message in enumerate(loaded if isinstance(loaded, list) else [loaded], start=1):
        if not isinstance(message, dict):
            raise ElementsError(f"message {number}: expected an object, found {message!r:.40}")
        messages.append(message)
    return messages


def _csv_fields(text: str) -> list[Fields]:
    rows = csv.reader(re.split(r"\r\n|\r|\n", text.strip("\ufeff \t\r\n")), strict=True)
    try:
        header = [name.strip().upper() for name in next(rows)]
        if not header[-1]:
            header.pop()
        if len(set(header)) != len(header):
            twice = next(name for name in header if header.count(name) > 1)
            raise ElementsError(f"line 1, column 1: {twice} is there twice")
        messages: list[Fields] = []
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) == len(header) + 1 and not row[-1].strip():
                row.pop()
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
        leaves = [(_local(part.tag), part.text or "") for part in parts if not len(part)]
        keys = [key for key, _ in leaves if key != "COMMENT"]
        if len(set(keys)) != len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ElementsError(f"message {len(messages) + 1}: {twice} is there twice")
        messages.append(dict(leaves))
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
        keyword = keyword.upper()
        if not equals or not _KEYWORD.fullmatch(keyword):
            raise ElementsError(f"line {number}, column 1: expected KEYWORD = value")
        if keyword not in TEXT_KEYS and value.endswith("]") and "[" in value:  # a unit
            value = value[: value.rindex("[")].rstrip()
        if keyword == "CCSDS_OMM_VERS" and fields:
            yield fields
            fields = {}
        if keyword in fields:
            raise ElementsError(f"line {number}, column 1: {keyword} is there twice")
        fields[keyword] = value
    yield fields


class _Lines(list[str]):
    """A list that csv.writer can write to."""

    def write(self, line: str) -> None:
        self.append(line)


def _csv_text(rows: Sequence[Row]) -> str:
    lines = _Lines()
    writer = csv.writer(lines, lineterminator="\n")
    keys = _column_keys(rows)
    writer.writerow(keys)
    writer.writerows([row[key] for key in keys] for row in rows)
    return "".join(lines)


def _column_keys(rows: Sequence[Row]) -> list[str]:
    """Return the CSV columns: what never differs is left out, as CelesTrak does."""
    fixed = {key for key, _, _ in FIXED}
    return [key for key in rows[0] if key not in fixed] if rows else ["NORAD_CAT_ID"]


_METADATA = ("OBJECT_NAME", "OBJECT_ID", *(key for key, _, _ in FIXED))
_MEAN_ELEMENTS = ("EPOCH", *(key for key, _ in NUMBERS[:-1]))


def _xml_text(rows: Iterable[Row]) -> str:
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


def _kvn_text(row: Row) -> str:
    return f"CCSDS_OMM_VERS = {OMM_VERSION}\n" + "".join(
        f"{key} = {value}\n" for key, value in row.items()
    )
