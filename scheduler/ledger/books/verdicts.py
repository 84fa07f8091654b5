"""Verdicts on element sets: held back, accepted, withdrawn; the last one on a set holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, insert, select

from orbits import Standing, Verdict
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.reader import Reader
from scheduler.ledger.schema import ElementVerdictRow
from scheduler.ledger.transaction import Transaction


def add_verdicts(tx: Transaction, verdicts: Iterable[Verdict], *, at: datetime) -> None:
    """Write down verdicts behind those that their sets had, in the order given."""
    positions = Counter(tx.raw.execute(select(ElementVerdictRow.set_sha256)).scalars())
    rows = []
    for verdict in verdicts:
        positions[verdict.sha256] += 1
        rows.append(
            sealed(
                "element_verdict",
                {
                    "set_sha256": verdict.sha256,
                    "position": positions[verdict.sha256],
                    "standing": verdict.standing.value,
                    "since": verdict.since,
                    "reason": verdict.reason,
                    "decided_at": at,
                },
            )
        )
    if rows:
        tx.raw.execute(insert(ElementVerdictRow), rows)
    for row in rows:
        tx.trail.record("element_verdict", f"{row['set_sha256']}/{row['position']}", row["sha256"])


def count_verdicts(reader: Reader) -> int:
    """How many verdicts there are."""
    query = select(func.count()).select_from(ElementVerdictRow)
    return reader.connection.execute(query).scalar_one()


def get_verdicts(reader: Reader) -> list[Verdict]:
    """Every verdict, those on one set in the order in which they were given."""
    order = (ElementVerdictRow.set_sha256, ElementVerdictRow.position)
    return [
        Verdict(
            sha256=row.set_sha256,
            standing=Standing(row.standing),
            since=row.since,
            reason=row.reason,
        )
        for row in reader.connection.execute(
            select(*ElementVerdictRow.__table__.c).order_by(*order)
        )
    ]
