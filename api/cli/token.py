"""`skytrunk token`: who may use the management API."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Line, answering, commands, common
from api.cli.output import note, show
from scheduler import services

app = commands("Give and revoke tokens for the management API.")


@app.command("add")
@answering
def add(
    line: Line,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is.")],
    role: Annotated[str, typer.Option(metavar="ROLE", help="planner, operator, auditor or admin.")],
    days: Annotated[int, typer.Option(help="How long it counts.")] = 90,
) -> None:
    """Give a token and print its secret, this once; from the first one on everybody needs one."""
    from api.schemas.tokens import NewToken, Token

    with line.context() as context:
        token, secret = services.add_token(context, name=name, role=role, days=days)
    shown = Token.model_validate(token)
    line.answer(NewToken(**shown.model_dump(), secret=secret), secret)
    if not line.as_json:
        note(f"token {shown.token} of {name}; nobody can show its secret again")


@app.command("list")
@answering
def list_tokens(line: Line) -> None:
    """List every token that was given."""
    from api.schemas.tokens import Tokens

    with line.context() as context:
        found = Tokens.of(services.list_tokens(context))
    line.answer(found, found.table())


@app.command("revoke")
@common
def revoke(
    line: Line,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="A name, or an id.")],
) -> None:
    """Revoke a token, or every one of a name; it counts no longer at once."""
    with line.context() as context:
        for one in services.revoke_token(context, token):
            show(f"revoked the token {one.token_id} of {one.name}")
