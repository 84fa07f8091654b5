"""`skytrunk ledger verify|checkpoint|prove`: what an auditor asks, here and on another machine."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import ConfigOption, DatabaseOption, JsonOption, context_of
from api.cli.output import emit, emit_lines, note, read_text, written
from scheduler import services
from scheduler.errors import InputError, LedgerBroken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from scheduler.ledger.verify.export import ExportReport
    from scheduler.services.context import Context

CheckpointOption = Annotated[
    Path | None,
    typer.Option("--checkpoint", metavar="FILE", help="Signed checkpoint that was kept elsewhere."),
]
PublicKeyOption = Annotated[
    Path | None,
    typer.Option("--public-key", metavar="FILE", help="Key you trust, in hex."),
]


def verify(
    ctx: typer.Context,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="Check this export; no database is opened."),
    ] = None,
    proof: Annotated[
        Path | None,
        typer.Option("--proof", metavar="FILE", help="Check this proof; no database is opened."),
    ] = None,
    checkpoint: CheckpointOption = None,
    older: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The older checkpoint of a consistency proof."),
    ] = None,
    public_key: PublicKeyOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Processes at work (default: by the ledger's size and the cores)."
        ),
    ] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Recompute every balance and every hash; exit code 1 if anything is wrong.

    With --checkpoint the log must also be the signed one, which a full rewrite cannot be.
    Name the key you trust: a checkpoint's own key shows only that it was not damaged.
    """
    if proof is not None and (export is not None or checkpoint is None):
        raise InputError("--proof takes --checkpoint and no --export")
    if public_key is not None and checkpoint is None:
        raise InputError("--public-key without --checkpoint; allowed: both")
    if older is not None and proof is None:
        raise InputError("--older without --proof; allowed: both")
    if workers is not None and (proof is not None or export is not None):
        raise InputError("--workers is for a database; allowed: without --proof and --export")
    signed = None if checkpoint is None else read_text(checkpoint, "checkpoint")
    trusted = None if public_key is None else _public_key(public_key)
    if proof is not None and signed is not None:
        _verify_proof(proof, signed, older, trusted, as_json=as_json)
    elif export is not None:
        _verify_export(export, signed, trusted, as_json=as_json)
    else:
        context = context_of(ctx, database, config)
        _verify_ledger(context, signed, trusted, workers=workers, as_json=as_json)


def _public_key(path: Path) -> str:
    text = read_text(path, "public key").strip()
    if not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise InputError(f"public key {path} holds {text[:80]!r}; allowed: 64 hex digits")
    return text


def _verify_proof(
    proof: Path, signed: str, older: Path | None, trusted: str | None, *, as_json: bool
) -> None:
    from api.export import to_json
    from scheduler.services.audit import check_proof

    before = None if older is None else read_text(older, "older checkpoint")
    shown = check_proof(read_text(proof, "proof"), signed, older=before, public_key=trusted)
    emit(to_json({"ok": True, "shows": shown}) if as_json else f"proof holds: {shown}\n")


def _verify_export(export: Path, signed: str | None, trusted: str | None, *, as_json: bool) -> None:
    from api.export import to_json
    from api.key_shape import export_report_document
    from scheduler.services.audit import check_export

    report = check_export(_lines(export), checkpoint=signed, public_key=trusted)
    if as_json:
        emit(to_json(export_report_document(report)))
    else:
        _say_export(report, signed is not None)
    _fail_on(report.problems)


def _lines(path: Path) -> Iterator[str]:
    """Line by line: an export may be larger than the memory."""
    try:
        with path.open(encoding="utf-8") as file:
            yield from file
    except OSError as error:
        raise InputError(f"export {path}: {error.strerror}; allowed: a readable file") from None
    except UnicodeDecodeError:
        raise InputError(f"export {path} is not UTF-8; allowed: a text file") from None


def _say_export(report: ExportReport, signed: bool) -> None:
    if report.ok:
        against = ", as signed" if signed else ""
        emit(f"export sound{against}: {report.rows:,} rows, log of {report.size:,} leaves\n")
    else:
        emit_lines(report.problems)


def _verify_ledger(
    opening: AbstractContextManager[Context],
    signed: str | None,
    trusted: str | None,
    *,
    workers: int | None,
    as_json: bool,
) -> None:
    from api.export import to_json
    from api.shape import verify_document

    problems: list[str] = []
    with opening as context:
        if signed is not None:
            from scheduler.services.audit import check_against

            problems = check_against(context, signed, public_key=trusted)
        report = services.verify_ledger(context, workers=workers)
    problems = [*report.problems, *problems]
    if not report.figures["sealed_bytes_opened"]:
        note(
            "without its key-encryption key no sealed byte was opened, nor any sealed key: a change"
            " of these would not be seen"
        )
    if as_json:
        emit(to_json({**verify_document(report), "ok": not problems, "problems": problems}))
    elif problems:
        emit_lines(problems)
    else:
        emit(
            f"ledger sound{', as signed' if signed else ''}: {report.commands:,} commands,"
            f" {report.entries:,} entries, {report.blocks:,} blocks in {report.pools:,} pools\n"
        )
    _fail_on(problems)


def _fail_on(problems: Sequence[str]) -> None:
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise LedgerBroken(f"ledger broken: {problems[0]}{more}")


def checkpoint(
    ctx: typer.Context,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write here (default: stdout).")
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option("--public-key", metavar="FILE", help="Write the public key here, in hex."),
    ] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Sign size and root of the audit log; keep the line, and the public key, somewhere else."""
    from scheduler.services.audit import public_key_of, sign_checkpoint

    # Opened before anything is signed: what is signed stays in the ledger.
    with context_of(ctx, database, config) as context, ExitStack() as files:
        key_file = files.enter_context(written(public_key)) if public_key else None
        file = files.enter_context(written(out)) if out else None
        signed = sign_checkpoint(context)
        if key_file is not None:
            key_file.write(public_key_of(signed) + "\n")
        if file is not None:
            file.write(signed + "\n")
    if out is None or as_json:  # it is one JSON document either way
        emit(signed + "\n")


def prove(
    ctx: typer.Context,
    kind: Annotated[
        str | None,
        typer.Argument(help="command, booking, plan, run_fact, ...; or block, key."),
    ] = None,
    subject: Annotated[str | None, typer.Argument(help="Its number, id or name.")] = None,
    since: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Prove that the log continues this older checkpoint."),
    ] = None,
    checkpoint: CheckpointOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write here (default: stdout).")
    ] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Prove that KIND SUBJECT is in the log, or with --since that the log only grew.

    The proof is for the size of --checkpoint, else for the log as it stands.
    """
    from scheduler.services.audit import prove_growth, prove_row

    if (since is None) == (kind is None or subject is None):
        raise InputError("name a kind and a subject, or --since FILE; allowed: one of the two")
    signed = None if checkpoint is None else read_text(checkpoint, "checkpoint")
    with context_of(ctx, database, config) as context:
        if since is not None:
            proof = prove_growth(context, read_text(since, "checkpoint"), newer=signed)
        else:
            assert kind is not None
            assert subject is not None
            proof = prove_row(context, kind, subject, checkpoint=signed)
    text = json.dumps(proof, indent=2) + "\n"
    if out is not None:
        with written(out) as file:
            file.write(text)
    if out is None or as_json:
        emit(text)
