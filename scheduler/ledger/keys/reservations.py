"""Two phases: key set aside first, then delivered, consumed, or given back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update

from orbits import as_utc
from scheduler.errors import (
    FactError,
    ReservationChanged,
    UnknownName,
    WrongState,
)
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.db.bulk import query_all
from scheduler.ledger.keys.due import DUE_RESERVATIONS
from scheduler.ledger.keys.spending import Range, claim, take
from scheduler.ledger.log.canonical import canonical_numbers
from scheduler.ledger.log.tables import FORMS, row_digest, sealed
from scheduler.ledger.records import Reservation, SpentChunk
from scheduler.ledger.schema import (
    Block,
    FreedRange,
    LedgerEntry,
    PoolRow,
    ReservationPart,
    ReservationRow,
)
from scheduler.ledger.states import (
    ACCOUNT_OF,
    RESERVATION_MOVES,
    AccountKind,
    KeyState,
    ReservationState,
)
from scheduler.ledger.transaction import Transaction
from scheduler.ledger.vault.material import BlockNames

HANDED_OUT = (
    ReservationState.DELIVERED,
    ReservationState.RELAY_CONSUMED,
    ReservationState.COMBINED,
)

_TO_CURSOR = (
    update(Block)
    .where(Block.id == bindparam("block_"), Block.next_bit == bindparam("end_"))
    .values(next_bit=bindparam("start_"))
)


_INTEND = (
    update(ReservationRow)
    .where(ReservationRow.id == bindparam("row_"), ReservationRow.state == bindparam("from_"))
    .values(state=ReservationState.INTENDED.value, intended_by=bindparam("command_"))
)
_END = (
    update(ReservationRow)
    .where(ReservationRow.id == bindparam("row_"), ReservationRow.state == bindparam("from_"))
    .values(state=bindparam("to_"))
    .returning(ReservationRow.id)
)
_NAMED = (
    select(
        *(getattr(ReservationRow, name) for name in FORMS["reservation"].hashed),
        ReservationRow.state,
        ReservationRow.sha256,
        PoolRow.pool_id,
    )
    .join(PoolRow, ReservationRow.pool_ref == PoolRow.id)
    .where(ReservationRow.reservation_id == bindparam("name_"))
)
_PARTS = (
    select(
        *LedgerEntry.__table__.c,
        Block.id.label("ref"),
        Block.block_id,
        Block.pool_ref,
        Block.epoch,
        Block.state,
        Block.length_bits,
        Block.eps_total,
        Block.simulated,
    )
    .join(ReservationPart, ReservationPart.entry_id == LedgerEntry.id)
    .join(Block, LedgerEntry.block_ref == Block.id)
    .join(ReservationRow, ReservationPart.reservation_ref == ReservationRow.id)
    .where(ReservationRow.reservation_id == bindparam("name_"))
    .order_by(LedgerEntry.id)
    # Whoever takes a block's bytes, or gives them back, does so alone.
    .with_for_update(of=Block)
)


class TimedOut(NamedTuple):
    """Reservations that time brought to their end, and those it could not."""

    released: int
    uncertain: int
    refusals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """One range of a reservation, the entry it hangs from, and how its block stands."""

    entry_id: int
    range: Range
    block_state: KeyState
    reserved_by: int  #: the entry that set it aside
    sound: bool  #: that entry has the hash it was written with


def reserve_key(
    tx: Transaction,
    handle: CommandHandle,
    pool_id: str,
    bits: int,
    *,
    reservation_id: UUID,
    purpose: str,
    expires_at: datetime,
) -> Reservation:
    """Set key aside until an instant: pool -> reserved. Raises as `spend_pool` does."""
    until = as_utc(expires_at)
    if until <= handle.at:
        raise FactError(f"reservation until {until}, which is not after {handle.at}")
    numbers, ranges = claim(tx, pool_id, bits, at=handle.at, reservation=1)
    row: dict[str, Any] = {
        "id": tx.number(ReservationRow),
        "reservation_id": str(reservation_id),
        "command_id": handle.command_id,
        "pool_ref": numbers.ref,
        "purpose": purpose,
        "expires_at": until,
        "state": ReservationState.OPEN.value,
        "intended_by": None,
    }
    entries = [
        tx.post(handle, numbers.accounts, AccountKind.POOL, KeyState.RESERVED, part.span)
        for part in ranges
    ]
    # The hash covers the parts too: whoever moved one would be handed another's key.
    row = sealed("reservation", row, parts=canonical_numbers(entries))
    handle.wrote("reservation", row["sha256"])
    tx.pending.reservations.append(row)
    tx.pending.reserved.extend(
        {"entry_id": entry_id, "reservation_ref": row["id"]} for entry_id in entries
    )
    return Reservation(
        reservation_id=reservation_id,
        pool_id=pool_id,
        purpose=purpose,
        chunks=tuple(part.chunk for part in ranges),
        expires_at=until,
        state=ReservationState.OPEN,
    )


def intend_reservation(tx: Transaction, handle: CommandHandle, reservation_id: UUID) -> None:
    """Say, before a call to the outside, that a reservation's bytes may leave with it.

    From here on it is never released; if nobody comes back it becomes uncertain.
    Raises WrongState if it is not open or its time is over.
    """
    row = _row(tx, reservation_id)
    _refuse_late(row, handle)
    tx.flush()  # the reservation will name this command
    tx.guarded(
        _INTEND,
        [{"row_": row.id, "from_": ReservationState.OPEN.value, "command_": handle.command_id}],
        lambda: f"reservation {reservation_id} is {row.state}, was to be open",
    )
    handle.marked("intended", (row.id, ""), row.sha256)


def resolve_reservation(
    tx: Transaction, handle: CommandHandle, reservation_id: UUID, to: ReservationState
) -> list[SpentChunk]:
    """End a reservation: release, deliver, consume, combine, or mark it uncertain.

    Returns the bytes where they are handed out (they are erased from the store), nothing
    otherwise. An uncertain one ends delivered, consumed or voided, never available: nobody gets
    its bytes any more. Raises WrongState for any other step, UnknownName for an unknown
    reservation, ReservationChanged if the reservation, its parts or their entries are not as
    they were written; then nothing was done.
    """
    row, lines = _row_and_parts(tx, reservation_id)
    was = ReservationState(row.state)
    if to not in RESERVATION_MOVES.get(was, frozenset()):
        allowed = (
            ", ".join(sorted(end.value for end in RESERVATION_MOVES.get(was, ()))) or "nothing"
        )
        raise WrongState(
            f"reservation {reservation_id} is {was.value}, asked for {to.value}; allowed: {allowed}"
        )
    if was is ReservationState.OPEN and to in HANDED_OUT:
        _refuse_late(row, handle)
    parts = _parts(tx, row, lines)
    _refuse_changed(row, parts)
    if to in HANDED_OUT and was is not ReservationState.UNCERTAIN:
        _refuse_blocked(reservation_id, parts)
    end = (_END, {"row_": row.id, "from_": was.value, "to_": to.value})
    counts = {} if to is ReservationState.RELEASED else {"ledger_entry": len(parts)}
    asked = [end, tx.vault.question([part.range.bytes for part in parts])]
    ended, pieces = tx.numbers.expect(counts, besides=asked)
    if not ended:
        raise WrongState(f"reservation {reservation_id} was to be {was.value}")
    if to is ReservationState.RELEASED:
        _give_back(tx, handle, row.pool_id, parts)
        return []
    numbers = tx.pools.find(tx.raw, row.pool_id)
    assert numbers is not None
    enters = KeyState(to.value)
    source = ACCOUNT_OF[
        KeyState.UNCERTAIN if was is ReservationState.UNCERTAIN else KeyState.RESERVED
    ]
    for part in parts:
        tx.post(handle, numbers.accounts, source, enters, part.range.span, part.entry_id)
    if to is ReservationState.UNCERTAIN:
        return []
    kept = was is not ReservationState.UNCERTAIN
    return _hand_out(tx, handle, parts, pieces, kept=kept)


def expire_reservations(tx: Transaction, handle: CommandHandle) -> TimedOut:
    """Release what nobody resolved in time; what may have left becomes uncertain instead.

    A reservation that was changed stays as it is: it must not keep the sound ones from ending.
    """
    tx.flush()
    rows = tx.raw.execute(DUE_RESERVATIONS, {"at_": handle.at}).all()
    ended: Counter[ReservationState] = Counter()
    refusals: list[str] = []
    for reservation_id, state in rows:
        is_open = state == ReservationState.OPEN
        end = ReservationState.RELEASED if is_open else ReservationState.UNCERTAIN
        try:
            resolve_reservation(tx, handle, UUID(reservation_id), end)
        except ReservationChanged as error:
            refusals.append(str(error))
        else:
            ended[end] += 1
    return TimedOut(
        ended[ReservationState.RELEASED], ended[ReservationState.UNCERTAIN], tuple(refusals)
    )


def _row(tx: Transaction, reservation_id: UUID) -> Any:
    return _row_and_parts(tx, reservation_id)[0]


def _row_and_parts(tx: Transaction, reservation_id: UUID) -> tuple[Any, list[Any]]:
    """A reservation, and what its ranges hang from."""
    if tx.pending.reservations or tx.pending.entries:
        tx.flush()
    name = {"name_": str(reservation_id)}
    rows, lines = query_all(tx.raw, [(_NAMED, name), (_PARTS, name)])
    if not rows:
        raise UnknownName(f"no reservation {reservation_id}")
    return rows[0], lines


def _refuse_late(row: Any, handle: CommandHandle) -> None:
    if handle.at >= row.expires_at:
        raise WrongState(f"the reservation timed out at {row.expires_at}, it is {handle.at}")


def _refuse_changed(row: Any, parts: Sequence[_Part]) -> None:
    """Raise ReservationChanged if somebody put another's range under a reservation.

    An audit would find it, but only after the key had gone to whom it does not belong.
    """
    name = f"reservation {row.reservation_id}"
    entries = canonical_numbers([part.reserved_by for part in parts])
    if row.sha256 != row_digest("reservation", row._asdict(), parts=entries):
        raise ReservationChanged(f"{name}: it or its parts were changed; no key leaves")
    for part in parts:
        if not part.sound:
            raise ReservationChanged(
                f"{name}: its part, ledger_entry {part.reserved_by}, was changed; no key leaves"
            )


def _refuse_blocked(reservation_id: UUID, parts: Sequence[_Part]) -> None:
    for part in parts:
        if part.block_state is not KeyState.AVAILABLE and part.block_state is not KeyState.EXPIRED:
            raise WrongState(
                f"reservation {reservation_id} holds key of block {part.range.names.block_id},"
                f" which is {part.block_state.value}; it can only be released"
            )


def _parts(tx: Transaction, row: Any, rows: Sequence[Any]) -> list[_Part]:
    """The ranges, each with the entry that a resolution must point at: the last one about it."""
    entry = LedgerEntry
    latest = {part.id: part.id for part in rows}
    if row.state == ReservationState.UNCERTAIN:
        marks = tx.raw.execute(
            select(entry.resolves_id, entry.id).where(entry.resolves_id.in_(list(latest)))
        )
        latest.update((was, now) for was, now in marks)
    return [
        _Part(
            latest[part.id],
            Range(
                names=BlockNames(part.ref, part.block_id, part.pool_ref, row.pool_id, part.epoch),
                start=part.start_bit,
                end=part.end_bit,
                limit=part.end_bit,
                freed=False,
                eps_total=part.eps_total,
                simulated=part.simulated,
            ),
            KeyState(part.state),
            reserved_by=part.id,
            sound=part.sha256 == row_digest("ledger_entry", part._asdict()),
        )
        for part in rows
    ]


def _hand_out(
    tx: Transaction,
    handle: CommandHandle,
    parts: Sequence[_Part],
    pieces: Sequence[Any],
    *,
    kept: bool,
) -> list[SpentChunk]:
    """Take the bytes; return them, or nothing where nobody may have them any more."""
    chunks = take(tx, [part.range for part in parts], pieces)
    if not kept:
        return []
    for part in parts:
        spent = handle.spent.setdefault(part.range.chunk.block_id, [])
        spent.append(part.range.span)
        handle.spent_simulated |= part.range.simulated
    return chunks


def _give_back(
    tx: Transaction, handle: CommandHandle, pool_id: str, parts: Sequence[_Part]
) -> None:
    """reserved -> pool, and on to where the rest of the block went meanwhile."""
    numbers = tx.pools.find(tx.raw, pool_id)
    assert numbers is not None
    for part in reversed(parts):
        ref, start, end = part.range.span
        tx.post(
            handle,
            numbers.accounts,
            AccountKind.RESERVED,
            KeyState.AVAILABLE,
            part.range.span,
            part.entry_id,
        )
        if part.block_state is not KeyState.AVAILABLE:
            tx.post(
                handle,
                numbers.accounts,
                AccountKind.POOL,
                part.block_state,
                part.range.span,
            )
        if part.block_state not in (KeyState.AVAILABLE, KeyState.HELD):
            continue
        moved = tx.raw.execute(_TO_CURSOR, [{"block_": ref, "start_": start, "end_": end}])
        if moved.rowcount != 1:
            tx.note_freed()
            tx.raw.execute(
                insert(FreedRange), [{"block_ref": ref, "start_bit": start, "end_bit": end}]
            )
