"""Use cases of an auditor: signed checkpoints, proofs, and checks without a database."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from scheduler.domain import VerifyReport
from scheduler.errors import FeedError, InputError, LedgerError, ProofInvalid, UnknownName
from scheduler.ledger.db.snapshot import snapshot_of
from scheduler.ledger.keys.stock import get_balances
from scheduler.ledger.keys.tracing import trace_block
from scheduler.ledger.log import checkpoints, trail
from scheduler.ledger.log.canonical import read_json, request_digest
from scheduler.ledger.reader import last_of_kind
from scheduler.ledger.records import Checkpoint, ConsistencyProof, InclusionProof
from scheduler.ledger.segments.proofs import Archives, inclusion_of_row
from scheduler.ledger.segments.reads import get_segments
from scheduler.ledger.verify.export import ExportReport, verify_lines
from scheduler.ledger.verify.signed import check_signed
from scheduler.process import worker_pool
from scheduler.sources.checkpoints import hand_out, is_address, newest_in

if TYPE_CHECKING:
    from scheduler.ledger import Reader
    from scheduler.services.context import Context

PROOF_FORMAT = "skytrunk-proof/1"

BLOCKS = ("block", "key")
"""Names of rows whose proof is that of the command which made them."""


HANDED_OUT = "handed-out"
HANDED_OUT_AT_ONCE = 10

WORKERS_MAX = 64

ROWS_PER_WORKER = 30_000
"""Rows that are worth the start of another process: checking them takes a few times as long."""


def verify_ledger(
    context: Context, *, workers: int | None = None, is_copy: bool = False
) -> VerifyReport:
    """Recompute the whole ledger and say what does not hold.

    `workers` processes do it, this one among them; by default as many as the ledger is worth and
    the machine has cores. What `is_copy` may be older than its counter. Raises InputError for
    another number than 1 to WORKERS_MAX, LedgerError if one of them ends before its time.
    """
    view = context.view
    helpers = workers_for(workers, view.count_rows()) - 1
    if not helpers:
        return view.verify(is_copy=is_copy)
    with worker_pool(helpers) as executor:
        return view.verify(executor=executor, helpers=helpers, is_copy=is_copy)


def verify_by_itself(context: Context) -> dict[str, Any]:
    """Verify the ledger as a job does. Raises LedgerError naming the first problem."""
    report = verify_ledger(context)
    if not report.ok:
        raise LedgerError(f"{len(report.problems)} problems, the first: {report.problems[0]}")
    return {"problems": 0}


def workers_for(wanted: int | None, rows: int) -> int:
    """How many processes audit a ledger of so many rows. Raises InputError for a wrong number."""
    if wanted is not None:
        if not 1 <= wanted <= WORKERS_MAX:
            raise InputError(f"{wanted} workers; allowed: 1 to {WORKERS_MAX}")
        return wanted
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    return max(1, min(cores, rows // ROWS_PER_WORKER, WORKERS_MAX))


def sign_checkpoint(context: Context) -> str:
    """Sign the audit log as it stands; one line of JSON, to be kept elsewhere."""
    return checkpoints.checkpoint_text(context.existing_ledger.checkpoint(context.clock.now()))


def keep_checkpoint(context: Context, *, at: datetime | None = None) -> dict[str, Any]:
    """Sign the audit log, and hand out every checkpoint that was not to where the settings say.

    What is signed stands in the ledger before anybody is told of it, and that it was handed out
    is a command behind that: what a kill, or a place that is away, left undone comes first the
    next time. Asked again for the same instant nothing more is signed. Raises FeedError, naming the
    place and how many wait, if it took none.
    """
    ledger, place = context.existing_ledger, context.settings.checkpoint_place
    with ledger.view.read() as reader:
        known = trail.checkpoints(reader.connection)
    if at is None or not known or known[-1].at < at:
        known = [*known, ledger.checkpoint(context.clock.now())]
    answer = {"signed": checkpoints.checkpoint_text(known[-1])}
    if place is None:
        return answer
    with ledger.view.read() as reader:
        handed = _handed_out(reader, place)
    # Of many that wait the newest covers all; a place that comes back is not flooded.
    waiting = [(number, one) for number, one in enumerate(known, start=1) if number > handed]
    for number, one in waiting[-HANDED_OUT_AT_ONCE:]:
        failed = hand_out(place, one.size, checkpoints.checkpoint_text(one))
        if failed is not None:
            raise FeedError(
                f"{failed}; {len(known) - handed} checkpoints wait to be handed out, all signed"
            )
        _note_handed_out(context, number, place)
        handed = number
    return answer | {"handed_out": place}


def _handed_out(reader: Reader, place: str) -> int:
    """Number of the last checkpoint that a place has; 0 if none."""
    last = last_of_kind(reader, HANDED_OUT)
    if last is None or last.answer["place"] != place:
        return 0
    number: int = last.answer["checkpoint"]
    return number


def _note_handed_out(context: Context, number: int, place: str) -> None:
    digest = request_digest(number, place)
    request_id = f"{HANDED_OUT}/{number}/{digest[:16]}"
    with context.ledger.begin() as tx:
        if tx.answer(request_id, kind=HANDED_OUT, digest=digest) is None:
            command = tx.command(request_id, kind=HANDED_OUT, at=context.clock.now(), digest=digest)
            command.finish({"checkpoint": number, "place": place})


def newest_handed_out(context: Context) -> str | None:
    """The newest checkpoint in the folder that the settings name; None without one.

    Raises ProofInvalid if it cannot be read: whoever took it away must not pass unseen.
    """
    place = context.settings.checkpoint_place
    if place is None or is_address(place):
        return None
    try:
        newest = newest_in(Path(place))
        if newest is None:
            raise ProofInvalid(f"folder {place} holds no checkpoint; was one ever signed?")
        return newest.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ProofInvalid(f"checkpoints in {place}: {type(error).__name__}") from None


def signing_key(context: Context) -> dict[str, str]:
    """The public key that signs this ledger's checkpoints, in hex, and its fingerprint."""
    with context.view.read() as reader:
        key = trail.public_key(reader.connection)
    return {"public_key": key, "key_id": checkpoints.key_id_of(bytes.fromhex(key))}


