"""Tokens of the management API."""

from __future__ import annotations

from typing import ClassVar

from api.schemas.base import Answer, Column, Instant, Listing, attribute
from scheduler.domain import Role


class Token(Answer):
    """A token that was given; never its secret."""

    token: str = attribute("token_id")
    name: str
    role: Role
    created_at: Instant
    expires_at: Instant
    revoked: bool

    columns: ClassVar = (
        Column("name", "name"),
        Column("role", "role"),
        Column("expires", "expires_at"),
        Column("revoked", lambda one: "yes" if one.revoked else None),
        Column("token", "token", short=True),
    )


class Tokens(Listing):
    """Tokens in the order in which they were given."""

    tokens: list[Token]

    noun: ClassVar = "token"


class NewToken(Token):
    """A new token with its secret, which is shown this once."""

    secret: str
