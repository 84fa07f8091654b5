"""Making the tables of a new ledger, and refusing a database that is not ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from scheduler.errors import LedgerMismatch
from scheduler.ledger import schema
from scheduler.ledger.db.engine import migrating
from scheduler.ledger.db.revision import HEAD

if TYPE_CHECKING:
    from alembic.config import Config

SCRIPTS = Path(schema.__file__).parent / "migrations"


def has_tables(connection: Connection) -> bool:
    """Whether the database holds a ledger of this schema; False if it is empty.

    Raises LedgerMismatch for a database of something else, or of another build of Skytrunk.
    """
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return False
    name = connection.engine.url.render_as_string(hide_password=True)
    if not {"alembic_version", "ledger_entry"} <= tables:
        raise LedgerMismatch(
            f"database {name} holds tables that are not Skytrunk's:"
            f" {', '.join(sorted(tables)[:5])}; use another database"
        )
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision != HEAD:
        raise LedgerMismatch(
            f"ledger {name} was made by another build of Skytrunk, with schema {revision!r};"
            f" this one reads {HEAD!r} alone: use another database"
        )
    return True


def make_tables(engine: Engine, and_then: Callable[[Connection], None]) -> None:
    """Make the tables of an empty database and fill in what a new ledger has, all or nothing.

    Does nothing if another process was faster.
    """
    with migrating(engine) as connection, connection.begin():
        if not has_tables(connection):
            from alembic import command  # slow to import, and needed once in a database's life

            command.upgrade(config_of(connection), HEAD)
            and_then(connection)


def config_of(connection: Connection | None) -> Config:
    """Alembic's configuration: where the scripts are, and the connection they work on."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
