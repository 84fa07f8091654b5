"""A deterministic local search that asks for many values of a smooth function at once."""

from collections.abc import Callable

import numpy as np

from qkd.checks import FloatArray

_DAMPINGS = (0.0, 0.03, 0.3, 3.0, 30.0)
_LENGTHS = (0.5, 1.0, 2.0)


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


def maximise(
    value: Callable[[FloatArray], FloatArray],
    start: FloatArray,
    *,
    step: float = 0.04,
    least_step: float = 1e-4,
    rounds: int = 24,
) -> tuple[FloatArray, float]:
    """Return the point of the unit box where `value` is largest, and its value there.

    Each round measures a quadratic model in one call, tries damped Newton steps of it in
    another, and moves to the best point seen; a round without gain narrows the step.

    Parameters
    ----------
    value : takes points (N, D), returns N values; -inf marks an impossible point
    start : array (D,), inside 0..1
    step, least_step : first and last width of the model, in units of the box
    rounds : limit of rounds
    """
    dimensions = start.size
    design = _design(dimensions)
    here = np.clip(start, 0.0, 1.0)
    best = float(value(here[None])[0])
    for _ in range(rounds):
        if step < least_step:
            break
        # Kept inside by the width of the step, so that both sides can be measured.
        middle = np.clip(here, step, 1.0 - step)
        points = np.concatenate([middle[None], middle + step * design])
        seen = value(np.clip(points, 0.0, 1.0))
        candidates = points
        if np.all(np.isfinite(seen)):
            gradient, hessian = _quadratic(seen[1:], float(seen[0]), dimensions)
            moves = _newton_moves(gradient, hessian)
            trial = np.clip(middle + step * moves, 0.0, 1.0)
            candidates = np.concatenate([points, trial])
            seen = np.concatenate([seen, value(trial)])
        winner = int(np.argmax(seen))
        if seen[winner] > best + 1e-7 * abs(best):
            moved = float(np.abs(candidates[winner] - here).max())
            here, best = np.clip(candidates[winner], 0.0, 1.0), float(seen[winner])
            step = min(max(step if moved > step else 0.5 * step, least_step), 0.1)
        else:
            step *= 0.25
    return np.asarray(here), best


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
