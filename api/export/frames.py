"""Rows of one schema as a file for programs: CSV, or Parquet with types."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from api.export.csv import cell
from api.schemas.base import Answer
from scheduler.errors import InputError

ROWS_AT_ONCE = 10_000
"""Rows that are held in memory, and that make a row group of Parquet."""


class FrameFormat(StrEnum):
    """What a table is written as."""

    CSV = "csv"
    PARQUET = "parquet"


class CellKind(StrEnum):
    """What stands in a column."""

    WHOLE = "whole number"
    NUMBER = "number"
    TRUTH = "true or false"
    INSTANT = "instant, UTC, milliseconds"
    TEXT = "text"


KINDS: dict[object, CellKind] = {
    bool: CellKind.TRUTH,
    int: CellKind.WHOLE,
    float: CellKind.NUMBER,
    datetime: CellKind.INSTANT,
}


def kind_of(field: FieldInfo) -> CellKind:
    """Return what a field's column holds; whatever is no number and no instant is text."""
    found = set(_plain_types(field.annotation)) - {NoneType}
    return KINDS.get(found.pop(), CellKind.TEXT) if len(found) == 1 else CellKind.TEXT


def _plain_types(annotation: object) -> Iterator[object]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _plain_types(get_args(annotation)[0])
    elif origin in {Union, UnionType}:
        for one in get_args(annotation):
            yield from _plain_types(one)
    else:
        yield annotation


def columns_of(kind: type[Answer]) -> dict[str, CellKind]:
    """Return the columns of a schema's table, by the names that every interface has."""
    return dict(zip(kind.names(), map(kind_of, kind.model_fields.values()), strict=True))


def check_format(given: str) -> FrameFormat:
    """Return the format of that name. Raises InputError if there is none or it is not installed."""
    try:
        found = FrameFormat(given)
    except ValueError:
        raise InputError(f"format {given!r}; allowed: {', '.join(FrameFormat)}") from None
    if found is FrameFormat.PARQUET:
        try:
            import pyarrow  # noqa: F401  # an extra
        except ModuleNotFoundError:
            raise InputError(
                "format parquet without pyarrow; allowed: where the extra `parquet` is installed"
            ) from None
    return found


def write_frame(
    path: Path, kind: type[Answer], rows: Iterable[Answer], format_: FrameFormat
) -> int:
    """Write rows of a schema to a file, some at a time; return how many there were."""
    write = _write_csv if format_ is FrameFormat.CSV else _write_parquet
    return write(path, kind, iter(rows))


def _write_csv(path: Path, kind: type[Answer], rows: Iterator[Answer]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=kind.names(), lineterminator="\n")
        writer.writeheader()
        for count, row in enumerate(rows, start=1):  # noqa: B007  # counted
            writer.writerow({name: cell(value) for name, value in row.document().items()})
    return count


def _write_parquet(path: Path, kind: type[Answer], rows: Iterator[Answer]) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        CellKind.WHOLE: pa.int64(), CellKind.NUMBER: pa.float64(), CellKind.TRUTH: pa.bool_(),
        CellKind.INSTANT: pa.timestamp("ms", tz="UTC"), CellKind.TEXT: pa.string(),
    }  # fmt: skip
    columns = columns_of(kind)
    schema = pa.schema([(name, types[one]) for name, one in columns.items()])
    count = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while some := list(islice(rows, ROWS_AT_ONCE)):
            count += len(some)
            shown = [row.document() for row in some]
            data = [[_typed(row[name], one) for row in shown] for name, one in columns.items()]
            writer.write_table(pa.table(data, schema=schema))
    return count


def _typed(value: Any, kind: CellKind) -> Any:
    """Return a value of a document as Parquet has it."""
    if value is None:
        return None
    if kind is CellKind.INSTANT:
        return datetime.fromisoformat(value)
    return str(value) if kind is CellKind.TEXT else value
