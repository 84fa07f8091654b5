"""Use cases: tokens of the management API; who bears one, and what was decided of them."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from scheduler.domain import AccessToken, Role, instant_key
from scheduler.errors import InputError, LedgerMissing, NotAuthenticated, UnknownName
from scheduler.ledger.books import token_reads
from scheduler.ledger.log.canonical import request_digest

if TYPE_CHECKING:
    from scheduler.services.context import Context

# SQLAlchemy takes a third of a second to import, and a server where no token was ever given needs
# none of it for its first question: the functions below that write or look up import the tables.
PREFIX = "skytrunk_"  # by which those who search for lost secrets know one
SECRET = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}\Z")  # 256 bits in base64url
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")
DAYS_MAX = 366


def add_token(context: Context, *, name: str, role: str, days: int) -> tuple[AccessToken, str]:
    """Give a token; return it and its secret, which nobody can show again.

    The ledger keeps the SHA-256 of the secret: 256 random bits need no slower hash. Raises
    InputError for a name, a role or a number of days that cannot be.
    """
    if not NAME.match(name):
        raise InputError(f"name {name!r:.80}; allowed: 1 to 64 of A-Z a-z 0-9 . _ @ -")
    if role not in list(Role):
        raise InputError(f"role {role!r:.80}; allowed: {', '.join(Role)}")
    if not 1 <= days <= DAYS_MAX:
        raise InputError(f"days {days}; allowed: 1 to {DAYS_MAX}")
    secret = PREFIX + secrets.token_urlsafe(32)
    now = context.clock.now()
    from scheduler.ledger.books import tokens

    token = AccessToken(
        token_id=str(uuid4()),
        name=name,
        role=Role(role),
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    with context.ledger.begin() as tx:
        command = tx.command(
            f"token/{token.token_id}",
            kind="token",
            at=now,
            digest=request_digest(token.name, token.role, token.expires_at),
        )
        tokens.add(tx, command, token, secret_sha256=_hash(secret))
        command.finish(
            {
                "token": token.token_id,
                "name": name,
                "role": role,
                "expires_at": instant_key(token.expires_at),
            }
        )
    return token, secret


def revoke_token(context: Context, name: str) -> list[AccessToken]:
    """Revoke the token of that id, or every one of that name; return them.

    Raises UnknownName if there is none that was not revoked.
    """
    from scheduler.ledger.books import tokens

    with context.existing_ledger.begin() as tx:
        found = [one for one in tokens.named(tx.connection, name) if not one.revoked]
        if not found:
            raise UnknownName(f"token {name!r} is not known; `skytrunk token list` shows them")
        for one in found:
            request_id = f"token-revoked/{one.token_id}"
            command = tx.command(
                request_id,
                kind="token-revoked",
                at=context.clock.now(),
                digest=request_digest(one.token_id),
            )
            tokens.revoke(tx, command, one.token_id)
            command.finish({"token": one.token_id, "name": one.name})
    return found


def list_tokens(context: Context) -> list[AccessToken]:
    """Return every token that was given, without any secret."""
    from scheduler.ledger.books import tokens

    with context.view.read() as reader:
        return tokens.every(reader.connection)


def bearer_of(context: Context, secret: str | None) -> AccessToken | None:
    """Return the token with this secret; None where nobody ever gave one and none is shown.

    Raises NotAuthenticated for no secret where there are tokens, and for one that is unknown,
    expired or revoked, without saying which.
    """
    token = None
    any_given = token_reads.any_given(context.settings.database_url)
    if any_given is None or (any_given and secret is not None):
        token, any_given = _look_up(context, secret)
    if token is not None and token.counts_at(context.clock.now()):
        return token
    if secret is None and not any_given:
        return None
    what = "no token" if secret is None else "a token that does not count"
    raise NotAuthenticated(f"{what}; allowed: Authorization: Bearer, with one that counts")


def _look_up(context: Context, secret: str | None) -> tuple[AccessToken | None, bool]:
    """Return the token with this secret, and whether there ever was one at all."""
    from scheduler.ledger.books import tokens

    try:
        with context.view.read() as reader:
            found = None
            if secret is not None and SECRET.match(secret):
                found = tokens.find(reader.connection, _hash(secret))
            return found, tokens.any_given(reader.connection)
    except LedgerMissing:
        return None, False


def record_access(context: Context, token: AccessToken, *, route: str, allowed: bool) -> None:
    """Write down that the bearer of a token asked for a change, and whether it may make it."""
    now = context.clock.now()
    with context.existing_ledger.begin() as tx:
        command = tx.command(
            f"access/{uuid4()}",
            kind="access",
            at=now,
            digest=request_digest(token.token_id, route, allowed),
        )
        command.finish(
            {
                "token": token.token_id,
                "name": token.name,
                "role": token.role.value,
                "route": route,
                "allowed": allowed,
            }
        )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
