"""`skytrunk sae`: application entities and the nodes whose key managers serve them."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Line, answering, commands
from scheduler import services

app = commands("Register the applications that may draw key.")

SaeArgument = Annotated[
    str, typer.Argument(metavar="SAE", help="Its id, as its client certificate names it.")
]


@app.command("add")
@answering
def add(
    line: Line,
    sae: SaeArgument,
    node: Annotated[str, typer.Option(metavar="N", help="Node whose key manager serves it.")],
) -> None:
    """Register an application entity at a node; it may draw and collect key there."""
    from api.schemas.saes import Sae

    with line.context() as context:
        done = Sae.model_validate(services.add_sae(context, sae_id=sae, node=node))
    line.answer(done, f"{done.sae_id} is registered at {done.node}")


@app.command("list")
@answering
def list_saes(line: Line) -> None:
    """List the registered entities."""
    from api.schemas.saes import Saes

    with line.context() as context:
        found = Saes.of(services.list_saes(context))
    line.answer(found, found.table())


@app.command("remove")
@answering
def remove(line: Line, sae: SaeArgument) -> None:
    """Remove an entity: no key is drawn for it or given to it any more."""
    from api.schemas.saes import Sae

    with line.context() as context:
        done = Sae.model_validate(services.remove_sae(context, sae))
    line.answer(done, f"{done.sae_id} is registered no more")
