"""The signed key length of many settings of one link at once."""

from dataclasses import dataclass

import numpy as np

from qkd.checks import FloatArray
from qkd.decoy import DecoyProtocol, click_and_error_probability
from qkd.finite_key.key import tail_bits
from qkd.finite_key.terms import BlockCounts, Proof, Security, photon_terms
from qkd.optimiser.search import SearchBox


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Link:
    """The samples in classes of equal transmittance, and what does not change in a search."""

    transmittance: FloatArray
    background: FloatArray
    dark: FloatArray  #: the part of it that falls half into either basis
    pulses: FloatArray
    misalignment: float
    after_pulse: float
    dead_time_ns: float  #: times the share of clicks that make a detector dead
    template: DecoyProtocol
    fixed_bases: bool
    security: Security
    how: Proof


def classes(
    eta: FloatArray, background: FloatArray, dark: FloatArray, seconds: FloatArray, count: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the samples' mean transmittance and noise and total time in few classes."""
    order = np.argsort(eta, kind="stable")
    order = order[seconds[order] > 0.0]
    eta, background, dark, seconds = (x[order] for x in (eta, background, dark, seconds))
    if eta.size <= count:
        return eta, background, dark, seconds
    starts = np.unique(np.linspace(0, eta.size, count, endpoint=False).astype(np.int64))
    time = np.add.reduceat(seconds, starts)
    return (
        np.add.reduceat(eta * seconds, starts) / time,
        np.add.reduceat(background * seconds, starts) / time,
        np.add.reduceat(dark * seconds, starts) / time,
        time,
    )


def settings(link: Link, box: SearchBox, unit: FloatArray) -> tuple[FloatArray, ...]:
    """Return key basis, intensities and probabilities of points in the unit box."""
    low, high = box.edges()
    basis, first, share, mu1, ratio = np.moveaxis(low + (high - low) * unit, -1, 0)
    if len(link.template.intensities) == 2:
        mu = np.stack([mu1, ratio * mu1], axis=-1)
        return basis, mu, np.stack([first, 1.0 - first], axis=-1)
    second = (1.0 - first) * share
    last = np.full_like(mu1, link.template.intensities[2])
    mu = np.stack([mu1, ratio * mu1, last], axis=-1)
    return basis, mu, np.stack([first, second, 1.0 - first - second], axis=-1)


def point_of(box: SearchBox, protocol: DecoyProtocol) -> FloatArray:
    """Return the point of the unit box nearest to a protocol's settings."""
    mu, p = protocol.intensities, protocol.probabilities
    share = p[1] / (1.0 - p[0]) if len(p) == 3 else 0.5
    low, high = box.edges()
    here = np.array([protocol.key_basis_alice, p[0], share, mu[0], mu[1] / mu[0]])
    return np.asarray(np.clip((here - low) / np.maximum(high - low, 1e-12), 0.0, 1.0))


def signed(
    link: Link, box: SearchBox, unit: FloatArray, *, boosts: tuple[float, ...] = (1.0,)
) -> FloatArray:
    """Return the signed key length at every point, -inf where intensities are impossible.

    On the first axis the link with so many times its pulses, one for each of `boosts`.
    """
    basis, mu, p = settings(link, box, unit)
    legal = mu[..., 0] > mu[..., 1:].sum(axis=-1) * (1.0 + 1e-6)
    legal &= (mu[..., 1] > 1.01 * mu[..., 2]) if mu.shape[-1] == 3 else True
    mu = np.where(legal[..., None], mu, np.array([0.5, 0.1, 0.0])[: mu.shape[-1]])
    clicks, errors = click_and_error_probability(
        link.transmittance[:, None],
        mean_photons=mu[..., None, :],
        background_per_gate=link.background[:, None],
        misalignment=link.misalignment,
        after_pulse=link.after_pulse,
    )
    sent = np.broadcast_to(link.pulses, clicks.shape[:-1])
    if link.dead_time_ns > 0.0:
        rate = (clicks @ p[..., None])[..., 0] * link.template.pulse_rate_hz
        sent = sent / (1.0 + rate * link.dead_time_ns * 1e-9)
    n, m = (np.einsum("...t,...tk->...k", sent, x) * p for x in (clicks, errors))
    a, b = (basis, basis)
    if link.fixed_bases:
        a = np.full_like(basis, link.template.key_basis_alice)
        b = np.full_like(basis, link.template.key_basis_bob)
    sides = []
    for alice, bob in ((a, b), (1.0 - a, 1.0 - b)):
        extra = _uneven_darks(link, p, clicks, errors, sent, bob)
        sides.append(
            [(alice * bob)[..., None] * (x + e) for x, e in zip((n, m), extra, strict=True)]
        )
    (key_n, key_m), (check_n, check_m) = sides
    total = [_signed(link, mu, p, (x * key_n, x * key_m, x * check_n, x * check_m)) for x in boosts]
    return np.where(legal, np.stack(total), -np.inf)


def _uneven_darks(
    link: Link,
    p: FloatArray,
    clicks: FloatArray,
    errors: FloatArray,
    sent: FloatArray,
    bob: FloatArray,
) -> tuple[FloatArray | float, FloatArray | float]:
    """Return what `basis_noise` adds to clicks and errors of a basis; both are linear in y0."""
    if not np.any(link.dark > 0.0):
        return 0.0, 0.0
    share = np.maximum(bob, 1e-9)
    more = sent * link.dark * (0.5 / share - 1.0)[..., None]
    quiet = np.maximum(1.0 - link.background[:, None], 1e-12)
    after = 1.0 + link.after_pulse
    # dD/dy0 = (1 + p_ap)(1 - S), and a noise click takes the errors' share to a half.
    silent = (1.0 - clicks / after) / quiet
    wrong = 0.5 * after * silent + (0.5 - link.misalignment) * (1.0 - silent)
    n, m = (np.einsum("...t,...tk->...k", more, x) * p for x in (after * silent, wrong))
    return n, m


def _signed(
    link: Link,
    mu: FloatArray,
    p: FloatArray,
    counts: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
) -> FloatArray:
    """Return the signed length at every point, of the block or of both bases' together."""
    names = ("key_clicks", "key_errors", "check_clicks", "check_errors")
    # Both bases in one call: small arrays cost as much as large ones.
    sides = (counts, (*counts[2:], *counts[:2])) if link.template.both_bases else (counts,)
    whole = BlockCounts(
        **{name: np.stack(each) for name, each in zip(names, zip(*sides, strict=True), strict=True)}
    )
    security = link.security.split(len(sides))
    keys, how = link.template.key_intensities, link.how
    terms = security.terms_for(mu.shape[-1] - 1, signal=keys == "signal")
    held = photon_terms(
        whole,
        mu,
        p,
        keys=keys,
        uncertainty=link.template.intensity_uncertainty,
        beta=float(np.log(terms / security.secrecy)),
        how=how,
    ).secret
    last = 1 if keys == "signal" else mu.shape[-1]
    revealed = how.leak.bits(
        whole.key_clicks[..., :last].sum(axis=-1),
        whole.key_errors[..., :last].sum(axis=-1),
        correctness=security.correctness,
    )
    tail = 0.0 if how.asymptotic else tail_bits(security, terms)
    return np.asarray((held - revealed - tail).sum(axis=0))
