"""Answers -> CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from api.schemas.base import Answer

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What begins a formula in the programs that open CSV."""


def to_csv(rows: Iterable[Answer], names: Iterable[str]) -> str:
    """Return rows of these fields as CSV with a header line; None becomes an empty cell."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(names), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: cell(value) for name, value in row.document().items()})
    return out.getvalue()


def cell(value: Any) -> Any:
    """Return what stands in a cell for a value of a document."""
    if isinstance(value, bool):  # JSON spells truth in lower case; one spelling in both
        return str(value).lower()
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    # A spreadsheet would compute a text that begins like a formula; with a quote it is a text.
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
