"""Tokens of the management API: given by one command, revoked by another."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, exists, insert, or_, select, update

from scheduler.domain import AccessToken, Role
from scheduler.errors import UnknownName, WrongState
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.schema import AccessTokenRow
from scheduler.ledger.transaction import Transaction


def add(tx: Transaction, handle: CommandHandle, token: AccessToken, *, secret_sha256: str) -> None:
    """Write down the token that a command gives, and the hash by which it will be known."""
    tx.flush()
    row = sealed(
        "access_token",
        {
            "command_id": handle.command_id,
            "token_id": token.token_id,
            "name": token.name,
            "role": token.role.value,
            "secret_sha256": secret_sha256,
            "created_at": token.created_at,
            "expires_at": token.expires_at,
        },
    )
    tx.raw.execute(insert(AccessTokenRow), [row])
    tx.trail.record("access_token", token.token_id, row["sha256"])


def revoke(tx: Transaction, handle: CommandHandle, token_id: str) -> AccessToken:
    """Let a command revoke a token; return it as it was.

    Raises UnknownName for one that is not there, WrongState for one that was revoked before.
    """
    tx.flush()
    query = select(*AccessTokenRow.__table__.c).where(AccessTokenRow.token_id == token_id)
    row = tx.raw.execute(query).one_or_none()
    if row is None:
        raise UnknownName(f"token {token_id!r} is not known; `skytrunk token list` shows them")
    revoked = tx.raw.execute(
        update(AccessTokenRow)
        .where(AccessTokenRow.command_id == row.command_id, AccessTokenRow.revoked_by.is_(None))
        .values(revoked_by=handle.command_id)
    )
    if revoked.rowcount != 1:
        raise WrongState(f"token {token_id!r} was revoked before")
    handle.marked("revoked", (row.command_id, ""), row.sha256)
    return _token(row)


def find(connection: Connection, secret_sha256: str) -> AccessToken | None:
    """Return the token with this hash, whether it still counts or not."""
    query = select(*AccessTokenRow.__table__.c).where(AccessTokenRow.secret_sha256 == secret_sha256)
    row = connection.execute(query).one_or_none()
    return None if row is None else _token(row)


def named(connection: Connection, name: str) -> list[AccessToken]:
    """Return the tokens that have this id, or this name and were not revoked."""
    standing = AccessTokenRow.revoked_by.is_(None) & (AccessTokenRow.name == name)
    query = select(*AccessTokenRow.__table__.c).where(
        or_(AccessTokenRow.token_id == name, standing)
    )
    return [_token(row) for row in connection.execute(query)]


def any_given(connection: Connection) -> bool:
    """Whether there ever was a token, one that counts no more among them."""
    return bool(connection.execute(select(exists().select_from(AccessTokenRow))).scalar_one())


def every(connection: Connection) -> list[AccessToken]:
    """Return all tokens, in the order in which they were given."""
    query = select(*AccessTokenRow.__table__.c).order_by(AccessTokenRow.command_id)
    return [_token(row) for row in connection.execute(query)]


def _token(row: Any) -> AccessToken:
    return AccessToken(
        token_id=row.token_id,
        name=row.name,
        role=Role(row.role),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked=row.revoked_by is not None,
    )
