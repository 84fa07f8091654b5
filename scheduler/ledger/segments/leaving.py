"""Which rows of a closed period leave: what is finished, and nothing that stays refers to.

Every condition holds of a row for good once it does, and of none that changed after the period:
what leaves is in the file as it was, however long that took to write.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, TextClause, bindparam, func, select, text

from scheduler.domain import MADE_HERE
from scheduler.ledger.db.snapshot import snapshot_of
from scheduler.ledger.log import merkle
from scheduler.ledger.log.tables import FORMS
from scheduler.ledger.schema import AuditCheckpoint, Command
from scheduler.ledger.schema.columns import UtcDateTime

# Key is spent by the byte: a rest of less is nobody's, and its bits go into the opening. The newest
# row of a table stays, for row numbers are never given again and follow the highest; so does the
# newest block of a pool of each kind, for a pool is simulated if one of its blocks is.
BLOCKS = f"""
    SELECT block.id FROM block WHERE command_id <= :aged
        AND (state = 'destroyed' OR (state = 'available' AND next_bit > length_bits - 8))
        AND id NOT IN (SELECT max(id) FROM block GROUP BY pool_ref, simulated)
        AND ({" OR ".join(f"natural_key LIKE '{prefix}%'" for prefix in MADE_HERE)})
        AND NOT EXISTS (
            SELECT 1 FROM ledger_entry AS entry WHERE entry.block_ref = block.id AND (
                entry.command_id > :aged OR entry.id = (SELECT max(id) FROM ledger_entry)
            )
        )
        AND NOT EXISTS (
            SELECT 1 FROM material WHERE material.block_ref = block.id
                AND (block.state = 'destroyed' OR start_byte < block.length_bits / 8)
        )
        AND NOT EXISTS (SELECT 1 FROM freed_range WHERE freed_range.block_ref = block.id)
        AND NOT EXISTS (SELECT 1 FROM settled_session AS one WHERE one.block_ref = block.id)
        AND NOT EXISTS (
            SELECT 1 FROM "key" AS drawn WHERE drawn.block_ref = block.id AND (
                drawn.command_id > :aged OR drawn.closed_by > :aged
                OR drawn.id = (SELECT max(id) FROM "key")
                OR EXISTS (
                    SELECT 1 FROM key_recipient AS owner WHERE owner.key_ref = drawn.id AND (
                        (owner.settled_by IS NULL AND drawn.closed_by IS NULL)
                        OR owner.delivered_by > :aged OR owner.doubted_by > :aged
                        OR owner.settled_by > :aged
                    )
                )
            )
        )
        AND NOT EXISTS (
            SELECT 1 FROM ledger_entry AS entry
            JOIN reservation_part AS part ON part.entry_id = entry.id
            JOIN reservation AS held ON held.id = part.reservation_ref
            WHERE entry.block_ref = block.id AND (
                held.state IN ('open', 'intended', 'uncertain')
                OR held.id = (SELECT max(id) FROM reservation)
            )
        )
        AND NOT EXISTS (
            SELECT 1 FROM announcement_part AS part WHERE part.block_ref = block.id
                AND part.announcement_ref = (SELECT max(id) FROM announcement)
        )
        AND NOT EXISTS (
            SELECT 1 FROM audit_leaf AS leaf WHERE leaf.kind = 'erased'
                AND leaf.subject = block.block_id AND leaf.seq >= :size
        )
        AND NOT EXISTS (
            SELECT 1 FROM audit_waiting AS leaf WHERE leaf.kind = 'erased'
                AND leaf.subject = block.block_id
        )
"""
JOBS = """
    SELECT job_key, scheduled_for FROM job WHERE state IN ('done', 'missed')
        AND job_key NOT LIKE '%/%' AND scheduled_for < :cutoff AND changed_at < :cutoff
        AND scheduled_for < (
            SELECT max(newer.scheduled_for) FROM job AS newer WHERE newer.job_key = job.job_key
        )
