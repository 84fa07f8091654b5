"""Rows of a relay's announcement, checked against what its command spent."""

from __future__ import annotations

from bisect import bisect_left
from operator import itemgetter
from typing import Any

from scheduler.domain import Announcement, Chunk, Pool
from scheduler.errors import FactError
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.log.canonical import canonical_parts
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.schema import AnnouncementRow
from scheduler.ledger.transaction import Transaction

PART = itemgetter("side", "position", "block_ref", "start_bit", "end_bit")
"""What the hash of an announcement takes of its parts."""


def record_announcement(tx: Transaction, handle: CommandHandle, announcement: Announcement) -> int:
    """Record what a relay made public about chunks that this command spent; return its number.

    Raises FactError unless it names two chunk runs of its length, on two links of that
    relay, that this command spent and the relay did not announce before.
    """
    number = tx.number(AnnouncementRow)
    row, parts = announcement_rows(number, handle, announcement)
    handle.wrote("announcement", row["sha256"])
    tx.pending.announcements.append(row)
    tx.pending.parts.extend(parts)
    handle.announced_here.add(number)
    return number


def announcement_rows(
    number: int, handle: CommandHandle, announcement: Announcement
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The row of an announcement and the rows of its parts. Raises FactError if it is unsound.

    A chunk of a link takes part twice in a relay over several hops, once at each of its two
    ends; at one end it must not be announced twice, which would give away the XOR of others.
    """
    _check_shape(announcement)
    parts = [
        {
            "announcement_ref": number,
            "side": side,
            "position": position,
            "relay": announcement.relay,
            "block_ref": _spent_block(announcement, chunk, handle),
            "start_bit": chunk.start_bit,
            "end_bit": chunk.end_bit,
        }
        for side, run in enumerate((announcement.left, announcement.right))
        for position, chunk in enumerate(run)
    ]
    row: dict[str, Any] = {
        "id": number,
        "announcement_id": str(announcement.announcement_id),
        "command_id": handle.command_id,
        "relay": announcement.relay,
        "length_bits": announcement.length_bits,
        "public_sha256": announcement.sha256,
    }
    return sealed("announcement", row, parts=canonical_parts(map(PART, parts))), parts


def _check_shape(announcement: Announcement) -> None:
    """Two runs of equal length, on two different links that meet at the relay (I5)."""
    pools: list[str] = []
    for run in (announcement.left, announcement.right):
        length = sum(chunk.length_bits for chunk in run)
        links = {chunk.pool_id for chunk in run}
        if length != announcement.length_bits or len(links) != 1:
            raise FactError(
                f"announcement {announcement.announcement_id}: a side of {length} bits on"
                f" {len(links)} links; allowed: {announcement.length_bits} bits on one link"
            )
        (pool_id,) = links
        pool = Pool.parse(pool_id)
        if announcement.relay not in (pool.node_a, pool.node_b):
            raise FactError(f"relay {announcement.relay} announced {pool_id}, no link of its own")
        pools.append(pool_id)
    if pools[0] == pools[1]:
        raise FactError(
            f"announcement {announcement.announcement_id} names {pools[0]} on both sides;"
            " allowed: two adjacent links"
        )


def _spent_block(announcement: Announcement, chunk: Chunk, handle: CommandHandle) -> int:
    """The block row of a chunk that this command spent and this relay did not yet announce."""
    for block_ref, start, end in handle.spent.get(chunk.block_id, ()):
        if start <= chunk.start_bit and chunk.end_bit <= end:
            before = handle.announced.setdefault((block_ref, announcement.relay), [])
            if not _fits_in(before, (chunk.start_bit, chunk.end_bit)):
                raise FactError(
                    f"announcement {announcement.announcement_id}: relay {announcement.relay}"
                    f" announced {_bits(chunk)} before"
                )
            return block_ref
    raise FactError(
        f"announcement {announcement.announcement_id} names {_bits(chunk)},"
        " which its command did not spend"
    )


def _bits(chunk: Chunk) -> str:
    return f"bits {chunk.start_bit} to {chunk.end_bit} of block {chunk.block_id}"


def _fits_in(ranges: list[tuple[int, int]], new: tuple[int, int]) -> bool:
    """Put a range among sorted ones; False, and nothing done, if it shares a bit with one."""
    at = bisect_left(ranges, new)
    before_ends_late = at > 0 and ranges[at - 1][1] > new[0]
    if before_ends_late or (at < len(ranges) and ranges[at][0] < new[1]):
        return False
    ranges.insert(at, new)
    return True
