"""What the ledger hands out: frozen copies of its rows; key bytes never show in a repr."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from orbits import as_utc
from scheduler.facts import Chunk
from scheduler.ledger.states import AccountKind, KeyState


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentChunk:
    """A range that was just spent, with its bytes at both ends; they are in the store no more."""

    chunk: Chunk
    material_a: bytes = field(repr=False)  #: node_a's copy
    material_b: bytes = field(repr=False)  #: node_b's copy


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRecord:
    """One block as it stands; `next_bit` is the first bit not yet handed out."""

    block_id: UUID
    pool_id: str
    natural_key: str
    length_bits: int
    next_bit: int
    state: KeyState
    source: str
    simulated: bool
    eps_total: float
    epoch: int
    received_at: datetime
    provenance: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRecord:
    """One line of a command, with the names behind its numbers."""

    entry_id: int
    command_id: int
    line: int
    pool_id: str
    source: AccountKind
    target: AccountKind
    amount_bits: int
    block_id: UUID
    start_bit: int
    end_bit: int
    enters: KeyState
    resolves_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRecord:
    """One request and the answer it got first."""

    command_id: int
    request_id: str
    kind: str
    digest: str
    at: datetime
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRecord:
    """One run of the planner; `bound` and `gap` are None where no solver proved any."""

    plan_id: str
    at: datetime
    window_start: datetime
    window_end: datetime
    solver: str
    objective: float
    bound: float | None
    gap: float | None
    details: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementRow:
    """One dated element set as it came; `arrived_at` is None where nobody recorded it."""

    norad_id: int
    name: str
    epoch: datetime
    text: str
    sha256: str
    source: str
    arrived_at: datetime | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "epoch", as_utc(self.epoch))
        if self.arrived_at is not None:
            object.__setattr__(self, "arrived_at", as_utc(self.arrived_at))
