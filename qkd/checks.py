"""Checks of arguments, whose messages name the value seen and the range allowed."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkd.errors import ParameterRangeError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def _allowed(low: float, high: float, unit: str) -> str:
    words = f"allowed {low:g}..{high:g}" if math.isfinite(high) else f"allowed {low:g} or more"
    return f"{words} {unit}".rstrip()


def number(
    name: str,
    value: object,
    low: float,
    high: float = math.inf,
    *,
    unit: str = "",
    above: bool = False,
) -> float:
    """Return `value` as a float if low <= value <= high (low < value where `above`)."""
    try:
        # Text would pass here and fail in arithmetic.
        seen = math.nan if isinstance(value, str | bytes) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        seen = math.nan
    if not (math.isfinite(seen) and low <= seen <= high and not (above and seen == low)):
        more = f", not {low:g} itself" if above else ""
        raise ParameterRangeError(f"{name} is {value!r}, {_allowed(low, high, unit)}{more}")
    return seen


def array(
    name: str, values: ArrayLike, low: float, high: float = math.inf, *, unit: str = ""
) -> FloatArray:
    """Return `values` as a float array if every element is finite and within low..high."""
    seen = as_floats(name, values)
    good = np.isfinite(seen) & (seen >= low) & (seen <= high)
    if not np.all(good):
        first = seen[~good].flat[0]
        raise ParameterRangeError(f"{name} holds {first!r}, {_allowed(low, high, unit)}")
    return seen


def as_floats(name: str, values: ArrayLike) -> FloatArray:
    """Return `values` as a float array; raise if they are no numbers, or rows of unequal length."""
    try:
        if np.asarray(values).dtype.kind not in "USMmc":  # text, dates, complex
            return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ParameterRangeError(
        f"{name} is a {type(values).__name__} that holds other than numbers of one shape"
    )


def broadcast(**arrays: FloatArray) -> tuple[FloatArray, ...]:
    """Return the named arrays in their common shape; raise naming the shapes if there is none."""
    try:
        return np.broadcast_arrays(*arrays.values())
    except ValueError:
        shapes = ", ".join(f"{name} {seen.shape}" for name, seen in arrays.items())
        raise ParameterRangeError(
            f"shapes do not fit together: {shapes}; allowed those that broadcast"
        ) from None


def choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return `value` if it is one of `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        raise ParameterRangeError(f"{name} is {value!r}, allowed {', '.join(allowed)}")
    return value


def flag(name: str, value: object) -> bool:
    """Return `value` if it is True or False; any other thing is neither."""
    if not isinstance(value, bool | np.bool_):
        raise ParameterRangeError(f"{name} is {value!r}, allowed True or False")
    return bool(value)


def whole(name: str, value: object, low: int, high: int, *, unit: str = "") -> int:
    """Return `value` as an int if it is a whole number within low..high."""
    seen = number(name, value, low, high, unit=unit)
    if seen != int(seen) or isinstance(value, bool | np.bool_):
        allowed = _allowed(low, high, unit)
        raise ParameterRangeError(f"{name} is {value!r}, {allowed}, whole numbers alone")
    return int(seen)
