"""Application entities, and how long the key lasts that they draw."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from scheduler.errors import FactError

# Senders are known whose ids have 291 characters.
SAE_ID_MAX = 300
# What can stand in a path of ETSI GS QKD 014 without escapes, and is no step in a path.
_SAE_ID = re.compile(rf"(?!\.{{1,2}}\Z)[A-Za-z0-9._~:@+=-]{{1,{SAE_ID_MAX}}}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sae:
    """A secure application entity and the node whose key manager serves it."""

    sae_id: str
    node: str

    def __post_init__(self) -> None:
        check_sae_id(self.sae_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRunway:
    """How long the key of a pair lasts: a point estimate, at the rate of the last day.

    `empty_at` is None where nobody drew any; `next_key_at` where nothing is booked or due.
    """

    pool_id: str
    at: datetime
    stock_bits: int
    drawn_bits_per_day: int
    empty_at: datetime | None
    next_key_at: datetime | None
    next_key_from: str  #: the link that gives it: a booked session, or the next interval of a span


def check_sae_id(sae_id: str) -> None:
    """Raise FactError for what can be no id of an application, nor of a key manager."""
    if not _SAE_ID.fullmatch(sae_id):
        raise FactError(
            f"id {sae_id[:40]!a} of {len(sae_id)} characters; allowed: 1 to {SAE_ID_MAX}"
            " of A-Z a-z 0-9 . _ ~ : @ + = -, not . and .. alone"
        )
