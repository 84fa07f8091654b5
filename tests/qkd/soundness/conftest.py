"""Sizes of the soundness suite: small with the other tests, full by `make soundness`."""

import os
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def size() -> Callable[[int, int], int]:
    """Return a choice between the small and the full number of trials."""
    full = os.environ.get("SKYTRUNK_SOUNDNESS") == "full"
    return lambda small, all_of_them: all_of_them if full else small
