"""Every table of Skytrunk; nothing outside this package knows them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from scheduler.ledger.columns import UtcDateTime

Number = BigInteger().with_variant(Integer, "sqlite")
"""64-bit everywhere; SQLite wants the word INTEGER to make a column its row id."""

OPEN_BLOCK = "state = 'available' AND next_bit <= length_bits - 8"
"""A block from which a whole byte can be spent; also the predicate of its partial index."""


class Base(DeclarativeBase):
    """Common base; constraints get names, so that a migration can find them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class RunFact(Base):
    """What this database belongs to: scenario, seed, clock; bound once, compared ever after."""

    __tablename__ = "run_fact"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)  #: canonical JSON
    sha256: Mapped[str] = mapped_column(String(64))


class PoolRow(Base):
    """One pool; `simulated` is set by the first simulated block and never taken back."""

    __tablename__ = "pool"

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    pool_id: Mapped[str] = mapped_column(String(200), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    node_a: Mapped[str] = mapped_column(String(80))
    node_b: Mapped[str] = mapped_column(String(80))
    parallel: Mapped[int] = mapped_column(Integer)
    simulated: Mapped[bool]
    sha256: Mapped[str] = mapped_column(String(64))  #: over all but `simulated`


class Account(Base):
    """One account of one pool; `balance_bits` is the running sum of its entries."""

    __tablename__ = "account"
    __table_args__ = (
        UniqueConstraint("pool_ref", "kind"),
        CheckConstraint("kind = 'generated' OR balance_bits >= 0", name="not_below_zero"),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    pool_ref: Mapped[int] = mapped_column(ForeignKey("pool.id"))
    kind: Mapped[str] = mapped_column(String(16))
    balance_bits: Mapped[int] = mapped_column(Number)
    sha256: Mapped[str] = mapped_column(String(64))  #: over all but the balance


class Command(Base):
    """One request and its first answer; a retry finds it here and adds nothing."""

    __tablename__ = "command"

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    request_id: Mapped[str] = mapped_column(String(200), unique=True)
    kind: Mapped[str] = mapped_column(String(40))
    digest: Mapped[str] = mapped_column(String(64))  #: of the request, to tell two apart
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    answer: Mapped[str] = mapped_column(Text)  #: canonical JSON
    sha256: Mapped[str] = mapped_column(String(64))


class Block(Base):
    """The settled bits of one session or one span interval, spent from the front."""

    __tablename__ = "block"
    __table_args__ = (
        CheckConstraint("length_bits > 0", name="some_bits"),
        CheckConstraint("next_bit >= 0 AND next_bit <= length_bits", name="cursor_inside"),
        Index(
            "ix_block_open",
            "pool_ref",
            "id",
            sqlite_where=text(OPEN_BLOCK),
            postgresql_where=text(OPEN_BLOCK),
        ),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    block_id: Mapped[str] = mapped_column(String(36), unique=True)
    pool_ref: Mapped[int] = mapped_column(ForeignKey("pool.id"))
    natural_key: Mapped[str] = mapped_column(String(300), unique=True)
    length_bits: Mapped[int] = mapped_column(Number)
    next_bit: Mapped[int] = mapped_column(Number)  #: first bit not yet handed out
    state: Mapped[str] = mapped_column(String(16))  #: of what is not handed out yet
    source: Mapped[str] = mapped_column(String(80))
    simulated: Mapped[bool]
    eps_total: Mapped[float]
    epoch: Mapped[int] = mapped_column(Integer)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime())
    command_id: Mapped[int] = mapped_column(ForeignKey("command.id"))
    provenance: Mapped[str] = mapped_column(Text)  #: canonical JSON; "{}" for a link's own key
    sha256: Mapped[str] = mapped_column(String(64))  #: over all but `next_bit` and `state`


class Material(Base):
    """A piece of a block's key bytes at one of its two ends; erased when it is spent.

    Pieces are small so that spending a few bytes never rewrites a whole pass.
    """

    __tablename__ = "material"

    block_ref: Mapped[int] = mapped_column(ForeignKey("block.id"), primary_key=True)
    side: Mapped[int] = mapped_column(Integer, primary_key=True)  #: 0 node_a's, 1 node_b's
    start_byte: Mapped[int] = mapped_column(Integer, primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class LedgerEntry(Base):
    """One line of a command: secret bits moving between two accounts. Only ever added.

    Holds amounts and identities, never key bits. A balance is a sum over
    this table, so every bit that leaves one account arrives in another.
    """

    __tablename__ = "ledger_entry"
    __table_args__ = (
        UniqueConstraint("command_id", "line"),
        CheckConstraint("amount_bits > 0", name="amount_positive"),
        CheckConstraint("amount_bits = end_bit - start_bit", name="amount_is_range"),
        CheckConstraint("source_id <> target_id", name="two_accounts"),
        Index("ix_ledger_entry_block_ref", "block_ref"),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    command_id: Mapped[int] = mapped_column(ForeignKey("command.id"))
    line: Mapped[int] = mapped_column(Integer)
    source_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    target_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    amount_bits: Mapped[int] = mapped_column(Number)
    block_ref: Mapped[int] = mapped_column(ForeignKey("block.id"))
    start_bit: Mapped[int] = mapped_column(Number)
    end_bit: Mapped[int] = mapped_column(Number)
    enters: Mapped[str] = mapped_column(String(16))  #: the state that the range enters
    # Unique, so the database itself resolves a reservation at most once.
    resolves_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_entry.id"), unique=True)
    sha256: Mapped[str] = mapped_column(String(64))


class AnnouncementRow(Base):
    """What a relay made public; the digest of it, never its parts' bytes."""

    __tablename__ = "announcement"

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    announcement_id: Mapped[str] = mapped_column(String(36), unique=True)
    command_id: Mapped[int] = mapped_column(ForeignKey("command.id"), index=True)
    relay: Mapped[str] = mapped_column(String(80))
    length_bits: Mapped[int] = mapped_column(Number)
    public_sha256: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))  #: over the row and its parts


class AnnouncementPart(Base):
    """One chunk inside an announcement, on one of its two sides.

    A link chunk takes part once at each of its two ends: unique by block, start and relay.
    """

    __tablename__ = "announcement_part"
    __table_args__ = (
        UniqueConstraint("block_ref", "start_bit", "relay"),
        CheckConstraint("end_bit > start_bit", name="some_bits"),
    )

    announcement_ref: Mapped[int] = mapped_column(ForeignKey("announcement.id"), primary_key=True)
    side: Mapped[int] = mapped_column(Integer, primary_key=True)  #: 0 left, 1 right
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    relay: Mapped[str] = mapped_column(String(80))
    block_ref: Mapped[int] = mapped_column(ForeignKey("block.id"))
    start_bit: Mapped[int] = mapped_column(Number)
    end_bit: Mapped[int] = mapped_column(Number)


class BookingRow(Base):
    """A pass that was decided on; its state is the last of its events."""

    __tablename__ = "booking"
    __table_args__ = (
        CheckConstraint("acquires_at < loses_at", name="forwards"),
        Index("ix_booking_satellite_id_acquires_at", "satellite_id", "acquires_at"),
        Index("ix_booking_station_id_acquires_at", "station_id", "acquires_at"),
    )

    booking_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    satellite_id: Mapped[str] = mapped_column(String(80))
    station_id: Mapped[str] = mapped_column(String(80))
    acquires_at: Mapped[datetime] = mapped_column(UtcDateTime())
    loses_at: Mapped[datetime] = mapped_column(UtcDateTime())
    candidate: Mapped[str] = mapped_column(Text)  #: canonical JSON of the Candidate
    state: Mapped[str] = mapped_column(String(16), index=True)
    reason: Mapped[str] = mapped_column(Text)
    booked_at: Mapped[datetime] = mapped_column(UtcDateTime())
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime())
    locked: Mapped[bool]
    plan_id: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64))  #: over what never changes


