"""Use case: a finite-key block that grew over sessions is closed, and its secret key deposited."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

import qkd
from scheduler.domain import NewBlock, Pool, instant_key
from scheduler.hardware import session_preset
from scheduler.learned import OpenBlock
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.sessions import epsilon_of, sifted_sessions, take_sifted
from scheduler.ledger.log.canonical import request_digest
from scheduler.network import KeyBlocks, pool_of, stations_of
from scheduler.services.keys.announce import must_wait
from scheduler.services.keys.lifetimes import use_until
from scheduler.sources.keys import SIMULATOR, distilled_material, whole_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from qkd import Counts, DecoyProtocol, KeyLength, PairProtocol, Preset, Security
    from scheduler.ledger import CommandHandle, Reader, Transaction
    from scheduler.ledger.keys.sessions import SiftedSession
    from scheduler.network import BlockPolicy
    from scheduler.services.context import Context

KIND = "close-block"
CHANGED = "setting changed"
COUNTS = ("key_clicks", "key_errors", "check_clicks", "check_errors")


def close_blocks(context: Context, *, at: datetime) -> list[dict[str, Any]]:
    """Close the pooled blocks that are due at an instant; one transaction each.

    When is decided on what was expected of their sessions, on their age, and on what the link's
    blocks have used up, never on what was observed. The answers name sessions, epsilon and leak.
    """
    return [
        answer
        for one in context.scenario.block_policies
        if one.blocks is KeyBlocks.POOLED
        for answer in _close(context, one, at)
    ]


def open_block(context: Context, reader: Reader, policy: BlockPolicy, at: datetime) -> OpenBlock:
    """What was expected of the sessions that a link's open block holds at an instant."""
    preset = _preset(context, policy)
    held = sifted_sessions(reader, (policy.satellite, policy.station), at=at)
    mine = [one for one in held if one.counts["setting"] == setting_of(preset)]
    assert policy.target_sifted_bits is not None
    return OpenBlock(
        expected=_summed(mine, "expected") if mine else None,
        target_sifted_bits=policy.target_sifted_bits,
    )


def setting_of(preset: Preset) -> dict[str, Any]:
    """What must be the same for all sessions of a block, as the ledger keeps it."""
    return {
        "protocol": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(preset.protocol).items()
        },
        "security": asdict(preset.security),
        "bound": preset.bound,
        "leak": [type(preset.leak).__name__, asdict(cast("Any", preset.leak))],
    }


def counts_json(counts: Counts) -> list[list[float]]:
    """Counts as the ledger keeps them."""
    return [[float(value) for value in getattr(counts, name)] for name in COUNTS]


def key_and_errors(counts: Counts, preset: Preset) -> tuple[int, int]:
    """Sifted bits of one session that become key, of every basis used, and their errors."""
    protocol = preset.protocol
    bits = int(qkd.sifted_key_bits(counts, protocol))
    clicks = counts.key_clicks + (counts.check_clicks if protocol.both_bases else 0.0)
    errors = counts.key_errors + (counts.check_errors if protocol.both_bases else 0.0)
    share = float(errors[0] / clicks[0]) if clicks[0] else 0.0
    return bits, min(bits, round(bits * share))


def _close(context: Context, policy: BlockPolicy, at: datetime) -> list[dict[str, Any]]:
    link = (policy.satellite, policy.station)
    present = setting_of(_preset(context, policy))
    answers = []
    with context.ledger.begin() as tx:
        held = sifted_sessions(tx, link, at=at)
        for setting, group in groupby(held, key=lambda one: one.counts["setting"]):
            sessions = list(group)
            reason = _why_close(tx, policy, sessions, at, changed=setting != present)
            if reason:
                answers.append(_close_block(context, tx, policy, sessions, reason, at))
    return answers


def _why_close(
    tx: Transaction,
    policy: BlockPolicy,
    sessions: Sequence[SiftedSession],
    at: datetime,
    *,
    changed: bool,
) -> str | None:
    protocol, security = _terms(sessions[0].counts["setting"])
    assert policy.target_sifted_bits is not None
    expected = _summed(sessions, "expected")
    target = qkd.sifted_key_bits(expected, protocol) if changed else policy.target_sifted_bits
    when = qkd.PoolPolicy(
        target_sifted_bits=max(target, 1.0),
        age_s_max=policy.age_s_max,
        epsilon_max=policy.epsilon_max,
    )
    reason = qkd.why_close(
        when,
        expected,
        protocol,
        security,
        age_s=(at - sessions[0].settled_at).total_seconds(),
        epsilon_spent=epsilon_of(tx, _prefix(policy)),
    )
    return None if reason is None else CHANGED if changed else reason.value


