"""Indexes by which key that waits for an announcement, or whose time ends, is found at once."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

RECEIVED_BLOCK = sa.text("state = 'received'")
EXPIRING_BLOCK = sa.text("state = 'available' AND expires_at IS NOT NULL")
EXPIRED_BLOCK = sa.text("state = 'expired'")


def upgrade() -> None:
    """Add the three partial indexes; no row changes."""
    for name, column, rows in (
        ("ix_block_received", "id", RECEIVED_BLOCK),
        ("ix_block_expiring", "expires_at", EXPIRING_BLOCK),
        ("ix_block_expired", "id", EXPIRED_BLOCK),
    ):
        op.create_index(
            name, "block", [column], unique=False, sqlite_where=rows, postgresql_where=rows
        )
