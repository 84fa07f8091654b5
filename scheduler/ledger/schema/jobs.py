"""The tables of the clockwork: jobs, what became of them, what is paused, and alerts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from scheduler.ledger.schema.base import Audited, Base
from scheduler.ledger.schema.columns import UtcDateTime

STANDING_PAUSE = "lifted_by IS NULL"
"""A pause that still holds; each work has one at a time."""


class JobRow(Base):
    """Work due at an instant, once; how it stands is what its last event says."""

    __tablename__ = "job"
    audited = Audited(
        later=("state", "reason", "attempts", "holder", "lease_until", "changed_at"),
        leaf=("job_key", "scheduled_for"),
        joint="@",
    )
    __table_args__ = (Index("ix_job_scheduled_for", "scheduled_for"),)

    job_key: Mapped[str] = mapped_column(String(200), primary_key=True)
    scheduled_for: Mapped[datetime] = mapped_column(UtcDateTime(), primary_key=True)
    state: Mapped[str] = mapped_column(String(16), index=True)
    reason: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int]  #: the fencing token of who runs it
    holder: Mapped[str] = mapped_column(String(80))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime())  #: the machine's time
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime())
    sha256: Mapped[str] = mapped_column(String(64))  #: over what never changes


class JobEventRow(Base):
    """One change of a job. Only ever added."""

    __tablename__ = "job_event"
    audited = Audited(leaf=("job_key", "scheduled_for", "position"), joint="@")

    job_key: Mapped[str] = mapped_column(String(200), primary_key=True)
    scheduled_for: Mapped[datetime] = mapped_column(UtcDateTime(), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int]
    holder: Mapped[str] = mapped_column(String(80))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime())
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime())
    sha256: Mapped[str] = mapped_column(String(64))


class JobPauseRow(Base):
    """Work that is not done until a later command lifts the pause, once."""

    __tablename__ = "job_pause"
    audited = Audited(later=("lifted_by",), under={"command_id": "paused", "lifted_by": "resumed"})
    __table_args__ = (
        Index(
            "uq_job_pause_standing",
            "work",
            unique=True,
            sqlite_where=text(STANDING_PAUSE),
            postgresql_where=text(STANDING_PAUSE),
        ),
    )

    command_id: Mapped[int] = mapped_column(ForeignKey("command.id"), primary_key=True)
    work: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(UtcDateTime())
    lifted_by: Mapped[int | None] = mapped_column(ForeignKey("command.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64))  #: over all but `lifted_by`


class AlertRow(Base):
    """Something that somebody should look at, once. Telling it is a job."""

    __tablename__ = "alert"
    audited = Audited(leaf=("alert_id",))

    alert_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(300))
    at: Mapped[datetime] = mapped_column(UtcDateTime(), index=True)
    words: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
