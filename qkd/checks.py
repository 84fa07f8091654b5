"""Checks of arguments, whose messages name the value seen and the range allowed."""

import math
from collections.abc import Callable
from functools import wraps
from itertools import chain
from types import NoneType
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkd.errors import QkdInputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
#: A class, several of them, or the names of the attributes that a thing must have.
Kind = type | tuple[type, ...] | tuple[str, ...]
_LARGEST = float(np.finfo(np.float64).max)
P = ParamSpec("P")
R = TypeVar("R")


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
        raise QkdInputError(f"{name} is {value!r}, {_allowed(low, high, unit)}{more}")
    return seen


def array(
    name: str, values: ArrayLike, low: float, high: float = math.inf, *, unit: str = ""
) -> FloatArray:
    """Return `values` as a float array if every element is finite and within low..high."""
    seen = as_floats(name, values)
    # Two numbers say that all is well, and no comparison with NaN does.
    if seen.size and not (seen.min() >= max(low, -_LARGEST) and seen.max() <= min(high, _LARGEST)):
        good = np.isfinite(seen) & (seen >= low) & (seen <= high)
        first = seen[~good].flat[0]
        raise QkdInputError(f"{name} holds {first!r}, {_allowed(low, high, unit)}")
    return seen


def as_floats(name: str, values: ArrayLike) -> FloatArray:
    """Return `values` as a float array; raise if they are no numbers, or rows of unequal length."""
    try:
        if np.asarray(values).dtype.kind not in "USMmc":  # text, dates, complex
            return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        pass
    raise QkdInputError(f"{name} is {shown(values)}, allowed numbers of one shape")


def indices(name: str, values: ArrayLike, size: int) -> IntArray:
    """Return `values` as whole indices, one axis, each within 0..size-1."""
    seen = array(name, values, 0, max(size - 1, 0))
    if seen.ndim != 1 or np.any(seen != np.floor(seen)) or (size == 0 and seen.size):
        raise QkdInputError(
            f"{name} is {shown(values)}, allowed a row of whole numbers 0..{size - 1}"
        )
    return seen.astype(np.int64)


def broadcast(**arrays: FloatArray) -> tuple[FloatArray, ...]:
    """Return the named arrays in their common shape; raise naming the shapes if there is none."""
    try:
        return np.broadcast_arrays(*arrays.values())
    except ValueError:
        shapes = ", ".join(f"{name} {seen.shape}" for name, seen in arrays.items())
        raise QkdInputError(
            f"shapes do not fit together: {shapes}; allowed those that broadcast"
        ) from None


def shown(value: object) -> str:
    """Return the value in few words, for a message."""
    words = repr(value)
    return words if len(words) <= 60 else f"a {type(value).__name__}"


def kind(name: str, value: object, wanted: Kind) -> None:
    """Raise unless `value` is of a class wanted, or has the attributes wanted."""
    names = [one for one in wanted if isinstance(one, str)] if isinstance(wanted, tuple) else []
    missing = [one for one in names if not hasattr(value, one)]
    if missing:
        raise QkdInputError(
            f"{name} is {shown(value)} without {', '.join(missing)}, "
            f"allowed any object with {', '.join(names)}"
        )
    if not names and not isinstance(value, wanted):  # type: ignore[arg-type]
        classes = wanted if isinstance(wanted, tuple) else (wanted,)
        words = " or ".join("None" if one is NoneType else one.__name__ for one in classes)  # type: ignore[union-attr]
        raise QkdInputError(f"{name} is {shown(value)}, allowed {words}")


def kinds(owner: object, **wanted: Kind) -> None:
    """Raise unless the fields of a fact are of the classes wanted."""
    for name, one in wanted.items():
        kind(name, getattr(owner, name), one)


def takes(**wanted: Kind) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that checks the classes of a function's arguments by their names."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        code = function.__code__
        names = code.co_varnames[: code.co_argcount]

        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            for name, value in chain(zip(names, args, strict=False), kwargs.items()):
                if name in wanted:
                    kind(name, value, wanted[name])
            return function(*args, **kwargs)

        return checked

    return decorate


def choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return `value` if it is one of `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        raise QkdInputError(f"{name} is {value!r}, allowed {', '.join(allowed)}")
    return value


def flag(name: str, value: object) -> bool:
    """Return `value` if it is True or False; any other thing is neither."""
    if not isinstance(value, bool | np.bool_):
        raise QkdInputError(f"{name} is {value!r}, allowed True or False")
    return bool(value)


def whole(name: str, value: object, low: int, high: int, *, unit: str = "") -> int:
    """Return `value` as an int if it is a whole number within low..high."""
    seen = number(name, value, low, high, unit=unit)
    if seen != int(seen) or isinstance(value, bool | np.bool_):
        allowed = _allowed(low, high, unit)
        raise QkdInputError(f"{name} is {value!r}, {allowed}, whole numbers alone")
    return int(seen)
