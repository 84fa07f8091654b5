"""Holding a database's own definitions to those of a fresh ledger: a trigger is content too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, create_mock_engine

from scheduler.ledger.db.snapshot import Snapshot, failures_of, snapshot_of
from scheduler.ledger.schema import Base
from scheduler.ledger.verify.context import Findings

Fact = tuple[str, str, str]
"""What a definition is of, the table it belongs to, and the definition."""

REVISION_TABLE = """
    CREATE TABLE alembic_version (
        version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
    )
"""
MASTER = "SELECT type, tbl_name, name, sql FROM sqlite_master WHERE sql IS NOT NULL"
TABLE = re.compile(r'CREATE TABLE "?(\w+)"?\s*\((.*)\)([^)]*)$', re.DOTALL)
INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX \w+ ON (\w+)")

# Names of constraints are left out: they decide nothing. What an extension brought is its own.
POSTGRES = """
    WITH mine AS (
        SELECT oid, relname::text AS name, relkind::text AS kind, relrowsecurity AS guarded
        FROM pg_class WHERE relnamespace = {namespace} AND NOT EXISTS (
            SELECT 1 FROM pg_depend WHERE classid = 'pg_class'::regclass
                AND objid = pg_class.oid AND deptype = 'e'
        )
    )
    SELECT 'relation', name, kind || guarded::text FROM mine WHERE kind NOT IN ('i', 'I')
    UNION ALL
    SELECT 'column', mine.name, concat_ws(' ', attname, format_type(atttypid, atttypmod),
        attnotnull, attidentity, attgenerated, attcollation, pg_get_expr(adbin, adrelid))
    FROM mine JOIN pg_attribute ON attrelid = mine.oid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attnum > 0 AND NOT attisdropped AND kind NOT IN ('i', 'I')
    UNION ALL
    SELECT 'constraint', mine.name, pg_get_constraintdef(con.oid) || ' ' || convalidated
    FROM mine JOIN pg_constraint AS con ON conrelid = mine.oid
    UNION ALL
    SELECT 'index', mine.name, pg_get_indexdef(indexrelid) || ' ' || (indisvalid AND indisready)
    FROM mine JOIN pg_index ON indrelid = mine.oid
    UNION ALL
    SELECT 'trigger', mine.name, CASE WHEN tgisinternal THEN 'a foreign key is not enforced'
        ELSE pg_get_triggerdef(trigger.oid) END
    FROM mine JOIN pg_trigger AS trigger ON tgrelid = mine.oid
    WHERE NOT tgisinternal OR tgenabled <> 'O'
    UNION ALL
    SELECT 'rule', mine.name, pg_get_ruledef(rule.oid)
    FROM mine JOIN pg_rewrite AS rule ON ev_class = mine.oid
    UNION ALL
    SELECT 'policy', mine.name, polname::text FROM mine JOIN pg_policy ON polrelid = mine.oid
    UNION ALL
    SELECT 'child', mine.name, inhrelid::regclass::text
    FROM mine JOIN pg_inherits ON inhparent = mine.oid
    UNION ALL
    SELECT 'function', 'the ledger', oid::regprocedure::text FROM pg_proc
    WHERE pronamespace = {namespace} AND NOT EXISTS (
        SELECT 1 FROM pg_depend WHERE classid = 'pg_proc'::regclass
            AND objid = pg_proc.oid AND deptype = 'e'
    )
    UNION ALL
    SELECT 'event trigger', 'the ledger', evtname::text FROM pg_event_trigger
"""
OURS = "(SELECT relnamespace FROM pg_class WHERE oid = 'ledger_entry'::regclass)"
SCHEMA = re.compile(r"\b(?:pg_temp_\d+|pg_temp|public)\.")

EXPRESSIONS = """
    SELECT 'constraint', relname::text, conname::text, pg_get_constraintdef(con.oid),
        pg_get_constraintdef(con.oid) || ' ' || convalidated
    FROM pg_constraint AS con JOIN pg_class ON pg_class.oid = conrelid
    WHERE relnamespace = pg_my_temp_schema() AND contype IN ('c', 'x')
    UNION ALL
    SELECT 'index', mine.relname::text, one.relname::text, pg_get_indexdef(one.oid),
        pg_get_indexdef(one.oid) || ' ' || (indisvalid AND indisready)
    FROM pg_index JOIN pg_class AS one ON one.oid = indexrelid
    JOIN pg_class AS mine ON mine.oid = indrelid
    WHERE mine.relnamespace = pg_my_temp_schema() AND indpred IS NOT NULL
"""


class _Fresh(NamedTuple):
    """A fresh ledger's definitions, and how a restored one words those with expressions."""

    facts: frozenset[Fact]
    restored: dict[Fact, Fact]  #: what each stands for


_FRESH: dict[str, _Fresh] = {}


