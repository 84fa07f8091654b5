"""Closed periods whose finished rows left for an archive, and what carries over from them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from scheduler.ledger.schema.base import Audited, Base, Number
from scheduler.ledger.schema.columns import UtcDateTime


class SegmentRow(Base):
    """A closed period: which leaves of the log, in which file; hashes of what stayed here."""

    __tablename__ = "segment"
    audited = Audited(under={"command_id": "segment"})

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  #: from 1
    command_id: Mapped[int] = mapped_column(ForeignKey("command.id"), unique=True)
    file: Mapped[str] = mapped_column(String(200))  #: its name, wherever the archives are kept
    content_sha256: Mapped[str] = mapped_column(String(64))  #: of what the file holds
    previous_sha256: Mapped[str] = mapped_column(String(64))  #: the same of the one before
    rows: Mapped[int] = mapped_column(Number)  #: lines of it
    first_leaf: Mapped[int] = mapped_column(Number)
    size: Mapped[int] = mapped_column(Number)  #: of the log where the period ends
    root: Mapped[str] = mapped_column(String(64))  #: of that log, hex
    frontier: Mapped[str] = mapped_column(Text)  #: hashes of its largest subtrees, hex, by spaces
    last_command: Mapped[int] = mapped_column(Number)  #: of the period
    cutoff: Mapped[datetime] = mapped_column(UtcDateTime())  #: what ended later stayed
    leaves_sha256: Mapped[str] = mapped_column(String(64))  #: over its leaves that stayed
    carried_sha256: Mapped[str] = mapped_column(String(64))  #: over all of `carried`
    opening_sha256: Mapped[str] = mapped_column(String(64))  #: over all of `opening`
    sha256: Mapped[str] = mapped_column(String(64))


class OpeningRow(Base):
    """What an account brings along from all entries that left, since the newest segment."""

    __tablename__ = "opening"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), primary_key=True)
    segment_ref: Mapped[int] = mapped_column(ForeignKey("segment.id"))
    balance_bits: Mapped[int] = mapped_column(Number)
    odd_bits: Mapped[int] = mapped_column(Number)


class CarriedRow(Base):
    """What stayed of a command of a closed period: the hash over its rows, of which some left."""

    __tablename__ = "carried"

    command_id: Mapped[int] = mapped_column(ForeignKey("command.id"), primary_key=True)
    rows_sha256: Mapped[str] = mapped_column(String(64))
