"""Which part of a pass to keep."""

from dataclasses import dataclass
from types import NoneType

import numpy as np
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import BoolArray
from qkd.decoy import Counts, DecoyProtocol
from qkd.errors import QkdInputError
from qkd.finite_key.key import KeyLength, block_keys
from qkd.finite_key.leak import FiniteLeak, LeakModel
from qkd.finite_key.terms import Security


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


@checks.takes(
    expected=Counts, protocol=DecoyProtocol, security=Security, observed=(Counts, NoneType)
)
def select_segment(
    expected: Counts,
    quality: ArrayLike,
    protocol: DecoyProtocol,
    security: Security,
    *,
    observed: Counts | None = None,
    bound: str = "chernoff",
    leak: LeakModel | float = FiniteLeak(),  # noqa: B008 - frozen, no state
    phase: str = "exact",
) -> Segment:
    """Return the best samples to keep: those of highest quality, as many as help the key.

    All prefixes in falling quality are evaluated in one call and the one of the longest
    signed key is kept. The choice is made on EXPECTED counts: lengths computed from observed
    ones, errors among them, would choose the lucky samples, and no epsilon was set aside for
    it. Nor may quality be derived from errors; elevation, forecast transmittance, beacon
    power and click rate do.

    Parameters
    ----------
    expected : of one pass by sample, forecast before it, shape (samples, intensities)
    quality : array (samples,), higher is better
    protocol, security, bound, leak, phase : as for `block_keys`
    observed : what the pass gave, of the same shape; then counts and keys are of these
    """
    worth = checks.array("quality", quality, -np.inf)
    if expected.key_clicks.ndim != 2 or worth.shape != expected.key_clicks.shape[:1]:
        raise QkdInputError(
            f"quality has shape {worth.shape}, allowed one value for each of "
            f"{expected.key_clicks.shape[:-1]} samples"
        )
    seen = same_shape(expected, observed)
    order = np.argsort(-worth, kind="stable")
    keys = block_keys(
        expected.cumulative(order), protocol, security, bound=bound, leak=leak, phase=phase
    )
    signed = np.sum([key.signed_length for key in keys], axis=0)
    count = int(np.argmax(signed)) + 1 if signed.size else 0
    kept = np.zeros(worth.shape, dtype=np.bool_)
    kept[order[:count]] = True
    chosen = seen.part(kept).total()
    own = block_keys(chosen, protocol, security, bound=bound, leak=leak, phase=phase)
    return Segment(kept=kept, counts=chosen, keys=own)


def same_shape(expected: Counts, observed: Counts | None) -> Counts:
    """Return the observed counts, the expected ones if there are none; raise if they differ."""
    if observed is None:
        return expected
    if observed.key_clicks.shape != expected.key_clicks.shape:
        raise QkdInputError(
            f"observed counts have shape {observed.key_clicks.shape}, allowed that of the "
            f"expected ones {expected.key_clicks.shape}"
        )
    return observed
