"""Use cases: keys passed on to another network, and what we say of keys that came from it.

Intent, commit, call, outcome: keys are marked as given before they leave, stay sealed until the
other network says that it has them, and are sent again, the same ones, while that is in doubt.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from scheduler.errors import WrongState
from scheduler.ledger.keys.answers import (
    doubt_answers,
    get_answers,
    get_outgoing,
    repeat_keys,
    settle_answers,
    void_keys,
)
from scheduler.ledger.keys.delivery import collect_keys
from scheduler.ledger.keys.delivery_reads import get_drawn_keys
from scheduler.ledger.log.canonical import request_digest
from scheduler.ledger.reader import get_commands
from scheduler.services.delivery import inbound
from scheduler.services.delivery.parties import outgoing_name
from scheduler.sources.peers import post_to

if TYPE_CHECKING:
    from scheduler.ledger import Reader, Transaction
    from scheduler.ledger.records import OutgoingKeys
    from scheduler.services.context import Context
    from scheduler.settings import KmePeer

Post = Callable[["KmePeer", str, Any], int | None]
"""Send JSON to a path of a key manager; return the status, None if no answer came."""

KIND = "ext-sent"
REFUSED = (400, 401)
"""Statuses that say that the other side surely has not taken a key. All others leave it open."""
BATCH_MAX = 128
PATH, ACK_PATH = "/kmapi/v1/ext_keys", "/kmapi/v1/ext_keys/ack"


def send_due(context: Context, *, post: Post = post_to) -> int:
    """Send every network the keys that wait for it or are in doubt, and what it waits to hear.

    Returns how many calls were made.
    """
    calls, now = 0, context.clock.now()
    for name, peer in context.settings.kme_peers.items():
        with context.view.read() as reader:
            due = get_outgoing(reader, prefix=outgoing_name(name), at=now)
        for keys in due:
            for first in range(0, len(keys.key_ids), BATCH_MAX):
                ids = keys.key_ids if keys.again else keys.key_ids[first : first + BATCH_MAX]
                calls += _send(context, peer, keys, ids, post)
                if keys.again:
                    break
        calls += _acknowledge(context, name, peer, post)
    return calls


def acknowledged(
    context: Context, *, peer: str, target: str, key_ids: Sequence[UUID], has_them: bool
) -> None:
    """Take note that another network has keys of ours, or that it never will: then they are void.

    Raises NotAllowed for a network that the settings do not name.
    """
    inbound.border_of(context, peer)
    recipient = outgoing_name(peer, target)

    def work(tx: Transaction) -> None:
        command = tx.command(
            f"ext-told/{uuid4()}",
            kind="ext-told",
            at=context.clock.now(),
            digest=request_digest(recipient, [str(one) for one in key_ids], has_them),
        )
        if has_them:
            count = settle_answers(tx, command, get_answers(tx, key_ids, recipient))
        else:
            drawn = get_drawn_keys(tx, key_ids)
            ours = [one.key_id for one in drawn if recipient in one.recipients]
            count = len(void_keys(tx, command, ours, but=recipient))
        command.finish({"peer": peer, "has_them": has_them, "keys": count})

    context.existing_ledger.run(work)


def _send(
    context: Context, peer: KmePeer, keys: OutgoingKeys, ids: Sequence[UUID], post: Post
) -> int:
    """Intent, commit, call, outcome."""
    request_id = f"{KIND}/{uuid4()}"

    def intend(tx: Transaction) -> tuple[str, list[dict[str, str]]]:
        now = context.clock.now()
        command = tx.command(
            request_id,
            kind=KIND,
            at=now,
            digest=request_digest(keys.recipient, [str(one) for one in ids]),
        )
        answer_id = request_id
        if keys.again:
            answer_id, held = repeat_keys(tx, ids, keys.recipient, at=now)
        else:
            held = collect_keys(tx, command, ids, keys.recipient, keep=True)
        command.finish({"recipient": keys.recipient, "keys": len(ids), "again": keys.again})
        return answer_id, [
            {"key_id": str(one.key_id), "value": b64encode(one.material).decode()} for one in held
        ]

    try:
        answer_id, held = context.existing_ledger.run(intend)
    except WrongState:
        return 0  # another process sends them
    target = keys.recipient.partition("/")[2]
    status = post(
        peer,
        PATH,
        {"keys": held, "initiator_sae_id": keys.master, "target_sae_ids": [target]},
    )
    _conclude(context, status, answer_id, ids, keys.recipient)
    return 1


def _conclude(
    context: Context, status: int | None, answer_id: str, ids: Sequence[UUID], recipient: str
) -> None:
    """Write down what came of a call."""

    def work(tx: Transaction) -> None:
        command = tx.command(
            f"ext-outcome/{uuid4()}",
            kind="ext-outcome",
            at=context.clock.now(),
            digest=request_digest(answer_id, recipient, status),
        )
        if status in (200, 202):
            settle_answers(tx, command, [answer_id])
        elif status in REFUSED:
            void_keys(tx, command, ids, but=recipient)
        else:
            doubt_answers(tx, command, request_ids=[answer_id])
        command.finish({"status": status or 0, "keys": len(ids)})

    context.existing_ledger.run(work)


def _acknowledge(context: Context, name: str, peer: KmePeer, post: Post) -> int:
    """Tell a network what became of keys that it passed on, until it has heard."""
    since = context.clock.now() - timedelta(seconds=context.settings.key_retention_s)
    calls = 0
    for kind in (inbound.KIND, inbound.KIND_VOID):
        with context.view.read() as reader:
            due = [
                one
                for one in get_commands(reader, kind=kind, since=since)
                if one.answer["peer"] == name
                and one.answer["acks"]
                and not _is_acked(reader, one.request_id)
            ]
        for one in due:
            body = [
                {
                    "key_id_container": [{"key_id": key_id} for key_id in ack["ids"]],
                    "ack_status": ack["status"],
                    "initiator_sae_id": one.answer["initiator"],
                    "target_sae_ids": one.answer["targets"],
                }
                for ack in one.answer["acks"]
            ]
            status = post(peer, ACK_PATH, body)
            calls += 1
            if status is None or (status >= 300 and status not in REFUSED):
                continue
            _note_acked(context, one.request_id, status)
    return calls


def _is_acked(reader: Reader, request_id: str) -> bool:
    """Whether somebody was told what became of a request."""
    about = request_digest(request_id)
    return reader.answer(f"ext-acked/{request_id}", kind="ext-acked", digest=about) is not None


def _note_acked(context: Context, request_id: str, status: int) -> None:
    name = f"ext-acked/{request_id}"

    def work(tx: Transaction) -> None:
        if not _is_acked(tx, request_id):
            about = request_digest(request_id)
            command = tx.command(name, kind="ext-acked", at=context.clock.now(), digest=about)
            command.finish({"status": status})

    context.existing_ledger.run(work)
