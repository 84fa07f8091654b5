"""Pools, their accounts, commands and the entries between them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from scheduler.ledger.schema.base import Audited, Base, Number, identity
from scheduler.ledger.schema.columns import UtcDateTime


class RunFact(Base):
    """What this database belongs to: scenario, seed, clock; bound once, compared ever after."""

    __tablename__ = "run_fact"
    audited = Audited(leaf=("name",))

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)  #: canonical JSON
    sha256: Mapped[str] = mapped_column(String(64))


class PoolRow(Base):
    """One pool; `simulated` is set by the first simulated block and never taken back."""

    __tablename__ = "pool"
    audited = Audited(later=("simulated", "epoch"))

    id: Mapped[int] = identity()
    pool_id: Mapped[str] = mapped_column(String(200), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    node_a: Mapped[str] = mapped_column(String(80))
    node_b: Mapped[str] = mapped_column(String(80))
    parallel: Mapped[int] = mapped_column(Integer)
    simulated: Mapped[bool]
    epoch: Mapped[int] = mapped_column(Integer)  #: of the next deposit
    sha256: Mapped[str] = mapped_column(String(64))  #: over all but `simulated` and `epoch`


class Account(Base):
    """One account of one pool; `balance_bits` is the running sum of its entries.

    `odd_bits` is the part of it that is no whole byte of a range: key is spent by the byte, so
    what a pool can spend is the one less the other, however many blocks it has.
    """

    __tablename__ = "account"
    audited = Audited(later=("balance_bits", "odd_bits"))
    __table_args__ = (
        UniqueConstraint("pool_ref", "kind"),
        CheckConstraint("kind = 'generated' OR balance_bits >= 0", name="not_below_zero"),
    )

    id: Mapped[int] = identity()
    pool_ref: Mapped[int] = mapped_column(ForeignKey("pool.id"))
    kind: Mapped[str] = mapped_column(String(16))
    balance_bits: Mapped[int] = mapped_column(Number)
    odd_bits: Mapped[int] = mapped_column(Number)
    sha256: Mapped[str] = mapped_column(String(64))  #: over all but the running figures


class Command(Base):
    """One request and its first answer; a retry finds it here and adds nothing."""

    __tablename__ = "command"
    audited = Audited(leaf=("id",))

    id: Mapped[int] = identity()
    request_id: Mapped[str] = mapped_column(String(200), unique=True)
    kind: Mapped[str] = mapped_column(String(40))
    digest: Mapped[str] = mapped_column(String(64))  #: of the request, to tell two apart
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    answer: Mapped[str] = mapped_column(Text)  #: canonical JSON
    #: over the hashes of every row that this command wrote
    rows_sha256: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))


# A bit has one use (I1). SQLite leaves that to the block's cursor alone.
ONE_USE = ExcludeConstraint(
    (
        text(
            "numrange(block_ref::numeric * 1000000000000 + start_bit,"
            " block_ref::numeric * 1000000000000 + end_bit)"
        ),
        "&&",
    ),
    name="ex_ledger_entry_one_use",
    using="gist",
    where=text(
        "enters IN ('delivered', 'relay_consumed', 'combined', 'voided', 'expired', 'compromised')"
    ),
).ddl_if(dialect="postgresql")


class LedgerEntry(Base):
    """One line of a command: secret bits moving between two accounts. Only ever added.

    Holds amounts and identities, never key bits. A balance is a sum over
    this table, so every bit that leaves one account arrives in another.
    """

    __tablename__ = "ledger_entry"
    audited = Audited(under={"command_id": "ledger_entry"})
    __table_args__ = (
        UniqueConstraint("command_id", "line"),
        CheckConstraint("amount_bits > 0", name="amount_positive"),
        CheckConstraint("amount_bits = end_bit - start_bit", name="amount_is_range"),
        CheckConstraint("source_id <> target_id", name="two_accounts"),
        Index("ix_ledger_entry_block_ref", "block_ref"),
        ONE_USE,
    )

    id: Mapped[int] = identity()
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
    audited = Audited(under={"command_id": "announcement"})

    id: Mapped[int] = identity()
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
