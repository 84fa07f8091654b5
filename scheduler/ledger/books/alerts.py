"""Alerts: each written down once; telling one is a job."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, insert, select

from scheduler.domain import FINAL_JOB_STATES, Alert, AlertKind
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.reader import Reader
from scheduler.ledger.schema import AlertRow, JobRow
from scheduler.ledger.transaction import Transaction


def known_ids(reader: Reader, alerts: Iterable[Alert]) -> set[UUID]:
    """Which of some alerts are there."""
    names = [str(alert.alert_id) for alert in alerts]
    query = select(AlertRow.alert_id).where(AlertRow.alert_id.in_(names))
    return {UUID(name) for name in reader.connection.execute(query).scalars()} if names else set()


def add_alerts(tx: Transaction, alerts: Iterable[Alert]) -> list[Alert]:
    """Write down the alerts that are not there yet, and return those."""
    by_id = {str(alert.alert_id): alert for alert in alerts}
    if not by_id:
        return []
    known = known_ids(tx, by_id.values())
    fresh = {name: alert for name, alert in by_id.items() if alert.alert_id not in known}
    rows = [
        sealed(
            "alert",
            {
                "alert_id": name,
                "kind": alert.kind.value,
                "subject": alert.subject,
                "at": alert.at,
                "words": alert.words,
            },
        )
        for name, alert in fresh.items()
    ]
    if rows:
        tx.raw.execute(insert(AlertRow), rows)
    for row in rows:
        tx.trail.record("alert", row["alert_id"], row["sha256"])
    return list(fresh.values())


def get_alerts(
    reader: Reader,
    *,
    kind: AlertKind | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int,
) -> list[Alert]:
    """Alerts, the last ones first; behind the instant and id of `before`, where it is named."""
    query = select(*AlertRow.__table__.c).order_by(AlertRow.at.desc(), AlertRow.alert_id)
    if kind is not None:
        query = query.where(AlertRow.kind == kind.value)
    if before is not None:
        at, alert_id = before
        earlier = (AlertRow.at < at) | ((AlertRow.at == at) & (AlertRow.alert_id > alert_id))
        query = query.where(earlier)
    return [_alert(row) for row in reader.connection.execute(query.limit(limit))]


def untold_alerts(reader: Reader, *, since: datetime, limit: int) -> list[Alert]:
    """Alerts since an instant whose telling is not over, the oldest first."""
    over = exists().where(
        JobRow.job_key == "tell/" + AlertRow.alert_id,
        JobRow.state.in_([state.value for state in FINAL_JOB_STATES]),
    )
    query = select(*AlertRow.__table__.c).where(AlertRow.at >= since, ~over)
    rows = reader.connection.execute(query.order_by(AlertRow.at).limit(limit))
    return [_alert(row) for row in rows]


def _alert(row: Any) -> Alert:
    return Alert(kind=AlertKind(row.kind), subject=row.subject, at=row.at, words=row.words)
