"""Writing into the ledger: one transaction and everything it can do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, union_all

from orbits import as_utc
from scheduler.domain import Announcement, Booking, BookingState, NewBlock, Provenance
from scheduler.errors import DuplicateBlock, FactError
from scheduler.ledger.books import bookings, registers
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.db.bulk import known_of
from scheduler.ledger.keys import delivery, reservations, transitions
from scheduler.ledger.keys.announcements import announcement_rows
from scheduler.ledger.keys.provenance import NOTHING, provenance_text
from scheduler.ledger.keys.spending import Eligible, claim_all, take
from scheduler.ledger.log.tables import row_digest
from scheduler.ledger.records import CollectedKey, ElementRow, Expiry, Reservation, SpentChunk
from scheduler.ledger.schema import AnnouncementRow, Block
from scheduler.ledger.states import AccountKind, KeyState, ReservationState
from scheduler.ledger.vault.equality import same_bytes
from scheduler.ledger.vault.material import BlockNames
from scheduler.ledger.writer import Writer

# Two lookups by unique index; one with OR would make SQLite choose neither.
_KNOWN_BLOCK = union_all(
    select(Block.id).where(Block.natural_key == bindparam("key_")),
    select(Block.id).where(Block.block_id == bindparam("name_")),
)


class Transaction(Writer):
    """One write transaction; get one from `Ledger.begin()`. All of it is kept, or nothing."""

    # -- key ------------------------------------------------------------------------------

    def deposit(
        self,
        handle: CommandHandle,
        block: NewBlock,
        *,
        material_a: bytes,
        material_b: bytes,
        provenance: Provenance | None = None,
        announced: Sequence[int] = (),
        expires_at: datetime | None = None,
        received_only: bool = False,
    ) -> KeyState:
        """Put a block's key into its pool: generated -> pool. Return the block's state.

        Material is node_a's and node_b's copy, ceil(length_bits / 8) bytes each; copies that
        differ are quarantined (I4). With `received_only` the block waits, as a satellite's key
        does for its announcement, until it is moved to available. Raises FactError for a wrong
        length or for simulated key passed off as real, DuplicateBlock if the block or its
        natural key is known.
        """
        size = -(-block.length_bits // 8)
        for end, held in (("node_a", material_a), ("node_b", material_b)):
            if len(held) != size:
                raise FactError(
                    f"block {block.natural_key}: {len(held)} bytes at {end},"
                    f" {block.length_bits} bits need {size}"
                )
        if handle.spent_simulated and not block.simulated:
            raise FactError(f"block {block.natural_key}: made of simulated key, must say so")
        self._refuse_duplicate(block)
        state = KeyState.RECEIVED if received_only else KeyState.AVAILABLE
        if not same_bytes(material_a, material_b):
            state = KeyState.QUARANTINED
        if not handle.announced_here.issuperset(announced):
            raise FactError(f"block {block.natural_key}: names what its command did not announce")
        told = NOTHING
        if provenance is not None:
            links = [self.pools.numbers(self.connection, path) for path in provenance.links]
            told = provenance_text(provenance, announced, links)
        if expires_at is not None:
            self.expiring()
        names = self._add_block(handle, block, state, told, expires_at)
        self.pending.material += ((names, 0, material_a), (names, 1, material_b))
        return state

    def expect(self, blocks: Iterable[NewBlock]) -> None:
        """Look many blocks up at once, so that `deposit` need not ask for each.

        Raises DuplicateBlock if the ledger has one of these ids or natural keys.
        """
        wanted = {str(block.block_id): block.natural_key for block in blocks}
        for column, values in (("block_id", wanted), ("natural_key", wanted.values())):
            known = known_of(self.connection, Block.__tablename__, column, values)
            if known is not None:
                raise DuplicateBlock(f"block {known} was deposited before; nothing is added")
        self._unknown |= {*wanted, *wanted.values()}

    def _add_block(
        self,
        handle: CommandHandle,
        block: NewBlock,
        state: KeyState,
        provenance: str,
        expires_at: datetime | None,
    ) -> BlockNames:
        pool_id = block.pool.pool_id
        numbers = self.pools.open(self.connection, block.pool)
        if block.simulated:
            self.pools.mark_simulated(self.connection, pool_id)
        row: dict[str, Any] = {
            "id": self.number(Block),
            "block_id": str(block.block_id),
            "pool_ref": numbers.ref,
            "natural_key": block.natural_key,
            "length_bits": block.length_bits,
            "next_bit": 0,
            "state": state.value,
            "source": block.source,
            "simulated": block.simulated,
            "eps_total": float(block.eps_total),
            "epoch": self.pools.epoch(self.connection, pool_id),
            "received_at": handle.at,
            "expires_at": None if expires_at is None else as_utc(expires_at),
            "command_id": handle.command_id,
            "provenance": provenance,
        }
        row["sha256"] = row_digest("block", row)
        handle.wrote("block", row["sha256"])
        self.pending.blocks.append(row)
        span = (row["id"], 0, block.length_bits)
        self.post(handle, numbers.accounts, AccountKind.GENERATED, state, span)
        return BlockNames(row["id"], row["block_id"], numbers.ref, pool_id, row["epoch"])

    def _refuse_duplicate(self, block: NewBlock) -> None:
        name, key = str(block.block_id), block.natural_key
        if key in self._deposited or name in self._deposited:
            known = True
        elif key in self._unknown and name in self._unknown:
            known = False
        else:
            found = self.connection.execute(_KNOWN_BLOCK, {"key_": key, "name_": name})
            known = found.first() is not None
        self._deposited |= {key, name}
        if known:
            raise DuplicateBlock(f"block {name} ({key}) was deposited before; nothing is added")

    def spend(
        self,
        handle: CommandHandle,
        pool_id: str,
        bits: int,
        *,
        use: KeyState = KeyState.RELAY_CONSUMED,
    ) -> list[SpentChunk]:
        """Spend whole bytes of a pool, oldest block first, one range a block: pool -> spent.

        Reserves and posts in one step. The bytes are erased from the store by the same
        transaction and exist only in the answer. Key whose time is over counts as not there, also
        before `expire_due` says so. Raises FactError if `bits` is no positive multiple of 8,
        NotEnoughKey if the pool holds less; then nothing of this was done.
        """
        return self.spend_all(handle, {pool_id: bits}, use=use)[pool_id]

    def spend_all(
        self,
        handle: CommandHandle,
        needs: Mapping[str, int],
        *,
        use: KeyState = KeyState.RELAY_CONSUMED,
        received_after: datetime | None = None,
    ) -> dict[str, list[SpentChunk]]:
        """Spend so many bits of each of several pools, as `spend` does, in few round trips.

        With `received_after` only of blocks received later than that, the youngest first, and
        the answer says when each was received. Raises as `spend`; then nothing was taken of any
        pool.
        """
        if use not in (KeyState.RELAY_CONSUMED, KeyState.COMBINED):
            raise FactError(f"spend as {use.value}; allowed: relay_consumed, combined")
        after = None if received_after is None else as_utc(received_after)
        claimed = claim_all(self, needs, Eligible(handle.at, after))
        for numbers, ranges in claimed.values():
            for part in ranges:
                self.post(handle, numbers.accounts, AccountKind.POOL, use, part.span)
                handle.spent.setdefault(UUID(part.names.block_id), []).append(part.span)
                handle.spent_simulated |= part.simulated
        chunks = iter(take(self, [part for _, ranges in claimed.values() for part in ranges]))
        return {
            pool_id: list(islice(chunks, len(ranges))) for pool_id, (_, ranges) in claimed.items()
        }

    def announce(self, handle: CommandHandle, announcement: Announcement) -> int:
        """Record what a relay made public about chunks that this command spent; return its number.

        Raises FactError unless it names two chunk runs of its length, on two links of that
        relay, that this command spent and the relay did not announce before.
        """
        number = self.number(AnnouncementRow)
        row, parts = announcement_rows(number, handle, announcement)
        handle.wrote("announcement", row["sha256"])
        self.pending.announcements.append(row)
        self.pending.parts.extend(parts)
        handle.announced_here.add(number)
        return number

    # -- two phases -----------------------------------------------------------------------

    def reserve(
        self,
        handle: CommandHandle,
        pool_id: str,
        bits: int,
        *,
        reservation_id: UUID,
        purpose: str,
        expires_at: datetime,
    ) -> Reservation:
        """Set key aside until an instant: pool -> reserved. Raises as `spend` does."""
        return reservations.reserve(
            self,
            handle,
            pool_id,
            bits,
            reservation_id=reservation_id,
            purpose=purpose,
            expires_at=expires_at,
        )

    def intend(self, handle: CommandHandle, reservation_id: UUID) -> None:
        """Say, before a call to the outside, that a reservation's bytes may leave with it.

        From here on it is never released; if nobody comes back it becomes uncertain.
        Raises WrongState if it is not open or its time is over.
        """
        reservations.intend(self, handle, reservation_id)

    def resolve(
        self, handle: CommandHandle, reservation_id: UUID, to: ReservationState
    ) -> list[SpentChunk]:
        """End a reservation: release, deliver, consume, combine, or mark it uncertain.

        Returns the bytes where they are handed out (they are erased from the store), nothing
        otherwise. An uncertain one ends delivered, consumed or voided, never available.
        Raises WrongState for any other step, UnknownName for an unknown reservation.
        """
        return reservations.resolve(self, handle, reservation_id, to)

    def draw(
        self,
        handle: CommandHandle,
        pool_id: str,
        *,
        key_ids: Sequence[UUID],
        size_bits: int,
        recipients: Mapping[str, int],
        expires_at: datetime | None = None,
    ) -> None:
        """Cut keys for applications out of a pool: pool -> delivered.

        `recipients` names who may collect each key, once, and at which end (0 node_a's bytes,
        1 node_b's). The ids must be random and new. Raises FactError, LedgerError for a known
        id, NotEnoughKey if the pool has too few ranges of that size.
        """
        delivery.draw(
            self,
            handle,
            pool_id,
            key_ids=key_ids,
            size_bits=size_bits,
            recipients=recipients,
            expires_at=expires_at,
        )

    def collect(
        self, handle: CommandHandle, key_ids: Sequence[UUID], recipient: str
    ) -> list[CollectedKey]:
        """Give keys to one of their recipients, all of them or none; bytes leave after commit.

        Raises UnknownName for a key that is not this recipient's, WrongState for one that it
        has or that has expired.
        """
        return delivery.collect(self, handle, key_ids, recipient)

    # -- states of blocks, epochs -----------------------------------------------------------

    def move_block(
        self, handle: CommandHandle, block_id: UUID, *, expected: KeyState, to: KeyState
    ) -> int:
        """Move what is left of a block to another state; return how many bits that was.

        Accepts, holds, frees, expires, voids, quarantines or compromises, as the states allow.
        Raises WrongState if they do not or the block is not in `expected`.
        """
        return transitions.move_block(self, handle, block_id, expected=expected, to=to)

    def expire_due(self, handle: CommandHandle) -> Expiry:
        """Let time pass up to the command's instant: reservations, blocks, uncollected keys."""
        timed_out = reservations.expire(self, handle)
        expired = transitions.expire_blocks(self, handle)
        return Expiry(
            reservations_released=timed_out.released,
            reservations_uncertain=timed_out.uncertain,
            blocks_expired=len(expired),
            bits_expired=sum(expired),
            keys_closed=delivery.close_expired(self, handle),
            refusals=timed_out.refusals,
        )

    def erase_expired(self, handle: CommandHandle) -> int:
        """Erase the bytes of expired blocks, but for what is reserved or waits to be collected.

        Returns how many blocks became tombstones.
        """
        return transitions.erase_expired(self)

    def destroy_block(self, handle: CommandHandle, block_id: UUID) -> None:
        """Erase the bytes of a voided, expired or compromised block; its row stays."""
        transitions.destroy(self, handle, block_id)

    def new_epoch(self, handle: CommandHandle, pool_id: str) -> int:
        """Begin a pool's next epoch, under a data key of its own; return its number."""
        return transitions.new_epoch(self, pool_id)

    def shred_epoch(self, handle: CommandHandle, pool_id: str, epoch: int) -> int:
        """Destroy an ended epoch's data key; return how many blocks became tombstones."""
        return transitions.shred_epoch(self, pool_id, epoch)

    # -- bookings, elements, jobs, the run ------------------------------------------------

    def add_booking(self, booking: Booking) -> None:
        """Write a booking down. Raises BookingConflict if satellite or station is taken."""
        bookings.add(self, booking)

    def move_booking(
        self,
        booking_id: UUID,
        *,
        expected: BookingState,
        to: BookingState,
        reason: str,
        at: datetime,
    ) -> None:
        """Move a booking on, guarded by the state it must be in. Raises LedgerError if not."""
        bookings.move(self, booking_id, expected=expected, to=to, reason=reason, at=at)

    def claim_job(self, job_key: str, scheduled_for: datetime) -> bool:
        """Take a job for the instant it is due; False if somebody took it before."""
        return registers.claim_job(self, job_key, scheduled_for)

    def add_elements(self, rows: Iterable[ElementRow]) -> int:
        """Add element sets, those already there left out; return how many were new."""
        return registers.add_elements(self, rows)

    def bind_run(self, facts: dict[str, Any]) -> None:
        """Bind the database to a run, once; later calls must name the same facts.

        Raises LedgerMismatch naming the first fact that differs, with both values.
        """
        registers.bind_run(self, facts)
