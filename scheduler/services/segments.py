"""Use cases of years: closing a period into a signed file, checking one, proving from one."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orbits import as_utc
from scheduler.errors import InputError, LedgerBroken, LedgerUnavailable
from scheduler.ledger.segments.closing import close_period, find_closing, write_segment
from scheduler.ledger.segments.reads import get_segments
from scheduler.ledger.verify.archive import SegmentReport, verify_segment

if TYPE_CHECKING:
    from scheduler.ledger import Ledger
    from scheduler.services.context import Context


def close_segment(context: Context, *, at: datetime) -> dict[str, Any]:
    """Close the period that ends now: archive all of it, then take out what was long finished.

    Nothing is closed if nothing was finished `segment_rest_s` ago; asked again nothing more
    happens. Raises InputError without a place for archives, and as `close_period_of`.
    """
    folder = archive_folder(context)
    schedule = context.scenario.schedule
    # Fibre key of an interval that began before the cutoff must have been deposited.
    rest_s = max(context.settings.segment_rest_s, float(schedule.trunk_interval_s))
    cutoff = as_utc(at) - timedelta(seconds=rest_s)
    context.refuse_other_scenario()
    return close_period_of(context.existing_ledger, folder, cutoff=cutoff, at=at)


def close_period_of(
    ledger: Ledger, folder: Path, *, cutoff: datetime, at: datetime
) -> dict[str, Any]:
    """Close a period of a ledger into a folder; what was finished by the cutoff leaves.

    The file is written, synced, named and verified before the first row goes, in one transaction
    with a leaf of its own; cut short before that, the file is left over and the next closing
    writes another. Raises LedgerUnavailable if the folder cannot be written to, LedgerBroken,
    leaving all as it was, if what was written is not sound, WrongState if another was first.
    """
    with ledger.held_still() as reader:
        closing = find_closing(reader, cutoff=cutoff)
        if closing is None:
            return {"segment": None, "why": f"nothing was finished by {cutoff.isoformat()}"}
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = write_segment(reader, closing, folder, ledger.signing_key(reader))
        except OSError as error:
            raise LedgerUnavailable(f"archives in {folder}: {error.strerror}") from error
    report, seal = verify_segment(path)
    if seal is None or report.problems:
        raise LedgerBroken(
            f"segment {closing.number} is not closed: {report.problems[0]}; {path.name} shows"
            " the ledger as it was, `skytrunk ledger verify` says more"
        )
    # Whoever opens the ledger asks for the root of the size that was counted last: it must be here.
    ledger.count()
    with ledger.begin() as tx:
        answer = close_period(tx, closing, seal, path.name, at=at)
    # Whoever was at this period as well has lost it; a killed process left its draft.
    for draft in folder.glob(f".segment-{closing.number:08d}.*"):
        draft.unlink(missing_ok=True)
    return answer | {"bytes": path.stat().st_size}


def archive_folder(context: Context) -> Path:
    """Where segments are kept. Raises InputError if the settings name no place."""
    place = context.settings.archive_place
    if place is None:
        raise InputError("archive_place is not set; allowed: a folder for closed periods")
    return place


def list_segments(context: Context) -> list[dict[str, Any]]:
    """The closed periods, and whether their files are where they should be."""
    folder = context.settings.archive_place
    with context.view.read() as reader:
        known = get_segments(reader)
    return [
        {
            "number": one.number,
            "closed_at": one.closed_at,
            "first_leaf": one.first_leaf,
            "size": one.size,
            "rows": one.rows,
            "file": one.file,
            "bytes": _bytes_of(folder, one.file),
        }
        for one in known
    ]


def check_segment(path: Path, *, public_key: str | None) -> SegmentReport:
    """Check a segment's file alone; needs no database. Raises ProofInvalid if it is none."""
    return verify_segment(path, public_key=public_key)[0]


def _bytes_of(folder: Path | None, name: str) -> int | None:
    path = None if folder is None else folder / name
    return path.stat().st_size if path is not None and path.exists() else None
