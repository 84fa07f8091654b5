"""For which time a link's key of an interval is in the books already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from sqlalchemy import text
from sqlalchemy.sql.selectable import TextualSelect

from scheduler.domain import instant_key
from scheduler.ledger.db.bulk import query
from scheduler.ledger.reader import Reader
from scheduler.ledger.schema.columns import UtcDateTime


def span_key(pool_id: str, start: datetime) -> str:
    """Natural key of what a link made from an instant on; those of a link sort by that instant."""
    return f"span/{pool_id}/{instant_key(start)}"


def deposited_until(
    reader: Reader, pool_ids: Sequence[str], *, before: datetime
) -> list[datetime | None]:
    """For each pool the end of the last interval that began before an instant; None without any.

    Intervals of a link do not overlap, so behind that end nothing was deposited until `before`.
    What was deposited for a later time, by a clock that was ahead, does not count.
    """
    rows = json.dumps([(f"span/{pool_id}/", span_key(pool_id, before)) for pool_id in pool_ids])
    found: list[datetime | None] = [None] * len(pool_ids)
    asked = _query(reader.connection.dialect.name)
    for place, received_at in query(reader.connection, asked, {"rows_": rows}):
        found[place] = received_at
    return found


@lru_cache(maxsize=2)
def _query(dialect_name: str) -> TextualSelect:
    rows = (
        "(SELECT nth - 1 AS place, value->>0 AS low, value->>1 AS high"
        " FROM json_array_elements(CAST(:rows_ AS json)) WITH ORDINALITY AS given(value, nth))"
        if dialect_name == "postgresql"
        else "(SELECT key AS place, json_extract(value, '$[0]') AS low,"
        " json_extract(value, '$[1]') AS high FROM json_each(:rows_))"
    )
    return text(
        f"SELECT w.place, b.received_at FROM {rows} AS w JOIN block AS b ON b.natural_key ="
        " (SELECT max(natural_key) FROM block"
        " WHERE natural_key >= w.low AND natural_key < w.high)"
    ).columns(received_at=UtcDateTime())
