"""An audit cut into shards that can be checked in any order, by any process, on one snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from scheduler.ledger.db.snapshot import HIGHEST, LOWEST, Snapshot
from scheduler.ledger.log.carried import NOTHING_CLOSED, Base
from scheduler.ledger.log.rows import Form
from scheduler.ledger.verify import log, owners, rows
from scheduler.ledger.verify.announcements import check_announcements
from scheduler.ledger.verify.blocks import check_blocks
from scheduler.ledger.verify.context import AuditContext, Check, Outcome, Shard
from scheduler.ledger.verify.indexes import check_indexes
from scheduler.ledger.verify.segments import check_segments

CHECKS: dict[str, Check] = {
    "blocks": check_blocks,
    "numbering": rows.check_numbering,
    "references": rows.check_references,
    "commands": rows.check_commands,
    "pools": rows.check_pools,
    "announcements": check_announcements,
    "reservations": owners.check_reservations,
    "reserved": owners.check_reserved,
    "drawn": owners.check_drawn,
    "delivered": owners.check_delivered,
    "bookings": rows.check_bookings,
    "jobs": rows.check_jobs,
    "hashes": rows.check_hashes,
    "log": log.check_log,
    "logged": log.check_logged,
    "leaves": log.check_leaves,
    "segments": check_segments,
    "indexes": check_indexes,
}
"""Every check that a shard can name, in the order of a report."""

ROWS_PER_SHARD = 4_000
"""Rows of one shard: some tens of milliseconds of work, so that no process waits long."""

SHARDS_MAX = 10_000
"""Shards of one table; a forged row number must not make a shard for every number before it."""

SAMPLES_PER_SHARD = 16
SAMPLES_MAX = 4_000
LOOKUPS_AT_ONCE = 500

NTH = """
    SELECT DISTINCT number FROM (
        SELECT "{number}" AS number, row_number() OVER (ORDER BY "{number}") AS place
        FROM "{table}"
    ) AS numbered WHERE place = {step} * (place / {step}) ORDER BY number
"""


def check_shard(snapshot: Snapshot, context: AuditContext, shard: Shard) -> Outcome:
    """Check one shard of an audit."""
    with snapshot.failures():
        return CHECKS[shard.check](snapshot, context, shard)


def tops_of(snapshot: Snapshot, forms: Mapping[str, Form]) -> dict[str, int]:
    """The highest row number of every table that is numbered: about how many rows it has."""
    numbered = {name: form.numbered for name, form in forms.items() if form.numbered}
    tops = [f'(SELECT max("{key}") FROM "{name}")' for name, key in numbered.items()]
    with snapshot.failures():
        row = snapshot.one(f"SELECT {', '.join(tops)}")
    # SQLite keeps words behind all numbers; a column of words is not cut.
    return {
        name: top if isinstance(top, int) else 0 for name, top in zip(numbered, row, strict=True)
    }


def shards_of(
    snapshot: Snapshot, forms: Mapping[str, Form], base: Base = NOTHING_CLOSED
) -> list[Shard]:
    """The shards of an audit, in the order of a report: by check, then by number."""
    tops = tops_of(snapshot, forms)
    leaves = tops["audit_leaf"] + 1
    with snapshot.failures():
        if base.segment:
            cuts = {name: _counted(snapshot, forms[name]) for name in tops}
            said = cuts["command"]
            blocks = _spans(cuts["block"])
        else:
            cuts = {name: _cuts(top) for name, top in tops.items()}
            said = _cuts(tops["command"], of=tops["announcement"])
            blocks = _spans(_block_cuts(snapshot, tops["block"], tops["ledger_entry"]))
    spans = {
        "blocks": blocks,
        "commands": _spans(cuts["command"]),
        "announcements": _spans(said),
        "reservations": _spans(cuts["reservation"]),
        "drawn": blocks if tops["key"] else [(LOWEST, HIGHEST)],
        "delivered": _spans(cuts["key"]),
        "log": log.log_spans(leaves, base.size),
    }
    levels = {"log": log.level_of(leaves)}
    tables = {
        "references": [form for form in forms.values() if form.references],
        "hashes": [form for form in forms.values() if rows.has_hashes_of_its_own(form)],
        "logged": [form for form in forms.values() if form.leaf],
    }

    def cut(check: str) -> Iterator[Shard]:
        for form in tables.get(check, ()):
            for span in _spans(cuts.get(form.table, ())):
                yield Shard(check, *span, form.table)
        if check not in tables:
            for span in spans.get(check, [(LOWEST, HIGHEST)]):
                yield Shard(check, *span, level=levels.get(check, 0))

    return [shard for check in CHECKS for shard in cut(check)]


def _counted(snapshot: Snapshot, form: Form) -> Sequence[int]:
    """Where to cut a table that rows left: after so many of those that are there."""
    query = NTH.format(table=form.table, number=form.numbered, step=ROWS_PER_SHARD)
    return [number for (number,) in snapshot.rows(query) if isinstance(number, int)]


def _cuts(top: int, of: int | None = None) -> Sequence[int]:
    """Numbers at which to cut a table whose rows are numbered from 1 to `top`.

    Or, so that no shard has too many of its `of` rows, a table that these name.
    """
    count = top if of is None else max(of, 1)
    step = max(1, ROWS_PER_SHARD * top // max(count, 1), -(-top // SHARDS_MAX))
    return range(step, top, step)


def _block_cuts(snapshot: Snapshot, blocks: int, entries: int) -> set[int]:
    """Where to cut the blocks: after so many of them, or after so many of their entries.

    How entries are spread over blocks is told from a sample of them; wherever the cuts are, an
    audit finds the same.
    """
    wanted = min(SAMPLES_MAX, SAMPLES_PER_SHARD * len(_cuts(entries)))
    numbers = range(1, entries, max(1, entries // wanted)) if wanted else range(0)
    refs: list[int] = []
    for first in range(0, len(numbers), LOOKUPS_AT_ONCE):
        some = ", ".join(map(str, numbers[first : first + LOOKUPS_AT_ONCE]))
        query = f"SELECT block_ref FROM ledger_entry WHERE id IN ({some})"
        refs += [ref for (ref,) in snapshot.rows(query) if isinstance(ref, int)]
    return {*_cuts(blocks), *sorted(refs)[SAMPLES_PER_SHARD::SAMPLES_PER_SHARD]}


def _spans(cuts: Iterable[int]) -> list[tuple[int, int]]:
    """Every number there is, in spans that end at the cuts."""
    ends = [*sorted(cuts), HIGHEST]
    starts = [LOWEST, *(end + 1 for end in ends[:-1])]
    return list(zip(starts, ends, strict=True))
