"""Blocks made of several passes: what they give, and when to close one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import FloatArray, IntArray
from qkd.decoy import Counts, DecoyProtocol
from qkd.errors import ParameterRangeError
from qkd.finite_key.key import (
    KeyLength,
    as_key_length,
    block_keys,
    bound_photons,
    key_bits,
    key_share,
    key_terms,
)
from qkd.finite_key.leak import BlockLeak, LeakModel, as_leak
from qkd.finite_key.photons import PhotonCounts
from qkd.finite_key.security import Epsilons, Security
from qkd.segment import cumulative


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Passes, by their index, whose counts make one block, and its secret bits."""

    passes: tuple[int, ...]
    secret_bits: int
    signed_length: float


def _signed(keys: tuple[KeyLength, ...]) -> FloatArray:
    return np.asarray(np.sum([key.signed_length for key in keys], axis=0))


def _bits(keys: tuple[KeyLength, ...]) -> IntArray:
    return np.asarray(np.sum([key.length_bits for key in keys], axis=0), dtype=np.int64)


def _shares(protocol: DecoyProtocol) -> tuple[FloatArray, FloatArray]:
    """Return the key's share of vacuum and of single-photon clicks."""
    mu, p = np.array(protocol.intensities), np.array(protocol.probabilities)
    keys = protocol.key_intensities
    return key_share(keys, mu, p, 0), key_share(keys, mu, p, 1)


def _of_passes(counts: Counts) -> int:
    if counts.key_clicks.ndim != 2:
        raise ParameterRangeError(
            f"counts have shape {counts.key_clicks.shape}, allowed (passes, intensities)"
        )
    return len(counts.key_clicks)


def cumulative_keys(
    counts: Counts,
    protocol: DecoyProtocol,
    security: Security,
    *,
    bound: str = "chernoff",
    leak: LeakModel | float = BlockLeak(),  # noqa: B008 - frozen, no state
    phase: str = "lim",
) -> tuple[KeyLength, ...]:
    """Return the key of the block closed after the 1st, 2nd, ... pass, in one call.

    Its increments show when to close: an open block costs latency and storage of sifted
    bits, but a block's failure probability and finite-size cost are paid once.

    Parameters
    ----------
    counts : by pass in time order, shape (passes, intensities), all sent under `protocol`
    security : of the one block
    """
    _of_passes(counts)
    return block_keys(cumulative(counts), protocol, security, bound=bound, leak=leak, phase=phase)


def click_quality(counts: Counts, protocol: DecoyProtocol) -> FloatArray:
    """Return the share of signal clicks that the weakest pulses' clicks do not explain.

    1 - (n_last/p_last)/(n_1/p_1), both bases: a ranking of passes by clicks alone, which a
    block may be chosen by; errors it may not be chosen by.
    """
    p = np.array(protocol.probabilities)
    clicks = (counts.key_clicks + counts.check_clicks) / p
    first, last = clicks[..., 0], clicks[..., -1]
    noise = np.divide(last, first, out=np.ones_like(first), where=first > 0.0)
    return np.asarray(1.0 - noise)


def best_subset(
    counts: Counts,
    protocol: DecoyProtocol,
    security: Security,
    *,
    quality: ArrayLike | None = None,
    bound: str = "chernoff",
    leak: LeakModel | float = BlockLeak(),  # noqa: B008 - frozen, no state
    phase: str = "lim",
) -> Block:
    """Return the passes with which to close ONE block for the longest key.

    Candidates are the first 1, 2, ... passes in falling quality, and every pass alone, so
    that the answer is never below the best single pass. quality defaults to
    `click_quality`; it must not come from observed errors.
    """
    count = _of_passes(counts)
    if count == 0:
        return Block(passes=(), secret_bits=0, signed_length=0.0)
    worth = click_quality(counts, protocol) if quality is None else np.asarray(quality)
    order = np.argsort(-checks.array("quality", worth, -np.inf), kind="stable")
    options = {"bound": bound, "leak": leak, "phase": phase}
    prefixes = block_keys(cumulative(counts, order), protocol, security, **options)  # type: ignore[arg-type]
    singles = block_keys(counts, protocol, security, **options)  # type: ignore[arg-type]
    together, alone = _signed(prefixes), _signed(singles)
    if alone.max() > together.max():
        best = int(np.argmax(alone))
        return Block(
            passes=(best,), secret_bits=int(_bits(singles)[best]), signed_length=float(alone[best])
        )
    best = int(np.argmax(together))
    return Block(
        passes=tuple(sorted(int(i) for i in order[: best + 1])),
        secret_bits=int(_bits(prefixes)[best]),
        signed_length=float(together[best]),
    )


