"""Documents -> CSV and JSON text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from api.shape import Document


def to_json(document: Document) -> str:
    """Return one JSON document, indented, ending in a newline. NaN is refused, never written."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(rows: Iterable[Document], fields: Iterable[str]) -> str:
    """Return rows of equal fields as CSV with a header line; None becomes an empty cell."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    # JSON spells truth in lower case; one spelling in both.
    return str(value).lower() if isinstance(value, bool) else value
