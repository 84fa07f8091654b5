"""Which part of a pass to keep."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import BoolArray
from qkd.decoy import Counts, DecoyProtocol
from qkd.errors import ParameterRangeError
from qkd.finite_key.key import KeyLength, block_keys
from qkd.finite_key.leak import FiniteLeak, LeakModel
from qkd.finite_key.security import Security


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segment:
    """The samples of a pass worth keeping, their counts, and the key they give."""

    kept: BoolArray
    counts: Counts
    keys: tuple[KeyLength, ...]

    @property
    def signed_length(self) -> float:
        """Signed key length of all keys together."""
        return float(sum(float(key.signed_length) for key in self.keys))


def cumulative(counts: Counts, order: ArrayLike | None = None) -> Counts:
    """Return running sums of counts over the axis before the intensities, in an order."""
    index = slice(None) if order is None else np.asarray(order)
    return Counts(
        key_clicks=np.cumsum(counts.key_clicks[index], axis=-2),
        key_errors=np.cumsum(counts.key_errors[index], axis=-2),
        check_clicks=np.cumsum(counts.check_clicks[index], axis=-2),
        check_errors=np.cumsum(counts.check_errors[index], axis=-2),
    )


def select_segment(
    counts: Counts,
    quality: ArrayLike,
    protocol: DecoyProtocol,
    security: Security,
    *,
    bound: str = "chernoff",
    leak: LeakModel | float = FiniteLeak(),  # noqa: B008 - frozen, no state
    phase: str = "exact",
) -> Segment:
    """Return the best samples to keep: those of highest quality, as many as help the key.

    All prefixes in falling quality are evaluated in one call and the one of the longest
    signed key is kept. quality may be elevation, forecast transmittance, beacon power or
    click rate. It must NEVER be derived from the errors observed, which would bias the
    sample that the proof takes for random.

    Parameters
    ----------
    counts : of one pass by sample, shape (samples, intensities)
    quality : array (samples,), higher is better
    protocol, security, bound, leak, phase : as for `block_keys`
    """
    worth = checks.array("quality", quality, -np.inf)
    if counts.key_clicks.ndim != 2 or worth.shape != counts.key_clicks.shape[:1]:
        raise ParameterRangeError(
            f"quality has shape {worth.shape}, allowed one value for each of "
            f"{counts.key_clicks.shape[:-1]} samples"
        )
    order = np.argsort(-worth, kind="stable")
    sums = cumulative(counts, order)
    keys = block_keys(sums, protocol, security, bound=bound, leak=leak, phase=phase)
    signed = np.sum([key.signed_length for key in keys], axis=0)
    count = int(np.argmax(signed)) + 1 if signed.size else 0
    kept = np.zeros(worth.shape, dtype=np.bool_)
    kept[order[:count]] = True
    chosen = Counts(
        key_clicks=counts.key_clicks[kept].sum(axis=0),
        key_errors=counts.key_errors[kept].sum(axis=0),
        check_clicks=counts.check_clicks[kept].sum(axis=0),
        check_errors=counts.check_errors[kept].sum(axis=0),
    )
    own = block_keys(chosen, protocol, security, bound=bound, leak=leak, phase=phase)
    return Segment(kept=kept, counts=chosen, keys=own)
