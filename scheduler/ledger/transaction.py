"""Writing into the ledger: commands, deposits, spends and announcements of one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, insert, or_, select, text, update

from orbits import as_utc
from scheduler.errors import DuplicateBlock, FactError, LedgerBroken, LedgerError, NotEnoughKey
from scheduler.facts import Announcement, Booking, BookingState, Chunk, NewBlock
from scheduler.ledger import bookings, material, registers
from scheduler.ledger.announcements import announcement_rows
from scheduler.ledger.canonical import ENTRY_COLUMNS, canonical_json, entry_digest, sealed
from scheduler.ledger.commands import CommandHandle, Pending
from scheduler.ledger.models import (
    OPEN_BLOCK,
    AnnouncementPart,
    AnnouncementRow,
    Block,
    Command,
    LedgerEntry,
    Material,
)
from scheduler.ledger.pools import PoolBook
from scheduler.ledger.reader import Reader, check_same_request
from scheduler.ledger.records import ElementRow, SpentChunk
from scheduler.ledger.states import ACCOUNT_OF, AccountKind, KeyState

BLOCKS_AT_ONCE = 256
"""Blocks looked up in one query while a spend gathers its ranges."""


class Transaction(Reader):
    """One write transaction; get one from `Ledger.begin()`. All of it is kept, or nothing."""

    def __init__(self, connection: Connection, pools: PoolBook) -> None:
        super().__init__(connection)
        self._pools = pools
        self._pending = Pending()
        self._handles: dict[str, CommandHandle] = {}
        self._numbers: dict[str, int] = {}

    # -- commands -------------------------------------------------------------------------

    def command(
        self, request_id: str, *, kind: str, at: datetime, digest: str = ""
    ) -> CommandHandle:
        """Begin a request that nobody has made before.

        Raises RequestConflict if the id was used for another request, LedgerError if this
        very request was answered already (ask `answer` first).
        """
        known = self._handles.get(request_id)
        if known is not None:
            check_same_request(request_id, (known.kind, known.digest), (kind, digest))
        if known is not None or self.answer(request_id, kind=kind, digest=digest) is not None:
            raise LedgerError(f"request {request_id!r} was answered already; ask for its answer")
        handle = CommandHandle(self._number(Command), request_id, kind, digest, as_utc(at))
        self._handles[request_id] = handle
        self._pending.commands.append(handle)
        return handle

    # -- key ------------------------------------------------------------------------------

    def deposit(
        self,
        handle: CommandHandle,
        block: NewBlock,
        *,
        material_a: bytes,
        material_b: bytes,
        provenance: dict[str, Any] | None = None,
    ) -> None:
        """Put a block's key into its pool: generated -> pool.

        Material is node_a's and node_b's copy, ceil(length_bits / 8) bytes each. Raises
        FactError if its length is wrong, DuplicateBlock if the block or its natural key is
        known.
        """
        size = -(-block.length_bits // 8)
        for end, held in (("node_a", material_a), ("node_b", material_b)):
            if len(held) != size:
                raise FactError(
                    f"block {block.natural_key}: {len(held)} bytes at {end},"
                    f" {block.length_bits} bits need {size}"
                )
        self._refuse_duplicate(block)
        numbers = self._pools.open(self._connection, block.pool)
        if block.simulated:
            self._pools.mark_simulated(self._connection, block.pool.pool_id)
        row: dict[str, Any] = {
            "id": self._number(Block),
            "block_id": str(block.block_id),
            "pool_ref": numbers.ref,
            "natural_key": block.natural_key,
            "length_bits": block.length_bits,
            "next_bit": 0,
            "state": KeyState.AVAILABLE.value,
            "source": block.source,
            "simulated": block.simulated,
            "eps_total": float(block.eps_total),
            "epoch": 0,
            "received_at": handle.at,
            "command_id": handle.command_id,
            "provenance": canonical_json(provenance or {}),
        }
        self._pending.blocks.append(sealed("block", row))
        for side, held in enumerate((material_a, material_b)):
            self._pending.pieces.extend(material.cut(row["id"], side, held))
        self._post(
            handle,
            numbers.accounts,
            AccountKind.GENERATED,
            KeyState.AVAILABLE,
            (row["id"], 0, block.length_bits),
        )

    def spend(
        self,
        handle: CommandHandle,
        pool_id: str,
        bits: int,
        *,
        use: KeyState = KeyState.RELAY_CONSUMED,
    ) -> list[SpentChunk]:
        """Spend whole bytes of a pool, oldest block first, one range a block: pool -> spent.

        The bytes are erased from the store by the same transaction and exist only in the
        answer. Raises FactError if `bits` is no positive multiple of 8, NotEnoughKey if the
        pool holds less; then nothing of this spend was done.
        """
        if bits <= 0 or bits % 8:
            raise FactError(f"spend of {bits} bits; allowed: positive multiples of 8")
        if use not in (KeyState.RELAY_CONSUMED, KeyState.COMBINED):
            raise FactError(f"spend as {use.value}; allowed: relay_consumed, combined")
        if self._pending.blocks:
            self._settle()
        numbers = self._pools.find(self._connection, pool_id)
        if numbers is None:
            raise NotEnoughKey(f"pool {pool_id} holds no key, {bits} bits were asked for")
        ranges = self._gather(numbers.ref, pool_id, bits)
        self._advance(ranges)
        spent: list[SpentChunk] = []
        for row, start, end in ranges:
            chunk = Chunk(
                block_id=UUID(row.block_id), pool_id=pool_id, start_bit=start, end_bit=end
            )
            handle.spent.setdefault(chunk.block_id, []).append((row.id, start, end))
            self._post(handle, numbers.accounts, AccountKind.POOL, use, (row.id, start, end))
            bytes_a, bytes_b = material.take(self._connection, row.id, start // 8, end // 8)
            spent.append(SpentChunk(chunk=chunk, material_a=bytes_a, material_b=bytes_b))
        return spent

    def announce(self, handle: CommandHandle, announcement: Announcement) -> None:
        """Record what a relay made public about chunks that this command spent.

        Raises FactError unless it names two chunk runs of its length, on two links of that
        relay, that this command spent and the relay did not announce before.
        """
        number = self._number(AnnouncementRow)
        row, parts = announcement_rows(number, handle, announcement)
        self._pending.announcements.append(row)
        self._pending.parts.extend(parts)

    # -- bookings, plans, elements, jobs, the run -----------------------------------------

    def add_booking(self, booking: Booking) -> None:
        """Write a booking down. Raises BookingConflict if satellite or station is taken."""
        bookings.add(self._connection, booking)

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
        bookings.move(self._connection, booking_id, expected=expected, to=to, reason=reason, at=at)

    def claim_job(self, job_key: str, scheduled_for: datetime) -> bool:
        """Take a job for the instant it is due; False if somebody took it before."""
        return registers.claim_job(self._connection, job_key, scheduled_for)

    def add_elements(self, rows: Iterable[ElementRow]) -> int:
        """Add element sets, those already there left out; return how many were new."""
        return registers.add_elements(self._connection, rows)

    def add_plan(
        self,
        plan_id: str,
        at: datetime,
        window_start: datetime,
        window_end: datetime,
        solver: str,
        objective: float,
        bound: float | None,
        gap: float | None,
        details: dict[str, Any],
    ) -> None:
        """Record one run of the planner. Raises LedgerError if that plan is there already."""
        registers.add_plan(
            self._connection,
            {
                "plan_id": plan_id,
                "at": as_utc(at),
                "window_start": as_utc(window_start),
                "window_end": as_utc(window_end),
                "solver": solver,
                "objective": float(objective),
                "bound": None if bound is None else float(bound),
                "gap": None if gap is None else float(gap),
                "details": canonical_json(details),
            },
        )

    def bind_run(self, facts: dict[str, Any]) -> None:
        """Bind the database to a run, once; later calls must name the same facts.

        Raises LedgerMismatch naming the first fact that differs, with both values.
        """
        registers.bind_run(self._connection, facts)

    # -- inside ---------------------------------------------------------------------------

    def _number(self, table: type[Any]) -> int:
        """The next row number of a table: without gaps, for there is one writer at a time."""
        name = table.__tablename__
        if name not in self._numbers:
            self._numbers[name] = self._connection.execute(select(func.max(table.id))).scalar() or 0
        self._numbers[name] += 1
        return self._numbers[name]

    def _refuse_duplicate(self, block: NewBlock) -> None:
        pending = any(
            row["natural_key"] == block.natural_key or row["block_id"] == str(block.block_id)
            for row in self._pending.blocks
        )
        known = self._connection.execute(
            select(Block.block_id, Block.natural_key)
            .where(
                or_(Block.natural_key == block.natural_key, Block.block_id == str(block.block_id))
            )
            .limit(1)
        ).one_or_none()
        if known is not None or pending:
            raise DuplicateBlock(
                f"block {block.block_id} ({block.natural_key}) was deposited before;"
                " nothing is added"
            )

    def _gather(self, pool_ref: int, pool_id: str, bits: int) -> list[tuple[Any, int, int]]:
        """Choose the ranges to spend: (block row, start, end), oldest block first."""
        chosen: list[tuple[Any, int, int]] = []
        wanted, after = bits, 0
        while wanted:
            rows = self._connection.execute(
                select(Block.id, Block.block_id, Block.length_bits, Block.next_bit)
                .where(Block.pool_ref == pool_ref, text(OPEN_BLOCK), Block.id > after)
                .order_by(Block.id)
                .limit(BLOCKS_AT_ONCE)
            ).all()
            if not rows:
                raise NotEnoughKey(
                    f"pool {pool_id} holds {bits - wanted} spendable bits, {bits} were asked for"
                )
            for row in rows:
                part = min(wanted, (row.length_bits - row.next_bit) // 8 * 8)
                chosen.append((row, row.next_bit, row.next_bit + part))
                wanted -= part
                if not wanted:
                    break
            after = rows[-1].id
        return chosen

    def _advance(self, ranges: Sequence[tuple[Any, int, int]]) -> None:
        """Move the cursors, each guarded by where it must stand."""
        moves = [
            {
                "block_": row.id,
                "from_": start,
                "to_": end,
                "state_": (
                    KeyState.DESTROYED if end == row.length_bits else KeyState.AVAILABLE
                ).value,
            }
            for row, start, end in ranges
        ]
        moved = self._connection.execute(_ADVANCE, moves)
        if moved.rowcount != len(moves):
            raise LedgerBroken(
                f"{len(moves) - moved.rowcount} of {len(moves)} cursors moved under a spend;"
                " nothing was spent"
            )

    def _post(
        self,
        handle: CommandHandle,
        accounts: dict[AccountKind, int],
        source: AccountKind,
        enters: KeyState,
        span: tuple[int, int, int],
        resolves_id: int | None = None,
    ) -> int:
        """Add one entry and move the two running balances."""
        handle.lines += 1
        block_ref, start_bit, end_bit = span
        source_id, target_id = accounts[source], accounts[ACCOUNT_OF[enters]]
        amount = end_bit - start_bit
        number = self._number(LedgerEntry)
        columns = (
            number,
            handle.command_id,
            handle.lines,
            source_id,
            target_id,
            amount,
            block_ref,
            start_bit,
            end_bit,
            enters.value,
            resolves_id,
        )
        row = dict(zip(ENTRY_COLUMNS, columns, strict=True))
        row["sha256"] = entry_digest(*columns)
        self._pending.entries.append(row)
        balances = self._pending.balances
        balances[source_id] = balances.get(source_id, 0) - amount
        balances[target_id] = balances.get(target_id, 0) + amount
        return number

    def _settle(self) -> None:
        """Write down everything held back, parents before children."""
        pending, self._pending = self._pending, Pending()
        rows = [handle.row() for handle in pending.commands]
        for handle in pending.commands:
            handle.written = True
        for table, held in (
            (Command, rows),
            (Block, pending.blocks),
            (Material, pending.pieces),
            (LedgerEntry, pending.entries),
            (AnnouncementRow, pending.announcements),
            (AnnouncementPart, pending.parts),
        ):
            if held:
                self._connection.execute(insert(table), held)
        moves = [
            {"account_": number, "change_": change}
            for number, change in sorted(pending.balances.items())
            if change
        ]
        if moves:
            self._connection.execute(_BALANCE, moves)

    def _complete(self) -> None:
        """Write the rest before the commit. Raises LedgerError if a command has no answer."""
        late = [handle for handle in self._handles.values() if handle.written]
        for handle in self._handles.values():
            if handle.answer is None:
                raise LedgerError(f"request {handle.request_id!r} was never finished")
        self._settle()
        for handle in late:
            row = handle.row()
            self._connection.execute(
                update(Command)
                .where(Command.id == handle.command_id)
                .values(answer=row["answer"], sha256=row["sha256"])
            )


_ADVANCE = text(
    "UPDATE block SET next_bit = :to_, state = :state_"
    " WHERE id = :block_ AND next_bit = :from_ AND state = 'available'"
)
_BALANCE = text("UPDATE account SET balance_bits = balance_bits + :change_ WHERE id = :account_")
