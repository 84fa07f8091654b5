"""The ledger's own lines as interfaces show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChange:
    """One leaf of the audit log: which row changed. Numbers have no gaps."""

    number: int  #: from 0
    kind: str  #: of row, e.g. booking
    subject: str  #: its natural key


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledSession:
    """What a session gave."""

    command_id: int  #: the command that settled it
    booking: str
    satellite: str
    station: str
    acquires_at: datetime
    settled_at: datetime
    expected_secret_bits: int  #: had the sky been clear
    sifted_bits: int
    secret_bits: int
    qber: float
