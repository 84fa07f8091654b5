"""An audit cut into parts that can be checked in any order, by any process, on one snapshot."""

from __future__ import annotations

from collections.abc import Iterable

from scheduler.ledger.db.snapshot import HIGHEST, LOWEST, Snapshot
from scheduler.ledger.verify import announcements as verify_announcements
from scheduler.ledger.verify import indexes as verify_indexes
from scheduler.ledger.verify import log as verify_log
from scheduler.ledger.verify import owners as verify_owners
from scheduler.ledger.verify import rows as verify_rows
from scheduler.ledger.verify.blocks import check_blocks
from scheduler.ledger.verify.context import AuditContext, Check, Outcome, Part

CHECKS: dict[str, Check] = {
    "blocks": check_blocks,
    "numbering": verify_rows.check_numbering,
    "references": verify_rows.check_references,
    "commands": verify_rows.check_commands,
    "pools": verify_rows.check_pools,
    "announcements": verify_announcements.check_announcements,
    "announced": verify_announcements.check_parts,
    "reservations": verify_owners.check_reservations,
    "reserved": verify_owners.check_reserved,
    "keys": verify_owners.check_keys,
    "recipients": verify_owners.check_recipients,
    "drawn": verify_owners.check_drawn,
    "delivered": verify_owners.check_delivered,
    "bookings": verify_rows.check_bookings,
    "registers": verify_rows.check_registers,
    "log": verify_log.check_log,
    "commands logged": verify_log.check_commands_logged,
    "logged": verify_log.check_logged,
    "indexes": verify_indexes.check_indexes,
}
"""Every check that a part can name, in the order of a report."""

ROWS_PER_PART = 4_000
"""Rows of one part: some tens of milliseconds of work, so that no process waits long."""

PARTS_MAX = 10_000
"""Parts of one table; a forged row number must not make a part for every number before it."""

SAMPLES_PER_PART = 16
SAMPLES_MAX = 4_000
LOOKUPS_AT_ONCE = 500

TOPS = """
    SELECT (SELECT max(id) FROM block), (SELECT max(id) FROM ledger_entry),
        (SELECT max(id) FROM command), (SELECT max(id) FROM announcement),
        (SELECT max(id) FROM reservation), (SELECT max(id) FROM "key"),
        (SELECT max(seq) FROM audit_leaf)
"""


def check_part(snapshot: Snapshot, context: AuditContext, part: Part) -> Outcome:
    """Check one part of an audit."""
    with snapshot.failures():
        return CHECKS[part.check](snapshot, context, part)


def count_rows(snapshot: Snapshot) -> int:
    """About how many rows an audit has to look at."""
    with snapshot.failures():
        return sum(top or 0 for top in snapshot.one(TOPS))


def parts_of(snapshot: Snapshot) -> list[Part]:
    """The parts of an audit, in the order of a report: by check, then by number."""
    with snapshot.failures():
        tops = [top or 0 for top in snapshot.one(TOPS)]
        blocks, entries, commands, announcements, reservations, keys, last_seq = tops
        spans = _spans(_block_cuts(snapshot, blocks, entries))
        by_check = {
            "blocks": spans,
            "commands": _spans(_cuts(commands)),
            "announcements": _spans(_cuts(commands, of=announcements)),
            "reservations": _spans(_cuts(reservations)),
            "keys": _spans(_cuts(keys)),
            "recipients": _spans(_cuts(keys)),
            "delivered": _spans(_cuts(keys)),
            "drawn": spans if keys else [(LOWEST, HIGHEST)],
            "commands logged": _spans(_cuts(commands)),
        }
    parts: list[Part] = []
    for check in CHECKS:
        if check == "log":
            parts += verify_log.log_parts(last_seq + 1)
        else:
            parts += [Part(check, *span) for span in by_check.get(check, [(LOWEST, HIGHEST)])]
    return parts


def _cuts(top: int, of: int | None = None) -> range:
    """Numbers at which to cut a table whose rows are numbered from 1 to `top`.

    Or, so that no part has too many of its `of` rows, a table that these name.
    """
    rows = top if of is None else max(of, 1)
    step = max(1, ROWS_PER_PART * top // max(rows, 1), -(-top // PARTS_MAX))
    return range(step, top, step)


def _block_cuts(snapshot: Snapshot, blocks: int, entries: int) -> set[int]:
    """Where to cut the blocks: after so many of them, or after so many of their entries.

    How entries are spread over blocks is told from a sample of them; wherever the cuts are, an
    audit finds the same.
    """
    cuts = _cuts(entries)
    wanted = min(SAMPLES_MAX, SAMPLES_PER_PART * len(cuts))
    numbers = range(1, entries, max(1, entries // wanted)) if wanted else range(0)
    refs: list[int] = []
    for first in range(0, len(numbers), LOOKUPS_AT_ONCE):
        some = ", ".join(map(str, numbers[first : first + LOOKUPS_AT_ONCE]))
        query = f"SELECT block_ref FROM ledger_entry WHERE id IN ({some})"
        refs += [ref for (ref,) in snapshot.rows(query)]
    by_entries = sorted(refs)[SAMPLES_PER_PART::SAMPLES_PER_PART]
    return {*_cuts(blocks), *by_entries}


def _spans(cuts: Iterable[int]) -> list[tuple[int, int]]:
    """Every number there is, in spans that end at the cuts."""
    ends = [*sorted(cuts), HIGHEST]
    starts = [LOWEST, *(end + 1 for end in ends[:-1])]
    return list(zip(starts, ends, strict=True))
