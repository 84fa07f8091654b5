"""What a database belongs to, and the jobs that somebody took."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from orbits import as_utc
from scheduler.errors import LedgerMismatch
from scheduler.ledger.log.canonical import canonical_json, instant_text
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.reader import Reader
from scheduler.ledger.schema import JobRun, RunFact
from scheduler.ledger.transaction import Transaction


def claim_job(tx: Transaction, job_key: str, scheduled_for: datetime) -> bool:
    """Take a job for the instant it is due; False if somebody took it before."""
    due = as_utc(scheduled_for)
    taken = tx.raw.execute(
        select(JobRun.job_key).where(JobRun.job_key == job_key, JobRun.scheduled_for == due)
    ).one_or_none()
    if taken is not None:
        return False
    row = sealed("job_run", {"job_key": job_key, "scheduled_for": due})
    tx.raw.execute(insert(JobRun), [row])
    tx.trail.record("job_run", f"{job_key}@{instant_text(due)}", row["sha256"])
    return True


def bind_facts(tx: Transaction, facts: dict[str, Any]) -> None:
    """Bind the database to a run, once; later calls must name the same facts.

    Raises LedgerMismatch naming the first fact that differs, with both values.
    """
    known = get_run_facts(tx)
    if not known:
        rows = [
            sealed("run_fact", {"name": name, "value": canonical_json(value)})
            for name, value in sorted(facts.items())
        ]
        if rows:
            tx.raw.execute(insert(RunFact), rows)
        for row in rows:
            tx.trail.record("run_fact", row["name"], row["sha256"])
        return
    wanted = {name: json.loads(canonical_json(value)) for name, value in facts.items()}
    for name in sorted(known.keys() | wanted.keys()):
        if known.get(name) != wanted.get(name):
            raise LedgerMismatch(
                f"this database belongs to a run with {name} {known.get(name)!r},"
                f" asked for was {wanted.get(name)!r}; use another database"
            )


def get_run_facts(reader: Reader) -> dict[str, Any]:
    """What this database was bound to; empty before `bind_facts`."""
    rows = reader.connection.execute(select(RunFact.name, RunFact.value))
    return {name: json.loads(value) for name, value in rows}
