"""Length of the secret key that a block of counts yields."""

import math
from dataclasses import dataclass
from typing import cast

import numpy as np

from qkd import checks
from qkd.checks import FloatArray, IntArray
from qkd.decoy import Counts, DecoyProtocol
from qkd.errors import ParameterRangeError
from qkd.finite_key import bounds, sampling
from qkd.finite_key.leak import BlockLeak, LeakModel, as_leak, binary_entropy
from qkd.finite_key.photons import PhotonCounts, one_decoy, photon_share, two_decoys
from qkd.finite_key.security import Epsilons, Security


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeyLength:
    """Secret key of one block, or of many along leading axes (then arrays, else numbers).

    signed_length is the formula's value before the floor at 0 and before rounding down:
    what an optimiser follows. epsilons are those of EACH block.
    """

    length_bits: IntArray
    signed_length: FloatArray
    phase_error: FloatArray
    single_photon_bits: FloatArray
    vacuum_bits: FloatArray
    leak_bits: FloatArray
    check_single_photons: FloatArray
    check_phase_errors: FloatArray
    epsilons: Epsilons


def phase_error_bound(
    photons: PhotonCounts, *, method: str, epsilon: float, asymptotic: bool
) -> FloatArray:
    """Return phi <= min(1/2, v_Z1/s_Z1 + gamma), and 1/2 where s_Z1 or s_X1 is 0.

    Source: Lim et al., Phys. Rev. A 89, 022307 (2014), equation 5.
    """
    check, key = photons.check_single, photons.single
    good = (check > 0.0) & (key > 0.0)
    rate = np.divide(photons.check_errors, check, out=np.full_like(check, 0.5), where=good)
    # gamma is an excess over a rate below one half; beyond it phi is one half anyway.
    rate = np.minimum(rate, 0.5)
    if asymptotic:
        return np.where(good, rate, 0.5)
    c, d = np.where(good, check, 1.0), np.where(good, key, 1.0)
    excess = sampling.gamma(method, rate, check=c, key=d, epsilon=epsilon)
    return np.where(good, np.minimum(rate + excess, 0.5), 0.5)


def tail_bits(security: Security, terms: int) -> float:
    """Return 6 log2(K/eps_sec) + log2(2/eps_cor), what privacy amplification always costs."""
    return 6.0 * math.log2(terms / security.secrecy) + math.log2(2.0 / security.correctness)


def key_share(protocol_keys: str, mu: FloatArray, p: FloatArray, photons: int) -> FloatArray:
    """Return the share of n-photon clicks that the key's intensities hold (n = 0, 1)."""
    tau = photon_share(mu, p, photons)
    if protocol_keys == "all":
        return np.ones_like(tau)
    return np.asarray(p[..., 0] * np.exp(-mu[..., 0]) * mu[..., 0] ** photons / tau)


