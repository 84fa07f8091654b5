"""Blocks of key, their bytes, and who has them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    DDL,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from scheduler.ledger.schema.base import Audited, Base, Number, identity
from scheduler.ledger.schema.columns import UtcDateTime

OPEN_BLOCK = "state = 'available' AND next_bit <= length_bits - 8"
"""A block from which a whole byte can be spent; also the predicate of its partial index."""

RECEIVED_BLOCK = "state = 'received'"
"""A block that waits for an announcement; few at any time, so its partial index is small."""

EXPIRING_BLOCK = "state = 'available' AND expires_at IS NOT NULL"
"""A block whose rest time may end; the predicate of a partial index by that instant."""

EXPIRED_BLOCK = "state = 'expired'"
"""A block past its time whose bytes are still to be erased; mostly none is."""

OPEN_ANSWER = "delivered_by IS NOT NULL AND settled_by IS NULL"
"""A key that was answered with, of which nobody knows yet whether it left; few at any time."""

OPEN_RESERVATION = "state IN ('open', 'intended')"
"""A reservation that somebody must still resolve, or that times out."""


def _marked_by(table: str, column: str) -> Index:
    """An index of the rows that a later command marked; else a command could not leave quickly."""
    marked = text(f"{column} IS NOT NULL")
    return Index(f"ix_{table}_{column}", column, sqlite_where=marked, postgresql_where=marked)


class Block(Base):
    """The settled bits of one session or one span interval, spent from the front."""

    __tablename__ = "block"
    audited = Audited(later=("next_bit", "state"), under={"command_id": "block"})
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
        Index(
            "ix_block_received",
            "id",
            sqlite_where=text(RECEIVED_BLOCK),
            postgresql_where=text(RECEIVED_BLOCK),
        ),
        Index(
            "ix_block_expiring",
            "expires_at",
            sqlite_where=text(EXPIRING_BLOCK),
            postgresql_where=text(EXPIRING_BLOCK),
        ),
        Index(
            "ix_block_expired",
            "id",
            sqlite_where=text(EXPIRED_BLOCK),
            postgresql_where=text(EXPIRED_BLOCK),
        ),
    )

    id: Mapped[int] = identity()
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
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    command_id: Mapped[int] = mapped_column(ForeignKey("command.id"), index=True)
    provenance: Mapped[str] = mapped_column(Text)  #: canonical JSON; "{}" for a link's own key
    sha256: Mapped[str] = mapped_column(String(64))  #: over all but `next_bit` and `state`


class SettledSession(Base):
    """What a session measured beside what its preset expected of it; a command settles one."""

    __tablename__ = "settled_session"
    audited = Audited(under={"command_id": "settled_session"})
    __table_args__ = (Index("ix_settled_session_link", "satellite_id", "station_id", "settled_at"),)

    command_id: Mapped[int] = mapped_column(ForeignKey("command.id"), primary_key=True)
    booking_id: Mapped[str] = mapped_column(ForeignKey("booking.booking_id"), unique=True)
    satellite_id: Mapped[str] = mapped_column(String(80))
    station_id: Mapped[str] = mapped_column(String(80))
    settled_at: Mapped[datetime] = mapped_column(UtcDateTime())
    expected_bits: Mapped[float]  #: sifted, by the preset alone: not by what was learned
    sifted_bits: Mapped[int] = mapped_column(Number)
    #: the sifted key that waits for its finite-key block to close; none where a pass is a block
    block_ref: Mapped[int | None] = mapped_column(ForeignKey("block.id"), index=True)
    counts: Mapped[str] = mapped_column(Text)  #: canonical JSON of that key's counts, else "{}"
    sha256: Mapped[str] = mapped_column(String(64))


class Material(Base):
    """A piece of a block's key bytes at one of its two ends; erased when it is spent.

    Pieces are small so that spending a few bytes never rewrites a whole pass.
    """

    __tablename__ = "material"

    block_ref: Mapped[int] = mapped_column(ForeignKey("block.id"), primary_key=True)
    side: Mapped[int] = mapped_column(Integer, primary_key=True)  #: 0 node_a's, 1 node_b's
    start_byte: Mapped[int] = mapped_column(Integer, primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)  #: nonce, ciphertext, tag
    #: the database itself keeps no piece whose data key is shredded
    data_key_id: Mapped[int] = mapped_column(ForeignKey("data_key.open_id"), index=True)


# A piece fits into a page beside another, and ciphertext has nothing to compress: PostgreSQL would
# try to, and keep it in two parts in a table of its own.
event.listen(
    Material.__table__,
    "after_create",
    DDL(  # type: ignore[no-untyped-call]
        "ALTER TABLE %(table)s ALTER COLUMN data SET STORAGE PLAIN"
    ).execute_if(dialect="postgresql"),
)


class FreedRange(Base):
    """A range behind a block's cursor that came back unused and is spent first."""

    __tablename__ = "freed_range"
    __table_args__ = (CheckConstraint("end_bit > start_bit", name="some_bits"),)

    block_ref: Mapped[int] = mapped_column(ForeignKey("block.id"), primary_key=True)
    start_bit: Mapped[int] = mapped_column(Number, primary_key=True)
    end_bit: Mapped[int] = mapped_column(Number)