def check_schema(connection: Connection, found: Findings) -> None:
    """Tables, columns, constraints, indexes, triggers, views are a fresh ledger's, no more."""
    snapshot = snapshot_of(connection)
    with snapshot.failures():
        if snapshot.is_sqlite:
            fresh = _fresh_sqlite()
            ours = frozenset(_sqlite_facts(sql for *_, sql in snapshot.rows(MASTER)))
        else:
            fresh, restored = _fresh_postgres(connection, snapshot)
            facts = _postgres_facts(snapshot.rows(POSTGRES.format(namespace=OURS)))
            ours = frozenset(restored.get(fact, fact) for fact in facts)
    for kind, table, definition in sorted(fresh - ours):
        found.add(f"schema of {table}: {kind} {definition[:200]!r} is missing")
    for kind, table, definition in sorted(ours - fresh):
        found.add(f"schema of {table}: {kind} {definition[:200]!r} is of no fresh ledger")


@lru_cache
def definitions(dialect: str) -> tuple[str, ...]:
    """The statements that make the tables and indexes of a fresh ledger."""
    made = [REVISION_TABLE]

    def note(statement: Any, *_: object, **__: object) -> None:
        made.append(str(statement.compile(dialect=engine.dialect)))

    engine = create_mock_engine(f"{dialect}://", note)
    Base.metadata.create_all(engine, checkfirst=False)
    return tuple(made)


@lru_cache
def _fresh_sqlite() -> frozenset[Fact]:
    return frozenset(_sqlite_facts(definitions("sqlite")))


def _sqlite_facts(statements: Iterable[str]) -> Iterator[Fact]:
    """The definitions in SQLite's own words; a table's columns and constraints in any order."""
    for statement in statements:
        words = " ".join(statement.replace('"', "").split())
        if words.startswith("CREATE TABLE sqlite_stat"):  # what ANALYZE keeps
            continue
        if made := TABLE.match(words):
            table, body, options = made.groups()
            yield "table", table, options.strip()
            for clause in _clauses(body):
                yield "clause", table, re.sub(r"^CONSTRAINT \w+ ", "", clause)
        else:
            index = INDEX.match(words)
            yield "definition", index[1] if index else "the ledger", words


def _clauses(body: str) -> Iterator[str]:
    """The parts of a table's definition between commas that stand in no brackets."""
    depth, clause = 0, ""
    for sign in f"{body},":
        depth += (sign == "(") - (sign == ")")
        if sign == "," and not depth:
            yield clause.strip()
            clause = ""
        else:
            clause += sign


def _fresh_postgres(connection: Connection, snapshot: Snapshot) -> _Fresh:
    """The definitions of temporary tables like a fresh ledger's, made and undone at once.

    PostgreSQL writes definitions anew in its own words, which its release decides; read back by
    it, as `pg_restore` has them read, some come out in yet other words, and stay so from then on.
    """
    (version,) = snapshot.one("SELECT version()")
    if version not in _FRESH:
        lent = connection.engine.raw_connection()
        driver: Any = lent.driver_connection
        try:
            with failures_of(driver):
                driver.execute("SET LOCAL search_path TO pg_temp")
                for statement in definitions("postgresql"):
                    driver.execute(statement)
                rows = driver.execute(POSTGRES.format(namespace="pg_my_temp_schema()")).fetchall()
                first = _expressions(driver)
                for (kind, table, name), (definition, _) in first.items():
                    for statement in _made_again(kind, table, name, definition):
                        driver.execute(statement)
                again = _expressions(driver)
            _FRESH[version] = _Fresh(
                frozenset(fact for fact in _postgres_facts(rows) if fact[1] != "the ledger"),
                {
                    _fact(kind, table, again[kind, table, name][1]): _fact(kind, table, whole)
                    for (kind, table, name), (_, whole) in first.items()
                },
            )
        finally:
            driver.rollback()
            lent.close()
    return _FRESH[version]


def _expressions(driver: Any) -> dict[tuple[str, str, str], tuple[str, str]]:
    """What holds expressions, by kind, table and name: its definition, and that with its state."""
    return {
        (kind, table, name): (definition, whole)
        for kind, table, name, definition, whole in driver.execute(EXPRESSIONS).fetchall()
    }


def _made_again(kind: str, table: str, name: str, definition: str) -> tuple[str, ...]:
    """Statements that make a constraint or an index anew, by its definition as it was read."""
    if kind == "constraint":
        change = f'ALTER TABLE pg_temp."{table}"'
        return (
            f'{change} DROP CONSTRAINT "{name}"',
            f'{change} ADD CONSTRAINT "{name}" {definition}',
        )
    # What stands behind a constraint was made anew with it.
    is_own = not name.startswith(("pk_", "uq_", "ex_")) and " WHERE " in definition
    return (f'DROP INDEX pg_temp."{name}"', definition) if is_own else ()


def _fact(kind: str, table: str, definition: str) -> Fact:
    return kind, table, SCHEMA.sub("", definition)


def _postgres_facts(rows: Iterable[tuple[Any, ...]]) -> Iterator[Fact]:
    for kind, table, definition in rows:
        yield _fact(kind, table, definition)