def close_blocks(
    counts: Counts,
    protocol: DecoyProtocol,
    security: Security,
    *,
    passes_max: int,
    bound: str = "chernoff",
    leak: LeakModel | float = BlockLeak(),  # noqa: B008 - frozen, no state
    phase: str = "lim",
) -> tuple[Block, ...]:
    """Return the division of passes, in time order, into blocks that gives most secret bits.

    No block holds more than passes_max passes (the latency and storage one accepts); a run
    of passes that gives no key stays out. Every block is secure as `security` says, so the
    whole fails with at most their sum. Exact, by dynamic programming over all windows.
    """
    count = _of_passes(counts)
    checks.number("passes_max", passes_max, 1, 10_000)
    best = np.zeros(count + 1, dtype=np.int64)
    choice: list[Block | None] = [None] * (count + 1)
    for end in range(1, count + 1):
        first = max(0, end - passes_max)
        window = Counts(
            key_clicks=counts.key_clicks[first:end][::-1],
            key_errors=counts.key_errors[first:end][::-1],
            check_clicks=counts.check_clicks[first:end][::-1],
            check_errors=counts.check_errors[first:end][::-1],
        )
        keys = block_keys(
            cumulative(window), protocol, security, bound=bound, leak=leak, phase=phase
        )
        bits, signed = _bits(keys), _signed(keys)
        totals = bits + best[end - 1 - np.arange(bits.size)]
        size = int(np.argmax(totals)) + 1
        best[end] = best[end - 1]
        if totals[size - 1] > best[end - 1]:
            best[end] = totals[size - 1]
            choice[end] = Block(
                passes=tuple(range(end - size, end)),
                secret_bits=int(bits[size - 1]),
                signed_length=float(signed[size - 1]),
            )
    blocks, end = [], count
    while end > 0:
        block = choice[end]
        if block is None:
            end -= 1
        else:
            blocks.append(block)
            end = block.passes[0]
    return tuple(reversed(blocks))


def mixed_block_key(
    parts: Sequence[tuple[Counts, DecoyProtocol]],
    security: Security,
    *,
    bound: str = "chernoff",
    leak: LeakModel | float = BlockLeak(),  # noqa: B008 - frozen, no state
    phase: str = "lim",
) -> KeyLength:
    """Return the key of ONE block whose parts were sent with different settings.

    Each of the J parts is bounded by itself with 1/J of the failure probability,
    beta = ln(K J / eps_sec); vacuum, single-photon and error bounds add; phase error and
    tail follow once. Counts of different settings must never be summed before.
    """
    sizes = {len(protocol.intensities) for _, protocol in parts}
    if len(parts) == 0 or len(sizes) != 1:
        raise ParameterRangeError(
            f"parts have {sorted(sizes)} intensities, allowed one or more parts, all alike"
        )
    decoys = sizes.pop() - 1
    terms = security.terms_for(decoys)
    beta = math.log(terms * len(parts) / security.secrecy)
    found = [bound_photons(c, protocol, bound=bound, beta=beta) for c, protocol in parts]
    bits = [key_bits(c, protocol) for c, protocol in parts]
    whole = PhotonCounts(
        vacuum=np.sum([f.vacuum for f in found], axis=0),
        single=np.sum([f.single for f in found], axis=0),
        check_single=np.sum([f.check_single for f in found], axis=0),
        check_errors=np.sum([f.check_errors for f in found], axis=0),
    )
    shares = [_shares(protocol) for _, protocol in parts]
    vacuum = np.sum([f.vacuum * s[0] for f, s in zip(found, shares, strict=True)], axis=0)
    single = np.sum([f.single * s[1] for f, s in zip(found, shares, strict=True)], axis=0)

    def share(part: FloatArray, all_of: FloatArray) -> FloatArray:
        return np.divide(part, all_of, out=np.zeros_like(all_of), where=all_of > 0.0)

    result = key_terms(
        whole,
        vacuum_share=share(np.asarray(vacuum), np.asarray(whole.vacuum)),
        single_share=share(np.asarray(single), np.asarray(whole.single)),
        clicks=np.sum([n for n, _ in bits], axis=0),
        errors=np.sum([m for _, m in bits], axis=0),
        security=security,
        terms=terms,
        asymptotic=bound == "asymptotic",
        leak=as_leak(leak),
        phase=phase,
        sub_blocks=len(parts),
    )
    epsilons = Epsilons(secrecy=security.secrecy, correctness=security.correctness, terms=terms)
    return as_key_length(result, whole, epsilons)
