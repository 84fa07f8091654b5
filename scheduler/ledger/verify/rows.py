"""Checking rows by their tables' definitions, and what commands, pools and bookings add to that."""

from __future__ import annotations

from typing import Any

from scheduler.ledger.db.snapshot import Grouped, Row, Snapshot
from scheduler.ledger.log.carried import CARRIED
from scheduler.ledger.log.command_rows import CommandRows
from scheduler.ledger.log.rows import Form, checker, named_row
from scheduler.ledger.verify.context import PROBLEMS_MAX, AuditContext, Findings, Outcome, Shard

WITH_OTHERS = frozenset({"ledger_entry", "block", "command", "announcement", "reservation"})
"""Tables whose hashes are compared where their rows are read anyhow, some with their parts."""

BY_THE_BLOCKS = frozenset({"source_id", "target_id", "block_ref", "resolves_id"})
"""Columns of an entry that the audit of the blocks follows."""

COMMANDS = "WHERE id BETWEEN :first AND :last ORDER BY id"
DANGLING = """
    SELECT mine."{column}", {key} FROM "{table}" AS mine
    LEFT JOIN "{owner}" AS owner ON owner."{owned}" = mine."{column}"
    WHERE mine."{column}" IS NOT NULL AND owner."{owned}" IS NULL AND {among}
    ORDER BY {key} LIMIT :most
"""
TALLY = "SELECT count(*) FROM ledger_entry"
GAPS = """
    SELECT command_id, count(*), max(line) FROM ledger_entry WHERE command_id > :closed
    GROUP BY command_id HAVING count(*) <> max(line) ORDER BY command_id LIMIT :most
"""
MARKED = "SELECT id, simulated FROM pool ORDER BY id"
FED = "SELECT DISTINCT pool_ref FROM block WHERE simulated"
EVENTS = 'ORDER BY booking_id, "position"'


def check_numbering(snapshot: Snapshot, context: AuditContext, _: Shard) -> Outcome:
    """Lines of each command are numbered without gaps."""
    found = Findings()
    (count,) = snapshot.one(TALLY)
    for command_id, lines, top in snapshot.rows(
        GAPS, closed=context.base.last_command, most=PROBLEMS_MAX
    ):
        found.add(f"command {command_id}: {lines} entries, the last is line {top}")
    return Outcome(found.problems, count)


def check_references(snapshot: Snapshot, context: AuditContext, shard: Shard) -> Outcome:
    """Whatever a row of the table names is there."""
    found = Findings()
    form = context.forms[shard.table]
    key = ", ".join(f'mine."{name}"' for name in form.key)
    for column, owner, owned in form.references:
        if form.table == "ledger_entry" and column in BY_THE_BLOCKS:
            continue
        query = DANGLING.format(
            column=column,
            key=key,
            table=form.table,
            owner=owner,
            owned=owned,
            among=shard.among(f'mine."{form.numbered}"'),
        )
        for named, *mine in snapshot.rows(query, most=PROBLEMS_MAX):
            number = "/".join(map(str, mine))
            found.add(
                f"{form.table}: names {owner} {named}, which is not there ({column} of {number})"
            )
    return Outcome(found.problems)


def check_hashes(snapshot: Snapshot, context: AuditContext, shard: Shard) -> Outcome:
    """Every row of the table is as it was written."""
    found = Findings()
    form = context.forms[shard.table]
    is_sound = checker(form)
    among = shard.among(f'"{form.numbered}"')
    for row in snapshot.rows(form.select(f"WHERE {among} {form.order()}")):
        if not is_sound(row):
            found.add(f"{form.title(row)}: its row was changed")
    return Outcome(found.problems)


def has_hashes_of_its_own(form: Form) -> bool:
    """True for a table whose hashes `check_hashes` compares."""
    return bool(form.hash) and form.table not in WITH_OTHERS


