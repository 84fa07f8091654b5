"""Text of element sets in any known format to Elements."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from orbits.elements.omm import read_omm
from orbits.elements.omm_text import omm_form
from orbits.elements.record import Elements
from orbits.elements.tle import NAME_LENGTH_MAX, is_data_line, parse_tle
from orbits.errors import ElementsError

_TEXT_LENGTH_MAX = 200_000_000
_LONE_NAME_MAX = 24  # of a name with a blank line behind it; longer is a sentence
_HTML = re.compile(r"(?:<\?xml[^>]*>\s*)?<(!doctype\s+html|html|head|body|title)\b", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>([^<]{1,200})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text holds: element sets in order, and in words what else there is in it."""

    elements: tuple[Elements, ...]
    skipped: tuple[str, ...]


def read_elements(
    text: str,
    *,
    source: str = "",
    arrived_at: datetime | None = None,
    checksums: bool = True,
) -> tuple[Elements, ...]:
    """Return every element set of a text, in its order; see `read_bulletin`."""
    reading = read_bulletin(text, source=source, arrived_at=arrived_at, checksums=checksums)
    return reading.elements


def read_bulletin(
    text: str,
    *,
    source: str = "",
    arrived_at: datetime | None = None,
    checksums: bool = True,
) -> Reading:
    """Return every element set of a text, and what in it is none.

    Reads TLEs with and without name lines (blank lines, '#' comments, any line ending,
    sentences before, between and behind them) and OMMs as JSON, XML, CSV or KVN; the format
    is told by how the text begins. What is a data line of a TLE is told by its columns; the
    line before the first is the name.

    Parameters
    ----------
    text : the content of a file or an answer
    source : kept with each set: where the text came from
    arrived_at : aware datetime, kept with each set: when it became known
    checksums : False accepts TLE lines whose checksum is wrong or missing

    Raises ElementsError naming the line, the column and what was expected there, or the
    message of an OMM and its keyword, for a set that is damaged; also if there is no set.
    """
    if len(text) > _TEXT_LENGTH_MAX:
        raise ElementsError(f"text of {len(text)} characters, more than {_TEXT_LENGTH_MAX}")
    _refuse_html(text)
    if omm_form(text) is not None:
        sets, skipped = read_omm(text, source=source, arrived_at=arrived_at)
    else:
        sets, skipped = _read_tles(text, source=source, arrived_at=arrived_at, checksums=checksums)
    if not sets:
        what = f"; {skipped[0]}" if skipped else ""
        raise ElementsError(f"line 1, column 1: expected an element set, found none{what}")
    return Reading(sets, skipped)


def _refuse_html(text: str) -> None:
    head = text[:10_000].lstrip("\ufeff \t\r\n")
    if _HTML.match(head):
        title = _TITLE.search(head)
        called = f" called {' '.join(title[1].split())!r}" if title else ""
        raise ElementsError(f"line 1, column 1: expected element sets, found a web page{called}")


def _read_tles(
    text: str, *, source: str, arrived_at: datetime | None, checksums: bool
) -> tuple[tuple[Elements, ...], tuple[str, ...]]:
    sets: list[Elements] = []
    skipped: list[str] = []
    name: _Name | None = None
    first: tuple[int, str] | None = None
    blank = True
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text.lstrip("\ufeff")), start=1):
        line = line.strip()
        if not line:
            blank = True
            continue
        if line[0] == "#":
            continue
        if first is not None:
            sets.append(
                parse_tle(
                    first[1],
                    line,
                    name.text if name else "",
                    source=source,
                    arrived_at=arrived_at,
                    checksums=checksums,
                    line_numbers=(first[0], number),
                )
            )
            name = first = None
        elif is_data_line(line, "1"):
            if name and not name.is_one(blank_behind=blank):
                skipped.append(name.sentence)
                name = None
            first = number, line
        elif is_data_line(line, "2"):
            found = repr(line[:14])
            raise ElementsError(f"line {number}, column 1: expected '1 ' of a TLE, found {found}")
        else:
            if name:
                skipped.append(name.sentence)
            name = _Name(number, line, alone=blank or name is None)
        blank = False
    if first is not None:
        raise ElementsError(f"line {first[0] + 1}, column 1: expected '2 ', found the end")
    if name is not None:
        skipped.append(name.sentence)
    return tuple(sets), tuple(skipped)


@dataclass(frozen=True, slots=True)
class _Name:
    """A line that is no data line; `alone` if it does not go on from another one."""

    number: int
    text: str
    alone: bool

    def is_one(self, *, blank_behind: bool) -> bool:
        """Whether it is the name of the set that follows, rather than a sentence."""
        if blank_behind:
            return self.alone and len(self.text) <= _LONE_NAME_MAX
        return len(self.text) <= NAME_LENGTH_MAX

    @property
    def sentence(self) -> str:
        """What it is told as where it is none."""
        return f"line {self.number} is no element set: {self.text[:40]!r}"
