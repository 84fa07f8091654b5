"""Key bytes in the store: cut into small sealed pieces, read and erased by range."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    TextClause,
    bindparam,
    delete,
    insert,
    text,
    update,
)

from scheduler.errors import LedgerBroken
from scheduler.ledger.db.bulk import execute_many, one_trip, query, rows_json, wanted
from scheduler.ledger.schema import Material
from scheduler.ledger.vault.datakeys import DataKeys
from scheduler.ledger.vault.keystore import new_nonces, seal
from scheduler.ledger.vault.pieces import BOTH_ENDS, BlockNames, open_piece

__all__ = ["BOTH_ENDS", "PIECE_BYTES", "BlockNames", "Vault"]

Span = tuple[BlockNames, int, int]
"""A block, and bytes of it: [start, end)."""

PIECE_BYTES = 3840
"""Bytes of key in one row: sealed, it fits into one 4096-byte page of SQLite."""

_OF_BLOCK = Material.block_ref == bindparam("block_")
_FROM: BindParameter[int] = bindparam("from_")
_TO: BindParameter[int] = bindparam("to_")
_ERASE = delete(Material).where(_OF_BLOCK, Material.start_byte >= _FROM, Material.start_byte < _TO)
_ERASE_END = _ERASE.where(Material.side == bindparam("side_"))
_SHORTEN = (
    update(Material)
    .where(_OF_BLOCK, Material.side == bindparam("side_"), Material.start_byte == bindparam("at_"))
    .values(data=bindparam("data_"), data_key_id=bindparam("key_"))
)
_ADD = insert(Material)


@dataclass(slots=True)
class _Changes:
    """What taking ranges changes in the store: rows for each statement, in this order."""

    erased: list[dict[str, Any]] = field(default_factory=list)
    erased_at_end: list[dict[str, Any]] = field(default_factory=list)
    shortened: list[dict[str, Any]] = field(default_factory=list)
    added: list[dict[str, Any]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return any((self.erased, self.erased_at_end, self.shortened, self.added))


class Vault:
    """The sealed bytes, as one transaction sees them.

    What was taken is erased when the transaction next writes, or looks for other bytes.
    """

    def __init__(self, connection: Connection, keys: DataKeys) -> None:
        self._connection = connection
        self._keys = keys
        self._owed = _Changes()

    def cut(
        self, block: BlockNames, side: int, material: bytes, start_byte: int, number: int
    ) -> Iterator[dict[str, Any]]:
        """Cut one end's bytes into sealed rows, under the data key of that number.

        `start_byte` is where they begin in the block.
        """
        nonces = new_nonces(_pieces_of(material))
        yield from self._sealed(block, side, material, start_byte, nonces, number)

    def cut_all(self, held: Sequence[tuple[BlockNames, int, bytes, int]]) -> list[dict[str, Any]]:
        """Cut blocks into sealed rows: (block, end, bytes, first byte). As `cut`, in one go."""
        nonces = new_nonces(sum(_pieces_of(material) for _, _, material, _ in held))
        return [
            row
            for block, side, material, start_byte in held
            for row in self._sealed(
                block, side, material, start_byte, nonces, self._number_of(block)
            )
        ]

    def _number_of(self, block: BlockNames) -> int:
        """Number of the data key under which a new block's bytes go into the store."""
        number = self._keys.number(self._connection, block.pool_ref, block.epoch)
        assert number is not None  # its deposit saw to it
        return number

    def _sealed(
        self,
        block: BlockNames,
        side: int,
        material: bytes,
        start_byte: int,
        nonces: Iterator[bytes],
        number: int,
    ) -> Iterator[dict[str, Any]]:
        """One end's bytes as sealed rows, each under the next nonce."""
        cipher = self._keys.cipher(self._connection, number)
        for offset in range(0, len(material), PIECE_BYTES):
            place = start_byte + offset
            plain = material[offset : offset + PIECE_BYTES]
            yield {
                "block_ref": block.ref,
                "side": side,
                "start_byte": place,
                "data": seal(cipher, plain, block.context(side, place), next(nonces)),
                "data_key_id": number,
            }

    def take(
        self,
        block: BlockNames,
        start_byte: int,
        end_byte: int,
        sides: Sequence[int] = BOTH_ENDS,
        *,
        keep: bool = False,
    ) -> dict[int, bytes]:
        """Return the bytes [start_byte, end_byte) at these ends and erase them from the store.

        With `keep` they stay: somebody else at the same end still waits for them.

        Raises LedgerBroken if any of them is not there or was changed.
        """
        span = (block, start_byte, end_byte)
        (pieces,) = self._pieces([span], sides)
        return self._cut_out(span, pieces, sides, _Changes() if keep else self._owed)

    def take_all(
        self, spans: Sequence[Span], found: Sequence[Any] | None = None
    ) -> list[dict[int, bytes]]:
        """As `take` at both ends, for many ranges [start, end) of bytes, in few round trips.

        `found` is what `question` found of them, if it was asked.
        """
        taken = []
        for some in _apart(spans):
            if found is not None and len(some) == len(spans):
                pieces = _by_span(found, len(spans), BOTH_ENDS)
            else:
                pieces = self._pieces(some, BOTH_ENDS)
            taken += [
                self._cut_out(span, of, BOTH_ENDS, self._owed)
                for span, of in zip(some, pieces, strict=True)
            ]
        return taken

    def add_copy(self, span: Span, side: int, material: bytes, *, like: int) -> None:
        """Keep bytes of a range at one more end, under the data key of the end `like`."""
        block, start_byte, _ = span
        ((first, *_),) = self._pieces([span], (like,))
        self._owed.added += self.cut(block, side, material, start_byte, first.data_key_id)

    @property
    def owes(self) -> bool:
        """Whether anything taken is still to be erased."""
        return bool(self._owed)

    def settle(self) -> None:
        """Erase what was taken."""
        changes, self._owed = self._owed, _Changes()
        with one_trip(self._connection):
            for statement, rows in (
                (_ERASE, changes.erased),
                (_ERASE_END, changes.erased_at_end),
                (_SHORTEN, changes.shortened),
                (_ADD, changes.added),
            ):
                if rows:
                    execute_many(self._connection, statement, rows)

    def _cut_out(
        self,
        span: tuple[BlockNames, int, int],
        pieces: Iterable[Any],
        sides: Sequence[int],
        changes: _Changes,
    ) -> dict[int, bytes]:
        """Open what may touch the bytes [start, end) and note what erasing them changes."""
        block, start_byte, end_byte = span
        found: dict[int, list[bytes]] = {side: [] for side in sides}
        # What is left of a piece stays under its data key, which may be a later one than the
        # block's own: an epoch that was shredded left its rest to the next.
        heads: list[tuple[int, int, bytes, int]] = []
        tails: list[tuple[int, bytes, int]] = []
        for _, side, begins, data, number in pieces:
            cipher = self._keys.cipher(self._connection, number)
            plain = open_piece(cipher, data, block, side, begins)
            ends = begins + len(plain)
            if ends <= start_byte:
                continue
            found[side].append(plain[max(0, start_byte - begins) : end_byte - begins])
            if begins < start_byte:
                heads.append((side, begins, plain[: start_byte - begins], number))
            if ends > end_byte:
                tails.append((side, plain[end_byte - begins :], number))
        taken = {side: b"".join(parts) for side, parts in found.items()}
        for side, held in taken.items():
            if len(held) != end_byte - start_byte:
                raise LedgerBroken(
                    f"block {block.block_id}: {len(held)} of the bytes {start_byte} to {end_byte}"
                    f" are in the store at end {side}"
                )
        row = {"block_": block.ref, "from_": start_byte, "to_": end_byte}
        if tuple(sides) == BOTH_ENDS:
            changes.erased.append(row)
        else:
            changes.erased_at_end += [row | {"side_": side} for side in sides]
        changes.shortened += [self._resealed(block, *head) for head in heads]
        for side, rest, number in tails:
            changes.added += self.cut(block, side, rest, end_byte, number)
        return taken

    def erase_all(self, block_refs: Sequence[int]) -> None:
        """Erase every byte of these blocks."""
        self.settle()
        if block_refs:
            self._connection.execute(
                delete(Material).where(Material.block_ref == bindparam("block_")),
                [{"block_": ref} for ref in block_refs],
            )

    def question(
        self, spans: Sequence[Span], sides: Sequence[int] = BOTH_ENDS
    ) -> tuple[TextClause, dict[str, str]]:
        """What to ask for the sealed pieces that may touch ranges, together with other questions.

        Before anything else of the same blocks is taken.
        """
        if self.owes:
            self.settle()
        rows = [
            (block.ref, side, start_byte - PIECE_BYTES, end_byte)
            for block, start_byte, end_byte in spans
            for side in sides
        ]
        return _pieces_query(self._connection.dialect.name), {"rows_": rows_json(rows)}

    def _pieces(self, spans: Sequence[Span], sides: Sequence[int]) -> list[list[Any]]:
        """For each range the sealed pieces that may touch it, by end and place, in one query."""
        return _by_span(query(self._connection, *self.question(spans, sides)), len(spans), sides)

    def _resealed(
        self, block: BlockNames, side: int, begins: int, plain: bytes, number: int
    ) -> dict[str, Any]:
        """What is left of a piece in front of a range, under a fresh nonce."""
        (row,) = self.cut(block, side, plain, begins, number)
        return {
            "block_": block.ref,
            "side_": side,
            "at_": begins,
            "data_": row["data"],
            "key_": row["data_key_id"],
        }


