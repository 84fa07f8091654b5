"""Auditing one block after another: its entries, its cursor, its bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from scheduler.errors import LedgerError
from scheduler.ledger.db.snapshot import Row, Snapshot
from scheduler.ledger.keys.ranges import REST, RangeMap, joined
from scheduler.ledger.log.canonical import entry_digest
from scheduler.ledger.log.stored import BLOCK_COLUMNS, block_digest
from scheduler.ledger.states import ACCOUNT_OF, AccountKind, KeyState
from scheduler.ledger.vault.keystore import OVERHEAD_BYTES
from scheduler.ledger.vault.pieces import BOTH_ENDS, BlockNames, open_piece, opened_sizes
from scheduler.ledger.verify.context import NO_ROWS, AuditContext, Findings, Grouped, Outcome, Part

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

ENDED_WORDS = frozenset(state.value for state in ENDED)

NO_POOL = ("", "", "")
GENERATED = AccountKind.GENERATED
REST_KIND_OF_WORD = {state.value: kind for state, kind in REST_KIND.items()}
STATE_OF = {state.value: state for state in KeyState}
ACCOUNT_OF_WORD = {state.value: kind for state, kind in ACCOUNT_OF.items()}

BLOCKS = f"""
    SELECT {", ".join(BLOCK_COLUMNS)} FROM block WHERE id BETWEEN :first AND :last ORDER BY id
"""
ENTRIES = """
    SELECT block_ref, id, command_id, line, source_id, target_id, amount_bits, start_bit, end_bit,
        enters, resolves_id, sha256
    FROM ledger_entry WHERE block_ref BETWEEN :first AND :last ORDER BY block_ref, id
"""
PIECES = """
    SELECT block_ref, side, start_byte, data, data_key_id FROM material
    WHERE block_ref BETWEEN :first AND :last ORDER BY block_ref, side, start_byte
"""
FREED = """
    SELECT block_ref, start_bit, end_bit FROM freed_range
    WHERE block_ref BETWEEN :first AND :last ORDER BY block_ref, start_bit
"""
WAITING = """
    SELECT DISTINCT drawn.block_ref, drawn.id, owner.side, drawn.start_bit, drawn.end_bit
    FROM "key" AS drawn JOIN key_recipient AS owner ON owner.key_ref = drawn.id
    WHERE drawn.closed_by IS NULL AND owner.delivered_by IS NULL
        AND drawn.block_ref BETWEEN :first AND :last
    ORDER BY drawn.block_ref, drawn.id
