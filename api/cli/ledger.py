"""`skytrunk ledger`: what key there is, whether the books are sound, and a copy of them."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli import audit, waiting
from api.cli.options import Line, OutOption, answering, commands, common
from api.cli.output import emit_lines, written
from api.inputs import parse_instant_or_none
from scheduler import services

app = commands("Show, verify, sign, prove or export the ledger; key that waits or is over.")


@app.command("show")
@answering
def show_balances(line: Line) -> None:
    """Show the balance of every pool, in bits."""
    from api.schemas.ledger import Balances

    with line.context() as context:
        found = Balances.of(services.pool_balances(context))
    line.answer(found, found.table())


app.command("waiting")(waiting.waiting)
app.command("accept")(waiting.accept)
app.command("void")(waiting.void)
app.command("expire")(waiting.expire)
app.command("verify")(audit.verify)
app.command("checkpoint")(audit.checkpoint)
app.command("prove")(audit.prove)


@app.command("public-key")
@answering
def public_key(line: Line) -> None:
    """Show the key that signs checkpoints: keep it elsewhere, or as `log_public_key`."""
    from api.schemas.ledger import SigningKey
    from scheduler.services.audit import signing_key

    with line.context() as context:
        found = SigningKey.model_validate(signing_key(context))
    line.answer(found, f"{found.public_key} (fingerprint {found.key_id})")


@app.command("close-segment")
@answering
def close_segment(
    line: Line,
    at: Annotated[
        str | None, typer.Option("--at", metavar="T", help="Where the period ends (now).")
    ] = None,
) -> None:
    """Archive all there is in `archive_place`, then take out what was long finished.

    What stays is what may still be used, and what was finished less than `segment_rest_s` ago.
    """
    from api.schemas.ledger import ClosedSegment

    with line.context() as context:
        when = parse_instant_or_none(at, "at") or context.clock.now()
        done = ClosedSegment.model_validate(services.close_segment(context, at=when))
    line.answer(done, done.words())


@app.command("segments")
@answering
def segments(line: Line) -> None:
    """List the closed periods, and whether their files are in `archive_place`."""
    from api.schemas.ledger import Segments

    with line.context() as context:
        found = Segments.of(services.list_segments(context))
    line.answer(found, found.table())


@app.command("restore")
@answering
def restore(
    line: Line,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why the old copy was put back.")],
) -> None:
    """Accept an old copy that was put back: all key that could still go out is withdrawn.

    Nobody knows what was delivered since the copy was made. The reason stays in the ledger.
    """
    from api.schemas.ledger import Restored

    with line.context() as context:
        done = Restored.model_validate(services.restore_ledger(context, reason=reason))
    line.answer(
        done,
        f"ledger restored: {done.bits_withdrawn:,} bits of {done.blocks_withdrawn:,} blocks"
        f" withdrawn, {done.reservations_ended} reservations ended, {done.keys_closed} keys closed",
    )


@app.command("export")
@common
def export(line: Line, out: OutOption = None) -> None:
    """Write the ledger as JSON lines: entries, states, balances; no key and no wall time."""
    with line.context() as context:
        lines = services.export_ledger(context)
        if out is None:
            emit_lines(lines)
            return
        with written(out) as file:
            file.writelines(one.rstrip("\n") + "\n" for one in lines)
