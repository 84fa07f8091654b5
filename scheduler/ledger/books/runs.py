"""What a database belongs to."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import insert, select

from scheduler.errors import LedgerMismatch
from scheduler.ledger.db.bulk import query
from scheduler.ledger.log.canonical import canonical_json
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.reader import Reader
from scheduler.ledger.schema import RunFact
from scheduler.ledger.transaction import Transaction

_FACTS = select(RunFact.name, RunFact.value)


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
    return {name: json.loads(value) for name, value in query(reader.connection, _FACTS)}
