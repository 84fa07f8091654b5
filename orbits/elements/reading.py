"""Text of element sets in any known format to Elements."""

from __future__ import annotations

import re
from datetime import datetime

from orbits.elements.omm import omm_form, read_omm
from orbits.elements.record import Elements
from orbits.elements.tle import parse_tle
from orbits.errors import ElementsError

_TEXT_LENGTH_MAX = 200_000_000
_NAME_LENGTH_MAX = 80


def read_elements(
    text: str,
    *,
    source: str = "",
    arrived_at: datetime | None = None,
    checksums: bool = True,
) -> tuple[Elements, ...]:
    """Return every element set of a text, in its order.

    Reads TLEs with and without name lines (blank lines, '#' comments, any line ending)
    and OMMs as JSON, XML, CSV or KVN; the format is told by how the text begins.

    Parameters
    ----------
    text : the content of a file or an answer
    source : kept with each set: where the text came from
    arrived_at : aware datetime, kept with each set: when it became known
    checksums : False accepts TLE lines whose checksum is wrong or missing

    Raises ElementsError naming the line, the column and what was expected there, or the
    message of an OMM and its keyword; also if there is no set at all.
    """
    if len(text) > _TEXT_LENGTH_MAX:
        raise ElementsError(f"text of {len(text)} characters, more than {_TEXT_LENGTH_MAX}")
    if omm_form(text) is not None:
        sets = read_omm(text, source=source, arrived_at=arrived_at)
    else:
        sets = _read_tles(text, source=source, arrived_at=arrived_at, checksums=checksums)
    if not sets:
        raise ElementsError("line 1, column 1: expected an element set, found none")
    return sets


def _read_tles(
    text: str, *, source: str, arrived_at: datetime | None, checksums: bool
) -> tuple[Elements, ...]:
    sets: list[Elements] = []
    name: tuple[int, str] | None = None
    first: tuple[int, str] | None = None
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text.lstrip("\ufeff")), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if first is not None:
            sets.append(
                parse_tle(
                    first[1],
                    line,
                    name[1] if name else "",
                    source=source,
                    arrived_at=arrived_at,
                    checksums=checksums,
                    line_numbers=(first[0], number),
                )
            )
            name = first = None
        elif line.startswith("1 "):
            first = number, line
        elif name is None and len(line) <= _NAME_LENGTH_MAX and not line.startswith("2 "):
            name = number, line
        else:
            raise _no_first_line(number, line)
    if first is not None:
        raise ElementsError(f"line {first[0] + 1}, column 1: expected '2 ', found the end")
    if name is not None:
        raise _no_first_line(name[0] + 1, "")
    return tuple(sets)


def _no_first_line(number: int, line: str) -> ElementsError:
    found = repr(line[:14]) if line else "the end"
    return ElementsError(f"line {number}, column 1: expected '1 ' of a TLE, found {found}")
