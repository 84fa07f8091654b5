"""`skytrunk keys`: where key came from, what a pair has, and key that others bring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import ConfigOption, DatabaseOption, JsonOption, context_of, keep_common
from api.cli.output import emit, emit_lines, show, table_of
from scheduler import services

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.shape import Document

app = typer.Typer(help="Trace, list or import key; no command shows a bit of it.",
                  callback=keep_common)  # fmt: skip

SETS_IN_TEXT = 6
CHUNKS_IN_TEXT = 3


@app.command("trace")
def trace(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="KEY_ID|BLOCK_ID", help="Id of a key or block.")],
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Follow an end-to-end key back to passes, spans and announcements, and say who knows it."""
    from api.export import to_json
    from api.key_shape import trace_document

    with context_of(ctx, database, config) as context:
        document = trace_document(services.trace_key(context, name))
    if as_json:
        emit(to_json(document))
    else:
        emit_lines(_trace_lines(document))


@app.command("list")
def list_blocks(
    ctx: typer.Context,
    pair: Annotated[str, typer.Option("--pair", metavar="A--B", help="The pair's two nodes.")],
    limit: Annotated[int, typer.Option(help="The newest so many blocks.")] = 50,
    scenario: Annotated[
        str | None, typer.Option(metavar="NAME", help="Scenario, by name or file (micius-2016).")
    ] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """List the end-to-end blocks of a pair and who could know each."""
    from api.export import to_json
    from api.key_shape import pair_blocks_document

    with context_of(ctx, database, config, scenario=scenario) as context:
        document = pair_blocks_document(pair, services.pair_blocks(context, pair, limit=limit))
    if as_json:
        emit(to_json(document))
        return
    rows = [
        [one["block_id"], one["made_at"], one["state"], f"{one['length_bits']:,}",
         f"{one['left_bits']:,}", one["source"], _who_knows(one)]
        for one in document["blocks"]
    ]  # fmt: skip
    columns = ["block!", "made (UTC)", "state", "bits|", "left|", "source", "who could know it"]
    hint = "`skytrunk keys trace BLOCK` names the nodes" if rows else ""
    show(table_of(f"{len(rows)} blocks of {pair}", columns, rows, caption=hint))


def _who_knows(block: Document) -> str:
    if block["paths"] < 2:
        return "every relay of its path" if block["paths"] else ""
    alone = ", ".join(block["single_points"]) or "no node alone"
    return f"{block['threshold']} of {block['paths']} paths; {alone}"


@app.command("import")
def import_keys(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder with manifest.toml or .json and keys.")],
    scenario: Annotated[
        str | None, typer.Option(metavar="NAME", help="Scenario, by name or file (micius-2016).")
    ] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Deposit every block of FOLDER in one transaction, or none if any of them is bad."""
    from api.export import to_json

    with context_of(ctx, database, config, scenario=scenario) as context:
        answer = services.import_keys(context, folder)
    if as_json:
        emit(to_json(answer))
        return
    pools = ", ".join(f"{pool} {bits:,}" for pool, bits in answer["pools"].items())
    emit(f"{answer['blocks']} blocks, {answer['bits']:,} bits imported: {pools}\n")


def _trace_lines(document: Document) -> Iterator[str]:
    block = document["block"]
    simulated = ", simulated" if block["simulated"] else ""
    yield f"block {block['block_id']} of {block['pool_id']}: {block['length_bits']:,} bits,"
    yield f"  {block['source']}{simulated}, {block['state']}, {block['left_bits']:,} bits left,"
    yield f"  made {block['made_at']} by {block['made_by']};"
    yield f"  insecure or unequal with probability {block['eps_total']:.2g} at most"
    if block["expires_at"]:
        yield f"  of no use from {block['expires_at']} on, when its oldest source is too old"
    if document["drawn"]:
        drawn = document["drawn"]
        yield f"  the key is bits {drawn['start_bit']:,} to {drawn['end_bit']:,} of it"
    yield document["known_to"]
    if document["paths"]:
        yield from _who_lines(document)
    named = {source["block_id"]: source["natural_key"] for source in document["sources"]}
    for number, path in enumerate(document["paths"], start=1):
        yield ""
        count = len(path["nodes"]) - 2
        yield f"path {number}: {path['nodes'][0]} to {path['nodes'][-1]} by {count} relays"
        for index, hop in enumerate(path["hops"]):
            yield f"  {hop['link']}"
            for chunk in hop["chunks"][:CHUNKS_IN_TEXT]:
                bits = f"bits {chunk['start_bit']:,} to {chunk['end_bit']:,}"
                yield f"    {bits} of {named.get(chunk['block_id'], chunk['block_id'])}"
            if len(hop["chunks"]) > CHUNKS_IN_TEXT:
                yield f"    and {len(hop['chunks']) - CHUNKS_IN_TEXT} more ranges"
            if index < len(path["announcements"]):
                said = path["announcements"][index]
                yield f"  {said['relay']} announced {said['announcement_id']}"


def _who_lines(document: Document) -> Iterator[str]:
    count = document["minimal_set_count"]
    shown = document["minimal_sets"][:SETS_IN_TEXT]
    yield f"smallest sets of nodes that know it ({count}):"
    for nodes in shown:
        yield f"  {' and '.join(nodes)}"
    if count > len(shown):
        yield f"  and {count - len(shown)} more"
