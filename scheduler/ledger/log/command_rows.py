"""The rows that each command wrote, as its hash takes them together."""

from __future__ import annotations

from collections.abc import Iterable

from scheduler.ledger.db.snapshot import END, HIGHEST, LOWEST, Grouped, Snapshot
from scheduler.ledger.log.canonical import rows_digest
from scheduler.ledger.log.rows import Form

QUERY = """
    SELECT {owner}."{column}", mine."{hash}" FROM "{table}" AS mine {join}
    WHERE {owner}."{column}" BETWEEN :first AND :last ORDER BY {owner}."{column}", {order}
"""


class CommandRows:
    """Streams of row hashes side by side; ask for commands in ascending order."""

    def __init__(
        self, snapshot: Snapshot, forms: Iterable[Form], first: int = LOWEST, last: int = HIGHEST
    ) -> None:
        queries = {word: _query(form, column) for form in forms for word, column in form.under}
        streams = [
            Grouped(snapshot.rows(queries[word], first=first, last=last))
            for word in sorted(queries)
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


def _query(form: Form, column: str) -> str:
    """SQL for the hashes of a table's rows by the command that a column names."""
    owner, join = "mine", ""
    if "." in column:
        reference, column = column.split(".")
        ((_, table, key),) = (one for one in form.references if one[0] == reference)
        owner, join = "owner", f'JOIN "{table}" AS owner ON owner."{key}" = mine."{reference}"'
    order = ", ".join(
        f'mine."{name}"' + ("" if name in form.numbers else " COLLATE BINARY") for name in form.key
    )
    return QUERY.format(
        table=form.table, column=column, hash=form.hash, owner=owner, join=join, order=order
    )