def last_checkpoint(context: Context) -> str:
    """The newest signed checkpoint. Raises UnknownName if none was ever made."""
    with context.view.read() as reader:
        signed = trail.checkpoints(reader.connection)
    if not signed:
        raise UnknownName("no checkpoint was signed yet; `skytrunk ledger checkpoint` signs one")
    return checkpoints.checkpoint_text(signed[-1])


def public_key_of(checkpoint: str) -> str:
    """The key under which a checkpoint says it was signed, in hex."""
    return checkpoints.read_checkpoint(checkpoint).public_key


def prove_row(
    context: Context, kind: str, subject: str, *, checkpoint: str | None = None
) -> dict[str, Any]:
    """Prove that the last change of a row is in the log, as it stands or as it was signed.

    `kind` and `subject` name a row of the log (command 12, booking UUID, ...), or a block or
    a key by its id: then the command that made it. What left with a closed period is read from its
    file. Raises ProofInvalid if it is not in there.
    """
    size = None if checkpoint is None else checkpoints.read_checkpoint(checkpoint).size
    with context.view.read() as reader:
        archives = Archives(context.settings.archive_place, get_segments(reader))
        if kind in BLOCKS:
            kind, subject = "command", _maker_of(reader, archives, kind, subject)
        proof = inclusion_of_row(reader.connection, archives, kind, subject, size)
    return {"format": PROOF_FORMAT, "proof": "inclusion", **asdict(proof)}


def _maker_of(reader: Reader, archives: Archives, kind: str, subject: str) -> str:
    """The command that made a block, which may have left. Raises UnknownName."""
    name = _uuid(kind, subject)
    try:
        return str(trace_block(reader, name).command.command_id)
    except UnknownName:
        return archives.command_of(kind, str(name))


