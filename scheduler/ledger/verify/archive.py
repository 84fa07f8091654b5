"""Checking the file of a closed period alone: its lines, its seal, its place among the others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scheduler.ledger.log.archive import ArchiveReader, Seal
from scheduler.ledger.verify.export import ExportReport, verify_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentReport:
    """What a segment's file holds and what is wrong with it."""

    number: int
    leaves: int
    size: int
    root: str
    rows: int
    content_sha256: str
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True when nothing was found wrong."""
        return not self.problems


def verify_segment(
    path: Path, *, public_key: str | None = None
) -> tuple[SegmentReport, Seal | None]:
    """Check every row of a closed period, its balances from their openings on, and its signature.

    `public_key` is the key you trust, in hex; without it the seal's own is taken, which shows
    that the file was not damaged but not who made it. Raises ProofInvalid if it cannot be read.
    """
    archive = ArchiveReader(path)
    found = verify_lines(archive.lines())
    archive.check_signature(public_key)
    problems = [*archive.problems, *found.problems]
    seal = archive.seal
    if seal is not None:
        problems += _against(seal, found)
    report = SegmentReport(
        number=seal.number if seal else 0,
        leaves=found.size - found.first_leaf,
        size=found.size,
        root=found.root,
        rows=found.rows,
        content_sha256=seal.content_sha256 if seal else "",
        problems=tuple(problems),
    )
    return report, seal


def _against(seal: Seal, found: ExportReport) -> list[str]:
    name = f"segment {seal.number}"
    problems = []
    if (seal.size, seal.root) != (found.size, found.root):
        problems.append(f"{name}: sealed size {seal.size} and root {seal.root}, its leaves"
                        f" give {found.size} and {found.root}")  # fmt: skip
    followed = (found.segment + 1, found.first_leaf, found.previous_sha256)
    if (seal.number, seal.first_leaf, seal.previous_sha256) != followed:
        problems.append(f"{name}: does not follow segment {found.segment}, which its rows name")
    return problems
