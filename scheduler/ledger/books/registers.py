"""Rows beside the key: element sets, job runs, and what the database belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from orbits import as_utc
from scheduler.errors import LedgerMismatch
from scheduler.ledger.log.canonical import canonical_json, instant_text
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.records import ElementRow
from scheduler.ledger.schema import ElementSetRow, JobRun, RunFact
from scheduler.ledger.writer import Writer


def claim_job(writer: Writer, job_key: str, scheduled_for: datetime) -> bool:
    """Insert the one row of a job and its instant; False if it is there."""
    due = as_utc(scheduled_for)
    taken = writer.connection.execute(
        select(JobRun.job_key).where(JobRun.job_key == job_key, JobRun.scheduled_for == due)
    ).one_or_none()
    if taken is not None:
        return False
    row = sealed("job_run", {"job_key": job_key, "scheduled_for": due})
    writer.connection.execute(insert(JobRun), [row])
    writer.trail.record("job_run", f"{job_key}@{instant_text(due)}", row["sha256"])
    return True


def add_elements(writer: Writer, rows: Iterable[ElementRow]) -> int:
    """Insert the element sets whose text is not there yet; return how many."""
    known = {sha for (sha,) in writer.connection.execute(select(ElementSetRow.sha256))}
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
        writer.connection.execute(insert(ElementSetRow), list(fresh.values()))
        for name, values in fresh.items():
            writer.trail.record("element_set", name, values["row_sha256"])
    return len(fresh)


def bind_run(writer: Writer, facts: dict[str, Any]) -> None:
    """Store the facts the first time, compare them ever after. Raises LedgerMismatch."""
    known = {
        name: json.loads(value)
        for name, value in writer.connection.execute(select(RunFact.name, RunFact.value))
    }
    if not known:
        rows = [
            sealed("run_fact", {"name": name, "value": canonical_json(value)})
            for name, value in sorted(facts.items())
        ]
        if rows:
            writer.connection.execute(insert(RunFact), rows)
        for row in rows:
            writer.trail.record("run_fact", row["name"], row["sha256"])
        return
    wanted = {name: json.loads(canonical_json(value)) for name, value in facts.items()}
    for name in sorted(known.keys() | wanted.keys()):
        if known.get(name) != wanted.get(name):
            raise LedgerMismatch(
                f"this database belongs to a run with {name} {known.get(name)!r},"
                f" asked for was {wanted.get(name)!r}; use another database"
            )
