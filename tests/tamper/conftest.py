"""The stores that are attacked."""

from tests.scheduler.ledger.conftest import (
    kek,
    ledger,
    postgres,
    postgres_template,
    sqlite_template,
    store_url,
)

__all__ = ["kek", "ledger", "postgres", "postgres_template", "sqlite_template", "store_url"]