def prove_growth(context: Context, older: str, *, newer: str | None = None) -> dict[str, Any]:
    """Prove that the log, as it stands or as it was signed later, continues an older one."""
    old_size = checkpoints.read_checkpoint(older).size
    size = None if newer is None else checkpoints.read_checkpoint(newer).size
    with context.view.read() as reader:
        proof = trail.consistency(reader.connection, old_size, size=size)
    return {"format": PROOF_FORMAT, "proof": "consistency", **asdict(proof)}


def check_proof(text: str, checkpoint: str, *, older: str | None, public_key: str | None) -> str:
    """Check a proof against signed checkpoints and say what it shows; needs no database.

    Raises ProofInvalid if a signature or the proof does not hold.
    """
    signed = checkpoints.read_checkpoint(checkpoint)
    checkpoints.check_signature(signed, public_key=public_key)
    proof = _read_proof(text)
    if isinstance(proof, InclusionProof):
        checkpoints.check_inclusion(proof, signed)
        return f"{proof.kind} {proof.subject} is leaf {proof.seq} of the signed {signed.size}"
    if older is None:
        raise InputError("a consistency proof needs the older checkpoint too")
    before = checkpoints.read_checkpoint(older)
    trusted = signed.public_key if public_key is None else public_key
    checkpoints.check_signature(before, public_key=trusted)
    checkpoints.check_consistency(proof, before, signed)
    return f"the log of {signed.size} leaves continues the one of {before.size}"


def check_export(
    lines: Iterable[str], *, checkpoint: str | None, public_key: str | None
) -> ExportReport:
    """Check an exported ledger by itself and against a checkpoint; needs no database."""
    signed: Checkpoint | None = None
    if checkpoint is not None:
        signed = checkpoints.read_checkpoint(checkpoint)
    return verify_lines(lines, checkpoint=signed, public_key=public_key)


def check_against(context: Context, checkpoint: str, *, public_key: str | None) -> list[str]:
    """What speaks against the ledger's being the one that was signed; verify says what is in it.

    Raises ProofInvalid if the text is no checkpoint.
    """
    signed = checkpoints.read_checkpoint(checkpoint)
    trusted = public_key or context.settings.log_public_key
    with context.view.read() as reader:
        return check_signed(snapshot_of(reader.connection), signed, trusted)


def check_signer(context: Context) -> list[str]:
    """What speaks against the ledger's signing key: it is another than the settings name."""
    named = context.settings.log_public_key
    with context.view.read() as reader:
        seen = trail.public_key(reader.connection) if named else None
    if named == seen:
        return []
    return [f"audit_key: the log is signed by {seen}, `log_public_key` names {named}"]


def _uuid(kind: str, subject: str) -> UUID:
    try:
        return UUID(subject)
    except ValueError:
        raise InputError(f"{kind} {subject!r}; allowed: its id, a UUID") from None


def _read_proof(text: str) -> InclusionProof | ConsistencyProof:
    try:
        body: dict[str, Any] = read_json(text)
        if body.pop("format") != PROOF_FORMAT:
            raise ValueError("format")
        made = InclusionProof if body.pop("proof") == "inclusion" else ConsistencyProof
        checkpoints.check_fields(body, made)
        return made(**{**body, "hashes": tuple(body["hashes"])})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProofInvalid(f"not a proof of {PROOF_FORMAT}: {error}") from None


def pool_balances(context: Context) -> dict[str, dict[str, int]]:
    """Bits by pool and account."""
    with context.view.read() as reader:
        found = get_balances(reader)
    return {pool: held for pool, held in found.items() if context.viewer.sees_pool(pool)}


def export_ledger(context: Context) -> Iterator[str]:
    """The ledger as lines of canonical JSON: no key, no wall time."""
    return context.view.export_lines()
