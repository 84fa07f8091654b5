"""Key blocks that grow over passes: what may be pooled, what a pass adds, when to close."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import add

from qkd import checks
from qkd.decoy import Counts, DecoyProtocol
from qkd.entangled import LinkProtocol, PairProtocol
from qkd.errors import QkdInputError
from qkd.finite_key.key import block_keys, check_parts, key_bits
from qkd.finite_key.leak import FiniteLeak, LeakModel
from qkd.finite_key.terms import Security

#: Settings that must be equal for counts to be added; the pulse rate need not be.
SETTINGS = (
    "intensities",
    "probabilities",
    "key_basis_alice",
    "key_basis_bob",
    "key_intensities",
    "both_bases",
    "intensity_uncertainty",
)
#: Of an entangled source; neither its rate nor its contrast, which the errors themselves tell.
PAIR_SETTINGS = ("key_basis_alice", "key_basis_bob", "both_bases")
PROTOCOLS = (DecoyProtocol, PairProtocol)


class CloseReason(StrEnum):
    """Why a block is closed now."""

    TARGET = "target size reached"
    AGE = "oldest pass too old"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPolicy:
    """When the block of a link closes; decided on expected counts, never on observed ones.

    target_sifted_bits are those that become key, of every basis used. epsilon_max is what all
    blocks of the link together may use up: a block beyond it stays open.
    """

    target_sifted_bits: float
    age_s_max: float | None = None
    epsilon_max: float = 1.0

    def __post_init__(self) -> None:
        checks.number("target_sifted_bits", self.target_sifted_bits, 1.0, 1e16, unit="bit")
        if self.age_s_max is not None:
            checks.number("age_s_max", self.age_s_max, 0.0, 1e10, unit="s", above=True)
        checks.number("epsilon_max", self.epsilon_max, 0.0, 1.0, above=True)


@checks.takes(parts=(list, tuple))
def pooled(parts: Sequence[tuple[Counts, LinkProtocol]]) -> Counts:
    """Return the sum of the parts' counts, as one block holds them.

    Raises QkdInputError if there is none, or if they were not sent under equal
    settings: of such, `mixed_block_key` takes each by itself.
    """
    if not parts:
        raise QkdInputError("parts are 0, allowed 1 or more")
    check_parts(parts, kinds=PROTOCOLS)
    first = parts[0][1]
    settings = PAIR_SETTINGS if isinstance(first, PairProtocol) else SETTINGS
    for _, protocol in parts[1:]:
        if type(protocol) is not type(first):
            raise QkdInputError(
                f"{type(protocol).__name__} after {type(first).__name__}, allowed one in a block"
            )
        for name in settings:
            mine, theirs = getattr(first, name), getattr(protocol, name)
            if mine != theirs:
                raise QkdInputError(
                    f"{name} is {theirs} after {mine}, allowed one setting in a block"
                )
    return reduce(add, [counts for counts, _ in parts])


@checks.takes(counts=Counts, protocol=PROTOCOLS)
def sifted_key_bits(counts: Counts, protocol: LinkProtocol) -> float:
    """Return the sifted bits of one block that become key, of every basis used."""
    blocks = (counts, counts.swapped()) if protocol.both_bases else (counts,)
    return float(sum(key_bits(block, protocol)[0].sum() for block in blocks))


@checks.takes(policy=PoolPolicy, expected=Counts, protocol=PROTOCOLS, security=Security)
def why_close(
    policy: PoolPolicy,
    expected: Counts,
    protocol: LinkProtocol,
    security: Security,
    *,
    age_s: float,
    epsilon_spent: float,
) -> CloseReason | None:
    """Return why the open block is to be closed now, None if it stays open.

    Parameters
    ----------
    expected : of the passes in the block, summed, as FORECAST; shape (intensities,)
    security : what closing it will use up
    age_s : since its oldest pass
    epsilon_spent : what the link's closed blocks have used up
    """
    checks.number("age_s", age_s, 0.0, 1e12, unit="s")
    checks.number("epsilon_spent", epsilon_spent, 0.0, 1e6)
    if epsilon_spent + security.secrecy + security.correctness > policy.epsilon_max:
        return None
    if sifted_key_bits(expected, protocol) >= policy.target_sifted_bits:
        return CloseReason.TARGET
    if policy.age_s_max is not None and age_s >= policy.age_s_max:
        return CloseReason.AGE
    return None


@checks.takes(expected=Counts, one=Counts, protocol=PROTOCOLS, security=Security)
def added_bits(
    expected: Counts,
    one: Counts,
    protocol: LinkProtocol,
    security: Security,
    *,
    passes: int = 1,
    bound: str = "chernoff",
    leak: LeakModel | float = FiniteLeak(),  # noqa: B008 - frozen, no state
    phase: str = "exact",
) -> float:
    """Return the secret bits that a pass adds to its block, for a planner to value it by.

    The block is expected to get `passes` passes like this one before it closes; each is
    worth the same share of what they add together. 1 asks for what this one alone adds,
    which for the first passes of a weak link is nothing.

    Parameters
    ----------
    expected : of the open block, as forecast; zeros for an empty one
    one : of the pass, as forecast, the same shape (intensities,)
    """
    checks.whole("passes", passes, 1, 100_000)

    def bits(block: Counts) -> int:
        keys = block_keys(block, protocol, security, bound=bound, leak=leak, phase=phase)
        return sum(int(key.length_bits) for key in keys)

    more = bits(expected + one.scaled(float(passes))) - bits(expected)
    return max(more, 0) / passes
