"""Two-line element sets: text to Elements and back.

Source: the column table of CelesTrak, "Two-line element set format"; Hoots and Roehrich,
Spacetrack Report No. 3 (1980). Alpha-5: Space-Track, "Alpha-5 designators".
"""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from orbits.elements.record import Elements
from orbits.errors import ElementsError
from orbits.times import DAY_S

_LINE_LENGTH = 69
NAME_LENGTH_MAX = 80
_WEIGHTS = bytes(c - 48 if 48 <= c < 58 else int(c == 45) for c in range(256))
"""What each character adds to a checksum: a digit itself, a minus one."""
_WITHOUT_DIGITS = {ord(c): None for c in "0123456789"}
_NUMBERED = re.compile(r"[12] [ 0-9A-HJ-NP-Z][ 0-9]{3}[0-9]([ A-Z])")
# Of a data line cut at its epoch, and of one whose number is damaged; whole ones have 40 to 60.
_DIGITS_MIN, _DIGITS_MANY = 12, 25
_LAST_NUMBER = {"1": 61, "2": 63}
"""Column in which the last number ends that SGP4 needs."""
_ALPHA5 = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # without I and O; A stands for 10
_ALPHA5_MAX = 339_999
_CENTURY_PIVOT = 57  # the first satellite flew in 1957
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)
_POWER = re.compile(r"([+-]?)\.?(\d{1,5})([+-]\d)", re.ASCII)
_NOT_PRINTABLE = re.compile("[^ -~]")
_DIGITS = re.compile(r"\d+", re.ASCII)
_LONG_DESIGNATOR = re.compile(r"\d{4}-\d{3}[A-Z]{1,3}", re.ASCII)
_DESIGNATOR = re.compile(r"(\d{2})(\d{3}[A-Z]{1,3})", re.ASCII)


class _Line:
    """One line of a set that reads its columns and complains by line and column."""

    def __init__(self, text: str, number: int) -> None:
        self.text = text.rstrip()
        self.number = number

    def refuse(self, column: int, expected: str) -> NoReturn:
        found = self.text[column - 1 : column + 13]
        seen = repr(found) if found else "the end of the line"
        raise ElementsError(
            f"line {self.number}, column {column}: expected {expected}, found {seen}"
        )

    def part(self, first: int, last: int) -> str:
        return self.text[first - 1 : last].strip()

    def number_at(self, first: int, last: int, expected: str, *, blank: str | None = None) -> float:
        text = self.part(first, last)
        if not text and blank is not None:
            text = blank
        if not _NUMBER.fullmatch(text):
            self.refuse(first, expected)
        return float(text)

    def integer_at(self, first: int, last: int, expected: str) -> int:
        text = self.part(first, last) or "0"
        if not _DIGITS.fullmatch(text):
            self.refuse(first, expected)
        return int(text)

    def power_at(self, first: int, last: int, expected: str) -> float:
        """Read a number like ' 12345-6', which means 0.12345e-6."""
        text = self.part(first, last)
        if not text:
            return 0.0
        match = _POWER.fullmatch(text.replace(" ", ""))
        if match is None:
            self.refuse(first, expected)
        sign, digits, exponent = match.groups()
        return float(f"{sign}0.{digits}e{exponent}")


def checksum(line: str) -> int:
    """Return the checksum of a TLE line: digits plus one for each minus, modulo ten."""
    return sum(line[: _LINE_LENGTH - 1].encode("ascii", "replace").translate(_WEIGHTS)) % 10


def is_data_line(line: str, digit: str) -> bool:
    """Return whether a text is the first or the second data line of a set, if a damaged one.

    Told by the catalogue number in its columns and by its digits, so that a name such as
    '2 PATHFINDER' and a sentence that begins with '1 ' are none.
    """
    if line[:2] != digit + " ":
        return False
    numbered = _NUMBERED.match(line)
    if numbered and (len(line) >= _LINE_LENGTH or numbered[1] in ("U", "C", "S")):
        return True
    digits = len(line) - len(line.translate(_WITHOUT_DIGITS))
    return digits >= (_DIGITS_MIN if numbered else _DIGITS_MANY)


