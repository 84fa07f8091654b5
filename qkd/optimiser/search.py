"""A deterministic local search that asks for many values of a smooth function at once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qkd import checks
from qkd.checks import FloatArray
from qkd.errors import QkdInputError


def _pair(name: str, value: object) -> tuple[float, float]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise QkdInputError(f"{name} is {checks.shown(value)}, allowed (low, high)")
    return value[0], value[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchBox:
    """Where the optimiser looks, each a (low, high) pair.

    decoy_share is p_2 / (1 - p_1) and decoy_ratio mu_2 / mu_1. With one decoy there is no
    decoy_share to choose.
    """

    key_basis: tuple[float, float] = (0.05, 0.99)
    signal_probability: tuple[float, float] = (0.05, 0.995)
    decoy_share: tuple[float, float] = (0.01, 0.99)
    signal_photons: tuple[float, float] = (0.1, 1.2)
    decoy_ratio: tuple[float, float] = (0.02, 0.9)

    def __post_init__(self) -> None:
        for name in ("key_basis", "signal_probability", "decoy_share", "decoy_ratio"):
            low, high = _pair(name, getattr(self, name))
            checks.number(f"{name}, low", low, 1e-6, 1.0 - 1e-6)
            checks.number(f"{name}, high", high, low, 1.0 - 1e-6)
        low, high = _pair("signal_photons", self.signal_photons)
        checks.number("signal_photons, low", low, 1e-3, 10.0)
        checks.number("signal_photons, high", high, low, 10.0)

    def edges(self) -> tuple[FloatArray, FloatArray]:
        """Return the lower and the upper corner of the box."""
        pairs = np.array(
            [
                self.key_basis,
                self.signal_probability,
                self.decoy_share,
                self.signal_photons,
                self.decoy_ratio,
            ]
        )
        return pairs[:, 0], pairs[:, 1]


_DAMPINGS = (0.0, 0.03, 0.3, 3.0, 30.0)
_LENGTHS = (0.5, 1.0, 2.0)
#: After so many rounds only the best climber goes on.
_ROUNDS_TOGETHER = 6


@dataclass(slots=True)
class _Climber:
    """One search under way: where it stands, how high, and how wide it looks."""

    here: FloatArray
    best: float
    step: float


def _design(dimensions: int) -> FloatArray:
    """Return the star and the pair-wise corners at which a quadratic is measured."""
    unit = np.eye(dimensions)
    pairs = [unit[i] + unit[j] for i in range(dimensions) for j in range(i)]
    return np.concatenate([unit, -unit, np.array(pairs).reshape(-1, dimensions)])


def _quadratic(values: FloatArray, centre: float, dimensions: int) -> tuple[FloatArray, FloatArray]:
    """Return gradient and Hessian from values at the design's points, in steps."""
    plus, minus = values[:dimensions], values[dimensions : 2 * dimensions]
    gradient = (plus - minus) / 2.0
    hessian = np.diag(plus + minus - 2.0 * centre)
    row = 2 * dimensions
    for i in range(dimensions):
        for j in range(i):
            mixed = values[row] - plus[i] - plus[j] + centre
            hessian[i, j] = hessian[j, i] = mixed
            row += 1
    return gradient, hessian


def peaks(grid: FloatArray, values: FloatArray, *, count: int) -> list[FloatArray]:
    """Return the highest points of a grid that none of their neighbours exceeds.

    grid (..., D) holds the points of a D-dimensional mesh, values their heights.
    """
    higher = np.zeros(values.shape, dtype=np.bool_)
    for axis in range(values.ndim):
        # Two impossible points side by side, both -inf, are no slope.
        with np.errstate(invalid="ignore"):
            slope = np.diff(values, axis=axis)
        rise, fall = slope > 0.0, slope < 0.0
        ahead = [(0, 0)] * values.ndim
        ahead[axis] = (0, 1)
        behind = [(0, 0)] * values.ndim
        behind[axis] = (1, 0)
        higher |= np.pad(rise, ahead) | np.pad(fall, behind)
    height = np.where(higher, -np.inf, values).ravel()
    order = np.argsort(-height, kind="stable")[:count]
    flat = grid.reshape(-1, grid.shape[-1])
    return [flat[i] for i in order if np.isfinite(height[i])]


