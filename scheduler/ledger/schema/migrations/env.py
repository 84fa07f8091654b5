"""Run a migration on the connection that the ledger hands over."""

from alembic import context

from scheduler.ledger.schema import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata)
context.run_migrations()
