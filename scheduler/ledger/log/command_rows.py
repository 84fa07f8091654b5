"""The rows that each command wrote, as its hash takes them together."""

from __future__ import annotations

from scheduler.ledger.commands import WRITTEN_TABLES
from scheduler.ledger.db.snapshot import HIGHEST, LOWEST, Snapshot
from scheduler.ledger.log.canonical import rows_digest
from scheduler.ledger.verify.context import END, Grouped

_QUERIES = {
    "ledger_entry": """
        SELECT command_id, sha256 FROM ledger_entry
        WHERE command_id BETWEEN :first AND :last ORDER BY command_id, line
    """,
    "block": """
        SELECT command_id, sha256 FROM block
        WHERE command_id BETWEEN :first AND :last ORDER BY command_id, id
    """,
    "announcement": """
        SELECT command_id, sha256 FROM announcement
        WHERE command_id BETWEEN :first AND :last ORDER BY command_id, id
    """,
    "reservation": """
        SELECT command_id, sha256 FROM reservation
        WHERE command_id BETWEEN :first AND :last ORDER BY command_id, id
    """,
    "key": """
        SELECT command_id, sha256 FROM "key"
        WHERE command_id BETWEEN :first AND :last ORDER BY command_id, id
    """,
    "key_recipient": """
        SELECT drawn.command_id, owner.sha256
        FROM "key" AS drawn JOIN key_recipient AS owner ON owner.key_ref = drawn.id
        WHERE drawn.command_id BETWEEN :first AND :last
        ORDER BY drawn.command_id, drawn.id, owner.recipient COLLATE BINARY
    """,
    "collected": """
        SELECT delivered_by, sha256 FROM key_recipient
        WHERE delivered_by BETWEEN :first AND :last
        ORDER BY delivered_by, key_ref, recipient COLLATE BINARY
    """,
    "closed": """
        SELECT closed_by, sha256 FROM "key"
        WHERE closed_by BETWEEN :first AND :last ORDER BY closed_by, id
    """,
    "intended": """
        SELECT intended_by, sha256 FROM reservation
        WHERE intended_by BETWEEN :first AND :last ORDER BY intended_by, id
    """,
    "lifted": """
        SELECT lifted_by, sha256 FROM outage
        WHERE lifted_by BETWEEN :first AND :last ORDER BY lifted_by, command_id
    """,
    "plan_pass": """
        SELECT command_id, sha256 FROM plan_pass
        WHERE command_id BETWEEN :first AND :last ORDER BY command_id, "position"
    """,
    "plan_option": """
        SELECT command_id, sha256 FROM plan_option
        WHERE command_id BETWEEN :first AND :last ORDER BY command_id, pass_position, "position"
    """,
}


class CommandRows:
    """Streams of row hashes side by side; ask for commands in ascending order."""

    def __init__(self, snapshot: Snapshot, first: int = LOWEST, last: int = HIGHEST) -> None:
        streams = [
            Grouped(snapshot.rows(_QUERIES[table], first=first, last=last))
            for table in WRITTEN_TABLES
        ]
        # A table without rows of these commands need not be asked again.
        self._streams = [stream for stream in streams if stream.key != END]

    def of(self, command_id: int) -> str:
        """Hash over the rows of one command."""
        digests: list[str] = []
        for stream in self._streams:
            if stream.key <= command_id:
                digests += [digest for _, digest in stream.of(command_id)]
        # SQLite keeps bytes and numbers in a column of texts; they are no row's hash.
        return rows_digest(map(str, digests))