"""
# `fingerprint`: that key bytes were there once, for ever.
COMMANDS = """
    SELECT command.id FROM command WHERE id <= :aged AND id < (SELECT max(id) FROM command)
        AND kind <> 'fingerprint'
        AND id NOT IN (SELECT max(id) FROM command GROUP BY kind) {unnamed}
"""
UNNAMED = """
        AND NOT EXISTS (SELECT 1 FROM "{table}" AS mine WHERE mine."{column}" = command.id)
"""
# Children before those that they name. `leaving_*` are the tables of the three above.
DELETIONS = (
    """DELETE FROM reservation_part WHERE reservation_ref IN
        (SELECT id FROM leaving_reservation)""",
    """DELETE FROM reservation WHERE id IN (SELECT id FROM leaving_reservation)""",
    """DELETE FROM announcement_part WHERE announcement_ref IN
        (SELECT id FROM leaving_announcement)""",
    """DELETE FROM announcement WHERE id IN (SELECT id FROM leaving_announcement)""",
    """DELETE FROM key_recipient WHERE key_ref IN
        (SELECT id FROM "key" WHERE block_ref IN (SELECT id FROM leaving_block))""",
    """DELETE FROM "key" WHERE block_ref IN (SELECT id FROM leaving_block)""",
    """DELETE FROM ledger_entry WHERE block_ref IN (SELECT id FROM leaving_block)""",
    """DELETE FROM audit_leaf WHERE kind = 'erased' AND subject IN
        (SELECT block_id FROM block WHERE id IN (SELECT id FROM leaving_block))""",
    """DELETE FROM material WHERE block_ref IN (SELECT id FROM leaving_block)""",
    """DELETE FROM block WHERE id IN (SELECT id FROM leaving_block)""",
)
JOB_DELETIONS = (
    """DELETE FROM audit_leaf WHERE kind = 'job_event' AND subject IN (
        SELECT mine.job_key || '@' || {event_instant} || '@' || CAST(mine."position" AS TEXT)
        FROM job_event AS mine JOIN leaving_job AS gone ON gone.job_key = mine.job_key
        AND gone.scheduled_for = mine.scheduled_for)""",
    """DELETE FROM audit_leaf WHERE kind = 'job' AND subject IN (
        SELECT gone.job_key || '@' || {job_instant} FROM leaving_job AS gone)""",
    """DELETE FROM job_event WHERE EXISTS (SELECT 1 FROM leaving_job AS gone
        WHERE gone.job_key = job_event.job_key AND gone.scheduled_for = job_event.scheduled_for)""",
    """DELETE FROM job WHERE EXISTS (SELECT 1 FROM leaving_job AS gone
        WHERE gone.job_key = job.job_key AND gone.scheduled_for = job.scheduled_for)""",
)
COMMAND_DELETIONS = (
    """DELETE FROM audit_leaf WHERE kind = 'command' AND subject IN
        (SELECT CAST(id AS TEXT) FROM leaving_command)""",
    """DELETE FROM command WHERE id IN (SELECT id FROM leaving_command)""",
)
RESERVATIONS = """
    SELECT DISTINCT part.reservation_ref AS id FROM reservation_part AS part
    JOIN ledger_entry AS entry ON entry.id = part.entry_id
    WHERE entry.block_ref IN (SELECT id FROM leaving_block)
"""
ANNOUNCEMENTS = """
    SELECT DISTINCT announcement_ref AS id FROM announcement_part
    WHERE block_ref IN (SELECT id FROM leaving_block)
"""
MOVES = """
    SELECT account, sum(bits), sum(odd) FROM (
        SELECT target_id AS account, amount_bits AS bits, amount_bits & 7 AS odd FROM ledger_entry
        WHERE block_ref IN (SELECT id FROM leaving_block)
        UNION ALL
        SELECT source_id, -amount_bits, -(amount_bits & 7) FROM ledger_entry
        WHERE block_ref IN (SELECT id FROM leaving_block)
    ) AS moves GROUP BY account ORDER BY account