def parse_alpha5(text: str) -> int:
    """Return the catalogue number of five columns such as '25544' or 'T0001'.

    Raises ValueError if it is neither digits nor a letter but I or O before four digits.
    """
    if _DIGITS.fullmatch(text):
        return int(text)
    if len(text) == 5 and text[0] in _ALPHA5 and _DIGITS.fullmatch(text[1:]):
        return (_ALPHA5.index(text[0]) + 10) * 10_000 + int(text[1:])
    raise ValueError(text)


def format_alpha5(norad_id: int) -> str:
    """Return the five columns of a catalogue number; raise ElementsError above 339,999."""
    if norad_id > _ALPHA5_MAX:
        raise ElementsError(
            f"catalogue number {norad_id} does not fit in a TLE, which ends at "
            f"{_ALPHA5_MAX}; write an OMM"
        )
    if norad_id < 100_000:
        return f"{norad_id:05d}"
    return f"{_ALPHA5[norad_id // 10_000 - 10]}{norad_id % 10_000:04d}"


def parse_tle(
    line1: str,
    line2: str,
    name: str = "",
    *,
    source: str = "",
    arrived_at: datetime | None = None,
    checksums: bool = True,
    line_numbers: tuple[int, int] = (1, 2),
) -> Elements:
    """Return the element set of two lines.

    Text after column 69 is ignored if a blank parts it from the checksum, as in the
    official SGP4 test file. `checksums=False` accepts wrong and missing ones.

    Raises ElementsError with the line, the column and what was expected there.
    """
    first, second = _Line(line1, line_numbers[0]), _Line(line2, line_numbers[1])
    for line, digit in ((first, "1"), (second, "2")):
        _check_frame(line, digit, checksums=checksums)
    norad_id = _catalogue_number(first)
    if _catalogue_number(second) != norad_id:
        second.refuse(3, f"the catalogue number of line {first.number}, {first.part(3, 7)}")
    try:
        return Elements(
            norad_id=norad_id,
            name=_clean_name(name),
            epoch=_epoch(first),
            mean_motion_rev_per_day=second.number_at(53, 63, "the mean motion in rev/day"),
            eccentricity=_eccentricity(second),
            inclination_deg=second.number_at(9, 16, "the inclination in degrees"),
            raan_deg=second.number_at(18, 25, "the right ascension of the node in degrees"),
            argument_of_perigee_deg=second.number_at(35, 42, "the argument of perigee in degrees"),
            mean_anomaly_deg=second.number_at(44, 51, "the mean anomaly in degrees"),
            bstar=first.power_at(54, 61, "B* such as 12345-6"),
            mean_motion_dot=first.number_at(
                34, 43, "half the first derivative of the mean motion", blank="0"
            ),
            mean_motion_ddot=first.power_at(45, 52, "a sixth of the second derivative"),
            international_designator=_designator_from_tle(first.part(10, 17)),
            classification=first.part(8, 8) or "U",
            ephemeris_type=first.integer_at(63, 63, "the ephemeris type, a digit"),
            element_set_number=first.integer_at(65, 68, "the element set number"),
            revolution_at_epoch=second.integer_at(64, 68, "the revolution number"),
            raw="\n".join(part for part in (name, first.text, second.text) if part) + "\n",
            source=source,
            arrived_at=arrived_at,
        )
    except ElementsError as error:
        if str(error).startswith("line "):
            raise
        raise ElementsError(f"lines {first.number} and {second.number}: {error}") from error


