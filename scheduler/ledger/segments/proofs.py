"""Proofs about leaves that left: what the database has no more, the files of segments give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from scheduler.errors import ProofInvalid, UnknownName
from scheduler.ledger.log import merkle, trail
from scheduler.ledger.log.archive import ArchiveReader, leaves_of
from scheduler.ledger.log.canonical import canonical_json, leaf_data, read_json
from scheduler.ledger.records import InclusionProof, Segment
from scheduler.ledger.schema import AuditLeaf

Leaf = tuple[int, str]
"""Number of a leaf, and the hash of the row that it is about."""


class Archives:
    """The files of closed periods, asked from the newest to the oldest."""

    def __init__(self, folder: Path | None, segments: Iterable[Segment]) -> None:
        self._folder = folder
        self._segments = list(segments)[::-1]

    def last_leaf(self, kind: str, subject: str) -> Leaf | None:
        """The last leaf about a row; None if there is none."""
        for segment in self._segments:
            found: list[Leaf] = []

            def take(seq: int, own: str, about: str, digest: str, to: list[Leaf] = found) -> None:
                if (own, about) == (kind, subject):
                    to.append((seq, digest))

            leaves_of(self._path(segment), take)
            if found:
                return found[-1]
        return None

    def command_of(self, kind: str, name: str) -> str:
        """The command that made a block, or the block of a key. Raises UnknownName."""
        for segment in self._segments:
            path = self._path(segment)
            column, value = f"{kind}_id", name
            if kind == "key":
                drawn = next(_rows(path, "key", "key_id", name), None)
                if drawn is None:
                    continue
                column, value = "id", drawn["block_ref"]
            block = next(_rows(path, "block", column, value), None)
            if block is not None:
                return str(block["command_id"])
        raise UnknownName(f"no {kind} {name}, here or in a closed period")

    def hashes(self, parts: Iterable[merkle.Subtree]) -> dict[merkle.Subtree, bytes]:
        """The hashes of complete subtrees, each of the leaves of one segment.

        Raises ProofInvalid for one that lies in none.
        """
        wanted, found = set(parts), dict[merkle.Subtree, bytes]()
        for segment in self._segments:
            inside = {
                (level, index): (index << level, (index + 1) << level)
                for level, index in wanted
                if segment.first_leaf <= index << level and (index + 1) << level <= segment.size
            }
            if inside:
                found |= _fold(self._path(segment), segment.first_leaf, inside)
        if missing := wanted - found.keys():
            raise ProofInvalid(
                f"audit_node {merkle.position(min(missing))} is missing from the log"
            )
        return found

    def _path(self, segment: Segment) -> Path:
        if self._folder is None:
            raise ProofInvalid(
                f"leaves to {segment.size - 1} are in segment {segment.number}; allowed: with"
                " archive_place, the folder of its file"
            )
        return self._folder / segment.file


def inclusion_of_row(
    connection: Connection, archives: Archives, kind: str, subject: str, size: int | None
) -> InclusionProof:
    """Proof that the last change of a row is in the log, wherever its leaf and the others are."""
    size = trail.tree_size(connection) if size is None else size
    leaf = _live_leaf(connection, kind, subject) or archives.last_leaf(kind, subject)
    if leaf is None:
        raise ProofInvalid(f"the log has no leaf about {kind} {subject}")
    seq, row_sha256 = leaf
    bounds = merkle.inclusion_ranges(seq, size)
    parts = [part for pair in bounds for part in merkle.cover(*pair)]
    known = trail.known_hashes(connection, parts)
    if missing := set(parts) - known.keys():
        known |= archives.hashes(missing)
    return InclusionProof(
        seq=seq,
        size=size,
        kind=kind,
        subject=subject,
        row_sha256=row_sha256,
        hashes=tuple(part.hex() for part in merkle.hashes_of(bounds, known.__getitem__)),
    )


def _live_leaf(connection: Connection, kind: str, subject: str) -> Leaf | None:
    row = connection.execute(
        select(AuditLeaf.seq, AuditLeaf.row_sha256)
        .where(AuditLeaf.kind == kind, AuditLeaf.subject == subject)
        .order_by(AuditLeaf.seq.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.seq, row.row_sha256)


def _fold(
    path: Path, first_leaf: int, wanted: dict[merkle.Subtree, tuple[int, int]]
) -> dict[merkle.Subtree, bytes]:
    """Hashes of subtrees, grown leaf by leaf."""
    frontiers: dict[merkle.Subtree, list[bytes]] = {part: [] for part in wanted}

    def take(seq: int, kind: str, subject: str, row_sha256: str) -> None:
        hashed = b""
        for part, (start, end) in wanted.items():
            if start <= seq < end:
                hashed = hashed or merkle.leaf_hash(leaf_data(seq, kind, subject, row_sha256))
                merkle.grow(frontiers[part], seq - start, hashed)

    leaves_of(path, take, from_leaf=first_leaf)
    return {part: frontier[0] for part, frontier in frontiers.items() if len(frontier) == 1}


def _rows(path: Path, table: str, column: str, value: Any) -> Iterator[dict[str, Any]]:
    """The rows of one table with this value, by the text of their lines first."""
    words = (f'"{column}":{canonical_json(value)}', f'"table":"{table}"')
    for line in ArchiveReader(path).lines():
        if all(word in line for word in words):
            yield read_json(line)
