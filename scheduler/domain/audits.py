"""What a verification of the ledger found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What `ledger verify` looked at and found; `problems` is empty for a sound ledger."""

    commands: int
    entries: int
    blocks: int
    pools: int
    problems: tuple[str, ...]
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True when nothing was found wrong."""
        return not self.problems