def _close_block(
    context: Context,
    tx: Transaction,
    policy: BlockPolicy,
    sessions: Sequence[SiftedSession],
    reason: str,
    at: datetime,
) -> dict[str, Any]:
    """Distil one block: its sessions' sifted key is used up, its secret key deposited."""
    natural_key = f"{_prefix(policy)}{instant_key(sessions[0].settled_at)}"
    keys = _keys(sessions)
    paid = _preset(context, policy).authentication
    tag_bits = whole_bytes(paid.bits) * len(sessions)
    bits = sum(int(key.length_bits) for key in keys)
    answer: dict[str, Any] = {
        "satellite": policy.satellite,
        "station": policy.station,
        "reason": reason,
        "closed_at": instant_key(at),
        "sessions": [str(one.booking_id) for one in sessions],
        "sifted_bits": sum(one.length_bits for one in sessions),
        "leak_bits": round(sum(float(key.leak_bits) for key in keys)),
        "secret_bits": max(bits - tag_bits, 0),
        "authentication_bits": tag_bits if bits > tag_bits else 0,
    }
    command = tx.command(
        f"close/{natural_key}",
        kind=KIND,
        at=at,
        digest=request_digest(natural_key, [str(one.booking_id) for one in sessions]),
    )
    corrected = [take_sifted(tx, command, one.block_id)[0] for one in sessions]
    if bits > tag_bits:
        eps = sum(key.epsilons.total for key in keys) + paid.forgery * len(sessions)
        block = NewBlock(
            block_id=context.entropy.uuid("block", natural_key),
            pool=_pool(context, policy),
            natural_key=natural_key,
            length_bits=bits,
            source=SIMULATOR,
            simulated=any(one.simulated for one in sessions),
            eps_total=eps,
        )
        answer |= {"eps_total": eps}
        answer |= _deposit(context, tx, command, block, corrected, tag_bits, sessions[0].settled_at)
    command.finish(answer)
    return answer


def _deposit(
    context: Context,
    tx: Transaction,
    command: CommandHandle,
    block: NewBlock,
    corrected: Sequence[bytes],
    tag_bits: int,
    oldest: datetime,
) -> dict[str, str]:
    material = distilled_material(corrected, block.length_bits)
    _, satellite_id, station_id, _ = block.natural_key.split("/")
    satellite = context.satellite(satellite_id)
    state = deposit_block(
        tx,
        command,
        block,
        material_a=material,
        material_b=material,
        received_only=must_wait(satellite, station_id),
        tag_bits=tag_bits,
        # The light of its oldest session is as old as that.
        expires_at=use_until(context.lifetimes_s, block.pool.pool_id, oldest),
    )
    return {"block": str(block.block_id), "state": state.value}


def _keys(sessions: Sequence[SiftedSession]) -> tuple[KeyLength, ...]:
    setting = sessions[0].counts["setting"]
    protocol, security = _terms(setting)
    kind, fields = setting["leak"]
    counts = _summed(sessions, "measured")
    leak = getattr(qkd, kind)(**fields)
    return qkd.block_keys(counts, protocol, security, bound=setting["bound"], leak=leak)


def _terms(setting: dict[str, Any]) -> tuple[DecoyProtocol | PairProtocol, Security]:
    protocol: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in setting["protocol"].items()
    }
    made = qkd.PairProtocol if "pair_rate_hz" in protocol else qkd.DecoyProtocol
    return made(**protocol), qkd.Security(**setting["security"])


def _summed(sessions: Sequence[SiftedSession], which: str) -> Counts:
    protocol, _ = _terms(sessions[0].counts["setting"])
    parts = [qkd.Counts(**dict(zip(COUNTS, one.counts[which], strict=True))) for one in sessions]
    return qkd.pooled([(counts, protocol) for counts in parts])


def _preset(context: Context, policy: BlockPolicy) -> Preset:
    satellite = context.scenario.satellite(policy.satellite)
    stations = stations_of(context.scenario, policy.station)
    return session_preset(satellite, stations, context.settings.bound)


def _pool(context: Context, policy: BlockPolicy) -> Pool:
    return pool_of(context.scenario, policy.satellite, policy.station)


def _prefix(policy: BlockPolicy) -> str:
    return f"pooled/{policy.satellite}/{policy.station}/"
