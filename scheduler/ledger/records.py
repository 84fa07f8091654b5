"""What the ledger hands out: frozen copies of its rows; key bytes never show in a repr."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from orbits import as_utc
from scheduler.domain import Announcement, Chunk
from scheduler.ledger.states import AccountKind, KeyState, ReservationState

T = TypeVar("T")


def record_of(kind: type[T], row: Any, **instead: Any) -> T:
    """A record from a row whose columns bear the names of its fields; `instead` goes first."""
    names: tuple[str, ...] = _names(kind)  # type: ignore[arg-type]  # a class is hashable
    values = {name: getattr(row, name) for name in names if name not in instead}
    return kind(**values, **instead)


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentChunk:
    """A range that was just spent, with its bytes at both ends; they are in the store no more."""

    chunk: Chunk
    material_a: bytes = field(repr=False)  #: node_a's copy
    material_b: bytes = field(repr=False)  #: node_b's copy
    eps_total: float = 0.0  #: failure probability that the block carries
    simulated: bool = False  #: the block came from a simulated source
    received_at: datetime | None = None  #: of the block; only where young key was wanted


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
    expires_at: datetime | None
    provenance: dict[str, Any]

    @property
    def left_bits(self) -> int:
        """Bits behind its cursor."""
        return self.length_bits - self.next_bit


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
    """One run of the planner; `bound` and `gap` are None where no solver proved any.

    `details` holds what is small; passes and options are rows of their own.
    """

    plan_id: str
    at: datetime
    window_start: datetime
    window_end: datetime
    solver: str
    objective: float
    bound: float | None
    gap: float | None
    details: dict[str, Any]
    command_id: int = 0  #: that made it, once it is written

    def __post_init__(self) -> None:
        for name in ("at", "window_start", "window_end"):
            object.__setattr__(self, name, as_utc(getattr(self, name)))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Key set aside for a purpose: delivered, consumed or released by a later command."""

    reservation_id: UUID
    pool_id: str
    purpose: str
    chunks: tuple[Chunk, ...]
    expires_at: datetime
    state: ReservationState

    @property
    def bits(self) -> int:
        """Bits set aside."""
        return sum(chunk.length_bits for chunk in self.chunks)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnKey:
    """A key of an application; each recipient gets its bytes once."""

    key_id: UUID
    pool_id: str
    chunk: Chunk
    expires_at: datetime | None
    closed: bool  #: nobody collected it in time; what was left of it is erased
    recipients: dict[str, bool]  #: who may have it, and whether they have it


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedKey:
    """A key on its way out, after the commit only."""

    key_id: UUID
    block_id: UUID  #: of which it is a part
    size_bits: int
    material: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingKeys:
    """Keys on their way to another network, without their bytes."""

    recipient: str
    master: str
    key_ids: tuple[UUID, ...]
    again: bool  #: they may have left before


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtedKey:
    """A key whose bytes may have left for a recipient or not, and what follows from that."""

    key_id: UUID
    pool_id: str
    recipient: str
    given_at: datetime
    doubted_at: datetime
    voided: bool  #: nobody gets it any more, at either end; else its recipient may ask again


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """What time brought to an end in one command."""

    reservations_released: int
    reservations_uncertain: int
    blocks_expired: int
    bits_expired: int  #: what was left of those blocks
    keys_closed: int
    refusals: tuple[str, ...] = ()  #: of reservations that were changed: they stay as they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Where a block's bits came from: the blocks behind it and what was announced for it."""

    block: BlockRecord
    command: CommandRecord
    chunks: tuple[Chunk, ...]  #: what the command spent to make this block; empty at a source
    announcements: tuple[Announcement, ...]
    sources: tuple[Trace, ...]  #: the blocks of those chunks, each traced in turn
    archived: bool = False  #: some of that left with a closed period: none of it is told


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """That one row is in the log of `size` leaves; hashes in hex, nearest first."""

    seq: int
    size: int
    kind: str
    subject: str
    row_sha256: str
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyProof:
    """That the log of `size` leaves continues the one of `old_size`; hashes in hex."""

    old_size: int
    size: int
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Size and root of the log at an instant, signed with Ed25519; all bytes in hex."""

    size: int
    root: str
    at: datetime
    key_id: str
    public_key: str
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A closed period, and the file that holds what there was of it."""

    number: int
    closed_at: datetime
    file: str
    content_sha256: str
    rows: int
    first_leaf: int
    size: int  #: of the log where the period ends
    root: str
    last_command: int
    cutoff: datetime  #: what was finished later stayed
