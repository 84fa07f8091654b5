"""Application entities: where each is registered, by one command, and removed by another."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from sqlalchemy import Connection, TextClause, bindparam, insert, select, text, update

from scheduler.domain import Sae
from scheduler.errors import UnknownName, WrongState
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.db.bulk import query, wanted_words, words_json
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.schema import REGISTERED_SAE, SaeRow
from scheduler.ledger.transaction import Transaction

_REGISTERED = (
    select(SaeRow.sae_id, SaeRow.node, SaeRow.command_id, SaeRow.sha256)
    .where(text(REGISTERED_SAE))
    .order_by(SaeRow.sae_id)
)
_NAMED = _REGISTERED.where(SaeRow.sae_id == bindparam("name_"))


def add(tx: Transaction, handle: CommandHandle, sae: Sae) -> None:
    """Register an entity at a node. Raises WrongState for one that is registered."""
    if find(tx.connection, [sae.sae_id]):
        raise WrongState(f"SAE {sae.sae_id!r} is registered; `skytrunk sae list` says where")
    row = sealed("sae", {"command_id": handle.command_id, "sae_id": sae.sae_id, "node": sae.node})
    tx.raw.execute(insert(SaeRow), [row])
    handle.wrote("sae", row["sha256"])


def remove(tx: Transaction, handle: CommandHandle, sae_id: str) -> Sae:
    """Let a command remove an entity; return it. Raises UnknownName for one that is not there."""
    row = tx.connection.execute(_NAMED, {"name_": sae_id}).one_or_none()
    if row is None:
        raise UnknownName(f"SAE {sae_id!r} is not registered; `skytrunk sae list` shows who is")
    tx.guarded(
        update(SaeRow)
        .where(SaeRow.command_id == bindparam("row_"), SaeRow.removed_by.is_(None))
        .values(removed_by=bindparam("command_")),
        [{"row_": row.command_id, "command_": handle.command_id}],
        lambda: f"SAE {sae_id!r} was to be registered",
    )
    handle.marked("removed", (row.command_id, ""), row.sha256)
    return Sae(sae_id=row.sae_id, node=row.node)


def find(connection: Connection, names: Iterable[str]) -> dict[str, Sae]:
    """The registered entities among these, by name."""
    rows = query(connection, _among(connection.dialect.name), {"names_": words_json(names)})
    return {row.sae_id: Sae(sae_id=row.sae_id, node=row.node) for row in rows}


@cache
def _among(dialect_name: str) -> TextClause:
    return text(
        f"SELECT sae_id, node FROM sae WHERE {REGISTERED_SAE}"
        f" AND sae_id IN {wanted_words(dialect_name)}"
    )


def registered(connection: Connection) -> list[Sae]:
    """Every entity that is registered, by name."""
    return [Sae(sae_id=row.sae_id, node=row.node) for row in connection.execute(_REGISTERED)]
