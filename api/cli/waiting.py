"""`skytrunk ledger waiting|accept|void|expire`: key that waits, and key whose time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from api.cli.options import ConfigOption, DatabaseOption, JsonOption, context_of
from api.cli.output import emit, note, show, table_of
from api.inputs import parse_instant
from scheduler import services
from scheduler.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

BlockArgument = Annotated[
    str, typer.Argument(metavar="BLOCK", help="Id of the block, as `ledger waiting` names it.")
]
ReasonOption = Annotated[str, typer.Option(help="Why; it is written down.")]


def waiting(
    ctx: typer.Context,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """List the blocks that wait for their satellite's announcement, oldest first."""
    from api.export import to_json
    from api.shape import waiting_fields

    with context_of(ctx, database, config) as context:
        found = [waiting_fields(key) for key in services.waiting_key(context)]
    if as_json:
        emit(to_json({"waiting": found, "waiting_bits": sum(one["bits"] for one in found)}))
        return
    rows = [
        [one["block"], one["pool"], f"{one['bits']:,}", one["received_at"], one["natural_key"]]
        for one in found
    ]
    columns = ["block!", "pool", "bits|", "received (UTC)", "from"]
    show(table_of(f"{len(rows)} blocks wait for an announcement", columns, rows))


def accept(
    ctx: typer.Context,
    block: BlockArgument,
    reason: ReasonOption,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Make waiting key available by hand, because its announcement came another way."""
    _decide(ctx, block, "accept", reason, database, config, as_json=as_json)


def void(
    ctx: typer.Context,
    block: BlockArgument,
    reason: ReasonOption,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Give waiting key up by hand, for ever, and erase its bytes."""
    _decide(ctx, block, "void", reason, database, config, as_json=as_json)


def _decide(
    ctx: typer.Context,
    block: str,
    word: str,
    reason: str,
    database: str | None,
    config: Path | None,
    *,
    as_json: bool,
) -> None:
    from api.export import to_json

    block_id = _block_id(block)
    with context_of(ctx, database, config) as context:
        context.existing_ledger()
        decide = services.accept_key if word == "accept" else services.void_key
        answer = decide(context, block_id, reason=reason)
    if as_json:
        emit(to_json(answer))
        return
    emit(f"{answer['bits']:,} bits of {answer['block']} are {answer['state']}\n")


def _block_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InputError(
            f"block {text[:80]!r}; allowed: a UUID, as `skytrunk ledger waiting` names it"
        ) from None


def expire(
    ctx: typer.Context,
    at: Annotated[
        str | None, typer.Option("--at", metavar="T", help="What is over by T (default: now).")
    ] = None,
    request: Annotated[
        str | None,
        typer.Option(
            "--request-id",
            metavar="ID",
            help="Name of this request: whenever it is repeated, its first answer returns"
            " and nothing is added (default: the instant).",
        ),
    ] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """End what is over: reservations, blocks and keys that nobody resolved in time.

    The clockwork does this before every merge.
    """
    from api.export import to_json

    with context_of(ctx, database, config) as context:
        context.existing_ledger()
        when = context.clock.now() if at is None else parse_instant(at, "at")
        answer = services.expire_due(context, at=when, request=request)
    if as_json:
        emit(to_json(answer))
        return
    emit(
        f"{answer['blocks_expired']:,} blocks expired with {answer['bits_expired']:,} bits,"
        f" {answer['reservations_released']:,} reservations released and"
        f" {answer['reservations_uncertain']:,} uncertain,"
        f" {answer['keys_closed']:,} keys closed, {answer['blocks_erased']:,} blocks erased\n"
    )
    if not any(value for name, value in answer.items() if name != "at"):
        note(f"nothing was over by {answer['at']}, nothing is written down")