def _check_frame(line: _Line, digit: str, *, checksums: bool) -> None:
    """Check the line number, the length, the characters and the checksum."""
    if line.text[:2] != digit + " ":
        line.refuse(1, f"'{digit} ', the number of the line")
    if bad := _NOT_PRINTABLE.search(line.text, 0, _LINE_LENGTH):
        line.refuse(bad.start() + 1, "a printable ASCII character")
    if line.text[_LINE_LENGTH : _LINE_LENGTH + 1].strip():
        line.refuse(_LINE_LENGTH + 1, "the end of the line or a blank")
    if not checksums:
        if len(line.text) < _LAST_NUMBER[digit]:
            line.refuse(len(line.text) + 1, f"numbers up to column {_LAST_NUMBER[digit]}")
        return
    right = str(checksum(line.text))
    if line.text[_LINE_LENGTH - 1 : _LINE_LENGTH] != right:
        line.refuse(_LINE_LENGTH, f"the checksum {right}")


def _catalogue_number(line: _Line) -> int:
    try:
        return parse_alpha5(line.part(3, 7))
    except ValueError:
        line.refuse(3, "a catalogue number of five digits, or Alpha-5")


def _clean_name(name: str) -> str:
    name = name.strip()
    return name[1:].strip() if name == "0" or name.startswith("0 ") else name


def _epoch(line: _Line) -> datetime:
    two_digits = line.integer_at(19, 20, "the year of the epoch, two digits")
    year = two_digits + (1900 if two_digits >= _CENTURY_PIVOT else 2000)
    day = line.number_at(21, 32, "the day of the year of the epoch")
    days = 366 if isleap(year) else 365
    if not 1.0 <= day < days + 1:
        line.refuse(21, f"a day of the year {year}, 1 to below {days + 1}")
    # Whole days and the fraction apart: a float64 of the sum would lose half a microsecond.
    whole, _, decimals = line.part(21, 32).lstrip("+").partition(".")
    fraction = float(f"0.{decimals or '0'}")
    since = timedelta(days=int(whole or "0") - 1, microseconds=round(fraction * DAY_S * 1e6))
    return datetime(year, 1, 1, tzinfo=UTC) + since


def _eccentricity(line: _Line) -> float:
    text = line.part(27, 33).replace(" ", "0")
    if not _DIGITS.fullmatch(text):
        line.refuse(27, "the eccentricity, seven digits without a point")
    return float(f"0.{line.text[26:33].replace(' ', '0')}")


def _designator_from_tle(text: str) -> str:
    """Return '2016-051A' for '16051A', and anything else as it is."""
    match = _DESIGNATOR.fullmatch(text)
    if match is None:
        return text
    year = int(match[1]) + (1900 if int(match[1]) >= _CENTURY_PIVOT else 2000)
    return f"{year}-{match[2]}"


def _designator_to_tle(text: str) -> str:
    return text[2:4] + text[5:] if _LONG_DESIGNATOR.fullmatch(text) else text[:8]


def format_tle(elements: Elements) -> tuple[str, str]:
    """Return the two lines of a set; raise ElementsError if a value does not fit."""
    number = format_alpha5(elements.norad_id)
    _refuse_what_does_not_fit(elements)
    fraction = round(elements.epoch_jd()[1], 8)
    year = elements.epoch.year
    if not 1900 + _CENTURY_PIVOT <= year < 2000 + _CENTURY_PIVOT:
        raise ElementsError(f"epoch {elements.epoch} does not fit in a TLE: 1957 to 2056")
    # A fraction that rounds up to a whole day is printed as the last digit below it.
    fraction = min(fraction, 0.99999999)
    day = elements.epoch.timetuple().tm_yday
    line1 = " ".join(
        (
            f"1 {number}{elements.classification[:1] or 'U'}",
            f"{_designator_to_tle(elements.international_designator):8}",
            f"{year % 100:02d}{day:03d}" + f"{fraction:.8f}"[1:],
            _first_derivative(elements.mean_motion_dot),
            _power(elements.mean_motion_ddot, "second derivative"),
            _power(elements.bstar, "B*"),
            f"{elements.ephemeris_type:1d}",
            f"{elements.element_set_number % 10_000:4d}",
        )
    )
    line2 = " ".join(
        (
            f"2 {number}",
            f"{elements.inclination_deg:8.4f}",
            f"{elements.raan_deg % 360.0:8.4f}",
            f"{elements.eccentricity:.7f}"[2:],
            f"{elements.argument_of_perigee_deg % 360.0:8.4f}",
            f"{elements.mean_anomaly_deg % 360.0:8.4f}",
            f"{elements.mean_motion_rev_per_day:11.8f}{elements.revolution_at_epoch % 100_000:5d}",
        )
    )
    return line1 + str(checksum(line1)), line2 + str(checksum(line2))


