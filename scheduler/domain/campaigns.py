"""A campaign: many replays that differ in seed, time and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One replay of a campaign, and what it has apart from the others."""

    name: str  #: also of its files: letters, digits, `.`, `-`, `=`, `_`
    seed: int
    start: datetime
    end: datetime
    varied: Mapping[str, str]  #: setting -> its value here, as it was written