class BookingEventRow(Base):
    """One change in the life of a booking. Only ever added."""

    __tablename__ = "booking_event"

    booking_id: Mapped[str] = mapped_column(ForeignKey("booking.booking_id"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    from_state: Mapped[str | None] = mapped_column(String(16))
    to_state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))


class PlanRow(Base):
    """One run of the planner and the proof of its quality."""

    __tablename__ = "plan"

    plan_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    window_start: Mapped[datetime] = mapped_column(UtcDateTime())
    window_end: Mapped[datetime] = mapped_column(UtcDateTime())
    solver: Mapped[str] = mapped_column(String(80))
    objective: Mapped[float]
    bound: Mapped[float | None]
    gap: Mapped[float | None]
    details: Mapped[str] = mapped_column(Text)  #: canonical JSON
    sha256: Mapped[str] = mapped_column(String(64))


class JobRun(Base):
    """A job that somebody took, once for each instant it was due."""

    __tablename__ = "job_run"

    job_key: Mapped[str] = mapped_column(String(200), primary_key=True)
    scheduled_for: Mapped[datetime] = mapped_column(UtcDateTime(), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))


class ElementSetRow(Base):
    """One dated element set, as it came."""

    __tablename__ = "element_set"
    __table_args__ = (Index("ix_element_set_norad_id_epoch", "norad_id", "epoch"),)

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)  #: of the text
    norad_id: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(80))
    epoch: Mapped[datetime] = mapped_column(UtcDateTime())
    text: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(300))
    arrived_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    row_sha256: Mapped[str] = mapped_column(String(64))
