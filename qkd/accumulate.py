"""Blocks made of several passes: what they give, and when to close one."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import NoneType

import numpy as np
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import FloatArray, IntArray
from qkd.decoy import Counts, DecoyProtocol
from qkd.errors import QkdInputError
from qkd.finite_key.key import KeyLength, block_keys, check_parts, parts_key
from qkd.finite_key.leak import FiniteLeak, LeakModel
from qkd.finite_key.terms import Security, proof
from qkd.segment import same_shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Passes, by their index, whose counts make one block, and its keys.

    expected_bits is what the choice was made by; the keys are of observed counts where these
    were given.
    """

    passes: tuple[int, ...]
    expected_bits: int
    keys: tuple[KeyLength, ...]

    @property
    def secret_bits(self) -> int:
        """Secret bits of all keys together."""
        return sum(int(key.length_bits) for key in self.keys)

    @property
    def signed_length(self) -> float:
        """Signed length of all keys together."""
        return float(sum(float(key.signed_length) for key in self.keys))

    @property
    def epsilon(self) -> float:
        """Failure probability that the block has used up."""
        return float(sum(key.epsilons.total for key in self.keys))


def _signed(keys: tuple[KeyLength, ...]) -> FloatArray:
    return np.asarray(np.sum([key.signed_length for key in keys], axis=0))


def _bits(keys: tuple[KeyLength, ...]) -> IntArray:
    return np.asarray(np.sum([key.length_bits for key in keys], axis=0), dtype=np.int64)


def _of_passes(counts: Counts) -> int:
    if counts.key_clicks.ndim != 2:
        raise QkdInputError(
            f"counts have shape {counts.key_clicks.shape}, allowed (passes, intensities)"
        )
    return len(counts.key_clicks)