"""
TABLES = ("block", "reservation", "announcement", "job", "command")


def aged_command(connection: Connection, cutoff: datetime) -> int:
    """The last command given by an instant: what none after it wrote or marked is that old."""
    query = select(func.max(Command.id)).where(Command.at <= cutoff)
    return connection.execute(query).scalar() or 0


def any_leaves(connection: Connection, *, aged: int, size: int, cutoff: datetime) -> bool:
    """Whether any block or job was finished by then."""
    values = {"aged": aged, "size": size}
    return (
        connection.execute(text(f"SELECT 1 WHERE EXISTS ({BLOCKS})"), values).first() is not None
        or connection.execute(_jobs(f"{JOBS} LIMIT 1"), {"cutoff": cutoff}).first() is not None
    )


def take_out(
    connection: Connection, *, aged: int, size: int, cutoff: datetime
) -> tuple[dict[str, int], dict[int, tuple[int, int]]]:
    """Delete what leaves, but for nodes of the log.

    Returns how many blocks, jobs and commands, and by account the bits that their entries moved.
    """
    _gather(connection, "block", text(BLOCKS), aged=aged, size=size)
    _gather(connection, "reservation", text(RESERVATIONS))
    _gather(connection, "announcement", text(ANNOUNCEMENTS))
    _gather(connection, "job", text(JOBS), cutoff=cutoff)
    moves = {row[0]: (int(row[1]), int(row[2])) for row in connection.execute(text(MOVES))}
    snapshot = snapshot_of(connection)
    instants = {
        "event_instant": snapshot.instant("mine.scheduled_for"),
        "job_instant": snapshot.instant("gone.scheduled_for"),
    }
    for deletion in (*DELETIONS, *(one.format(**instants) for one in JOB_DELETIONS)):
        connection.exec_driver_sql(deletion)
    # What still names a command is there by now, and nothing else.
    unnamed = "".join(
        UNNAMED.format(table=form.table, column=column)
        for form in FORMS.values()
        for column, owner, _ in form.references
        if owner == "command"
    )
    _gather(connection, "command", text(COMMANDS.format(unnamed=unnamed)), aged=aged)
    for deletion in COMMAND_DELETIONS:
        connection.exec_driver_sql(deletion)
    counts = {
        name: connection.exec_driver_sql(f"SELECT count(*) FROM leaving_{name}").scalar_one()
        for name in TABLES
    }
    for name in TABLES:
        connection.exec_driver_sql(f"DROP TABLE leaving_{name}")
    return counts, moves


def take_out_nodes(connection: Connection, start: int, end: int) -> None:
    """Delete the nodes that leaves [start, end) completed and no proof about others needs."""
    signed = connection.execute(select(AuditCheckpoint.size).where(AuditCheckpoint.size <= end))
    parts = {*merkle.kept(start, end)}
    for size in signed.scalars():
        parts.update(merkle.cover(0, size))
    kept = ", ".join(str(merkle.position(part)) for part in sorted(parts))
    first, behind = merkle.position((0, start)), merkle.position((0, end))
    connection.exec_driver_sql(
        f'DELETE FROM audit_node WHERE "position" >= {first} AND "position" < {behind}'
        f' AND "position" NOT IN ({kept})'
    )


def _jobs(query: str) -> TextClause:
    return text(query).bindparams(bindparam("cutoff", type_=UtcDateTime()))


def _gather(connection: Connection, name: str, query: TextClause, **values: object) -> None:
    """Put the keys of what leaves into a table of this transaction's own."""
    columns = "id BIGINT PRIMARY KEY"
    if name == "job":
        kind = "TEXT" if connection.dialect.name == "sqlite" else "TIMESTAMP WITH TIME ZONE"
        columns = f"job_key TEXT, scheduled_for {kind}, PRIMARY KEY (job_key, scheduled_for)"
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE leaving_{name} ({columns})")
    into = text(f"INSERT INTO leaving_{name} {query.text}")
    if "cutoff" in values:
        into = into.bindparams(bindparam("cutoff", type_=UtcDateTime()))
    connection.execute(into, values)
    connection.exec_driver_sql(f"ANALYZE leaving_{name}")
