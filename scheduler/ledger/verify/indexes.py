"""Checking that SQLite's indexes hold every row: what one lacks, the ledger would not see."""

from __future__ import annotations

from scheduler.ledger.db.snapshot import Snapshot
from scheduler.ledger.verify.context import AuditContext, Findings, Outcome, Shard

INDEXES = """
    SELECT name, tbl_name, sql FROM sqlite_master
    WHERE type = 'index' AND name <> 'sqlite_autoindex_material_1' ORDER BY tbl_name, name
"""
"""But for that of the sealed bytes, by which the audit reads them and misses what it lacks."""

ROWS = 'SELECT count(*) FROM "{table}" NOT INDEXED {where}'
PIECES = "SELECT coalesce(sum(1), 0) FROM material INDEXED BY sqlite_autoindex_material_1"
"""By that index too: the rows themselves are nearly all there is in a ledger."""
# Not count(*), for which SQLite takes whichever index is the shortest.
INDEXED = 'SELECT coalesce(sum(1), 0) FROM "{table}" INDEXED BY "{index}" {where}'


def check_indexes(snapshot: Snapshot, _: AuditContext, __: Shard) -> Outcome:
    """Every index has as many entries as its table has rows for it; PostgreSQL's are its own care.

    Where a unique index has lost a row, the same key could be deposited a second time.
    """
    found = Findings()
    if not snapshot.is_sqlite:
        return Outcome(found.problems)
    rows: dict[tuple[str, str], int] = {}
    for index, table, made_by in list(snapshot.rows(INDEXES)):
        where = "".join((made_by or "").partition(" WHERE ")[1:])  # of a partial index
        if (table, where) not in rows:
            query = PIECES if table == "material" else ROWS.format(table=table, where=where)
            (rows[table, where],) = snapshot.one(query)
        (entries,) = snapshot.one(INDEXED.format(table=table, index=index, where=where))
        if entries != rows[table, where]:
            found.add(f"{table}: its index {index} has {entries} rows of {rows[table, where]}")
    return Outcome(found.problems)
