"""Checking the rows beside the entries: commands, announcements, bookings, registers."""

from __future__ import annotations

from typing import Any, NamedTuple

from scheduler.ledger.db.snapshot import HIGHEST, Row, Snapshot
from scheduler.ledger.log.canonical import DIGESTED
from scheduler.ledger.log.command_rows import CommandRows
from scheduler.ledger.log.stored import (
    COMMAND_COLUMNS,
    command_digest,
    stored_hasher,
)
from scheduler.ledger.verify.context import (
    PROBLEMS_MAX,
    AuditContext,
    Findings,
    Outcome,
    Part,
    check_hashes,
)

COMMANDS = f"""
    SELECT {", ".join(COMMAND_COLUMNS)} FROM command
    WHERE id BETWEEN :first AND :last ORDER BY id
"""
EVENT_COLUMNS = ("booking_id", "position", "at", "from_state", "to_state", "reason", "sha256")
EVENTS = """
    SELECT booking_id, "position", at, from_state, to_state, reason, sha256
    FROM booking_event ORDER BY booking_id, "position"
"""
BOOKING_COLUMNS = (*DIGESTED["booking"], "state", "reason", "changed_at", "sha256")
BOOKINGS = f"SELECT {', '.join(BOOKING_COLUMNS)} FROM booking ORDER BY booking_id"
REGISTERS = (
    ("outage", "outage_id", "command_id", "sha256"),
    ("directive", "command_id", 'command_id, "position"', "sha256"),
    ("plan", "plan_id", "command_id", "sha256"),
    ("plan_pass", "pass_id", 'command_id, "position"', "sha256"),
    ("plan_option", "candidate_id", 'command_id, pass_position, "position"', "sha256"),
    ("job_run", "job_key", "job_key, scheduled_for", "sha256"),
    ("run_fact", "name", "name", "sha256"),
    ("element_set", "sha256", "sha256", "row_sha256"),
)
"""Tables, the column that names a row in a report, those that order them, the one of the hash."""

UNOWNED = """
    SELECT mine.{column}, count(*) FROM "{table}" AS mine
    LEFT JOIN command ON command.id = mine.{column}
    WHERE mine.{column} IS NOT NULL AND command.id IS NULL
    GROUP BY mine.{column} ORDER BY mine.{column} LIMIT :most
"""
"""Rows under the hash of a command that is not there, where none would miss them."""

MARKED = "SELECT id, simulated FROM pool ORDER BY id"
FED = "SELECT DISTINCT pool_ref FROM block WHERE simulated"


TALLY = "SELECT coalesce(max(id), 0), count(*) FROM ledger_entry"
GAPS = """
    SELECT command_id, count(*), max(line) FROM ledger_entry
    GROUP BY command_id HAVING count(*) <> max(line) ORDER BY command_id LIMIT :most
"""
ORPHANS = """
    SELECT entry.id FROM ledger_entry AS entry
    LEFT JOIN command ON entry.command_id = command.id
    WHERE command.id IS NULL ORDER BY entry.id LIMIT :most
"""


REFERENCES = (
    ("account", "pool_ref"),
    ("material", "block_ref"),
    ("freed_range", "block_ref"),
    ("announcement", "command_id"),
    ("announcement_part", "announcement_ref"),
    ("reservation_part", "reservation_ref"),
    ("key", "block_ref"),
    ("key_recipient", "key_ref"),
)
"""Columns by whose numbers an audit goes through a table; all of them lead an index."""

NO_NUMBERS = 'SELECT count(*) FROM "{table}" WHERE "{column}" > :highest'


class EntryFacts(NamedTuple):
    """How many entries there are, and the number of the last one."""

    entries: int
    last: int


class CommandFacts(NamedTuple):
    """The first and the last of some commands by number; both None if there are none."""

    first: int | None
    last: int | None


def check_numbering(snapshot: Snapshot, _: AuditContext, __: Part) -> Outcome:
    """Lines of each command are numbered without gaps, and each has its command."""
    found = Findings()
    last, count = snapshot.one(TALLY)
    for command_id, lines, top in snapshot.rows(GAPS, most=PROBLEMS_MAX):
        found.add(f"command {command_id}: {lines} entries, the last is line {top}")
    for (number,) in snapshot.rows(ORPHANS, most=PROBLEMS_MAX):
        found.add(f"ledger_entry {number}: its command is not there")
    return Outcome(found.problems, EntryFacts(count, last))


