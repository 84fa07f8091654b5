"""Key bytes in the store: cut into small sealed pieces, read and erased by range."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, delete, insert, select, update

from scheduler.errors import LedgerBroken
from scheduler.ledger.datakeys import DataKeys
from scheduler.ledger.keystore import seal
from scheduler.ledger.models import Block, Material, PoolRow
from scheduler.ledger.pieces import BOTH_ENDS, BlockNames, open_piece

__all__ = ["BOTH_ENDS", "PIECE_BYTES", "BlockNames", "Vault", "seal_first_release"]

PIECE_BYTES = 3840
"""Bytes of key in one row: sealed, it fits into one 4096-byte page of SQLite."""

_OF_BLOCK = Material.block_ref == bindparam("block_")
_FROM: BindParameter[int] = bindparam("from_")
_TO: BindParameter[int] = bindparam("to_")
_PIECES = (
    select(Material.side, Material.start_byte, Material.data, Material.data_key_id)
    .where(_OF_BLOCK, Material.start_byte > _FROM, Material.start_byte < _TO)
    .order_by(Material.side, Material.start_byte)
)
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


class Vault:
    """The sealed bytes, as one transaction sees them."""

    def __init__(self, connection: Connection, keys: DataKeys) -> None:
        self._connection = connection
        self._keys = keys

    def cut(
        self, block: BlockNames, side: int, material: bytes, start_byte: int = 0
    ) -> Iterator[dict[str, Any]]:
        """Cut one end's bytes into sealed rows; `start_byte` is where they begin in the block."""
        number, cipher = self._keys.current(
            self._connection, block.pool_ref, block.pool_id, block.epoch
        )
        for offset in range(0, len(material), PIECE_BYTES):
            place = start_byte + offset
            plain = material[offset : offset + PIECE_BYTES]
            yield {
                "block_ref": block.ref,
                "side": side,
                "start_byte": place,
                "data": seal(cipher, plain, block.context(side, place)),
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
        changes = _Changes()
        taken = self._cut_out(block, start_byte, end_byte, sides, changes)
        if not keep:
            self._write(changes)
        return taken

    def take_all(self, spans: Iterable[tuple[BlockNames, int, int]]) -> list[dict[int, bytes]]:
        """As `take` at both ends, for many ranges [start, end) of bytes, in few round trips."""
        taken = []
        changes = _Changes()
        seen: set[int] = set()
        for block, start_byte, end_byte in spans:
            if block.ref in seen:
                # What the range before left over may be a piece of this one.
                self._write(changes)
                changes, seen = _Changes(), set()
            seen.add(block.ref)
            taken.append(self._cut_out(block, start_byte, end_byte, BOTH_ENDS, changes))
        self._write(changes)
        return taken

    def _write(self, changes: _Changes) -> None:
        for statement, rows in (
            (_ERASE, changes.erased),
            (_ERASE_END, changes.erased_at_end),
            (_SHORTEN, changes.shortened),
            (_ADD, changes.added),
        ):
            if rows:
                self._connection.execute(statement, rows)

    def _cut_out(
        self,
        block: BlockNames,
        start_byte: int,
        end_byte: int,
        sides: Sequence[int],
        changes: _Changes,
    ) -> dict[int, bytes]:
        """Read the bytes [start_byte, end_byte) and note what erasing them changes."""
        found: dict[int, list[bytes]] = {side: [] for side in sides}
        heads: list[tuple[int, int, bytes]] = []
        tails: list[tuple[int, bytes]] = []
        for side, begins, plain in self._pieces(block, start_byte, end_byte, sides):
            ends = begins + len(plain)
            if ends <= start_byte:
                continue
            found[side].append(plain[max(0, start_byte - begins) : end_byte - begins])
            if begins < start_byte:
                heads.append((side, begins, plain[: start_byte - begins]))
            if ends > end_byte:
                tails.append((side, plain[end_byte - begins :]))
        taken = {side: b"".join(parts) for side, parts in found.items()}
        for side, held in taken.items():
            if len(held) != end_byte - start_byte:
                raise LedgerBroken(
                    f"block {block.block_id}: {len(held)} of the bytes {start_byte} to {end_byte}"
                    f" are in the store at end {side}"
                )
        span = {"block_": block.ref, "from_": start_byte, "to_": end_byte}
        if tuple(sides) == BOTH_ENDS:
            changes.erased.append(span)
        else:
            changes.erased_at_end += [span | {"side_": side} for side in sides]
        changes.shortened += [self._resealed(block, side, at, plain) for side, at, plain in heads]
        for side, rest in tails:
            changes.added += self.cut(block, side, rest, end_byte)
        return taken

    def erase_all(self, block_refs: Sequence[int]) -> None:
        """Erase every byte of these blocks."""
        if block_refs:
            self._connection.execute(
                delete(Material).where(Material.block_ref == bindparam("block_")),
                [{"block_": ref} for ref in block_refs],
            )

    def _pieces(
        self, block: BlockNames, start_byte: int, end_byte: int, sides: Sequence[int]
    ) -> Iterator[tuple[int, int, bytes]]:
        """Opened pieces that may touch a range, by end and place."""
        span = {"block_": block.ref, "from_": start_byte - PIECE_BYTES, "to_": end_byte}
        rows = self._connection.execute(_PIECES, span).all()
        for side, begins, data, number in rows:
            if side in sides and number is not None:
                yield (
                    side,
                    begins,
                    open_piece(
                        self._keys.cipher(self._connection, number), data, block, side, begins
                    ),
                )

    def rewrite(self, block: BlockNames, side: int, begins: int, plain: bytes) -> None:
        """Seal a piece anew in its place."""
        self._connection.execute(_SHORTEN, [self._resealed(block, side, begins, plain)])

    def _resealed(self, block: BlockNames, side: int, begins: int, plain: bytes) -> dict[str, Any]:
        """What is left of a piece in front of a range, under a fresh nonce."""
        (row,) = self.cut(block, side, plain, begins)
        return {
            "block_": block.ref,
            "side_": side,
            "at_": begins,
            "data_": row["data"],
            "key_": row["data_key_id"],
        }


def seal_first_release(connection: Connection, keys: DataKeys) -> int:
    """Seal the pieces that the first release kept in clear; return how many."""
    rows = connection.execute(
        select(
            Material.side,
            Material.start_byte,
            Material.data,
            Block.id,
            Block.block_id,
            Block.pool_ref,
            PoolRow.pool_id,
            Block.epoch,
        )
        .join(Block, Material.block_ref == Block.id)
        .join(PoolRow, Block.pool_ref == PoolRow.id)
        .where(Material.data_key_id.is_(None))
    ).all()
    vault = Vault(connection, keys)
    for row in rows:
        names = BlockNames(row.id, row.block_id, row.pool_ref, row.pool_id, row.epoch)
        vault.rewrite(names, row.side, row.start_byte, bytes(row.data))
    keys.settle(connection)
    return len(rows)