def check_commands(snapshot: Snapshot, context: AuditContext, shard: Shard) -> Outcome:
    """Hashes of a range of commands; the log says whether one is missing."""
    found = Findings()
    form = context.forms["command"]
    is_sound, named = checker(form), named_row(form)
    rows_of = CommandRows(snapshot, context.forms.values(), shard.first, shard.last).of
    carried = Grouped(snapshot.rows(CARRIED, **shard.span))
    count = 0
    for row in snapshot.rows(form.select(COMMANDS), **shard.span):
        command = named(row)
        count += 1
        if not is_sound(row):
            found.add(f"{form.title(row)}: its row was changed")
        # Of a closed period's command some rows may have left.
        is_carried = command.id <= context.base.last_command
        due = "".join(str(digest) for _, digest in carried.of(command.id)) if is_carried else None
        if rows_of(command.id) != (command.rows_sha256 if due is None else due):
            found.add(f"{form.title(row)}: the rows it wrote are not those it has now")
    return Outcome(found.problems, count)


def check_pools(snapshot: Snapshot, _: AuditContext, __: Shard) -> Outcome:
    """A pool is simulated if and only if one of its blocks is."""
    found = Findings()
    marks: dict[Any, Any] = dict(snapshot.rows(MARKED))
    marked = {number for number, mark in marks.items() if mark == 1}
    # SQLite keeps a word in a column of numbers; the hash of such a block is wrong anyhow.
    fed = {number for (number,) in snapshot.rows(FED) if isinstance(number, int)}
    for number, mark in marks.items():
        if mark not in (0, 1):
            found.add(f"pool {number}: simulated is {mark!r}; allowed: true, false")
    for number in sorted(marked ^ fed):
        word = "is marked simulated without" if number in marked else "is not marked simulated with"
        found.add(f"pool {number} {word} a simulated block")
    return Outcome(found.problems)


def check_bookings(snapshot: Snapshot, context: AuditContext, _: Shard) -> Outcome:
    """Every booking's state against the events that led there."""
    found = Findings()
    booking, event = context.forms["booking"], context.forms["booking_event"]
    lives: dict[str, list[Any]] = {}
    for one in map(named_row(event), snapshot.rows(event.select(EVENTS))):
        lives.setdefault(one.booking_id, []).append(one)
    for one in map(named_row(booking), snapshot.rows(booking.select("ORDER BY booking_id"))):
        _check_life(one, lives.pop(one.booking_id, []), found)
    return Outcome(found.problems)


def _check_life(booking: Any, life: list[Any], found: Findings) -> None:
    """A booking's state, reason, time of change and link, against its events."""
    name = f"booking {booking.booking_id}"
    reached = None
    for expected, event in enumerate(life, start=1):
        if event.position != expected or event.from_state != reached:
            found.add(f"{name}: event {event.position} does not follow the one before")
        reached = event.to_state
    ends: Row = (life[-1].to_state, life[-1].reason) if life else ()
    if (booking.state, booking.reason) != ends:
        found.add(f"{name}: is {booking.state}, its events end in {reached}")
    elif booking.changed_at != life[-1].at:
        found.add(f"{name}: changed at {booking.changed_at}, its last event at {life[-1].at}")
    links = [link for link in map(_link, life) if link != (None, None, None)]
    if links[-1:] != [_link(booking)]:
        found.add(f"{name}: its link is not that of its events")


def check_jobs(snapshot: Snapshot, context: AuditContext, _: Shard) -> Outcome:
    """Every job stands as the last of its events says, and no event is without its job."""
    found = Findings()
    job, event = context.forms["job"], context.forms["job_event"]
    lives: dict[tuple[str, Any], list[Any]] = {}
    for one in map(named_row(event), snapshot.rows(event.select(event.order()))):
        lives.setdefault((one.job_key, one.scheduled_for), []).append(one)
    for one in map(named_row(job), snapshot.rows(job.select(job.order()))):
        life = lives.pop((one.job_key, one.scheduled_for), [])
        name = f"job {one.job_key}@{one.scheduled_for}"
        if [event.position for event in life] != [*range(1, len(life) + 1)] or not life:
            found.add(f"{name}: its events do not follow each other")
        elif _stands(one) != _stands(life[-1]):
            found.add(f"{name}: is {one.state}, attempt {one.attempts}, its events say otherwise")
    for key, scheduled_for in lives:
        found.add(f"job_event {key}@{scheduled_for}: its job is missing")
    return Outcome(found.problems)


def _stands(row: Any) -> tuple[Any, ...]:
    return row.state, row.reason, row.attempts, row.holder, row.lease_until, row.changed_at


def _link(row: Any) -> tuple[Any, Any, Any]:
    return row.acquires_at, row.loses_at, row.candidate