def check_references(snapshot: Snapshot, _: AuditContext, __: Part) -> Outcome:
    """No row refers by a word, which SQLite keeps behind every number and no range would meet."""
    found = Findings()
    for table, column in REFERENCES:
        query = NO_NUMBERS.format(table=table, column=column)
        (count,) = snapshot.one(query, highest=HIGHEST)
        if count:
            found.add(f"{table}: {count} rows have no number as their {column}")
    return Outcome(found.problems)


def check_commands(snapshot: Snapshot, _: AuditContext, part: Part) -> Outcome:
    """Hashes of a range of commands, and their numbering inside it."""
    found = Findings()
    rows_of = CommandRows(snapshot, part.first, part.last).of
    first = last = None
    for row in snapshot.rows(COMMANDS, first=part.first, last=part.last):
        number = row[0]
        if last is None:
            first = number
        elif number != last + 1:
            found.add(f"command {last + 1} is missing")
        last = number
        if row[-1] != command_digest(row):
            found.add(f"command {number} ({row[1]}): its row was changed")
        if row[-2] != rows_of(number):
            found.add(f"command {number} ({row[1]}): the rows it wrote are not those it has now")
    return Outcome(found.problems, CommandFacts(first, last))


def check_pools(snapshot: Snapshot, _: AuditContext, __: Part) -> Outcome:
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


def check_bookings(snapshot: Snapshot, _: AuditContext, __: Part) -> Outcome:
    """Hashes of bookings and events, and every state against the events that led there."""
    found = Findings()
    lives: dict[str, list[Row]] = {}
    digest = stored_hasher("booking_event", EVENT_COLUMNS)
    for event in snapshot.rows(EVENTS):
        if event[-1] != digest(event):
            found.add(f"booking_event {event[0]}/{event[1]}: its row was changed")
        lives.setdefault(event[0], []).append(event)
    digest = stored_hasher("booking", BOOKING_COLUMNS)
    for row in snapshot.rows(BOOKINGS):
        booking_id = row[0]
        if row[-1] != digest(row):
            found.add(f"booking {booking_id}: its row was changed")
        _check_life(booking_id, row[-4:-1], lives.pop(booking_id, []), found)
    for booking_id in lives:
        found.add(f"booking {booking_id} is missing, its events are there")
    return Outcome(found.problems)


def _check_life(booking_id: str, ends: Row, life: list[Row], found: Findings) -> None:
    """A booking's state, reason and time of change, against its events."""
    name = f"booking {booking_id}"
    state, reason, changed_at = ends
    reached = None
    for expected, (_, position, _, from_state, to_state, *_) in enumerate(life, start=1):
        if position != expected or from_state != reached:
            found.add(f"{name}: event {position} does not follow the one before")
        reached = to_state
    last = life[-1] if life else None
    if last is None or (state, reason) != (last[4], last[5]):
        found.add(f"{name}: is {state}, its events end in {reached}")
    elif changed_at != last[2]:
        found.add(f"{name}: changed at {changed_at}, its last event at {last[2]}")


def check_registers(snapshot: Snapshot, _: AuditContext, part: Part) -> Outcome:
    """Hashes of outages, directives, plans, jobs, element sets and run facts."""
    found = Findings()
    for table, key, order, hashed in REGISTERS:
        columns = (*DIGESTED[table], hashed)
        names = ", ".join(f'"{name}"' for name in columns)
        query = f'SELECT {names} FROM "{table}" ORDER BY {order}'
        check_hashes(snapshot, found, table, columns, query, (key,), part)
    for table, column in (
        ("outage", "lifted_by"), ("plan_pass", "command_id"), ("plan_option", "command_id"),
    ):  # fmt: skip
        query = UNOWNED.format(table=table, column=column)
        for number, rows in snapshot.rows(query, most=PROBLEMS_MAX):
            found.add(f"{table}: {rows} rows name command {number}, which is not there")
    return Outcome(found.problems)
