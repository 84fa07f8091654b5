"""The tables beside the key: bookings, plans, outages, directives, tokens, element sets."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from scheduler.domain import SAE_ID_MAX
from scheduler.ledger.schema.base import Audited, Base
from scheduler.ledger.schema.columns import UtcDateTime

STANDING_OUTAGE = "lifted_by IS NULL"
"""An outage that still holds; the predicate of its partial index."""

REGISTERED_SAE = "removed_by IS NULL"
"""An entity that is registered; each name is once at a time."""


class BookingRow(Base):
    """A pass that was decided on; its state and its link are those of its last events."""

    __tablename__ = "booking"
    audited = Audited(
        later=("acquires_at", "loses_at", "candidate", "state", "reason", "changed_at"),
        leaf=("booking_id",),
    )
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
    #: the link from here on; all three are empty where it stays as it was
    acquires_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    loses_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    candidate: Mapped[str | None] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))


class SaeRow(Base):
    """An application entity and the node whose key manager serves it, until it is removed."""

    __tablename__ = "sae"
    audited = Audited(later=("removed_by",), under={"command_id": "sae", "removed_by": "removed"})
    __table_args__ = (
        Index(
            "uq_sae_registered",
            "sae_id",
            unique=True,
            sqlite_where=text(REGISTERED_SAE),
            postgresql_where=text(REGISTERED_SAE),
        ),
    )

    command_id: Mapped[int] = mapped_column(ForeignKey("command.id"), primary_key=True)
    sae_id: Mapped[str] = mapped_column(String(SAE_ID_MAX))
    node: Mapped[str] = mapped_column(String(80))
    removed_by: Mapped[int | None] = mapped_column(ForeignKey("command.id"))
    sha256: Mapped[str] = mapped_column(String(64))  #: over all but `removed_by`


class OutageRow(Base):
    """A station or satellite out of service; a later command may lift it, once."""

    __tablename__ = "outage"
    audited = Audited(later=("lifted_by",), leaf=("outage_id",), under={"lifted_by": "lifted"})
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="forwards"),
        Index("ix_outage_kind_name_starts_at_ends_at", "kind", "name", "starts_at", "ends_at"),
        Index(
            "ix_outage_standing",
            "ends_at",
            sqlite_where=text(STANDING_OUTAGE),
            postgresql_where=text(STANDING_OUTAGE),
        ),
    )

    command_id: Mapped[int] = mapped_column(ForeignKey("command.id"), primary_key=True)
    outage_id: Mapped[str] = mapped_column(String(300), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(80))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime())
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime())
    reason: Mapped[str] = mapped_column(Text)
    lifted_by: Mapped[int | None] = mapped_column(ForeignKey("command.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64))  #: over all but `lifted_by`


class AccessTokenRow(Base):
    """A token of the management API, known by its hash; a later command may revoke it, once."""

    __tablename__ = "access_token"
    audited = Audited(later=("revoked_by",), leaf=("token_id",), under={"revoked_by": "revoked"})
    __table_args__ = (CheckConstraint("created_at < expires_at", name="forwards"),)

    command_id: Mapped[int] = mapped_column(ForeignKey("command.id"), primary_key=True)
    token_id: Mapped[str] = mapped_column(String(36), unique=True)
    name: Mapped[str] = mapped_column(String(64), index=True)
    role: Mapped[str] = mapped_column(String(16))
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime())
    revoked_by: Mapped[int | None] = mapped_column(ForeignKey("command.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64))  #: over all but `revoked_by`


class DirectiveRow(Base):
    """What a person decided about a pass or a booking; the last one holds. Only ever added."""

    __tablename__ = "directive"
    audited = Audited(leaf=("command_id", "position"))
    __table_args__ = (
        Index("ix_directive_booking_id_command_id", "booking_id", "command_id"),
        Index("ix_directive_at", "at"),
    )

    command_id: Mapped[int] = mapped_column(ForeignKey("command.id"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    satellite_id: Mapped[str] = mapped_column(String(80))
    station_id: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime] = mapped_column(UtcDateTime())  #: an instant of the pass
    booking_id: Mapped[str | None] = mapped_column(ForeignKey("booking.booking_id"))
    reason: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))


class PlanRow(Base):
    """One run of the planner and the proof of its quality; a command makes one plan."""

    __tablename__ = "plan"
    audited = Audited(leaf=("plan_id",))
    __table_args__ = (Index("ix_plan_window_start_window_end", "window_start", "window_end"),)

    command_id: Mapped[int] = mapped_column(ForeignKey("command.id"), primary_key=True)
    plan_id: Mapped[str] = mapped_column(String(200), unique=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    window_start: Mapped[datetime] = mapped_column(UtcDateTime())
    window_end: Mapped[datetime] = mapped_column(UtcDateTime())
    solver: Mapped[str] = mapped_column(String(80))
    objective: Mapped[float]
    bound: Mapped[float | None]
    gap: Mapped[float | None]
    details: Mapped[str] = mapped_column(Text)  #: canonical JSON: what is small
    sha256: Mapped[str] = mapped_column(String(64))


class PlanPassRow(Base):
    """One pass of a plan's window."""

    __tablename__ = "plan_pass"
    audited = Audited(under={"command_id": "plan_pass"})

    command_id: Mapped[int] = mapped_column(ForeignKey("plan.command_id"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    pass_id: Mapped[str] = mapped_column(String(200))
    satellite_id: Mapped[str] = mapped_column(String(80))
    station_id: Mapped[str] = mapped_column(String(80))
    rises_at: Mapped[datetime] = mapped_column(UtcDateTime())
    sets_at: Mapped[datetime] = mapped_column(UtcDateTime())
    max_elevation_deg: Mapped[float]
    sun_elevation_deg: Mapped[float]
    sha256: Mapped[str] = mapped_column(String(64))


class PlanOptionRow(Base):
    """One session that a plan could book, whether it did, and why."""

    __tablename__ = "plan_option"
    audited = Audited(under={"command_id": "plan_option"})

    command_id: Mapped[int] = mapped_column(ForeignKey("plan.command_id"), primary_key=True)
    pass_position: Mapped[int] = mapped_column(Integer, primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    candidate_id: Mapped[str] = mapped_column(String(200))
    acquires_at: Mapped[datetime] = mapped_column(UtcDateTime())
    loses_at: Mapped[datetime] = mapped_column(UtcDateTime())
    secret_bits: Mapped[float]
    clear_probability: Mapped[float]
    booked: Mapped[bool]
    booking_id: Mapped[str | None] = mapped_column(ForeignKey("booking.booking_id"))
    why: Mapped[str] = mapped_column(Text)
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


class ElementBindingRow(Base):
    """Whose the sets of a catalogue number are, from an epoch on. Only ever added."""

    __tablename__ = "element_binding"
    audited = Audited(leaf=("command_id",))

    command_id: Mapped[int] = mapped_column(ForeignKey("command.id"), primary_key=True)
    norad_id: Mapped[int] = mapped_column(Integer)
    satellite_norad_id: Mapped[int] = mapped_column(Integer)
    since: Mapped[datetime] = mapped_column(UtcDateTime())
    reason: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))


class ElementVerdictRow(Base):
    """What was decided of an element set, packaged ones included. Only ever added."""

    __tablename__ = "element_verdict"
    audited = Audited(leaf=("set_sha256", "position"))

    set_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)  #: of the set's text
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    standing: Mapped[str] = mapped_column(String(16))
    since: Mapped[datetime | None] = mapped_column(UtcDateTime())
    reason: Mapped[str] = mapped_column(Text)
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime())
    sha256: Mapped[str] = mapped_column(String(64))


class ForecastRow(Base):
    """One forecast of the sky over a station, as it came. Only ever added."""

    __tablename__ = "forecast"
    audited = Audited(leaf=("station_id", "issued_at"), joint="@")

    station_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime(), primary_key=True)
    source: Mapped[str] = mapped_column(String(300))
    hours: Mapped[str] = mapped_column(Text)  #: canonical JSON: [s after issue, clear ppm]
    sha256: Mapped[str] = mapped_column(String(64))