def _by_span(rows: Iterable[Any], count: int, sides: Sequence[int]) -> list[list[Any]]:
    """The sealed pieces of each range, of all that were found."""
    found: list[list[Any]] = [[] for _ in range(count)]
    for row in rows:
        found[row[0] // len(sides)].append(row)
    return found


def _pieces_of(material: bytes) -> int:
    """How many pieces so many bytes are cut into."""
    return -(-len(material) // PIECE_BYTES)


@lru_cache(maxsize=2)
def _pieces_query(dialect_name: str) -> TextClause:
    """The sealed pieces that touch the wanted ranges; `place` says which."""
    rows = wanted(dialect_name, ("block_ref", "side", "low", "high"))
    return text(
        "SELECT w.place, m.side, m.start_byte, m.data, m.data_key_id"
        f" FROM {rows} AS w CROSS JOIN material AS m"
        " WHERE m.block_ref = w.block_ref AND m.side = w.side AND m.start_byte > w.low"
        " AND m.start_byte < w.high"
        " ORDER BY w.place, m.start_byte"
    )


def _apart(spans: Sequence[Span]) -> Iterator[list[Span]]:
    """Cut a list of ranges so that no part has two of one block.

    What one range leaves over may be a piece of the next, so the first must be written before.
    """
    some: list[Span] = []
    seen: set[int] = set()
    for span in spans:
        if span[0].ref in seen:
            yield some
            some, seen = [], set()
        some.append(span)
        seen.add(span[0].ref)
    if some:
        yield some