@checks.takes(counts=Counts, protocol=DecoyProtocol, security=Security)
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
    bits, but a block's failure probability and finite-size cost are paid once. Of expected
    counts: the instant of closing may not be chosen by what was observed.

    Parameters
    ----------
    counts : by pass in time order, shape (passes, intensities), all sent under `protocol`
    security : of the one block
    """
    _of_passes(counts)
    return block_keys(counts.cumulative(), protocol, security, bound=bound, leak=leak, phase=phase)


@checks.takes(counts=Counts, protocol=DecoyProtocol)
def click_quality(counts: Counts, protocol: DecoyProtocol) -> FloatArray:
    """Return the share of signal clicks that the weakest pulses' clicks do not explain.

    1 - (n_last/p_last)/(n_1/p_1), both bases: a ranking of passes by clicks alone.
    """
    if counts.key_clicks.shape[-1] != len(protocol.probabilities):
        raise QkdInputError(
            f"counts have {counts.key_clicks.shape[-1]} intensities, allowed those of the "
            f"protocol, {len(protocol.probabilities)}"
        )
    p = np.array(protocol.probabilities)
    clicks = (counts.key_clicks + counts.check_clicks) / p
    first, last = clicks[..., 0], clicks[..., -1]
    noise = np.divide(last, first, out=np.ones_like(first), where=first > 0.0)
    return np.asarray(1.0 - noise)


@checks.takes(
    expected=Counts, protocol=DecoyProtocol, security=Security, observed=(Counts, NoneType)
)
def best_subset(
    expected: Counts,
    protocol: DecoyProtocol,
    security: Security,
    *,
    observed: Counts | None = None,
    quality: ArrayLike | None = None,
    bound: str = "chernoff",
    leak: LeakModel | float = FiniteLeak(),  # noqa: B008 - frozen, no state
    phase: str = "exact",
) -> Block:
    """Return the passes with which to close ONE block for the longest key.

    Candidates are the first 1, 2, ... passes in falling quality, and every pass alone, so
    that the answer is never expected below the best single pass. The choice is made on
    EXPECTED counts, as forecast before the passes; the best of many observed lengths would
    need a failure probability for each of them.

    Parameters
    ----------
    expected : by pass, shape (passes, intensities)
    observed : what the passes gave, the same shape; then the keys are of these
    quality : array (passes,), ranks the passes; `click_quality` of the expected by default
    """
    count = _of_passes(expected)
    seen = same_shape(expected, observed)
    if count == 0:
        return Block(passes=(), expected_bits=0, keys=())
    given = click_quality(expected, protocol) if quality is None else quality
    worth = checks.array("quality", given, -np.inf)
    if worth.shape != (count,):
        raise QkdInputError(f"quality has shape {worth.shape}, allowed ({count},)")
    order = np.argsort(-worth, kind="stable")
    options = {"bound": bound, "leak": leak, "phase": phase}
    prefixes = block_keys(expected.cumulative(order), protocol, security, **options)  # type: ignore[arg-type]
    singles = block_keys(expected, protocol, security, **options)  # type: ignore[arg-type]
    together, alone = _signed(prefixes), _signed(singles)
    if alone.max() > together.max():
        chosen, bits = [int(np.argmax(alone))], int(_bits(singles)[np.argmax(alone)])
    else:
        best = int(np.argmax(together))
        chosen, bits = sorted(int(i) for i in order[: best + 1]), int(_bits(prefixes)[best])
    keys = block_keys(seen.part(np.array(chosen)).total(), protocol, security, **options)  # type: ignore[arg-type]
    return Block(passes=tuple(chosen), expected_bits=bits, keys=keys)


@checks.takes(
    expected=Counts, protocol=DecoyProtocol, security=Security, observed=(Counts, NoneType)
)
def close_blocks(
    expected: Counts,
    protocol: DecoyProtocol,
    security: Security,
    *,
    passes_max: int,
    observed: Counts | None = None,
    bound: str = "chernoff",
    leak: LeakModel | float = FiniteLeak(),  # noqa: B008 - frozen, no state
    phase: str = "exact",
) -> tuple[Block, ...]:
    """Return the division of passes, in time order, into blocks expected to give most bits.

    No block holds more than passes_max passes (the latency and storage one accepts); a run
    of passes expected to give no key stays out. Every block is secure as `security` says, so
    the whole fails with at most their sum. Exact, by dynamic programming over all windows.
    The division is made on EXPECTED counts, see `best_subset`.

    Parameters
    ----------
    expected : by pass in time order, shape (passes, intensities)
    observed : what the passes gave, the same shape; then the keys are of these
    """
    count = _of_passes(expected)
    seen = same_shape(expected, observed)
    checks.whole("passes_max", passes_max, 1, 10_000)
    options = {"bound": bound, "leak": leak, "phase": phase}
    best = np.zeros(count + 1, dtype=np.int64)
    size_of = np.zeros(count + 1, dtype=np.int64)
    for end in range(1, count + 1):
        last = np.arange(end - 1, max(0, end - passes_max) - 1, -1)
        bits = _bits(
            block_keys(expected.cumulative(last), protocol, security, **options)  # type: ignore[arg-type]
        )
        totals = bits + best[last]
        size = int(np.argmax(totals))
        best[end] = max(totals[size], best[end - 1])
        size_of[end] = size + 1 if totals[size] > best[end - 1] else 0
    blocks, end = [], count
    while end > 0:
        size = int(size_of[end])
        if size:
            passes = np.arange(end - size, end)
            blocks.append(
                Block(
                    passes=tuple(passes.tolist()),
                    expected_bits=int(best[end] - best[end - size]),
                    keys=block_keys(seen.part(passes).total(), protocol, security, **options),  # type: ignore[arg-type]
                )
            )
        end -= max(size, 1)
    return tuple(reversed(blocks))


@checks.takes(parts=(list, tuple), security=Security)
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

    Raises QkdInputError if there is no part, or parts do not fit together.
    """
    check_parts(parts)
    sizes = {len(protocol.intensities) for _, protocol in parts}
    shapes = {counts.key_clicks.shape for counts, _ in parts}
    if len(sizes) != 1 or len(shapes) != 1 or next(iter(shapes))[-1] not in sizes:
        raise QkdInputError(
            f"parts have {sorted(sizes)} intensities and counts of shapes {sorted(shapes)}, "
            "allowed one or more parts, all alike"
        )
    return parts_key(parts, security, proof(bound=bound, leak=leak, phase=phase))
