"""Failure probabilities: what is promised, how it is split, and what it adds up to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from qkd import checks
from qkd.errors import ParameterRangeError

#: Terms that share eps_sec, by number of decoys. Two: Lim et al. 2014, appendix B,
#: 2 (2 a1 + a2 + a3) + nu + 10 eps_1 + 2 eps_2 all equal. One: Rusca et al. 2018.
SECRECY_TERMS = {2: 21, 1: 19}
SIGNAL_TERMS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """What one key block promises: (secrecy + correctness)-secure, composably.

    terms overrides the number of equal parts that secrecy is split into (15 with the proof
    of Wiesemann et al., arXiv:2405.16578); None takes the one of the decoy method.
    """

    secrecy: float = 1e-9
    correctness: float = 1e-15
    terms: int | None = None

    def __post_init__(self) -> None:
        for name in ("secrecy", "correctness"):
            checks.number(name, getattr(self, name), 1e-300, 1.0)
            if getattr(self, name) >= 1.0:
                raise ParameterRangeError(f"{name} is {getattr(self, name)}, allowed below 1")
        if self.terms is not None:
            checks.whole("terms", self.terms, 1, 1000)

    def split(self, blocks: int) -> Self:
        """Return the security of each of `blocks` blocks that together promise this one."""
        checks.whole("blocks", blocks, 1, 1_000_000)
        return type(self)(
            secrecy=self.secrecy / blocks,
            correctness=self.correctness / blocks,
            terms=self.terms,
        )

    def terms_for(self, decoys: int, *, signal: bool = False) -> int:
        """Return K, the number of equal parts of the secrecy parameter.

        A key of signal pulses alone takes two bounds more: the signal's shares of s_0, s_1.
        """
        own = self.terms if self.terms is not None else SECRECY_TERMS[decoys]
        return own + SIGNAL_TERMS * signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """What a session's own messages cost: one tag each, of key that exists already.

    Paid from the pool of keys, never from the length of a block.
    """

    tags: int = 6
    tag_bits: int = 64

    def __post_init__(self) -> None:
        checks.whole("tags", self.tags, 0, 1_000_000)
        checks.whole("tag_bits", self.tag_bits, 1, 4096, unit="bit")

    @property
    def bits(self) -> int:
        """Key bits of one session."""
        return self.tags * self.tag_bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Epsilons:
    """The failure probabilities one block has used up, for a ledger to carry and add.

    N blocks of one pool together fail with at most the sum of their totals.
    """

    secrecy: float
    correctness: float
    terms: int

    def __post_init__(self) -> None:
        checks.number("secrecy", self.secrecy, 0.0, 1.0)
        checks.number("correctness", self.correctness, 0.0, 1.0)
        checks.whole("terms", self.terms, 1, 1_000_000)

    @property
    def total(self) -> float:
        """Secrecy plus correctness: the composable security parameter of the block."""
        return self.secrecy + self.correctness

    @property
    def each(self) -> float:
        """The part given to every single bound, secrecy / terms."""
        return self.secrecy / self.terms


@checks.takes(blocks=(list, tuple))
def add_epsilons(blocks: Sequence[Epsilons]) -> float:
    """Return the security parameter of all blocks' keys used together: their sum."""
    for block in blocks:
        checks.kind("blocks", block, Epsilons)
    return float(sum(block.total for block in blocks))