def format_tles(sets: Sequence[Elements]) -> str:
    """Return the text of many sets with their name lines, which `read_elements` gives back.

    A name that would be read as something else (a comment, a line number) is marked by '0 '
    before it, as in three-line files. Raises ElementsError for what does not fit.
    """
    return "".join(f"{line}\n" for one in sets for line in (*_name_line(one), *format_tle(one)))


def _name_line(elements: Elements) -> tuple[str, ...]:
    name = elements.name
    if len(name) > NAME_LENGTH_MAX - 2 or name != name.strip():
        raise ElementsError(
            f"name {name[:40]!r} does not fit in a TLE: at most {NAME_LENGTH_MAX - 2} characters, "
            f"none of them a blank at an end"
        )
    doubtful = name == "0" or name.startswith(("0 ", "1 ", "2 ", "#", "<", "{", "[", "\ufeff"))
    return (f"0 {name}" if doubtful else name,) if name else ()


def _refuse_what_does_not_fit(elements: Elements) -> None:
    """Raise ElementsError for a value that its columns cannot hold."""
    if elements.eccentricity >= 0.99999995:
        raise ElementsError(
            f"eccentricity {elements.eccentricity} does not fit in a TLE: below 0.99999995"
        )
    if not 0 <= elements.ephemeris_type <= 9:
        raise ElementsError(
            f"ephemeris type {elements.ephemeris_type} does not fit in a TLE: 0 to 9"
        )
    for name in ("element_set_number", "revolution_at_epoch"):
        value = getattr(elements, name)
        if value < 0:
            raise ElementsError(f"{name} {value} does not fit in a TLE: 0 and up")
    designator = elements.international_designator
    for name, text in (
        ("classification", elements.classification),
        ("international designator", designator),
    ):
        if not all(" " <= letter <= "~" for letter in text):
            raise ElementsError(f"{name} {text[:20]!r} does not fit in a TLE: printable ASCII")
    year = int(designator[:4]) if _LONG_DESIGNATOR.fullmatch(designator) else 2000
    if not 1900 + _CENTURY_PIVOT <= year < 2000 + _CENTURY_PIVOT:
        raise ElementsError(
            f"international designator {designator!r} does not fit in a TLE: 1957 to 2056"
        )


def _first_derivative(value: float) -> str:
    if abs(value) >= 0.999999995:
        raise ElementsError(f"mean motion derivative {value} does not fit in a TLE: below 1")
    return ("-" if value < 0.0 else " ") + f"{abs(value):.8f}"[1:]


def _power(value: float, name: str) -> str:
    """Return eight columns such as ' 12345-6' for 0.12345e-6."""
    sign = "-" if value < 0.0 else " "
    digits, exponent = f"{abs(value):.4e}".split("e")
    power = int(exponent) + 1
    if value == 0.0 or power < -9:
        return " 00000-0"
    if power > 9:
        raise ElementsError(f"{name} {value} does not fit in a TLE: below 1e9")
    return f"{sign}{digits.replace('.', '')}{'-' if power <= 0 else '+'}{abs(power)}"
