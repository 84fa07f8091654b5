"""The first release: commands, double entry, blocks, bookings and what surrounds them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)
OPEN_BLOCK = sa.text("state = 'available' AND next_bit <= length_bits - 8")


def upgrade() -> None:
    """Make every table."""
    _make_pools_and_commands()
    _make_key()
    _make_entries()
    _make_bookings()
    _make_registers()


def _make_pools_and_commands() -> None:
    """Pools, their accounts, commands and what the database belongs to."""
    op.create_table(
        "run_fact",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_run_fact"),
    )
    op.create_table(
        "pool",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("pool_id", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("node_a", sa.String(length=80), nullable=False),
        sa.Column("node_b", sa.String(length=80), nullable=False),
        sa.Column("parallel", sa.Integer(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pool"),
        sa.UniqueConstraint("pool_id", name="uq_pool_pool_id"),
    )
    op.create_table(
        "account",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("pool_ref", NUMBER, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("balance_bits", NUMBER, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "kind = 'generated' OR balance_bits >= 0", name="ck_account_not_below_zero"
        ),
        sa.ForeignKeyConstraint(["pool_ref"], ["pool.id"], name="fk_account_pool_ref"),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("pool_ref", "kind", name="uq_account_pool_ref_kind"),
    )
    op.create_table(
        "command",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("request_id", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_command"),
        sa.UniqueConstraint("request_id", name="uq_command_request_id"),
    )


def _make_key() -> None:
    """Blocks of key and their bytes."""
    op.create_table(
        "block",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("block_id", sa.String(length=36), nullable=False),
        sa.Column("pool_ref", NUMBER, nullable=False),
        sa.Column("natural_key", sa.String(length=300), nullable=False),
        sa.Column("length_bits", NUMBER, nullable=False),
        sa.Column("next_bit", NUMBER, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("eps_total", sa.Double(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("command_id", NUMBER, nullable=False),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.CheckConstraint("length_bits > 0", name="ck_block_some_bits"),
        sa.CheckConstraint(
            "next_bit >= 0 AND next_bit <= length_bits", name="ck_block_cursor_inside"
        ),
        sa.ForeignKeyConstraint(["command_id"], ["command.id"], name="fk_block_command_id"),
        sa.ForeignKeyConstraint(["pool_ref"], ["pool.id"], name="fk_block_pool_ref"),
        sa.PrimaryKeyConstraint("id", name="pk_block"),
        sa.UniqueConstraint("block_id", name="uq_block_block_id"),
        sa.UniqueConstraint("natural_key", name="uq_block_natural_key"),
    )
    op.create_index(
        "ix_block_open",
        "block",
        ["pool_ref", "id"],
        unique=False,
        sqlite_where=OPEN_BLOCK,
        postgresql_where=OPEN_BLOCK,
    )
    op.create_table(
        "material",
        sa.Column("block_ref", NUMBER, nullable=False),
        sa.Column("side", sa.Integer(), nullable=False),
        sa.Column("start_byte", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["block_ref"], ["block.id"], name="fk_material_block_ref"),
        sa.PrimaryKeyConstraint("block_ref", "side", "start_byte", name="pk_material"),
    )


def _make_entries() -> None:
    """The double entry and the announcements."""
    op.create_table(
        "ledger_entry",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("command_id", NUMBER, nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("source_id", NUMBER, nullable=False),
        sa.Column("target_id", NUMBER, nullable=False),
        sa.Column("amount_bits", NUMBER, nullable=False),
        sa.Column("block_ref", NUMBER, nullable=False),
        sa.Column("start_bit", NUMBER, nullable=False),
        sa.Column("end_bit", NUMBER, nullable=False),
        sa.Column("enters", sa.String(length=16), nullable=False),
        sa.Column("resolves_id", NUMBER, nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "amount_bits = end_bit - start_bit", name="ck_ledger_entry_amount_is_range"
        ),
        sa.CheckConstraint("amount_bits > 0", name="ck_ledger_entry_amount_positive"),
        sa.CheckConstraint("source_id <> target_id", name="ck_ledger_entry_two_accounts"),
        sa.ForeignKeyConstraint(["block_ref"], ["block.id"], name="fk_ledger_entry_block_ref"),
        sa.ForeignKeyConstraint(["command_id"], ["command.id"], name="fk_ledger_entry_command_id"),
        sa.ForeignKeyConstraint(
            ["resolves_id"], ["ledger_entry.id"], name="fk_ledger_entry_resolves_id"
        ),
        sa.ForeignKeyConstraint(["source_id"], ["account.id"], name="fk_ledger_entry_source_id"),
        sa.ForeignKeyConstraint(["target_id"], ["account.id"], name="fk_ledger_entry_target_id"),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_entry"),
        sa.UniqueConstraint("command_id", "line", name="uq_ledger_entry_command_id_line"),
        sa.UniqueConstraint("resolves_id", name="uq_ledger_entry_resolves_id"),
    )
    op.create_index("ix_ledger_entry_block_ref", "ledger_entry", ["block_ref"], unique=False)
    op.create_table(
        "announcement",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("announcement_id", sa.String(length=36), nullable=False),
        sa.Column("command_id", NUMBER, nullable=False),
        sa.Column("relay", sa.String(length=80), nullable=False),
        sa.Column("length_bits", NUMBER, nullable=False),
        sa.Column("public_sha256", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["command_id"], ["command.id"], name="fk_announcement_command_id"),
        sa.PrimaryKeyConstraint("id", name="pk_announcement"),
        sa.UniqueConstraint("announcement_id", name="uq_announcement_announcement_id"),
    )
    op.create_index("ix_announcement_command_id", "announcement", ["command_id"], unique=False)
    op.create_table(
        "announcement_part",
        sa.Column("announcement_ref", NUMBER, nullable=False),
        sa.Column("side", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("relay", sa.String(length=80), nullable=False),
        sa.Column("block_ref", NUMBER, nullable=False),
        sa.Column("start_bit", NUMBER, nullable=False),
        sa.Column("end_bit", NUMBER, nullable=False),
        sa.CheckConstraint("end_bit > start_bit", name="ck_announcement_part_some_bits"),
        sa.ForeignKeyConstraint(
            ["announcement_ref"], ["announcement.id"], name="fk_announcement_part_announcement_ref"
        ),
        sa.ForeignKeyConstraint(["block_ref"], ["block.id"], name="fk_announcement_part_block_ref"),
        sa.PrimaryKeyConstraint(
            "announcement_ref", "side", "position", name="pk_announcement_part"
        ),
        sa.UniqueConstraint(
            "block_ref", "start_bit", "relay", name="uq_announcement_part_block_ref_start_bit_relay"
        ),
    )


def _make_bookings() -> None:
    """Bookings and their events."""
    op.create_table(
        "booking",
        sa.Column("booking_id", sa.String(length=36), nullable=False),
        sa.Column("satellite_id", sa.String(length=80), nullable=False),
        sa.Column("station_id", sa.String(length=80), nullable=False),
        sa.Column("acquires_at", INSTANT, nullable=False),
        sa.Column("loses_at", INSTANT, nullable=False),
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("booked_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("plan_id", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.CheckConstraint("acquires_at < loses_at", name="ck_booking_forwards"),
        sa.PrimaryKeyConstraint("booking_id", name="pk_booking"),
    )
    op.create_index(
        "ix_booking_satellite_id_acquires_at",
        "booking",
        ["satellite_id", "acquires_at"],
        unique=False,
    )
    op.create_index("ix_booking_state", "booking", ["state"], unique=False)
    op.create_index(
        "ix_booking_station_id_acquires_at", "booking", ["station_id", "acquires_at"], unique=False
    )
    op.create_table(
        "booking_event",
        sa.Column("booking_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("from_state", sa.String(length=16), nullable=True),
        sa.Column("to_state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.booking_id"], name="fk_booking_event_booking_id"
        ),
        sa.PrimaryKeyConstraint("booking_id", "position", name="pk_booking_event"),
    )


def _make_registers() -> None:
    """Plans, job runs and element sets."""
    op.create_table(
        "plan",
        sa.Column("plan_id", sa.String(length=200), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("window_start", INSTANT, nullable=False),
        sa.Column("window_end", INSTANT, nullable=False),
        sa.Column("solver", sa.String(length=80), nullable=False),
        sa.Column("objective", sa.Double(), nullable=False),
        sa.Column("bound", sa.Double(), nullable=True),
        sa.Column("gap", sa.Double(), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", name="pk_plan"),
    )
    op.create_table(
        "job_run",
        sa.Column("job_key", sa.String(length=200), nullable=False),
        sa.Column("scheduled_for", INSTANT, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("job_key", "scheduled_for", name="pk_job_run"),
    )
    op.create_table(
        "element_set",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("norad_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("epoch", INSTANT, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=300), nullable=False),
        sa.Column("arrived_at", INSTANT, nullable=True),
        sa.Column("row_sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_element_set"),
    )
    op.create_index(
        "ix_element_set_norad_id_epoch", "element_set", ["norad_id", "epoch"], unique=False
    )
