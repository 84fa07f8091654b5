"""Key bytes in the store: cut into small pieces, read and erased by range."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from scheduler.errors import LedgerBroken
from scheduler.ledger.models import Material

PIECE_BYTES = 3840
"""Bytes of key in one row: it fits into one 4096-byte page of SQLite with room to spare."""


def cut(
    block_ref: int, side: int, material: bytes, start_byte: int = 0
) -> Iterator[dict[str, Any]]:
    """Cut one end's bytes into rows; `start_byte` is where they begin in the block."""
    for offset in range(0, len(material), PIECE_BYTES):
        yield {
            "block_ref": block_ref,
            "side": side,
            "start_byte": start_byte + offset,
            "data": material[offset : offset + PIECE_BYTES],
        }


def take(
    connection: Connection, block_ref: int, start_byte: int, end_byte: int
) -> tuple[bytes, bytes]:
    """Return both ends' bytes [start_byte, end_byte) of a block and erase them from the store.

    Raises LedgerBroken if any of them is not there.
    """
    rows = connection.execute(
        select(Material.side, Material.start_byte, Material.data)
        .where(
            Material.block_ref == block_ref,
            Material.start_byte > start_byte - PIECE_BYTES,
            Material.start_byte < end_byte,
        )
        .order_by(Material.side, Material.start_byte)
    ).all()
    found: tuple[list[bytes], list[bytes]] = ([], [])
    heads: list[dict[str, Any]] = []
    tails: list[dict[str, Any]] = []
    for side, begins, data in rows:
        ends = begins + len(data)
        if ends <= start_byte:
            continue
        found[side].append(data[max(0, start_byte - begins) : end_byte - begins])
        if begins < start_byte:
            heads.append({"side_": side, "start_": begins, "data": data[: start_byte - begins]})
        if ends > end_byte:
            tails.append(
                {
                    "block_ref": block_ref,
                    "side": side,
                    "start_byte": end_byte,
                    "data": data[end_byte - begins :],
                }
            )
    bytes_a, bytes_b = b"".join(found[0]), b"".join(found[1])
    wanted = end_byte - start_byte
    if len(bytes_a) != wanted or len(bytes_b) != wanted:
        raise LedgerBroken(
            f"block row {block_ref}: bytes {start_byte} to {end_byte} are not all in the store"
            f" ({len(bytes_a)} and {len(bytes_b)} of {wanted} at its two ends)"
        )
    _erase(connection, block_ref, start_byte, end_byte, heads, tails)
    return bytes_a, bytes_b


def _erase(
    connection: Connection,
    block_ref: int,
    start_byte: int,
    end_byte: int,
    heads: list[dict[str, Any]],
    tails: list[dict[str, Any]],
) -> None:
    """Delete the pieces that begin inside the range and keep what sticks out of it."""
    connection.execute(
        delete(Material).where(
            Material.block_ref == block_ref,
            Material.start_byte >= start_byte,
            Material.start_byte < end_byte,
        )
    )
    for head in heads:
        connection.execute(
            update(Material)
            .where(
                Material.block_ref == block_ref,
                Material.side == head["side_"],
                Material.start_byte == head["start_"],
            )
            .values(data=head["data"])
        )
    if tails:
        connection.execute(insert(Material), tails)
