"""Blocks made of several passes: what they give, and when to close one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import FloatArray, IntArray
from qkd.decoy import Counts, DecoyProtocol
from qkd.errors import ParameterRangeError
from qkd.finite_key.key import KeyLength, block_keys, parts_key
from qkd.finite_key.leak import FiniteLeak, LeakModel
from qkd.finite_key.security import Security
from qkd.finite_key.terms import proof
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
    leak: LeakModel | float = FiniteLeak(),  # noqa: B008 - frozen, no state
    phase: str = "exact",
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
    leak: LeakModel | float = FiniteLeak(),  # noqa: B008 - frozen, no state
    phase: str = "exact",
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
    leak: LeakModel | float = FiniteLeak(),  # noqa: B008 - frozen, no state
    phase: str = "exact",
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
    leak: LeakModel | float = FiniteLeak(),  # noqa: B008 - frozen, no state
    phase: str = "exact",
) -> KeyLength:
    """Return the key of ONE block whose parts were sent with different settings.

    Each of the J parts is bounded by itself, its phase error too, with 1/J of the failure
    probability; what the parts hold adds up, error correction and tail follow once. See
    `parts_key`. Counts of different settings must never be summed before.

    Raises ParameterRangeError if there is no part, or parts do not fit together.
    """
    sizes = {len(protocol.intensities) for _, protocol in parts}
    if len(parts) == 0 or len(sizes) != 1:
        raise ParameterRangeError(
            f"parts have {sorted(sizes)} intensities, allowed one or more parts, all alike"
        )
    shapes = {counts.key_clicks.shape for counts, _ in parts}
    if len(shapes) != 1 or next(iter(shapes))[-1] not in sizes:
        raise ParameterRangeError(
            f"parts have counts of shapes {sorted(shapes)}, allowed one shape ending in "
            f"{next(iter(sizes))}"
        )
    return parts_key(parts, security, proof(bound=bound, leak=leak, phase=phase))