def maximise(
    value: Callable[[FloatArray], FloatArray],
    starts: FloatArray,
    *,
    step: float = 0.04,
    least_step: float = 1e-4,
    rounds: int = 24,
) -> tuple[FloatArray, float]:
    """Return the point of the unit box where `value` is largest, and its value there.

    From every start: a round measures a quadratic model in one call, tries damped Newton
    steps of it in another, and moves to the best point seen; a round without gain narrows
    the step. All climb together for a few rounds, then the best of them alone.

    Parameters
    ----------
    value : takes points (N, D), returns N values; -inf marks an impossible point
    starts : array (S, D), inside 0..1
    step, least_step : first and last width of the model, in units of the box
    rounds : limit of rounds
    """
    points = np.clip(starts, 0.0, 1.0)
    heights = value(points)
    climbers = [
        _Climber(here=here, best=float(height), step=step)
        for here, height in zip(points, heights, strict=True)
    ]
    for number in range(rounds):
        if number == _ROUNDS_TOGETHER:
            climbers = [max(climbers, key=lambda climber: climber.best)]
        active = [climber for climber in climbers if climber.step >= least_step]
        if not active:
            break
        _climb(value, active, least_step)
    winner = max(climbers, key=lambda climber: climber.best)
    return winner.here, winner.best


def _climb(
    value: Callable[[FloatArray], FloatArray], climbers: list[_Climber], least_step: float
) -> None:
    """Move every climber by one round, with two calls of `value` for all of them."""
    dimensions = climbers[0].here.size
    design = np.concatenate([np.zeros((1, dimensions)), _design(dimensions)])
    # Kept inside by the width of the step, so that both sides can be measured.
    middles = [np.clip(c.here, c.step, 1.0 - c.step) for c in climbers]
    points = np.stack(
        [np.clip(m + c.step * design, 0.0, 1.0) for m, c in zip(middles, climbers, strict=True)]
    )
    seen = value(points.reshape(-1, dimensions)).reshape(len(climbers), -1)
    trials = np.stack(
        [
            np.clip(m + c.step * _moves(heights, dimensions), 0.0, 1.0)
            for m, c, heights in zip(middles, climbers, seen, strict=True)
        ]
    )
    tried = value(trials.reshape(-1, dimensions)).reshape(len(climbers), -1)
    for index, climber in enumerate(climbers):
        candidates = np.concatenate([points[index], trials[index]])
        heights = np.concatenate([seen[index], tried[index]])
        winner = int(np.argmax(heights))
        if heights[winner] > climber.best + 1e-7 * abs(climber.best):
            moved = float(np.abs(candidates[winner] - climber.here).max())
            climber.here, climber.best = candidates[winner], float(heights[winner])
            width = climber.step if moved > climber.step else 0.5 * climber.step
            climber.step = min(max(width, least_step), 0.1)
        else:
            climber.step *= 0.25


def _moves(heights: FloatArray, dimensions: int) -> FloatArray:
    """Return the Newton steps of one climber, none where the model cannot be measured."""
    if not np.all(np.isfinite(heights)):
        return np.zeros((len(_DAMPINGS) * len(_LENGTHS), dimensions))
    return _newton_moves(*_quadratic(heights[1:], float(heights[0]), dimensions))


def _newton_moves(gradient: FloatArray, hessian: FloatArray) -> FloatArray:
    """Return damped Newton steps uphill, at most ten model widths long."""
    values, vectors = np.linalg.eigh(hessian)
    scale = max(float(np.abs(values).max()), 1e-300)
    along = vectors.T @ gradient
    moves = []
    for damping in _DAMPINGS:
        curvature = np.maximum(np.abs(values), 1e-6 * scale) + damping * scale
        direction = vectors @ (along / curvature)
        for length in _LENGTHS:
            moves.append(length * direction)
    return np.asarray(np.clip(np.array(moves), -10.0, 10.0))
