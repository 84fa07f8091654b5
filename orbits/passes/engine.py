"""Which way of finding passes answers a question."""

from __future__ import annotations

from enum import StrEnum
from importlib.util import find_spec

from orbits.errors import SearchError


class Engine(StrEnum):
    """Ways of finding passes; they agree, and differ in speed and in what they need."""

    NUMPY = "numpy"  #: quintics on a coarse grid; the usual one
    FAST = "fast"  #: the same compiled by numba, the extra `fast`; times agree to a microsecond
    SKYFIELD = "skyfield"  #: Skyfield's positions and searches, the reference, slow


def as_engine(name: Engine | str) -> Engine:
    """Return the engine of a name; raise SearchError for another or one that is not there."""
    try:
        engine = Engine(name)
    except ValueError:
        allowed = ", ".join(Engine)
        raise SearchError(f"engine {str(name)!r}, not one of {allowed}") from None
    if engine is Engine.FAST and find_spec("numba") is None:
        raise SearchError(
            "engine 'fast' needs numba, which is not installed; allowed: install the extra "
            "`fast` (pip install 'skytrunk[fast]'), or the engine 'numpy'"
        )
    return engine
