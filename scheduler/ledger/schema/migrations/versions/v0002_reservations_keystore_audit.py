"""Reservations, keys of applications, encryption at rest and the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)
OPEN_RESERVATION = sa.text("state IN ('open', 'intended')")

# I1 once more, in PostgreSQL itself: no bit has two terminal uses. Block and bit make one
# number, so that no extension is needed to compare two columns at once.
ONE_USE = """
ALTER TABLE ledger_entry ADD CONSTRAINT ex_ledger_entry_one_use EXCLUDE USING gist (
    numrange(
        block_ref::numeric * 1000000000000 + start_bit,
        block_ref::numeric * 1000000000000 + end_bit
    ) WITH &&
) WHERE (
    enters IN ('delivered', 'relay_consumed', 'combined', 'voided', 'expired', 'compromised')
)
"""


def upgrade() -> None:
    """Add the tables and columns of the second release."""
    _make_audit()
    _make_keystore()
    _make_reservations()
    _make_keys()
    if op.get_context().dialect.name == "postgresql":
        op.execute(ONE_USE)


def _make_audit() -> None:
    """The Merkle log and its checkpoints."""
    op.create_table(
        "audit_leaf",
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("row_sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit_leaf"),
    )
    op.create_index("ix_audit_leaf_kind_subject", "audit_leaf", ["kind", "subject"], unique=False)
    op.create_table(
        "audit_node",
        sa.Column("position", NUMBER, autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_audit_node"),
    )
    op.create_table(
        "audit_key",
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("public_key", sa.String(length=64), nullable=False),
        sa.Column("kek_id", sa.String(length=32), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_audit_key"),
    )
    op.create_table(
        "audit_checkpoint",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("size", NUMBER, nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"], ["audit_key.key_id"], name="fk_audit_checkpoint_key_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_audit_checkpoint"),
    )


def _make_keystore() -> None:
    """Epochs, and the keys that key is kept under."""
    op.add_column("pool", sa.Column("epoch", sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "data_key",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("pool_ref", NUMBER, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("kek_id", sa.String(length=32), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["pool_ref"], ["pool.id"], name="fk_data_key_pool_ref"),
        sa.PrimaryKeyConstraint("id", name="pk_data_key"),
        sa.UniqueConstraint("pool_ref", "epoch", name="uq_data_key_pool_ref_epoch"),
    )
    op.add_column("material", sa.Column("data_key_id", NUMBER, nullable=True))


def _make_reservations() -> None:
    """Key set aside, and key that came back."""
    op.add_column("block", sa.Column("expires_at", INSTANT, nullable=True))
    op.create_index("ix_block_command_id", "block", ["command_id"], unique=False)
    op.add_column("command", sa.Column("rows_sha256", sa.String(length=64), nullable=True))
    op.create_table(
        "freed_range",
        sa.Column("block_ref", NUMBER, nullable=False),
        sa.Column("start_bit", NUMBER, nullable=False),
        sa.Column("end_bit", NUMBER, nullable=False),
        sa.CheckConstraint("end_bit > start_bit", name="ck_freed_range_some_bits"),
        sa.ForeignKeyConstraint(["block_ref"], ["block.id"], name="fk_freed_range_block_ref"),
        sa.PrimaryKeyConstraint("block_ref", "start_bit", name="pk_freed_range"),
    )
    op.create_table(
        "reservation",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("reservation_id", sa.String(length=36), nullable=False),
        sa.Column("command_id", NUMBER, nullable=False),
        sa.Column("pool_ref", NUMBER, nullable=False),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("intended_by", NUMBER, nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["command_id"], ["command.id"], name="fk_reservation_command_id"),
        sa.ForeignKeyConstraint(["intended_by"], ["command.id"], name="fk_reservation_intended_by"),
        sa.ForeignKeyConstraint(["pool_ref"], ["pool.id"], name="fk_reservation_pool_ref"),
        sa.PrimaryKeyConstraint("id", name="pk_reservation"),
        sa.UniqueConstraint("reservation_id", name="uq_reservation_reservation_id"),
    )
    op.create_index("ix_reservation_command_id", "reservation", ["command_id"], unique=False)
    op.create_index(
        "ix_reservation_open",
        "reservation",
        ["expires_at"],
        unique=False,
        sqlite_where=OPEN_RESERVATION,
        postgresql_where=OPEN_RESERVATION,
    )
    op.create_table(
        "reservation_part",
        sa.Column("entry_id", NUMBER, nullable=False),
        sa.Column("reservation_ref", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["ledger_entry.id"], name="fk_reservation_part_entry_id"
        ),
        sa.ForeignKeyConstraint(
            ["reservation_ref"], ["reservation.id"], name="fk_reservation_part_reservation_ref"
        ),
        sa.PrimaryKeyConstraint("entry_id", name="pk_reservation_part"),
    )
    op.create_index(
        "ix_reservation_part_reservation_ref", "reservation_part", ["reservation_ref"], unique=False
    )


def _make_keys() -> None:
    """What applications drew."""
    op.create_table(
        "key",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("key_id", sa.String(length=36), nullable=False),
        sa.Column("command_id", NUMBER, nullable=False),
        sa.Column("block_ref", NUMBER, nullable=False),
        sa.Column("start_bit", NUMBER, nullable=False),
        sa.Column("end_bit", NUMBER, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("closed_by", NUMBER, nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.CheckConstraint("end_bit > start_bit", name="ck_key_some_bits"),
        sa.ForeignKeyConstraint(["block_ref"], ["block.id"], name="fk_key_block_ref"),
        sa.ForeignKeyConstraint(["closed_by"], ["command.id"], name="fk_key_closed_by"),
        sa.ForeignKeyConstraint(["command_id"], ["command.id"], name="fk_key_command_id"),
        sa.PrimaryKeyConstraint("id", name="pk_key"),
        sa.UniqueConstraint("key_id", name="uq_key_key_id"),
    )
    op.create_index("ix_key_block_ref", "key", ["block_ref"], unique=False)
    op.create_index("ix_key_command_id", "key", ["command_id"], unique=False)
    op.create_table(
        "key_recipient",
        sa.Column("key_ref", NUMBER, nullable=False),
        sa.Column("recipient", sa.String(length=200), nullable=False),
        sa.Column("side", sa.Integer(), nullable=False),
        sa.Column("delivered_by", NUMBER, nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivered_by"], ["command.id"], name="fk_key_recipient_delivered_by"
        ),
        sa.ForeignKeyConstraint(["key_ref"], ["key.id"], name="fk_key_recipient_key_ref"),
        sa.PrimaryKeyConstraint("key_ref", "recipient", name="pk_key_recipient"),
    )
    op.create_index(
        "ix_key_recipient_delivered_by", "key_recipient", ["delivered_by"], unique=False
    )
