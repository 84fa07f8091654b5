"""Rows beside the key: element sets, plans, job runs, and what the database belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from orbits import as_utc
from scheduler.errors import LedgerError, LedgerMismatch
from scheduler.ledger.canonical import canonical_json, sealed
from scheduler.ledger.models import ElementSetRow, JobRun, PlanRow, RunFact
from scheduler.ledger.records import ElementRow


def claim_job(connection: Connection, job_key: str, scheduled_for: datetime) -> bool:
    """Insert the one row of a job and its instant; False if it is there."""
    due = as_utc(scheduled_for)
    taken = connection.execute(
        select(JobRun.job_key).where(JobRun.job_key == job_key, JobRun.scheduled_for == due)
    ).one_or_none()
    if taken is not None:
        return False
    connection.execute(
        insert(JobRun), [sealed("job_run", {"job_key": job_key, "scheduled_for": due})]
    )
    return True


def add_elements(connection: Connection, rows: Iterable[ElementRow]) -> int:
    """Insert the element sets whose text is not there yet; return how many."""
    known = {sha for (sha,) in connection.execute(select(ElementSetRow.sha256))}
    fresh: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.sha256 in known or row.sha256 in fresh:
            continue
        fresh[row.sha256] = sealed(
            "element_set",
            {
                "sha256": row.sha256,
                "norad_id": row.norad_id,
                "name": row.name,
                "epoch": row.epoch,
                "text": row.text,
                "source": row.source,
                "arrived_at": row.arrived_at,
            },
        )
    if fresh:
        connection.execute(insert(ElementSetRow), list(fresh.values()))
    return len(fresh)


def add_plan(connection: Connection, row: dict[str, Any]) -> None:
    """Insert a plan. Raises LedgerError if it is there."""
    known = connection.execute(
        select(PlanRow.plan_id).where(PlanRow.plan_id == row["plan_id"])
    ).one_or_none()
    if known is not None:
        raise LedgerError(f"plan {row['plan_id']!r} is there already")
    connection.execute(insert(PlanRow), [sealed("plan", row)])


def bind_run(connection: Connection, facts: dict[str, Any]) -> None:
    """Store the facts the first time, compare them ever after. Raises LedgerMismatch."""
    known = {
        name: json.loads(value)
        for name, value in connection.execute(select(RunFact.name, RunFact.value))
    }
    if not known:
        rows = [
            sealed("run_fact", {"name": name, "value": canonical_json(value)})
            for name, value in sorted(facts.items())
        ]
        if rows:
            connection.execute(insert(RunFact), rows)
        return
    wanted = {name: json.loads(canonical_json(value)) for name, value in facts.items()}
    for name in sorted(known.keys() | wanted.keys()):
        if known.get(name) != wanted.get(name):
            raise LedgerMismatch(
                f"this database belongs to a run with {name} {known.get(name)!r},"
                f" asked for was {wanted.get(name)!r}; use another database"
            )