class DataKey(Base):
    """The key under which one pool's bytes of one epoch are kept; its bytes are not in here.

    They lie in the key folder, wrapped, because a database can promise of nothing that it is gone:
    dead rows, free pages, logs and copies keep what was in a row.
    """

    __tablename__ = "data_key"
    audited = Audited(
        later=("shredded_by", "open_id"),
        under={"command_id": "data_key", "shredded_by": "shredded"},
    )
    __table_args__ = (UniqueConstraint("pool_ref", "epoch"),)

    id: Mapped[int] = identity()
    pool_ref: Mapped[int] = mapped_column(ForeignKey("pool.id"))
    epoch: Mapped[int] = mapped_column(Integer)
    command_id: Mapped[int] = mapped_column(ForeignKey("command.id"), index=True)
    #: the command after which nothing is left under it and its bytes are destroyed
    shredded_by: Mapped[int | None] = mapped_column(ForeignKey("command.id"))
    #: the row's number until it is shredded, then nothing: what sealed pieces refer to
    open_id: Mapped[int | None] = mapped_column(Number, unique=True)
    sha256: Mapped[str] = mapped_column(String(64))  #: over all but the two above


class ReservationRow(Base):
    """Key set aside for a purpose until an instant; its parts are entries pool -> reserved."""

    __tablename__ = "reservation"
    audited = Audited(
        later=("state", "intended_by"),
        under={"command_id": "reservation", "intended_by": "intended"},
    )
    __table_args__ = (
        Index(
            "ix_reservation_open",
            "expires_at",
            sqlite_where=text(OPEN_RESERVATION),
            postgresql_where=text(OPEN_RESERVATION),
        ),
        _marked_by("reservation", "intended_by"),
    )

    id: Mapped[int] = identity()
    reservation_id: Mapped[str] = mapped_column(String(36), unique=True)
    command_id: Mapped[int] = mapped_column(ForeignKey("command.id"), index=True)
    pool_ref: Mapped[int] = mapped_column(ForeignKey("pool.id"))
    purpose: Mapped[str] = mapped_column(String(200))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime())
    state: Mapped[str] = mapped_column(String(16))
    #: the command after which bytes may have left the process
    intended_by: Mapped[int | None] = mapped_column(ForeignKey("command.id"))
    sha256: Mapped[str] = mapped_column(String(64))  #: over all but `state` and `intended_by`


class ReservationPart(Base):
    """One range of a reservation: the entry that set it aside."""

    __tablename__ = "reservation_part"

    entry_id: Mapped[int] = mapped_column(ForeignKey("ledger_entry.id"), primary_key=True)
    reservation_ref: Mapped[int] = mapped_column(ForeignKey("reservation.id"), index=True)


class KeyRow(Base):
    """A key that an application drew: an id, a range, and how long it waits to be collected."""

    __tablename__ = "key"
    audited = Audited(later=("closed_by",), under={"command_id": "key", "closed_by": "closed"})
    __table_args__ = (
        CheckConstraint("end_bit > start_bit", name="some_bits"),
        _marked_by("key", "closed_by"),
    )

    id: Mapped[int] = identity()
    key_id: Mapped[str] = mapped_column(String(36), unique=True)
    command_id: Mapped[int] = mapped_column(ForeignKey("command.id"), index=True)
    block_ref: Mapped[int] = mapped_column(ForeignKey("block.id"), index=True)
    start_bit: Mapped[int] = mapped_column(Number)
    end_bit: Mapped[int] = mapped_column(Number)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    #: the command that erased what nobody collected in time
    closed_by: Mapped[int | None] = mapped_column(ForeignKey("command.id"))
    sha256: Mapped[str] = mapped_column(String(64))  #: over all but `closed_by`


class KeyRecipient(Base):
    """Who may have a key, at which end, and the command that gave it out, once.

    Its bytes at that end stay sealed in the store until it is known that the answer left.
    """

    __tablename__ = "key_recipient"
    audited = Audited(
        later=("delivered_by", "doubted_by", "settled_by"),
        under={
            "key_ref.command_id": "key_recipient",
            "delivered_by": "collected",
            "doubted_by": "doubted",
            "settled_by": "settled",
        },
    )
    __table_args__ = (
        Index(
            "ix_key_recipient_open",
            "delivered_by",
            sqlite_where=text(OPEN_ANSWER),
            postgresql_where=text(OPEN_ANSWER),
        ),
        _marked_by("key_recipient", "doubted_by"),
        _marked_by("key_recipient", "settled_by"),
    )

    key_ref: Mapped[int] = mapped_column(ForeignKey("key.id"), primary_key=True)
    #: an SAE id, behind the name of its network where that is another one
    recipient: Mapped[str] = mapped_column(String(400), primary_key=True)
    side: Mapped[int] = mapped_column(Integer)
    delivered_by: Mapped[int | None] = mapped_column(ForeignKey("command.id"), index=True)
    #: the command that found nobody to say whether the answer left
    doubted_by: Mapped[int | None] = mapped_column(ForeignKey("command.id"))
    #: the command that knew that it left, and erased the bytes that nobody else waits for
    settled_by: Mapped[int | None] = mapped_column(ForeignKey("command.id"))
    sha256: Mapped[str] = mapped_column(String(64))  #: over who and where alone
