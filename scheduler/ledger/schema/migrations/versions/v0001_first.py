"""The first schema: every table as it is defined.

Until a release is made there is one schema alone. With the first release its tables are to be
written out here, so that later changes of the definitions leave this script as it is.
"""

from alembic import op

from scheduler.ledger.schema import Base

revision = "first_977bbc80"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    Base.metadata.create_all(op.get_bind())
