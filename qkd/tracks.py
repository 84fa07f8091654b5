"""How long each sample of a track stands for."""

import numpy as np
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import FloatArray
from qkd.errors import QkdInputError
from qkd.ports import Track

#: A step longer than so many times the least one is a gap: nobody measured in it.
GAP_STEPS = 2.0


def sample_seconds(offset_s: ArrayLike) -> FloatArray:
    """Return the seconds that each sample stands for: half of the step to either side.

    The first and the last stand for a whole step, so that N samples a second apart make N
    seconds. A lone sample stands for one second. A gap is refused: what lies in it was not
    measured, and its neighbours cannot say so.

    Raises QkdInputError if offsets do not ascend, or a step is more than twice another.
    """
    offsets = checks.array("offset_s", offset_s, -1e9, 1e9, unit="s")
    if offsets.ndim == 0:
        raise QkdInputError("offset_s has shape (), allowed (..., samples)")
    if offsets.shape[-1:] in ((0,), (1,)):
        return np.ones_like(offsets)
    steps = np.diff(offsets, axis=-1)
    least = steps.min(axis=-1, keepdims=True)
    if np.any(least <= 0.0):
        raise QkdInputError(f"offset_s has a step of {least.min():g} s, allowed above 0")
    wide = steps > GAP_STEPS * least * (1.0 + 1e-9)
    if np.any(wide):
        step, usual = steps[wide][0], np.broadcast_to(least, steps.shape)[wide][0]
        raise QkdInputError(
            f"offset_s has a gap of {step:g} s among steps of {usual:g} s, allowed up to twice "
            "the least; say in sample_s what each sample stands for"
        )
    return np.asarray(np.gradient(offsets, axis=-1))


def track_seconds(track: Track) -> FloatArray:
    """Return the seconds of every sample: the track's own `sample_s`, else by `sample_seconds`.

    Raises QkdInputError if the track's own are below 0 or of another shape.
    """
    own = getattr(track, "sample_s", None)
    if own is None:
        return sample_seconds(track.offset_s)
    seconds = checks.array("sample_s", own, 0.0, 1e6, unit="s")
    shape = checks.as_floats("offset_s", track.offset_s).shape
    try:
        return np.broadcast_to(seconds, shape)
    except ValueError:
        raise QkdInputError(
            f"sample_s has shape {seconds.shape}, allowed that of offset_s {shape}"
        ) from None
