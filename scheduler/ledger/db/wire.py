"""PostgreSQL's protocol at the price of its library: statements of one trip, prepared once.

The driver's cursors take some 100 us for a statement, be it as short as it may, and look at the
socket between any two; a key reserved and delivered is thirty statements in seven trips. Here they
go out together, prepared under a name of their own, and values come and go in binary form.

Why not the driver's own pipeline, its statements prepared: keys of 256 bits reserved and delivered
by 8 processes on two cores, three runs in turn, took 4.9 to 6.5 ms of the clients' CPU each and
came 137 to 263 a second; through here 3.2 to 3.5 ms, 338 to 366 a second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

_NAME = re.compile(r"%\((\w+)\)s|%%")
_TEXT, _BINARY = 0, 1
_PREPARED = "ledger_prepared"

Values = Mapping[str, Any]
Columns = tuple[tuple[str, Callable[[bytes], Any]], ...]
"""Name of each column of an answer, and what reads its values."""
NOTHING: Final[Values] = {}
Packed = tuple[list[bytes | None], list[int]]
"""The values of one statement as they are sent, and the form of each."""


class Answer:
    """What came of one statement; empty until its trip is over."""

    __slots__ = ("_results", "columns", "statement", "values")

    def __init__(self, statement: str, values: Sequence[Values]) -> None:
        self.statement = statement
        self.values = values  #: it is carried out for each of them
        self.columns: Columns = ()
        self._results: list[Any] = []

    @property
    def rowcount(self) -> int:
        """Rows that it changed, or gave."""
        return sum(result.command_tuples or 0 for result in self._results)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple([name for name, _ in self.columns])

    def fetchall(self) -> list[list[Any]]:
        """Its rows."""
        (result,) = self._results
        get, reads = result.get_value, tuple(enumerate(self.columns))
        return [
            [None if (raw := get(row, at)) is None else read(raw) for at, (_, read) in reads]
            for row in range(result.ntuples)
        ]


@lru_cache
def _reader(kind: int) -> Callable[[bytes], Any]:
    """What reads the values of a type, by its number; the driver's own."""
    from psycopg import adapters
    from psycopg.pq import Format

    loader = adapters.get_loader(kind, Format.BINARY)
    return bytes if loader is None else loader(kind).load


@dataclass(slots=True)
class _Prepared:
    """A statement that the server knows."""

    name: bytes
    columns: Columns | None = None  #: known from its first answer on


def _columns(result: Any) -> Columns:
    """The columns of an answer."""
    places = range(result.nfields)
    return tuple((result.fname(at).decode(), _reader(result.ftype(at))) for at in places)


def send(driver: Any, info: dict[Any, Any], trip: Sequence[Answer]) -> None:
    """Send all statements in one trip, and take what came of them; `info` lives as the connection.

    Begins a transaction if none is under way. Raises the driver's error for the first that
    failed; none behind it was carried out.
    """
    prepared: dict[str, _Prepared] = info.setdefault(_PREPARED, {})
    if driver.info.transaction_status == 0:
        trip = [Answer(_begin(driver.isolation_level), [NOTHING]), *trip]
    packed = [_packed(answer) for answer in trip]  # before anything is under way
    try:
        error = driver.wait(_steps(driver.pgconn, prepared, trip, packed))
    except BaseException:
        driver.close()  # nobody knows what is still under way
        raise
    if error is not None:
        raise error


@lru_cache
def _begin(level: Any) -> str:
    return "BEGIN" if level is None else f"BEGIN ISOLATION LEVEL {level.name.replace('_', ' ')}"


def _packed(answer: Answer) -> list[Packed]:
    names = _numbered(answer.statement)[1]
    return [
        (
            [_written(values[name]) for name in names],
            [_BINARY if type(values[name]) is bytes else _TEXT for name in names],
        )
        for values in answer.values
    ]


def _steps(
    pgconn: Any,
    prepared: dict[str, _Prepared],
    trip: Sequence[Answer],
    packed: Sequence[list[Packed]],
) -> Generator[Any, Any, Exception | None]:
    """The driver's steps of one trip; returns the first error."""
    from psycopg.generators import fetch_many
    from psycopg.generators import send as flush

    pgconn.enter_pipeline_mode()
    expected = _put(pgconn, prepared, trip, packed)
    pgconn.pipeline_sync()
    yield from flush(pgconn)
    error = None
    for answer, name in expected:
        (result,) = yield from fetch_many(pgconn)
        if result.status in _GOOD:
            if name is None:
                known = prepared[answer.statement]
                if known.columns is None:
                    known.columns = _columns(result)
                answer.columns = known.columns
                answer._results.append(result)
            else:
                prepared[answer.statement] = _Prepared(name)
        elif error is None:
            error = _error(result)
    yield from fetch_many(pgconn)  # the end of the trip
    pgconn.exit_pipeline_mode()
    return error


_GOOD = frozenset({1, 2})  #: libpq's statuses of a command, or a question, that was carried out


def _put(
    pgconn: Any,
    prepared: dict[str, _Prepared],
    trip: Sequence[Answer],
    packed: Sequence[list[Packed]],
) -> list[tuple[Answer, bytes | None]]:
    """Queue the statements; returns whose results come, and under which name if it prepares."""
    expected: list[tuple[Answer, bytes | None]] = []
    fresh: dict[str, bytes] = {}
    for answer, given in zip(trip, packed, strict=True):
        statement = answer.statement
        known = prepared.get(statement)
        name = known.name if known else fresh.get(statement)
        if name is None:
            name = fresh[statement] = b"ledger_%d" % (len(prepared) + len(fresh))
            pgconn.send_prepare(name, _numbered(statement)[0])
            expected.append((answer, name))
        for values, forms in given:
            pgconn.send_query_prepared(name, values, forms, _BINARY)
            expected.append((answer, None))
    return expected


@lru_cache(maxsize=512)
def _numbered(statement: str) -> tuple[bytes, tuple[str, ...]]:
    """A statement with numbers in place of its parameters' names, and those names in order."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[1] is None:
            return "%"
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return _NAME.sub(number, statement).encode(), tuple(names)


def _written(value: Any) -> bytes | None:
    """A value as it is sent: bytes as they are, all else as text."""
    kind = type(value)
    if kind is str:
        if "\0" in value:
            raise _refused("text cannot hold a NUL")
        return value.encode()  # type: ignore[no-any-return]
    if kind is int:
        return b"%d" % value
    if value is None or kind is bytes:
        return value  # type: ignore[no-any-return]
    if kind is bool:
        return b"t" if value else b"f"
    if kind is datetime:
        return value.isoformat().encode()  # type: ignore[no-any-return]
    if kind is float:
        return repr(value).encode()
    if isinstance(value, str):  # a word of an enumeration
        return _written(str.__str__(value))
    raise _refused(f"a value of type {kind.__name__} cannot be sent")


def _refused(what: str) -> Exception:
    from psycopg import DataError

    return DataError(what)


def _error(result: Any) -> Exception:
    from psycopg.errors import error_from_result

    return error_from_result(result)
