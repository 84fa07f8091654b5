"""A running figure of the bits beside whole bytes, so that stock is read account by account."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Parts of a byte lie at the end of a block only, and few entries reach that far.
SUMS = """
UPDATE account SET odd_bits = moved.odd FROM (
    SELECT number, sum(odd) AS odd FROM (
        SELECT target_id AS number, amount_bits & 7 AS odd FROM ledger_entry
        WHERE (amount_bits & 7) <> 0
        UNION ALL
        SELECT source_id, -(amount_bits & 7) FROM ledger_entry WHERE (amount_bits & 7) <> 0
    ) AS moves GROUP BY number
) AS moved WHERE moved.number = account.id
"""


def upgrade() -> None:
    """Add the column and sum it up."""
    op.add_column("account", sa.Column("odd_bits", NUMBER, nullable=False, server_default="0"))
    op.execute(SUMS)
