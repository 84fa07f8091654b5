"""`skytrunk keys`: where key came from, what a pair has, and key that others bring."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import Line, answering, commands
from scheduler import services

app = commands("Trace, list or import key; no command shows a bit of it.")


@app.command("trace")
@answering
def trace(
    line: Line,
    name: Annotated[str, typer.Argument(metavar="KEY_ID|BLOCK_ID", help="Id of a key or block.")],
) -> None:
    """Follow an end-to-end key back to passes, spans and announcements, and say who knows it."""
    from api.schemas.keys import Trace

    found = line.ask(
        lambda here: Trace.of(services.trace_key(here, name)), lambda server: server.trace(name)
    )
    line.answer(found, found.lines())


@app.command("list")
@answering
def list_blocks(
    line: Line,
    pair: Annotated[str, typer.Option("--pair", metavar="A--B", help="The pair's two nodes.")],
    limit: Annotated[int, typer.Option(help="The newest so many blocks.")] = 50,
) -> None:
    """List the end-to-end blocks of a pair and who could know each."""
    from api.schemas.keys import PairBlocks

    with line.context() as context:
        found = PairBlocks.of(pair, services.pair_blocks(context, pair, limit=limit))
    line.answer(found, found.table())


@app.command("close")
@answering
def close(line: Line) -> None:
    """Close the pooled finite-key blocks that are due now; the clockwork does so by itself."""
    from api.schemas.keys import Closings

    with line.context() as context:
        found = Closings.of(services.close_blocks(context, at=context.clock.now()))
    line.answer(found, found.table())


@app.command("import")
@answering
def import_keys(
    line: Line,
    folder: Annotated[Path, typer.Argument(help="Folder with manifest.toml or .json and keys.")],
) -> None:
    """Deposit every block of FOLDER in one transaction, or none if any of them is bad."""
    from api.schemas.keys import Imported

    with line.context() as context:
        done = Imported.model_validate(services.import_keys(context, folder))
    pools = ", ".join(f"{pool} {bits:,}" for pool, bits in done.pools.items())
    line.answer(done, f"{done.blocks} blocks, {done.bits:,} bits imported: {pools}")


@app.command("uncertain")
@answering
def uncertain(line: Line) -> None:
    """List keys that may or may not have reached an application, and what became of each."""
    from api.schemas.saes import DoubtedKeys

    with line.context() as context:
        found = DoubtedKeys.of(services.doubted_keys(context))
    line.answer(found, found.table())


EndOption = Annotated[str, typer.Option(metavar="URL", help="Key manager at that end.")]
SaeOption = Annotated[str, typer.Option(metavar="SAE", help="Our SAE id at that end.")]
PemOption = Annotated[Path | None, typer.Option(metavar="PEM", help="Ours at that end.")]


@app.command("pull")
@answering
def pull(
    line: Line,
    link: Annotated[str, typer.Argument(metavar="LINK", help="As in link:beijing--jinan.")],
    url_a: EndOption,
    url_b: EndOption,
    sae_a: SaeOption,
    sae_b: SaeOption,
    cert_a: PemOption = None,
    key_a: PemOption = None,
    cert_b: PemOption = None,
    key_b: PemOption = None,
    ca: Annotated[Path | None, typer.Option(metavar="PEM", help="Authority of both.")] = None,
    number: Annotated[int, typer.Option(help="Keys of this pull.")] = 64,
    size: Annotated[int, typer.Option(help="Bits of each.")] = 256,
) -> None:
    """Deposit key that a link's devices made, over ETSI GS QKD 014 from both their key managers."""
    from api.schemas.keys import Pulled
    from scheduler.sources.device import DeviceEnd

    ends = (
        DeviceEnd(url=url_a, sae_id=sae_a, cert=cert_a, key=key_a, ca=ca),
        DeviceEnd(url=url_b, sae_id=sae_b, cert=cert_b, key=key_b, ca=ca),
    )
    with line.context() as context:
        answer = services.pull_keys(context, pool_id=link, ends=ends, number=number, size=size)
    done = Pulled.model_validate(answer)
    line.answer(done, f"{done.bits:,} bits for {done.pool}, block {done.block}")
