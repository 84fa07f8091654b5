"""The audit log, its checkpoints and the keys that sign them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    ForeignKey,
    Index,
    LargeBinary,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from scheduler.ledger.schema.base import Base, Number, identity
from scheduler.ledger.schema.columns import UtcDateTime


class AuditLeaf(Base):
    """One change of state in the audit log: which row, and its hash. Only ever added."""

    __tablename__ = "audit_leaf"
    __table_args__ = (Index("ix_audit_leaf_kind_subject", "kind", "subject"),)

    seq: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)  #: from 0
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(300))
    row_sha256: Mapped[str] = mapped_column(String(64))


class AuditWaiting(Base):
    """A leaf that has no number yet: durable with its change, in the log a moment later."""

    __tablename__ = "audit_waiting"

    id: Mapped[int] = identity()
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(300))
    row_sha256: Mapped[str] = mapped_column(String(64))
    mac: Mapped[str] = mapped_column(String(64))  #: hex, under the key-encryption key


class AuditHead(Base):
    """Where the log ends: one row, which whoever numbers more leaves moves on."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)  #: 1
    size: Mapped[int] = mapped_column(Number)  #: how many leaves are numbered
    mac: Mapped[str] = mapped_column(String(64))  #: hex, of size and root, under the same key


class AuditNode(Base):
    """Hash of a complete subtree of the log, numbered in post-order. Only ever added."""

    __tablename__ = "audit_node"

    position: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class AuditKey(Base):
    """A key that signs checkpoints: the public half in clear, the private one wrapped."""

    __tablename__ = "audit_key"

    key_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    public_key: Mapped[str] = mapped_column(String(64))  #: hex
    kek_id: Mapped[str] = mapped_column(String(32))
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)


class AuditCheckpoint(Base):
    """What the log's size and root were at an instant, signed."""

    __tablename__ = "audit_checkpoint"

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(Number)
    root: Mapped[str] = mapped_column(String(64))  #: hex
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    key_id: Mapped[str] = mapped_column(ForeignKey("audit_key.key_id"))
    signature: Mapped[str] = mapped_column(String(128))  #: hex
