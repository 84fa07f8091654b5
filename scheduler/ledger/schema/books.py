"""The tables beside the key: bookings, plans, jobs, element sets."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from scheduler.ledger.schema.base import Audited, Base
from scheduler.ledger.schema.columns import UtcDateTime


class BookingRow(Base):
    """A pass that was decided on; its state is the last of its events."""

    __tablename__ = "booking"
    audited = Audited(later=("state", "reason", "changed_at"), leaf=("booking_id",))
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
    audited = Audited(leaf=("booking_id", "position"))

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
    audited = Audited(leaf=("plan_id",))

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
    audited = Audited(leaf=("job_key", "scheduled_for"), joint="@")

    job_key: Mapped[str] = mapped_column(String(200), primary_key=True)
    scheduled_for: Mapped[datetime] = mapped_column(UtcDateTime(), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))


class ElementSetRow(Base):
    """One dated element set, as it came."""

    __tablename__ = "element_set"
    audited = Audited(hash="row_sha256", leaf=("sha256",))
    __table_args__ = (Index("ix_element_set_norad_id_epoch", "norad_id", "epoch"),)

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)  #: of the text
    norad_id: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(80))
    epoch: Mapped[datetime] = mapped_column(UtcDateTime())
    text: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(300))
    arrived_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    row_sha256: Mapped[str] = mapped_column(String(64))
