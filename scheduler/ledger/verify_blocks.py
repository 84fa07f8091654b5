"""Auditing one block after another: its entries, its cursor, its bytes."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, select

from scheduler.errors import LedgerError
from scheduler.ledger.canonical import entry_digest, row_hasher
from scheduler.ledger.datakeys import DataKeys
from scheduler.ledger.keystore import OVERHEAD_BYTES
from scheduler.ledger.material import BOTH_ENDS, BlockNames, open_piece
from scheduler.ledger.models import (
    AnnouncementPart,
    AnnouncementRow,
    Block,
    FreedRange,
    KeyRecipient,
    KeyRow,
    LedgerEntry,
    Material,
)
from scheduler.ledger.ranges import REST, RangeMap, joined
from scheduler.ledger.states import ACCOUNT_OF, AccountKind, KeyState
from scheduler.ledger.verify_notes import Findings, Grouped

PIECES_AT_ONCE = 250
"""Sealed pieces fetched together: 1 MB of them."""

Accounts = dict[int, tuple[int, AccountKind]]
"""Pool and kind of every account, by number."""

REST_KIND = {
    KeyState.AVAILABLE: AccountKind.POOL,
    KeyState.RECEIVED: AccountKind.RECEIVED,
    KeyState.QUARANTINED: AccountKind.QUARANTINED,
    KeyState.HELD: AccountKind.HELD,
}
"""Account of the rest of a block that is in use."""

ENDED = {
    KeyState.VOIDED: AccountKind.WITHDRAWN,
    KeyState.COMPROMISED: AccountKind.WITHDRAWN,
    KeyState.EXPIRED: AccountKind.EXPIRED,
}
"""Account of the rest of a block that came to its end and is not destroyed yet."""

CONSUMED_WORDS = frozenset({KeyState.RELAY_CONSUMED.value, KeyState.COMBINED.value})
STATE_OF = {state.value: state for state in KeyState}
ACCOUNT_OF_WORD = {state.value: kind for state, kind in ACCOUNT_OF.items()}


class BlockAudit:
    """Streams of everything that belongs to blocks, read side by side with them."""

    def __init__(
        self, connection: Connection, keys: DataKeys | None, accounts: Accounts, found: Findings
    ) -> None:
        entry = LedgerEntry
        self._connection = connection
        self._keys = keys
        self._accounts = accounts
        self._found = found
        self._digest = row_hasher("block", Block.__table__.c.keys())
        self._ciphers: dict[int, AESGCM] = {}
        self.sums = dict.fromkeys(accounts, 0)
        self._entries = Grouped(
            connection,
            select(
                entry.block_ref,
                entry.id,
                entry.command_id,
                entry.line,
                entry.source_id,
                entry.target_id,
                entry.amount_bits,
                entry.start_bit,
                entry.end_bit,
                entry.enters,
                entry.resolves_id,
                entry.sha256,
            ).order_by(entry.block_ref, entry.id),
        )
        self._pieces = Grouped(
            connection,
            select(
                Material.block_ref,
                Material.side,
                Material.start_byte,
                Material.data,
                Material.data_key_id,
            ).order_by(Material.block_ref, Material.side, Material.start_byte),
            PIECES_AT_ONCE,
        )
        self._freed = Grouped(
            connection,
            select(FreedRange.block_ref, FreedRange.start_bit, FreedRange.end_bit).order_by(
                FreedRange.block_ref, FreedRange.start_bit
            ),
        )
        part = AnnouncementPart
        self._announced = Grouped(
            connection,
            select(
                part.block_ref,
                part.relay,
                part.start_bit,
                part.end_bit,
                AnnouncementRow.command_id,
                AnnouncementRow.announcement_id,
            )
            .join(AnnouncementRow, part.announcement_ref == AnnouncementRow.id)
            .order_by(part.block_ref, part.start_bit, part.relay),
        )
        waiting = (
            select(KeyRow.block_ref, KeyRow.id, KeyRecipient.side, KeyRow.start_bit, KeyRow.end_bit)
            .join(KeyRecipient, KeyRecipient.key_ref == KeyRow.id)
            .where(KeyRow.closed_by.is_(None), KeyRecipient.delivered_by.is_(None))
            .distinct()
        )
        self._waiting = Grouped(connection, waiting.order_by(KeyRow.block_ref, KeyRow.id))

    def check(self, block: Any) -> int:
        """Check one block, the next by number; return how many entries it has."""
        if block.sha256 != self._digest(block):
            self._note(block, f"({block.natural_key}) its row was changed")
        entries = self._entries.of(block.id)
        ranges = self._replay(block, entries)
        freed = [(start, end) for _, start, end in self._freed.of(block.id)]
        waiting = self._waiting.of(block.id)
        pieces = self._pieces.of(block.id)
        if announced := self._announced.of(block.id):
            self._check_announced(block, entries, announced)
        if ranges is None:
            self._note(block, f"({block.natural_key}) has no sound deposit")
        else:
            self._check_rest(block, ranges, freed, bool(waiting))
            self._check_bytes(block, ranges, waiting, pieces)
        return len(entries)

    def check_strays(self) -> None:
        """Rows that name blocks that are not there."""
        for table, stream in (
            ("material", self._pieces),
            ("freed_range", self._freed),
            ("announcement_part", self._announced),
            ("key", self._waiting),
        ):
            for number in stream.finish():
                self._found.add(f"{table}: names block row {number}, which is not there")

    def _note(self, block: Any, problem: str) -> None:
        self._found.add(f"block {block.block_id}: {problem}")

    def _replay(self, block: Any, entries: list[Any]) -> RangeMap | None:
        """Apply a block's entries in order; None if not even the deposit is sound (I1, I2)."""
        accounts, sums, found = self._accounts, self.sums, self._found
        ranges: RangeMap | None = None
        for line in entries:
            ref, number, command, at, source_id, target_id, bits, start, end = line[:9]
            enters, resolves, sha256 = line[9:]
            ids = (number, command, at, source_id, target_id, bits, ref, start, end)
            if sha256 != entry_digest(*ids, enters, resolves):
                found.add(f"ledger_entry {number}: its row was changed")
            source, target = accounts.get(source_id), accounts.get(target_id)
            if source is None or target is None:
                found.add(f"ledger_entry {number}: names an account that is not there")
                continue
            sums[source_id] -= bits
            sums[target_id] += bits
            if source[0] != block.pool_ref or target[0] != block.pool_ref:
                found.add(f"ledger_entry {number}: block {block.block_id} is of another pool")
            if target[1] is not ACCOUNT_OF_WORD.get(enters):
                found.add(f"ledger_entry {number}: enters {enters} in account {target[1].value}")
            if ranges is None:
                if (source[1], start, end) != (AccountKind.GENERATED, 0, block.length_bits):
                    found.add(f"ledger_entry {number}: is no deposit of block {block.block_id}")
                    continue
                ranges = RangeMap(block.length_bits, target[1])
            elif wrong := ranges.move(start, end, source[1], target[1], number, resolves):
                found.add(f"ledger_entry {number}: block {block.block_id}: {wrong}")
        return ranges

    def _check_announced(self, block: Any, entries: list[Any], announced: list[Any]) -> None:
        """I5, by block: each bit once at each end, at a node of its link, spent by that command."""
        consumed = sorted(
            (line[7], line[8], line[2]) for line in entries if line[9] in CONSUMED_WORDS
        )
        starts = [start for start, _, _ in consumed]
        reached: dict[str, int] = {}
        for _, relay, start, end, command, name in announced:
            if relay not in (block.node_a, block.node_b):
                self._found.add(f"announcement {name}: relay {relay} is at no end of its chunk")
            if start < reached.get(relay, 0):
                self._found.add(
                    f"announcement {name}: relay {relay} announces bits from {start} of block"
                    f" {block.block_id} twice"
                )
            reached[relay] = end
            at = bisect_right(starts, start) - 1
            if at < 0 or consumed[at][1] < end or consumed[at][2] != command:
                self._found.add(
                    f"announcement {name}: bits from {start} of block {block.block_id} were not"
                    " spent by its command"
                )

    def _check_rest(
        self, block: Any, ranges: RangeMap, freed: list[tuple[int, int]], waiting: bool
    ) -> None:
        """Cursor, freed ranges and state against the ranges."""
        state = STATE_OF.get(block.state)
        behind = [(block.next_bit, block.length_bits)] * (block.next_bit < block.length_bits)
        rest = joined(iter([*freed, *behind])) if freed else behind
        spans = ranges.covered()
        if state in REST_KIND:
            expected = spans.get(REST_KIND[state], [])
            others = [kind for kind in REST & spans.keys() if kind is not REST_KIND[state]]
            if rest != expected or others:
                self._note(
                    block,
                    f"is {state.value} with cursor {block.next_bit} and freed ranges {freed};"
                    f" by its entries, {expected} is left",
                )
            elif not rest and not waiting and not ranges.stored_bytes():
                self._note(block, f"is {state.value}, by its entries it is destroyed")
            return
        if freed or REST & spans.keys():
            self._note(block, f"is {block.state}, by its entries some of it is still in use")
        elif state in ENDED and ENDED[state] not in spans:
            self._note(block, f"is {block.state}, its entries do not say so")
        elif state is KeyState.DESTROYED and block.next_bit < block.length_bits:
            ended = [span for kind in ENDED.values() for span in spans.get(kind, ())]
            if not any(start <= block.next_bit < end for start, end in ended):
                self._note(block, f"is destroyed with cursor {block.next_bit} before its end")
        elif state is None or (state not in ENDED and state is not KeyState.DESTROYED):
            self._note(block, f"is {block.state}, which no block can be")

    def _check_bytes(
        self, block: Any, ranges: RangeMap, waiting: list[Any], pieces: list[Any]
    ) -> None:
        """What should be in the store at each end is there and opens, and nothing else is."""
        stored = 0 if block.state == KeyState.DESTROYED else ranges.stored_bytes()
        due = dict.fromkeys(BOTH_ENDS, stored)
        for _, _, side, start, end in waiting:
            due[side] = due.get(side, 0) + (end - start) // 8
        held = dict.fromkeys(due, 0)
        names = BlockNames(block.id, block.block_id, block.pool_ref, block.pool_id, block.epoch)
        for _, side, begins, data, number in pieces:
            held[side] = held.get(side, 0) + self._size(names, side, begins, data, number)
        if held != due:
            for side, size in held.items():
                if size != due.get(side, 0):
                    self._note(
                        block,
                        f"{size} bytes in the store at end {side}, {due.get(side, 0)} are due",
                    )

    def _size(self, names: BlockNames, side: int, begins: int, data: bytes, number: int) -> int:
        """Bytes of key in a piece, once it has opened; without the key, by its length."""
        if self._keys is None:
            return len(data) - OVERHEAD_BYTES
        try:
            cipher = self._ciphers.get(number)
            if cipher is None:
                cipher = self._ciphers[number] = self._keys.cipher(self._connection, number)
            return len(open_piece(cipher, data, names, side, begins))
        except LedgerError as error:
            self._found.add(str(error))
            return 0
