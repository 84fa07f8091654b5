"""`skytrunk ledger verify|checkpoint|prove`: what an auditor asks, here and on another machine."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import Line, OutOption, answering
from api.cli.output import emit, emit_file, emit_json, note, read_text, show, written
from scheduler import services
from scheduler.errors import InputError, LedgerBroken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CheckpointOption = Annotated[
    Path | None,
    typer.Option("--checkpoint", metavar="FILE", help="Signed checkpoint that was kept elsewhere."),
]
PublicKeyOption = Annotated[
    Path | None,
    typer.Option("--public-key", metavar="FILE", help="Key you trust, in hex."),
]


@answering
def verify(
    line: Line,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="Check this export; no database is opened."),
    ] = None,
    proof: Annotated[
        Path | None,
        typer.Option("--proof", metavar="FILE", help="Check this proof; no database is opened."),
    ] = None,
    segment: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Check this closed period; no database is opened."),
    ] = None,
    checkpoint: CheckpointOption = None,
    older: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The older checkpoint of a consistency proof."),
    ] = None,
    public_key: PublicKeyOption = None,
    is_copy: Annotated[
        bool,
        typer.Option("--copy", help="This is a copy: it may be older than the ledger's counter."),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Processes at work (default: by the ledger's size and the cores)."
        ),
    ] = None,
) -> None:
    """Recompute every balance and every hash; exit code 1 if anything is wrong.

    With --checkpoint the log must also be the signed one, which a full rewrite cannot be.
    Name the key you trust: a checkpoint's own key shows only that it was not damaged.
    """
    if proof is not None and (export is not None or checkpoint is None):
        raise InputError("--proof takes --checkpoint and no --export")
    if segment is not None and not proof is export is checkpoint is None:
        raise InputError("--segment takes --public-key alone")
    if public_key is not None and checkpoint is segment is None:
        raise InputError("--public-key without --checkpoint or --segment; allowed: both")
    if older is not None and proof is None:
        raise InputError("--older without --proof; allowed: both")
    if workers is not None and not proof is export is segment is None:
        raise InputError(
            "--workers is for a database; allowed: without --proof, --export and --segment"
        )
    signed = None if checkpoint is None else read_text(checkpoint, "checkpoint")
    trusted = None if public_key is None else _public_key(public_key)
    if proof is not None and signed is not None:
        _verify_proof(line, proof, signed, older, trusted)
    elif segment is not None:
        _verify_segment(line, segment, trusted)
    elif export is not None:
        _verify_export(line, export, signed, trusted)
    else:
        _verify_ledger(line, signed, trusted, workers=workers, is_copy=is_copy)


def _public_key(path: Path) -> str:
    text = read_text(path, "public key").strip()
    if not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise InputError(f"public key {path} holds {text[:80]!r}; allowed: 64 hex digits")
    return text


def _verify_proof(
    line: Line, proof: Path, signed: str, older: Path | None, trusted: str | None
) -> None:
    from scheduler.services.audit import check_proof

    before = None if older is None else read_text(older, "older checkpoint")
    shown = check_proof(read_text(proof, "proof"), signed, older=before, public_key=trusted)
    if line.as_json:
        emit_json({"ok": True, "shows": shown})
    else:
        show(f"proof holds: {shown}")


def _verify_export(line: Line, export: Path, signed: str | None, trusted: str | None) -> None:
    from api.schemas.ledger import VerifiedExport
    from scheduler.services.audit import check_export

    report = VerifiedExport.model_validate(
        check_export(_lines(export), checkpoint=signed, public_key=trusted)
    )
    against = ", as signed" if signed else ""
    sound = f"export sound{against}: {report.rows:,} rows, log of {report.size:,} leaves"
    line.answer(report, report.problems or sound)
    _fail_on(report.problems)


def _verify_segment(line: Line, segment: Path, trusted: str | None) -> None:
    from api.schemas.ledger import VerifiedSegment

    report = VerifiedSegment.model_validate(services.check_segment(segment, public_key=trusted))
    sound = (
        f"segment {report.number} sound: {report.rows:,} rows, {report.leaves:,} leaves of"
        f" {report.size:,}"
    )
    line.answer(report, report.problems or sound)
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


def _verify_ledger(
    line: Line, signed: str | None, trusted: str | None, *, workers: int | None, is_copy: bool
) -> None:
    from api.schemas.ledger import Verified
    from scheduler.services.audit import check_against, check_signer, newest_handed_out

    with line.context() as context:
        problems = check_signer(context)
        if signed is None and not is_copy:
            signed = newest_handed_out(context)
        if signed is not None:
            problems += check_against(context, signed, public_key=trusted)
        report = Verified.model_validate(
            services.verify_ledger(context, workers=workers, is_copy=is_copy)
        )
    problems = [*report.problems, *problems]
    if not report.sealed_bytes_opened:
        note(
            "without its key-encryption key no sealed byte was opened, nor any sealed key, and"
            " neither the log's head nor its counter was checked: a change of these would not be"
            " seen"
        )
    if not report.commands:
        note(
            "this ledger is empty; if it is a copy of one in use, its -wal file was left behind:"
            " copy both, or let SQLite write one file (VACUUM INTO)"
        )
    state = ("sound" if report.commands else "empty") + (", as signed" if signed else "")
    line.answer(
        report.model_copy(update={"ok": not problems, "problems": problems}),
        problems
        or f"ledger {state}: {report.commands:,} commands,"
        f" {report.entries:,} entries, {report.blocks:,} blocks in {report.pools:,} pools",
    )
    _fail_on(problems)


def _fail_on(problems: Sequence[str]) -> None:
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise LedgerBroken(f"ledger broken: {problems[0]}{more}")


@answering
def checkpoint(
    line: Line,
    out: OutOption = None,
    public_key: Annotated[
        Path | None,
        typer.Option("--public-key", metavar="FILE", help="Write the public key here, in hex."),
    ] = None,
) -> None:
    """Sign size and root of the audit log; keep the line, and the public key, somewhere else."""
    from scheduler.services.audit import public_key_of, sign_checkpoint

    # Opened before anything is signed: what is signed stays in the ledger.
    with line.context() as context, ExitStack() as files:
        key_file = files.enter_context(written(public_key)) if public_key else None
        file = files.enter_context(written(out)) if out else None
        signed = sign_checkpoint(context)
        if key_file is not None:
            key_file.write(public_key_of(signed) + "\n")
        if file is not None:
            file.write(signed + "\n")
    if out is None or line.as_json:  # it is one JSON document either way
        emit(signed + "\n")


@answering
def prove(
    line: Line,
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
    out: OutOption = None,
) -> None:
    """Prove that KIND SUBJECT is in the log, or with --since that the log only grew.

    The proof is for the size of --checkpoint, else for the log as it stands.
    """
    from scheduler.services.audit import prove_growth, prove_row

    if (since is None) == (kind is None or subject is None):
        raise InputError("name a kind and a subject, or --since FILE; allowed: one of the two")
    signed = None if checkpoint is None else read_text(checkpoint, "checkpoint")
    with line.context() as context:
        if since is not None:
            proof = prove_growth(context, read_text(since, "checkpoint"), newer=signed)
        else:
            assert kind is not None
            assert subject is not None
            proof = prove_row(context, kind, subject, checkpoint=signed)
    text = json.dumps(proof, indent=2) + "\n"
    emit_file(out, text)
    if out is not None and line.as_json:
        emit(text)
