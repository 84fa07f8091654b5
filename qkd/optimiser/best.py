"""The settings that give the longest key of given samples."""

from dataclasses import dataclass, replace
from types import NoneType

import numpy as np
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import FloatArray
from qkd.decoy import Counts, DecoyProtocol, expected_counts
from qkd.errors import QkdInputError
from qkd.finite_key.key import KeyLength, block_keys
from qkd.finite_key.leak import FiniteLeak, LeakModel
from qkd.finite_key.terms import Security, proof
from qkd.freespace.budget import LinkBudget
from qkd.optimiser.objective import Link, classes, point_of, settings, signed
from qkd.optimiser.search import SearchBox, maximise, peaks

#: Samples of equal loss are counted together; the counts are nearly linear in the
#: transmittance, so this many classes keep them to 1e-6.
_CLASSES = 48
_COARSE_CLASSES = 8
#: Peaks of each coarse look from which to climb.
_PEAKS = 2
#: Times as many pulses, of the links looked at first.
_BOOSTS = (1.0, 2.0, 4.0, 10.0)
#: Grid of the first, coarse look, per coordinate of the unit box.
_GRID = (
    (0.25, 0.5, 0.7, 0.82, 0.9, 0.96),
    (0.25, 0.5, 0.7, 0.82, 0.9, 0.96),
    (0.3, 0.6, 0.85),
    (0.25, 0.4, 0.55, 0.75),
    (0.07, 0.17, 0.35, 0.6),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """The best protocol found, the counts it expects in one block, and their keys."""

    protocol: DecoyProtocol
    counts: Counts
    keys: tuple[KeyLength, ...]

    @property
    def signed_length(self) -> float:
        """Signed key length of the block, all keys together."""
        return float(sum(float(key.signed_length) for key in self.keys))

    @property
    def secret_bits(self) -> int:
        """Secret bits of the block, all keys together."""
        return sum(int(key.length_bits) for key in self.keys)


@checks.takes(
    template=DecoyProtocol, security=Security, box=SearchBox, start=(DecoyProtocol, NoneType)
)
def optimise(
    transmittance: ArrayLike | LinkBudget,
    template: DecoyProtocol,
    security: Security,
    *,
    background_per_gate: ArrayLike,
    misalignment: float,
    dark_per_gate: ArrayLike = 0.0,
    sample_s: ArrayLike = 1.0,
    after_pulse: float = 0.0,
    dead_time_ns: float = 0.0,
    dead_time_share: float = 1.0,
    passes: float = 1.0,
    bound: str = "chernoff",
    leak: LeakModel | float = FiniteLeak(),  # noqa: B008 - frozen, no state
    phase: str = "exact",
    box: SearchBox = SearchBox(),  # noqa: B008 - frozen, no state
    fixed_bases: bool = False,
    start: DecoyProtocol | None = None,
) -> Optimum:
    """Return the protocol that gives the longest signed key for the samples of one block.

    The objective has no floor at 0 and no 1/l, so that a link near its limit still has a
    slope to climb. A coarse grid in one call, then quadratic-model searches from several
    starts; deterministic. The chosen settings must be agreed before the pass: optimise on
    the mean pass of a campaign, or on the forecast of one.

    Parameters
    ----------
    transmittance, background_per_gate, dark_per_gate, sample_s : arrays over samples, or a
        link budget and numbers, as of `expected_counts`; a number is one sample
    template : gives pulse rate, number of decoys, weakest intensity, and how key is made;
        its other intensities and probabilities are not used
    security : of the block
    misalignment, after_pulse, dead_time_ns, dead_time_share : of the receiver
    passes : equal passes that are summed into the block
    bound, leak, phase : as for `secret_key`; a `FiniteLeak` is smoothed while searching
    box : where to look
    fixed_bases : keep the template's basis probabilities, for a passive receiver
    start : settings near the best, to climb from instead of looking everywhere first

    Raises QkdInputError if a parameter is impossible.
    """
    how = proof(bound=bound, leak=leak, phase=phase)
    checks.number("passes", passes, 0.0, 1e9)
    checks.flag("fixed_bases", fixed_bases)
    checks.number("dead_time_ns", dead_time_ns, 0.0, 1e15, unit="ns")
    checks.number("dead_time_share", dead_time_share, 0.0, 1.0)
    eta, noise, dark, seconds = _checked_samples(
        transmittance, background_per_gate, dark_per_gate, sample_s
    )
    samples = classes(eta, noise, dark, seconds, _CLASSES)
    link = Link(
        transmittance=samples[0],
        background=samples[1],
        dark=samples[2],
        pulses=samples[3] * template.pulse_rate_hz * passes,
        misalignment=misalignment,
        after_pulse=after_pulse,
        dead_time_ns=dead_time_ns * dead_time_share,
        template=template,
        fixed_bases=fixed_bases,
        security=security,
        how=replace(how, leak=_smooth(how.leak), smooth_steps=2),
    )
    starts = _grid_peaks(link, box) if start is None else point_of(box, start)[None]
    best = maximise(lambda points: np.asarray(signed(link, box, points)[0]), starts)[0]
    protocol = _protocol(link, box, best)
    counts = expected_counts(
        eta,
        protocol,
        background_per_gate=noise,
        dark_per_gate=dark,
        misalignment=misalignment,
        sample_s=seconds,
        after_pulse=after_pulse,
        dead_time_ns=dead_time_ns,
        dead_time_share=dead_time_share,
    )
    block = counts.total().scaled(passes)
    keys = block_keys(block, protocol, security, bound=bound, leak=leak, phase=phase)
    return Optimum(protocol=protocol, counts=block, keys=keys)


def _smooth(leak: LeakModel) -> LeakModel:
    return replace(leak, smooth=True) if isinstance(leak, FiniteLeak) else leak


def _checked_samples(
    transmittance: ArrayLike | LinkBudget,
    background_per_gate: ArrayLike,
    dark_per_gate: ArrayLike,
    sample_s: ArrayLike,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the four of one shape (samples,), checked; near field counts as no link."""
    given = transmittance.transmittance if isinstance(transmittance, LinkBudget) else transmittance
    eta, noise, dark, seconds = checks.broadcast(
        transmittance=np.atleast_1d(checks.array("transmittance", given, 0.0)),
        background_per_gate=checks.array("background_per_gate", background_per_gate, 0.0, 1.0),
        dark_per_gate=checks.array("dark_per_gate", dark_per_gate, 0.0, 1.0),
        sample_s=checks.array("sample_s", sample_s, 0.0, 1e12, unit="s"),
    )
    if eta.ndim != 1:
        raise QkdInputError(f"transmittance has shape {eta.shape}, allowed (samples,)")
    # Where the far-field formula exceeds one there is no link; means must not mix it in.
    return np.where(eta > 1.0, 0.0, eta), noise, dark, seconds


def _protocol(link: Link, box: SearchBox, point: FloatArray) -> DecoyProtocol:
    """Return the protocol of a point of the unit box."""
    template = link.template
    basis, mu, p = settings(link, box, point)
    return replace(
        template,
        intensities=tuple(float(x) for x in mu),
        probabilities=tuple(float(x) for x in p),
        key_basis_alice=template.key_basis_alice if link.fixed_bases else float(basis),
        key_basis_bob=template.key_basis_bob if link.fixed_bases else float(basis),
    )


def _grid_peaks(link: Link, box: SearchBox) -> FloatArray:
    """Return the points of a coarse grid in the unit box from which to climb."""
    axes = list(_GRID)
    if len(link.template.intensities) == 2:
        axes[2] = _GRID[2][:1]
    if link.fixed_bases:
        axes[0] = _GRID[0][:1]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    eta, noise, dark, pulses = classes(
        link.transmittance, link.background, link.dark, link.pulses, _COARSE_CLASSES
    )
    coarse = replace(
        link,
        transmittance=eta,
        background=noise,
        dark=dark,
        pulses=pulses,
        how=replace(link.how, smooth_steps=1),
    )
    starts: list[FloatArray] = []
    # A weak link's key is negative nearly everywhere and largest where nothing is sent;
    # the peak of the same link with more pulses lies near its true one.
    for values in signed(coarse, box, grid.reshape(-1, 5), boosts=_BOOSTS):
        starts += peaks(grid, values.reshape(grid.shape[:-1]), count=_PEAKS)
    if not starts:
        raise QkdInputError(
            f"intensities of the template end in {link.template.intensities[-1]:g}, allowed "
            "less than the decoy intensities of the box"
        )
    return np.unique(np.array(starts), axis=0)