"""


class BlockRow(NamedTuple):
    """A row of the table `block`, in the order of BLOCK_COLUMNS."""

    id: int
    block_id: str
    pool_ref: int
    natural_key: str
    length_bits: int
    next_bit: int
    state: str
    source: str
    simulated: int
    eps_total: float
    epoch: int
    received_at: Any
    expires_at: Any
    command_id: int
    provenance: str
    sha256: str


def _ending(entries: Sequence[Row]) -> list[Row]:
    """The entries with which the rest of a block came to its end, once in its life.

    Whatever is given back later follows it there, but from behind an entry that resolves.
    """
    ending: list[Row] = []
    for line in entries:
        command, enters, resolves = line[2], line[9], line[10]
        if enters in ENDED_WORDS and resolves is None:
            if ending and (command, enters) != (ending[0][2], ending[0][9]):
                break
            ending.append(line)
        elif ending:
            break
    return ending


class BlockFacts(NamedTuple):
    """What the audit of some blocks counted."""

    blocks: int
    entries: int
    sums: dict[int, int]  #: of the accounts that its entries name


def check_blocks(snapshot: Snapshot, context: AuditContext, part: Part) -> Outcome:
    """Audit a range of blocks and everything that belongs to them."""
    audit = BlockAudit(snapshot, context, part)
    blocks = 0
    for row in snapshot.rows(BLOCKS, first=part.first, last=part.last):
        blocks += 1
        audit.check(row)
    facts = BlockFacts(blocks, audit.entries, audit.sums)
    return Outcome(audit.found.problems, facts, audit.dangling())


class BlockAudit:
    """Streams of everything that belongs to blocks, read side by side with them."""

    def __init__(self, snapshot: Snapshot, context: AuditContext, part: Part) -> None:
        def grouped(query: str) -> Grouped:
            return Grouped(snapshot.rows(query, first=part.first, last=part.last))

        self._accounts = context.accounts
        self._pools = context.pools
        self._ciphers = context.ciphers
        self._has_bytes = context.has_bytes
        self._entries = grouped(ENTRIES)
        self._pieces = grouped(PIECES) if self._has_bytes else Grouped(iter(()))
        self._freed = grouped(FREED)
        self._waiting = grouped(WAITING)
        self.found = Findings()
        self.entries = 0
        self.sums: defaultdict[int, int] = defaultdict(int)

    def check(self, row: Row) -> None:
        """Check one block, the next by number."""
        number = row[0]
        entries = self._entries.of(number)
        pieces = self._pieces.of(number)
        self.entries += len(entries)
        # Most blocks have nothing of these two.
        freed = self._freed.of(number) if self._freed.key <= number else NO_ROWS
        waiting = self._waiting.of(number) if self._waiting.key <= number else NO_ROWS
        plain = len(entries) == 1 and self._has_bytes and not (freed or waiting)
        if not (plain and self._is_untouched(row, entries[0], pieces)):
            self._check_each(BlockRow._make(row), entries, pieces, freed, waiting)

    def _is_untouched(self, row: Row, entry: Row, pieces: Sequence[Row]) -> bool:
        """True if a block is sound and nothing was taken of it, as most are; it adds up as well.

        What is not is looked at again, and named, by the checks of any block.
        """
        number, block_id, pool, _, length, cursor, state, _, _, _, epoch, _, _, _, _, digest = row
        _, entry_id, command, line, source, target, bits, start, end, enters, resolves, sha = entry
        kind = REST_KIND_OF_WORD.get(state)
        if (
            kind is None
            or cursor != 0
            or start != 0
            or end != length
            or resolves is not None
            or ACCOUNT_OF_WORD.get(enters) is not kind
            or self._accounts.get(source) != (pool, GENERATED)
            or self._accounts.get(target) != (pool, kind)
            or pool not in self._pools
            or digest != block_digest(row)
            or sha
            != entry_digest(
                entry_id, command, line, source, target, bits, number, start, end, enters, None
            )
        ):
            return False
        sizes = self._sizes(block_id, self._pools[pool][0], epoch, pieces)
        due = -(-length // 8)
        if sizes != {0: due, 1: due}:
            return False
        self.sums[source] -= bits
        self.sums[target] += bits
        return True

    def _sizes(
        self, block_id: str, pool_id: str, epoch: int, pieces: Sequence[Row]
    ) -> dict[int, int] | None:
        """Bytes of key at each end, once they have opened; without the key, by their length."""
        if self._ciphers is not None:
            return opened_sizes(self._ciphers, block_id, pool_id, epoch, pieces)
        sizes = dict.fromkeys(BOTH_ENDS, 0)
        for _, side, _, data, _ in pieces:
            sizes[side] = sizes.get(side, 0) + len(data) - OVERHEAD_BYTES
        return sizes

    def _check_each(
        self,
        block: BlockRow,
        entries: Sequence[Row],
        pieces: Sequence[Row],
        freed: Sequence[Row],
        waiting: Sequence[Row],
    ) -> None:
        """Every check of a block; each problem is named."""
        if block.sha256 != block_digest(block):
            self._note(block, f"({block.natural_key}) its row was changed")
        if block.pool_ref not in self._pools:
            self._note(block, f"({block.natural_key}) is of pool {block.pool_ref}, not there")
        try:
            ranges = self._replay(block, entries)
            if ranges is None:
                self._note(block, f"({block.natural_key}) has no sound deposit")
            else:
                self._check_rest(block, ranges, freed, bool(waiting), entries)
                self._check_bytes(block, ranges, waiting, pieces)
        except TypeError:  # SQLite keeps a word in a column of numbers
            self._note(block, "or a row of it holds what is no number in place of a number")

    def dangling(self) -> dict[str, list[int]]:
        """Blocks that are not there, though rows name them."""
        streams = (
            ("material", self._pieces),
            ("freed_range", self._freed),
            ("key", self._waiting),
        )
        return {
            f"{table}: names block row {{}}, which is not there": stream.finish()
            for table, stream in streams
        }

    def _note(self, block: BlockRow, problem: str) -> None:
        self.found.add(f"block {block.block_id}: {problem}")

    def _replay(self, block: BlockRow, entries: Sequence[Row]) -> RangeMap | None:
        """Apply a block's entries in order; None if not even the deposit is sound (I1, I2)."""
        accounts, sums, found = self._accounts, self.sums, self.found
        ranges: RangeMap | None = None
        for line in entries:
            ref, number, command, at, source_id, target_id, bits, start, end, enters = line[:10]
            resolves, sha256 = line[10:]
            ids = (number, command, at, source_id, target_id, bits, ref, start, end, enters)
            if sha256 != entry_digest(*ids, resolves):
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
                if (source[1], start, end) != (GENERATED, 0, block.length_bits):
                    found.add(f"ledger_entry {number}: is no deposit of block {block.block_id}")
                    continue
                ranges = RangeMap(block.length_bits, target[1])
            elif wrong := ranges.move(start, end, source[1], target[1], number, resolves):
                found.add(f"ledger_entry {number}: block {block.block_id}: {wrong}")
        return ranges

    def _check_rest(
        self,
        block: BlockRow,
        ranges: RangeMap,
        freed: Sequence[Row],
        waiting: bool,
        entries: Sequence[Row],
    ) -> None:
        """Cursor, freed ranges and state against the ranges."""
        state = STATE_OF.get(block.state)
        behind = [(block.next_bit, block.length_bits)] * (block.next_bit < block.length_bits)
        back = [(start, end) for _, start, end in freed]
        rest = joined(iter([*back, *behind])) if back else behind
        spans = ranges.covered()
        if state in REST_KIND:
            expected = spans.get(REST_KIND[state], [])
            others = [kind for kind in REST & spans.keys() if kind is not REST_KIND[state]]
            if rest != expected or others:
                self._note(
                    block,
                    f"is {state.value} with cursor {block.next_bit} and freed ranges {back};"
                    f" by its entries, {expected} is left",
                )
            elif not rest and not waiting and not ranges.stored_bytes():
                self._note(block, f"is {state.value}, by its entries it is destroyed")
            return
        if back or REST & spans.keys():
            self._note(block, f"is {block.state}, by its entries some of it is still in use")
        elif state is None or (state not in ENDED and state is not KeyState.DESTROYED):
            self._note(block, f"is {block.state}, which no block can be")
        else:
            self._check_end(block, state, entries)

    def _check_end(self, block: BlockRow, state: KeyState, entries: Sequence[Row]) -> None:
        """State and cursor of a block that is used no more; the cursor stays where it was then."""
        ending = _ending(entries)
        if state in ENDED and (not ending or ending[0][9] != state):
            self._note(block, f"is {block.state}, its entries do not say so")
        length = block.length_bits
        due = next((start for *_, start, end, _, _, _ in ending if end == length), length)
        if block.next_bit != due:
            self._note(block, f"is {block.state} with cursor {block.next_bit}, it ended at {due}")

    def _check_bytes(
        self, block: BlockRow, ranges: RangeMap, waiting: Sequence[Row], pieces: Sequence[Row]
    ) -> None:
        """What should be in the store at each end is there and opens, and nothing else is."""
        if not self._has_bytes:
            return
        stored = 0 if block.state == KeyState.DESTROYED else ranges.stored_bytes()
        due = dict.fromkeys(BOTH_ENDS, stored)
        for _, _, side, start, end in waiting:
            due[side] = due.get(side, 0) + (end - start) // 8
        pool_id = self._pools.get(block.pool_ref, NO_POOL)[0]
        held = self._sizes(block.block_id, pool_id, block.epoch, pieces)
        if held is None:
            names = BlockNames(block.id, block.block_id, block.pool_ref, pool_id, block.epoch)
            held = self._sizes_one_by_one(names, pieces)
        for side in due.keys() | held.keys():
            size, wanted = held.get(side, 0), due.get(side, 0)
            if size != wanted:
                self._note(block, f"{size} bytes in the store at end {side}, {wanted} are due")

    def _sizes_one_by_one(self, names: BlockNames, pieces: Sequence[Row]) -> dict[int, int]:
        """The same where some piece does not open; each of these is named."""
        sizes: dict[int, int] = {}
        for _, side, begins, data, number in pieces:
            try:
                assert self._ciphers is not None  # without ciphers everything has a size
                plain = open_piece(self._ciphers[number], data, names, side, begins)
            except LedgerError as error:
                self.found.add(str(error))
            else:
                sizes[side] = sizes.get(side, 0) + len(plain)
        return sizes
