"""What a security parameter is made of, and the terms that each bound takes from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Self

import numpy as np

from qkd import checks
from qkd.checks import FloatArray
from qkd.errors import QkdInputError
from qkd.finite_key import bounds, sampling
from qkd.finite_key.leak import LeakModel, as_leak, binary_entropy
from qkd.finite_key.photons import PhotonCounts, one_decoy, photon_share, two_decoys

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
                raise QkdInputError(f"{name} is {getattr(self, name)}, allowed below 1")
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

    @property
    def forgery(self) -> float:
        """Probability that any of a session's tags is forged, 2^-tag_bits each."""
        return float(self.tags * 2.0**-self.tag_bits)


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


#: How the photons of a key from signal pulses alone are counted; the second, a mean without
#: a deviation, is kept for parity with published figures alone.
SHARES = ("bounded", "proportional-parity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Which bounds a key length is computed with; the defaults are what is sound.

    smooth_steps above 0 takes forms without jumps, for optimisers: quick at 1, near at 2.
    parity reproduces SatQuMA.
    """

    bound: str
    phase: str
    leak: LeakModel
    signal_share: str = "bounded"
    smooth_steps: int = 0
    parity: bool = False

    @property
    def asymptotic(self) -> bool:
        """Whether every deviation is switched off."""
        return self.bound == "asymptotic"


def proof(
    *,
    bound: str,
    leak: LeakModel | float,
    phase: str,
    signal_share: str = "bounded",
    parity: bool = False,
) -> Proof:
    """Return the names and numbers of a proof, checked."""
    return Proof(
        bound=checks.choice("bound", bound, bounds.FAMILIES),
        phase=checks.choice("phase", phase, sampling.METHODS),
        leak=as_leak(leak),
        signal_share=checks.choice("signal_share", signal_share, SHARES),
        parity=checks.flag("satquma_parity", parity),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockCounts:
    """Clicks and errors by intensity (last axis), unchecked: what `Counts` holds."""

    key_clicks: FloatArray
    key_errors: FloatArray
    check_clicks: FloatArray
    check_errors: FloatArray

    def spread(self, corners: int) -> "BlockCounts":
        """Return the counts once for every corner, on a new first axis."""
        arrays = (self.key_clicks, self.key_errors, self.check_clicks, self.check_errors)
        return BlockCounts(
            **{
                name: np.broadcast_to(values, (corners, *values.shape))
                for name, values in zip(self.__slots__, arrays, strict=True)
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhotonTerms:
    """Lower bounds of vacuum and single-photon bits in the key, and the latter's phi."""

    vacuum: FloatArray
    single: FloatArray
    phase_error: FloatArray
    check_single: FloatArray
    check_errors: FloatArray

    @property
    def secret(self) -> FloatArray:
        """s_0 + s_1 (1 - h(phi)), before what error correction and the proof cost."""
        return np.asarray(self.vacuum + self.single * (1.0 - binary_entropy(self.phase_error)))


def intensity_corners(mu: FloatArray, uncertainty: float) -> FloatArray:
    """Return every corner of the box mu_k (1 +- uncertainty), on a new first axis."""
    if uncertainty == 0.0:
        return mu[None]
    # A vacuum has no uncertainty: half of the corners.
    last = (0.0,) if mu.shape[-1] == 3 and np.all(mu[..., 2] == 0.0) else (-1.0, 1.0)
    sides = product(*([(-1.0, 1.0)] * (mu.shape[-1] - 1)), last)
    return np.stack([mu * (1.0 + uncertainty * np.array(side)) for side in sides])


def _photons(
    counts: BlockCounts, mu: FloatArray, p: FloatArray, *, beta: float, how: Proof
) -> PhotonCounts:
    """Return the photon bounds by the decoy method that the number of intensities allows."""
    if mu.shape[-1] == 2:
        return one_decoy(
            counts.key_clicks,
            counts.key_errors,
            counts.check_clicks,
            counts.check_errors,
            mu,
            p,
            family=how.bound,
            beta=beta,
        )
    return two_decoys(
        counts.key_clicks,
        counts.check_clicks,
        counts.check_errors,
        mu,
        p,
        family=how.bound,
        beta=beta,
        parity=how.parity,
    )


def _of_signal(
    found: PhotonCounts, mu: FloatArray, p: FloatArray, *, beta: float, how: Proof
) -> tuple[FloatArray, FloatArray]:
    """Return how many of the vacuum and single-photon clicks fell to the signal at least.

    The sender could draw the intensity after the photon number: each of the s_n is of the
    signal with p_{1|n} = p_1 e^-mu_1 mu_1^n / (n! tau_n), independently; a binomial number.
    """
    first = p[..., 0] * np.exp(-mu[..., 0])
    shares = np.stack(
        np.broadcast_arrays(
            first / photon_share(mu, p, 0),
            first * mu[..., 0] / photon_share(mu, p, 1),
            found.vacuum,
        )[:2]
    )
    photons = np.stack([found.vacuum, found.single])
    if how.asymptotic or how.signal_share != "bounded":
        held = photons * shares
    else:
        held = bounds.binomial_lower(
            photons, shares, beta, steps=how.smooth_steps or bounds.SETTLED
        )
    return held[0], held[1]


def photon_terms(
    counts: BlockCounts,
    mu: FloatArray,
    p: FloatArray,
    *,
    keys: str,
    uncertainty: float,
    beta: float,
    how: Proof,
) -> PhotonTerms:
    """Return what blocks of one setting hold, at the worst corner of the intensities' box.

    Parameters
    ----------
    counts : shape (..., intensities); mu, p : the same, or of the last axis alone
    keys : "all", or "signal" where the key is of the first intensity alone
    beta : ln(1/epsilon) of each single bound
    """
    corners = intensity_corners(mu, uncertainty)
    if len(corners) == 1:
        return _terms_at(counts, mu, p, keys=keys, beta=beta, how=how)
    lead = counts.key_clicks.ndim - mu.ndim
    shape = (len(corners), *([1] * lead), *mu.shape)
    many = _terms_at(
        counts.spread(len(corners)), corners.reshape(shape), p, keys=keys, beta=beta, how=how
    )
    worst = np.argmin(many.secret, axis=0)[None]
    return PhotonTerms(
        **{
            name: np.take_along_axis(getattr(many, name), worst, axis=0)[0]
            for name in PhotonTerms.__slots__
        }
    )


def _terms_at(
    counts: BlockCounts, mu: FloatArray, p: FloatArray, *, keys: str, beta: float, how: Proof
) -> PhotonTerms:
    found = _photons(counts, mu, p, beta=beta, how=how)
    vacuum, single = found.vacuum, found.single
    if keys == "signal":
        vacuum, single = _of_signal(found, mu, p, beta=beta, how=how)
    if how.asymptotic:
        phi = sampling.seen_rate(found.check_errors, found.check_single, single)
    else:
        phi = sampling.phase_error_rate(
            how.phase,
            found.check_errors,
            found.check_single,
            # The bits that become key are the sample; it was once taken to be all of s_1.
            single if how.signal_share == "bounded" else found.single,
            epsilon=float(np.exp(-beta)),
            smooth_steps=how.smooth_steps,
        )
    return PhotonTerms(
        vacuum=vacuum,
        single=single,
        phase_error=phi,
        check_single=found.check_single,
        check_errors=found.check_errors,
    )
