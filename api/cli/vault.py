"""`skytrunk vault`: key at rest, its epochs and its key-encryption key."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Line, answering, commands
from scheduler import services

app = commands("Key at rest: under which keys it lies; rotate them, shred what is spent.")

PoolsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[POOL]...", help="Pools, as `vault status` names them (default: all)."),
]


@app.command("status")
@answering
def status(line: Line) -> None:
    """Show the data keys that are kept; ends with 1 if one of them should be gone."""
    from api.schemas.vault import Vault

    with line.context() as context:
        found = Vault.model_validate(services.vault_status(context))
    line.answer(found, found.table())
    if found.overdue or found.undestroyed:
        raise typer.Exit(1)


@app.command("rotate-kek")
@answering
def rotate_kek(line: Line) -> None:
    """Make a new key-encryption key and put it in the old one's file; the old one is destroyed.

    Stop `run` and `serve` before and start them again after it. Copies of the ledger stay under
    the old key: keep a copy of it as long as you keep them.
    """
    from api.schemas.vault import Rotated

    with line.context() as context:
        done = Rotated.model_validate(services.rotate_kek(context))
    line.answer(
        done, f"{done.data_keys} data keys are under key {done.kek_id} now, in {done.kek_file}"
    )


@app.command("new-epoch")
@answering
def new_epoch(line: Line, pools: PoolsArgument = None) -> None:
    """Begin the next epoch of pools; key that comes from now on lies under another data key."""
    from api.schemas.vault import EpochsBegun

    with line.context() as context:
        done = EpochsBegun.model_validate(services.begin_epochs(context, pools or ()))
    line.answer(done, f"{done.epochs_begun} epochs begun")


@app.command("shred")
@answering
def shred(line: Line, pools: PoolsArgument = None) -> None:
    """Destroy the data keys of epochs that ended; what is unspent is sealed anew before.

    To have all key that was spent until now unreadable: `vault new-epoch`, then this.
    """
    from api.schemas.vault import EpochsShredded

    with line.context() as context:
        done = EpochsShredded.model_validate(services.shred_epochs(context, pools or ()))
    line.answer(
        done,
        f"{done.epochs_shredded} epochs shredded, {done.pieces_sealed_anew:,} pieces sealed anew,"
        f" {done.keys_made_up_for} key files of before destroyed",
    )
