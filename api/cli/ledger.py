"""`skytrunk ledger`: what key there is, whether the books are sound, and a copy of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import audit, waiting
from api.cli.options import ConfigOption, DatabaseOption, JsonOption, context_of, keep_common
from api.cli.output import emit, emit_lines, show, table_of, written
from scheduler import services

if TYPE_CHECKING:
    from rich.console import RenderableType

    from api.shape import Document

app = typer.Typer(
    help="Show, verify, sign, prove or export the ledger; key that waits or is over.",
    callback=keep_common,
)


@app.command("show")
def show_balances(
    ctx: typer.Context,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Show the balance of every pool, in bits."""
    from api.export import to_json
    from api.shape import balances_document

    with context_of(ctx, database, config) as context:
        context.existing_ledger()
        document = balances_document(services.pool_balances(context))
    if as_json:
        emit(to_json(document))
    else:
        show(balances_table(document))


def balances_table(document: Document) -> RenderableType:
    """Return the table of `balances_document`: a row a pool, a column a kind of account in use."""
    used = (accounts for accounts in document["pools"].values())
    in_use = {kind for accounts in used for kind, bits in accounts.items() if bits}
    kinds = [kind for kind in document["totals"] if kind in in_use]
    rows = [
        [pool, *(f"{accounts.get(kind, 0):,}" for kind in kinds)]
        for pool, accounts in document["pools"].items()
    ]
    rows.append(["all pools", *(f"{document['totals'][kind]:,}" for kind in kinds)])
    waiting_bits = document["waiting_bits"]
    caption = f"{waiting_bits:,} bits wait for an announcement" if waiting_bits else ""
    columns = ["pool", *(f"{kind}|" for kind in kinds)]
    return table_of("Ledger balances, bits", columns, rows, caption=caption)


app.command("waiting")(waiting.waiting)
app.command("accept")(waiting.accept)
app.command("void")(waiting.void)
app.command("expire")(waiting.expire)
app.command("verify")(audit.verify)
app.command("checkpoint")(audit.checkpoint)
app.command("prove")(audit.prove)


@app.command("export")
def export(
    ctx: typer.Context,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write here (default: stdout).")
    ] = None,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Write the ledger as JSON lines: entries, states, balances; no key and no wall time."""
    with context_of(ctx, database, config) as context:
        lines = services.export_ledger(context)
        if out is None:
            emit_lines(lines)
            return
        with written(out) as file:
            file.writelines(line.rstrip("\n") + "\n" for line in lines)
