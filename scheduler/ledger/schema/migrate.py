"""Bringing a database to this release's schema, and refusing one that is not ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from scheduler.errors import LedgerMismatch
from scheduler.ledger.db.engine import migrating
from scheduler.ledger.schema.revision import HEAD

if TYPE_CHECKING:
    from alembic.config import Config

SCRIPTS = Path(__file__).parent / "migrations"


def ensure_schema(engine: Engine, *, migrate: bool) -> None:
    """Migrate the database to HEAD, or say why not.

    Raises LedgerMismatch for a database of something else, of a newer release, or, where
    `migrate` is off, of an older one.
    """
    with engine.connect() as connection:
        revision = _revision(connection)
    if revision == HEAD:
        return
    known = _known_revisions()
    if revision is not None and revision not in known:
        raise LedgerMismatch(
            f"database {_name(engine)} has schema {revision!r}, which this release does not know;"
            f" it knows {', '.join(sorted(known))}. A newer release of Skytrunk made it"
        )
    if not migrate:
        raise LedgerMismatch(
            f"database {_name(engine)} has schema {revision or 'none'}, this release needs {HEAD};"
            " allow the migration or use another database"
        )
    upgrade(engine, HEAD)


def upgrade(engine: Engine, revision: str) -> None:
    """Run the migrations up to `revision` in one transaction."""
    from alembic import command  # slow to import, and needed once in a database's life

    with migrating(engine) as connection, connection.begin():
        # Another process may have migrated while this one waited for the lock.
        if _revision(connection) != revision:
            command.upgrade(_config(connection), revision)


def _config(connection: Connection | None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _known_revisions() -> set[str]:
    from alembic.script import ScriptDirectory

    return {
        script.revision for script in ScriptDirectory.from_config(_config(None)).walk_revisions()
    }


def _revision(connection: Connection) -> str | None:
    """The schema's revision, None if empty. Raises LedgerMismatch for a foreign database."""
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" not in tables:
        if tables:
            raise LedgerMismatch(
                f"database {_name(connection.engine)} holds tables that are not Skytrunk's:"
                f" {', '.join(sorted(tables)[:5])}; use another database"
            )
        return None
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision is not None and "ledger_entry" not in tables:
        raise LedgerMismatch(
            f"database {_name(connection.engine)} has schema {revision!r} of something that is"
            " not Skytrunk; use another database"
        )
    return revision


def _name(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)
