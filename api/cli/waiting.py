"""`skytrunk ledger waiting|accept|void|expire`: key that waits, and key whose time is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from api.cli.ids import id_like
from api.cli.options import Line, RequestOption, answering
from api.cli.output import note
from api.inputs import parse_instant_or_none
from scheduler import services

BlockArgument = Annotated[
    str,
    typer.Argument(metavar="BLOCK", help="Id of the block, or its beginning (`ledger waiting`)."),
]
ReasonOption = Annotated[str, typer.Option(help="Why; it is written down.")]


@answering
def waiting(line: Line) -> None:
    """List the blocks that wait for their satellite's announcement, oldest first."""
    from api.schemas.ledger import Waiting

    with line.context() as context:
        found = Waiting.of(services.waiting_key(context))
    line.answer(found, found.table())


@answering
def accept(line: Line, block: BlockArgument, reason: ReasonOption) -> None:
    """Make waiting key available by hand, because its announcement came another way."""
    _decide(line, block, services.accept_key, reason)


@answering
def void(line: Line, block: BlockArgument, reason: ReasonOption) -> None:
    """Give waiting key up by hand, for ever, and erase its bytes."""
    _decide(line, block, services.void_key, reason)


def _decide(line: Line, block: str, decide: Callable[..., dict[str, Any]], reason: str) -> None:
    from api.schemas.ledger import Decided

    with line.context() as context:
        block_id = id_like(
            block, "block", lambda: (key.block_id for key in services.waiting_key(context))
        )
        done = Decided.model_validate(decide(context, block_id, reason=reason))
    line.answer(done, f"{done.bits:,} bits of {done.block} are {done.state}")


@answering
def expire(
    line: Line,
    at: Annotated[
        str | None, typer.Option("--at", metavar="T", help="What is over by T (default: now).")
    ] = None,
    request: RequestOption = None,
) -> None:
    """End what is over: reservations, blocks and keys that nobody resolved in time.

    The clockwork does this before every merge.
    """
    from api.schemas.ledger import Expired

    with line.context() as context:
        when = parse_instant_or_none(at, "at") or context.clock.now()
        done = Expired.model_validate(services.expire_due(context, at=when, request=request))
    line.answer(
        done,
        f"{done.blocks_expired:,} blocks expired with {done.bits_expired:,} bits,"
        f" {done.reservations_released:,} reservations released and"
        f" {done.reservations_uncertain:,} uncertain,"
        f" {done.keys_closed:,} keys closed, {done.blocks_erased:,} blocks erased",
    )
    if not line.as_json and not any(
        value for name, value in done.document().items() if name != "at"
    ):
        note(f"nothing was over by {done.at}, nothing is written down")
