"""Use cases: what became of answers with key, and which keys are in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from scheduler.ledger.keys.answers import (
    doubt_answers,
    get_doubted,
    is_any_overdue,
)
from scheduler.ledger.keys.answers import settle_answers as settle_in
from scheduler.ledger.log.canonical import request_digest

if TYPE_CHECKING:
    from scheduler.ledger import Transaction
    from scheduler.ledger.records import DoubtedKey
    from scheduler.services.context import Context


def settle_answers(context: Context, left: Sequence[str], lost: Sequence[str] = ()) -> None:
    """Note which answers have left and which may not have; the former's bytes are erased."""
    now = context.clock.now()

    def work(tx: Transaction) -> None:
        if left:
            command = tx.command(
                f"keys-settled/{uuid4()}", kind="keys-settled", at=now, digest=request_digest(left)
            )
            command.finish({"keys": settle_in(tx, command, left)})
        if lost:
            command = tx.command(
                f"keys-doubted/{uuid4()}", kind="keys-doubted", at=now, digest=request_digest(lost)
            )
            doubted, voided = doubt_answers(tx, command, request_ids=lost)
            command.finish({"doubted": doubted, "voided": voided})

    context.existing_ledger.run(work)


def doubt_overdue(context: Context) -> tuple[int, int]:
    """Doubt the answers that nobody saw leave in time, of processes that died with them.

    Returns how many keys are in doubt now, and how many of them nobody gets any more.
    """
    now = context.clock.now()
    before = now - timedelta(seconds=context.settings.key_answer_s)
    with context.view.read() as reader:
        if not is_any_overdue(reader, before=before):
            return 0, 0

    def work(tx: Transaction) -> tuple[int, int]:
        command = tx.command(
            f"keys-doubted/{uuid4()}", kind="keys-doubted", at=now, digest=request_digest(before)
        )
        doubted, voided = doubt_answers(tx, command, before=before)
        command.finish({"doubted": doubted, "voided": voided})
        return doubted, voided

    return context.existing_ledger.run(work)


def doubted_keys(context: Context) -> list[DoubtedKey]:
    """Keys of which nobody knows whether they left: void, or to be asked for again."""
    with context.view.read() as reader:
        return get_doubted(reader)
