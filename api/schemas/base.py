"""What every schema is made of: answers, requests, and how their values are shown."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Self, get_args

from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from api.inputs import ALLOWED_INSTANT, check_order, parse_instant
from scheduler.domain import instant_key

Document = dict[str, Any]
"""What becomes a JSON object: str keys; str, int, finite float, bool, None, lists, documents."""

Instant = Annotated[
    datetime,
    PlainSerializer(instant_key, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""An instant as every interface shows it: ISO 8601, UTC, milliseconds, `Z`."""

AskedInstant = Annotated[
    datetime,
    BeforeValidator(lambda value: parse_instant(str(value))),
    WithJsonSchema({"type": "string", "format": "date-time", "description": ALLOWED_INSTANT}),
]
"""An instant in a request: with its zone, or a date."""


def digits(count: int) -> BeforeValidator:
    """Round to that many decimals; NaN, which JSON does not know, is None."""

    def rounded(value: float | None) -> float | None:
        return None if value is None or math.isnan(value) else round(float(value), count)

    return BeforeValidator(rounded)


def attribute(path: str, shown: str | None = None, default: Any = ...) -> Any:
    """Take a field from an attribute of another name, or of a part (`booking.state`).

    `shown` is its name in answers where Python reserves that word.
    """
    first, *rest = path.split(".")
    alias = AliasPath(first, *rest) if rest else first
    return Field(
        default=default,
        validation_alias=AliasChoices(alias, shown) if shown else alias,
        serialization_alias=shown,
    )


class Answer(BaseModel):
    """What an interface answers; a field with a default is there only if it was asked for."""

    model_config = ConfigDict(
        from_attributes=True, use_attribute_docstrings=True, validate_by_name=True
    )

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the name of every field, in the order of every interface."""
        return tuple(field.serialization_alias or name for name, field in cls.model_fields.items())

    def document(self) -> Document:
        """Return what JSON and CSV show of it."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Listing(Answer):
    """An answer whose first field lists rows that have columns."""

    noun: ClassVar[str]
    title: ClassVar[str] = ""
    """What goes on behind their number and noun."""

    @classmethod
    def of(cls, rows: Iterable[object]) -> Self:
        """Return the list of these."""
        return cls.model_validate({next(iter(cls.model_fields)): list(rows)})

    @property
    def rows(self) -> list[Answer]:
        """What is listed."""
        return list(getattr(self, next(iter(type(self).model_fields))))

    def table(self) -> Table:
        """Return the rows as a table."""
        (kind,) = get_args(next(iter(type(self).model_fields.values())).annotation)
        rows = self.rows
        return Table(plural(len(rows), self.noun) + self.title, kind.columns, rows)


def plural(count: int, noun: str) -> str:
    """Return that many of it in words."""
    return f"{count:,} {noun}{'' if count == 1 else 'es' if noun.endswith(('s', 'ch')) else 's'}"


def to_json(document: Document, *, ascii_only: bool = False) -> str:
    """Return one JSON document, indented, ending in a newline. NaN is refused, never written."""
    return json.dumps(document, indent=2, ensure_ascii=ascii_only, allow_nan=False) + "\n"


class Request(BaseModel):
    """Parameters or body of a request; anything that is not named here is refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, populate_by_name=True)


PAGE_MAX = 1000


class Paged(Request):
    """A question whose answer comes page by page; the header Link leads to the next one."""

    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 100
    """Most rows of a page."""
    cursor: Annotated[str | None, Field(max_length=1000)] = None
    """Where the page before ended, as its header Link says."""


class OpenSpan(Request):
    """A span that may be open at either end."""

    from_: Annotated[AskedInstant | None, Field(alias="from")] = None
    """Begin. ISO 8601 with a zone, or a date. From the first on, if not given."""
    to: AskedInstant | None = None
    """End, not included. To the last, if not given."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.from_ is not None and self.to is not None:
            check_order(self.from_, self.to)
        return self


class WholeSpan(Request):
    """A span with both ends."""

    from_: Annotated[AskedInstant, Field(alias="from")]
    """Begin. ISO 8601 with a zone, or a date."""
    to: AskedInstant
    """End, not included."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        check_order(self.from_, self.to)
        return self


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: what it shows of a row, how, and how much it matters."""

    title: str
    of: str | Callable[[Any], object]
    """Attribute of the row, or what makes the value from the row; None is shown as `-`."""
    spec: str = ""
    """Format of the value; a number's aligns it to the right."""
    rank: int = 0
    """0 stays in the narrowest table; the highest goes first."""
    text: bool = False
    """Words, which may go on in the next line."""
    short: bool = False
    """An id whose beginning is enough for every command."""

    def cell(self, row: Any) -> str:
        """Return what stands in that row."""
        value = attrgetter(self.of)(row) if isinstance(self.of, str) else self.of(row)
        if value is None:
            return "-"
        if isinstance(value, datetime) and not self.spec:
            return instant_key(value)
        return format(value, self.spec) if self.spec else str(value)

    @property
    def right(self) -> bool:
        """Numbers stand below each other by their last digit."""
        return self.spec[-1:] in {">", ",", "d", "f", "g"} and not self.spec.startswith("%")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows to be shown in columns, below a title."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Any]
    caption: str = ""