def bound_photons(
    counts: Counts, protocol: DecoyProtocol, *, bound: str, beta: float, parity: bool = False
) -> PhotonCounts:
    """Return the photon bounds of blocks by the decoy method that the protocol allows."""
    mu, p = np.array(protocol.intensities), np.array(protocol.probabilities)
    if mu.size == 2:
        return one_decoy(
            counts.key_clicks,
            counts.key_errors,
            counts.check_clicks,
            counts.check_errors,
            mu,
            p,
            family=bound,
            beta=beta,
        )
    return two_decoys(
        counts.key_clicks,
        counts.check_clicks,
        counts.check_errors,
        mu,
        p,
        family=bound,
        beta=beta,
        parity=parity,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeyTerms:
    """The terms of the key length of every block, as arrays."""

    signed: FloatArray
    phase_error: FloatArray
    single: FloatArray
    vacuum: FloatArray
    leak: FloatArray


def key_terms(
    photons: PhotonCounts,
    *,
    vacuum_share: FloatArray,
    single_share: FloatArray,
    clicks: FloatArray,
    errors: FloatArray,
    security: Security,
    terms: int,
    asymptotic: bool,
    leak: LeakModel,
    phase: str,
    sub_blocks: int = 1,
) -> KeyTerms:
    """Return l = s_X0 + s_X1 (1 - h(phi)) - leak - 6 log2(K/eps_sec) - log2(2/eps_cor).

    Before the floor at 0 and the rounding down. A key of signal pulses alone takes their
    share of s_X0 and s_X1 and leaks for their bits only. clicks and errors are those of the
    bits that become key; sub_blocks tightens every bound's share of the failure probability.
    """
    epsilon = security.secrecy / (terms * sub_blocks)
    phi = phase_error_bound(photons, method=phase, epsilon=epsilon, asymptotic=asymptotic)
    vacuum, single = photons.vacuum * vacuum_share, photons.single * single_share
    revealed = leak.bits(clicks, errors, correctness=security.correctness)
    tail = 0.0 if asymptotic else tail_bits(security, terms * sub_blocks)
    signed = vacuum + single * (1.0 - binary_entropy(phi)) - revealed - tail
    return KeyTerms(signed=signed, phase_error=phi, single=single, vacuum=vacuum, leak=revealed)


def key_bits(counts: Counts, protocol: DecoyProtocol) -> tuple[FloatArray, FloatArray]:
    """Return the clicks that become key, and the errors among them."""
    last = 1 if protocol.key_intensities == "signal" else len(protocol.intensities)
    return (
        counts.key_clicks[..., :last].sum(axis=-1),
        counts.key_errors[..., :last].sum(axis=-1),
    )


def as_key_length(terms: KeyTerms, photons: PhotonCounts, epsilons: Epsilons) -> KeyLength:
    """Return the terms as a `KeyLength`: plain numbers for a single block, else arrays."""
    bits = np.floor(np.maximum(terms.signed, 0.0)).astype(np.int64)
    scalar = bits.ndim == 0

    def plain(values: FloatArray) -> FloatArray:
        return cast(FloatArray, float(values)) if scalar else np.asarray(values)

    return KeyLength(
        length_bits=cast(IntArray, int(bits)) if scalar else bits,
        signed_length=plain(terms.signed),
        phase_error=plain(terms.phase_error),
        single_photon_bits=plain(terms.single),
        vacuum_bits=plain(terms.vacuum),
        leak_bits=plain(terms.leak),
        check_single_photons=plain(photons.check_single),
        check_phase_errors=plain(photons.check_errors),
        epsilons=epsilons,
    )


def secret_key(
    counts: Counts,
    protocol: DecoyProtocol,
    security: Security,
    *,
    bound: str = "chernoff",
    decoys: int = 2,
    leak: LeakModel | float = BlockLeak(),  # noqa: B008 - frozen, no state
    phase: str = "lim",
    satquma_parity: bool = False,
) -> KeyLength:
    """Return the secret key length of every block of counts.

    Two decoys by Lim et al. 2014, one decoy by Rusca et al. 2018, with the family of
    statistical bounds named; "asymptotic" switches every deviation and the tail off (and
    is not the GLLP rate, see `gllp_rate`).

    What the proofs do not cover: intensity fluctuations or correlations between pulses,
    mismatch of detection efficiencies, side channels of the source, Trojan-horse light. The
    proof fixes the length in advance; a length computed from the block observed needs
    acceptance thresholds or the variable-length proof of Wiesemann et al.,
    arXiv:2405.16578, whose tail differs. Authentication tags are paid from the pool of
    keys, not here.

    Parameters
    ----------
    counts : sifted counts of whole blocks, intensities last; leading axes are blocks
    protocol : the intensities and probabilities under which ALL of a block was sent
    security : failure probabilities of one block
    bound : "chernoff" (exact), "yin" (analytic Chernoff), "hoeffding" or "asymptotic"
    decoys : 1 or 2; the protocol must have one intensity more
    leak : a leak model, or an error-correction efficiency f_EC of at least 1
    phase : sampling bound of the phase error, "lim", "yin" or "exact"
    satquma_parity : reproduce SatQuMA v2 instead; for comparisons only

    Raises
    ------
    ParameterRangeError if counts, protocol and decoys do not fit together, or a name or
    number is outside what is allowed. Zero counts are no error but a zero key.

    Source: Lim et al., Phys. Rev. A 89, 022307 (2014), equation 1; Rusca et al., Appl.
    Phys. Lett. 112, 171104 (2018), its one-decoy key length.
    """
    checks.choice("bound", bound, bounds.FAMILIES)
    checks.choice("phase", phase, sampling.METHODS)
    checks.number("decoys", decoys, 1, 2)
    size = len(protocol.intensities)
    if size != decoys + 1 or counts.key_clicks.shape[-1] != size:
        raise ParameterRangeError(
            f"decoys is {decoys} with {size} intensities and counts of "
            f"{counts.key_clicks.shape[-1]}; allowed {decoys + 1} of both"
        )
    terms = security.terms_for(decoys)
    beta = math.log(terms / security.secrecy)
    photons = bound_photons(counts, protocol, bound=bound, beta=beta, parity=satquma_parity)
    mu, p = np.array(protocol.intensities), np.array(protocol.probabilities)
    clicks, errors = key_bits(counts, protocol)
    parts = key_terms(
        photons,
        vacuum_share=key_share(protocol.key_intensities, mu, p, 0),
        single_share=key_share(protocol.key_intensities, mu, p, 1),
        clicks=clicks,
        errors=errors,
        security=security,
        terms=terms,
        asymptotic=bound == "asymptotic",
        leak=as_leak(leak),
        phase=phase,
    )
    epsilons = Epsilons(secrecy=security.secrecy, correctness=security.correctness, terms=terms)
    return as_key_length(parts, photons, epsilons)


def block_keys(
    counts: Counts,
    protocol: DecoyProtocol,
    security: Security,
    *,
    bound: str = "chernoff",
    leak: LeakModel | float = BlockLeak(),  # noqa: B008 - frozen, no state
    phase: str = "lim",
) -> tuple[KeyLength, ...]:
    """Return the keys of one set of counts that together promise `security`.

    One block, or, where the protocol uses both bases, one a basis with the roles swapped,
    each with half of the failure probabilities.
    """
    blocks = (counts, counts.swapped()) if protocol.both_bases else (counts,)
    return tuple(
        secret_key(
            block,
            protocol,
            security.split(len(blocks)),
            bound=bound,
            decoys=len(protocol.intensities) - 1,
            leak=leak,
            phase=phase,
        )
        for block in blocks
    )
