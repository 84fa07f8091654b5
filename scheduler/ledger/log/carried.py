"""What is left here of closed periods, under one hash: the newest segment's row has it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from scheduler.ledger.db.snapshot import LOWEST, Snapshot
from scheduler.ledger.log import merkle
from scheduler.ledger.log.canonical import canonical_json
from scheduler.ledger.log.command_rows import CommandRows
from scheduler.ledger.log.rows import Form

NEWEST = """
    SELECT id, size, last_command, frontier, root, leaves_sha256, carried_sha256, opening_sha256
    FROM segment ORDER BY id DESC LIMIT 1
"""
OPENINGS = """
    SELECT account_id, balance_bits, odd_bits, segment_ref FROM opening ORDER BY account_id
"""
LEAVES = """
    SELECT seq, kind, subject, row_sha256 FROM audit_leaf
    WHERE seq BETWEEN :first AND :last ORDER BY seq
"""
COMMANDS = "SELECT id FROM command WHERE id <= :last ORDER BY id"
CARRIED = """
    SELECT command_id, rows_sha256 FROM carried
    WHERE command_id BETWEEN :first AND :last ORDER BY command_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Where the live part of a ledger begins: at the end of its newest segment, or at nothing."""

    segment: int = 0
    size: int = 0  #: leaves of the log that are in segments
    last_command: int = 0
    frontier: tuple[bytes, ...] = ()  #: hashes of `merkle.cover(0, size)`
    root: str = ""
    leaves_sha256: str = ""
    carried_sha256: str = ""
    opening_sha256: str = ""
    #: balance and odd bits that each account brings along
    openings: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    def frontier_from(self, level: int) -> list[bytes]:
        """Those hashes of the frontier that are of subtrees of this level or larger."""
        return [
            known
            for (own, _), known in zip(merkle.cover(0, self.size), self.frontier, strict=True)
            if own >= level
        ]

    def frontier_below(self, level: int) -> list[bytes]:
        """The others."""
        return list(self.frontier)[len(self.frontier_from(level)) :]


NOTHING_CLOSED = Base()


def read_base(snapshot: Snapshot) -> Base:
    """The base of a ledger as its newest segment's row has it; an audit checks that row.

    Raises ValueError for a row that no closing writes.
    """
    rows = list(snapshot.rows(NEWEST))
    if not rows:
        return NOTHING_CLOSED
    number, size, last_command, frontier, root, leaves, carried, opening = rows[0]
    hashes = tuple(bytes.fromhex(part) for part in str(frontier).split())
    if type(size) is not int or type(last_command) is not int or size < 1:
        raise ValueError(f"segment {number}: holds what is no number in place of a number")
    if len(hashes) != len(merkle.cover(0, size)) or merkle.fold(hashes).hex() != root:
        raise ValueError(f"segment {number}: its subtrees do not make its root")
    return Base(
        segment=number,
        size=size,
        last_command=last_command,
        frontier=hashes,
        root=str(root),
        leaves_sha256=str(leaves),
        carried_sha256=str(carried),
        opening_sha256=str(opening),
        openings={
            number: (bits, odd)
            for number, bits, odd, _ in snapshot.rows(OPENINGS)
            if isinstance(bits, int) and isinstance(odd, int)  # SQLite keeps words there
        },
    )


def carried_rows(
    snapshot: Snapshot, forms: Mapping[str, Form], last_command: int
) -> Iterator[tuple[int, str]]:
    """What `carried` has to hold: the commands that stayed, each with the hash over its rows."""
    rows_of = CommandRows(snapshot, forms.values(), LOWEST, last_command).of
    for (number,) in snapshot.rows(COMMANDS, last=last_command):
        yield number, rows_of(number)


def leaves_digest(snapshot: Snapshot, size: int) -> str:
    """Hash over the leaves that stayed of a log of this size."""
    return digest_of(snapshot.rows(LEAVES, first=LOWEST, last=size - 1))


def digest_of(rows: Iterable[Sequence[object]]) -> str:
    """Hash over rows in their order."""
    hashed = hashlib.sha256()
    for row in rows:
        # SQLite keeps bytes in a column of texts; they have no hash of ours.
        hashed.update(canonical_json([str(value) for value in row]).encode())
    return hashed.hexdigest()
